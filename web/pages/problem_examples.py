"""For every problem code what leads to it and what does not, as code and names that need no translation."""

from collections.abc import Mapping
from typing import NamedTuple


class Example(NamedTuple):
    """What leads to a problem, and what goes well instead."""

    wrong: str
    right: str


EXAMPLES: Mapping[str, Example] = {
    # settings
    "invalid-params": Example('{"params": {"epochs": 0}}', '{"params": {"epochs": 20}}'),
    "unknown-setting": Example("aigc submit image_gan.train -p epocs=20", "aigc submit image_gan.train -p epochs=20"),
    "unknown-preset": Example('{"preset": "fast"}', '{"preset": "quick"}'),
    "unknown-task": Example('{"task": "image_gan.trian"}', '{"task": "image_gan.train"}'),
    "unknown-parameter": Example("GET /api/v1/jobs?status=failed", "GET /api/v1/jobs?state=failed"),
    "invalid-query": Example("GET /api/v1/jobs?limit=0", "GET /api/v1/jobs?limit=20"),
    "needs-upload": Example('{"task": "dataset.import_images"}', "curl SERVER/api/v1/datasets -F file=@pictures.zip"),
    "invalid-name": Example('{"name": "  "}', '{"name": "shirts"}'),
    "invalid-tag": Example('{"tags": ["night,run"]}', '{"tags": ["night", "run"]}'),
    "too-many-tags": Example('{"tags": [<21 tags>]}', '{"tags": [<20 tags>]}'),
    "invalid-notes": Example('{"notes": <10,001 characters>}', '{"notes": <10,000 characters>}'),
    "wrong-input": Example(
        '{"task": "image_gan.generate", "params": {"model": <image_vae>}}',
        '{"task": "image_gan.generate", "params": {"model": <image_gan>}}',
    ),
    "unknown-alias": Example('{"alias": "best"}', '{"alias": "production"}'),
    "invalid-webhook": Example('{"url": "receiver"}', '{"url": "https://receiver.example/hook"}'),
    "webhooks-off": Example("AIGC_WEBHOOK_HOSTS=", "AIGC_WEBHOOK_HOSTS=receiver.example"),
    "fetching-off": Example("AIGC_DATASET_HOSTS=", "AIGC_DATASET_HOSTS=data.example.org"),
    "invalid-url": Example('{"url": "http://localhost/a.zip"}', '{"url": "https://data.example.org/a.zip"}'),
    "fetch-failed": Example("https://data.example.org/a.zip → 404", "https://data.example.org/b.zip → 200"),
    "needed-job-failed": Example('{"after": ["job_…" (failed)]}', "aigc jobs retry job_…"),
    "too-many-needed": Example('{"after": [33 × "job_…"]}', '{"after": [32 × "job_…"]}'),
    "invalid-cursor": Example("GET /api/v1/jobs?cursor=2", "GET /api/v1/jobs?cursor=<next_cursor>"),
    # data
    "invalid-data": Example("shirts/1.png (0 bytes)", "shirts/1.png (12 KB)"),
    "dataset-refused": Example("pictures.zip: shirts/1.png (0 bytes)", "pictures.zip: shirts/1.png (12 KB)"),
    "dataset-empty": Example("pictures.zip (0 bytes)", "pictures.zip (12 MB)"),
    "dataset-too-large": Example("500,000 × 256 × 256 × 3 = 98 GB", "500,000 × 64 × 64 × 3 = 6 GB"),
    "dataset-not-ready": Example('{"dataset": "ds_…" (checking)}', '{"dataset": "ds_…" (ready)}'),
    "dataset-in-use": Example("DELETE /api/v1/datasets/ds_…", "GET /api/v1/datasets/ds_…/used-by"),
    "model-in-use": Example("DELETE /api/v1/models/mdl_…", "GET /api/v1/models/mdl_…/used-by"),
    "model-has-alias": Example("DELETE /api/v1/models/mdl_…", "DELETE /api/v1/models/mdl_…/aliases/production"),
    "alias-moved": Example(
        '{"alias": "production", "replaces": "mdl_<v1>"}', '{"alias": "production", "replaces": "mdl_<v2>"}'
    ),
    "file-missing": Example("curl SERVER/api/v1/datasets -F name=x", "curl … -F name=x -F file=@pictures.zip"),
    "no-such-file": Example("aigc datasets add picture.zip", "aigc datasets add pictures.zip"),
    "file-too-large": Example("pictures.zip (3.1 GB)", "AIGC_MAX_UPLOAD=4294967296"),
    "unsupported-file": Example("pictures.rar, report.pdf", "pictures.zip, images.npz"),
    "truncated-file": Example("pictures.zip (4 of 12 MB)", "sha256sum pictures.zip"),
    "broken-file": Example("unzip -t pictures.zip → CRC error", "unzip -t pictures.zip → OK"),
    "broken-image": Example("shirts/7.jpg (½)", '{"skip_broken": true}'),
    "image-too-large": Example("8,000 × 6,000", "5,000 × 5,000"),
    "image-too-small": Example("3 × 3", "8 × 8"),
    "too-few-images": Example("9 × .png", "100 × .png"),
    "too-many-files": Example("pictures.zip", "pictures-1.zip, pictures-2.zip"),
    "no-images": Example("pictures.zip: readme.txt", "pictures.zip: shirts/1.png"),
    "mixed-folders": Example("shirts/1.png, 2.png", "shirts/1.png, shoes/2.png"),
    "class-names": Example("labels 0–9, class_names=a,b", "labels 0–1, class_names=a,b"),
    "labels-missing": Example("x_train, y_train, x_test", "x_train, y_train, x_test, y_test"),
    "labels-count": Example("x: (100, 28, 28), y: (99,)", "x: (100, 28, 28), y: (100,)"),
    "wrong-shape": Example("x: (100, 784)", "x: (100, 28, 28)"),
    "wrong-size": Example("x: (100, 2, 2)", "x: (100, 28, 28)"),
    "wrong-type": Example("x.dtype = object", "x.dtype = uint8"),
    "wrong-range": Example("x: −3.1 … 2.8", "x: 0 … 255"),
    "not-finite": Example("numpy.isfinite(x).all() → False", "numpy.isfinite(x).all() → True"),
    "unsafe-archive": Example("../../shirts/1.png", "shirts/1.png"),
    "archive-bomb": Example("big.png: 10 KB → 64 MB", "big.png: 10 KB → 12 KB"),
    "reading-too-large": Example("image_size=256", "image_size=64"),
    "reading-too-slow": Example("pictures.zip (40 GB)", "pictures-1.zip, pictures-2.zip"),
    # jobs
    "out-of-memory": Example("batch_size=256", "batch_size=64"),
    "host-out-of-memory": Example("aigc worker & aigc worker & aigc worker", "aigc worker"),
    "diverged": Example("learning_rate=0.01", "learning_rate=0.0002"),
    "stalled": Example("310/500 … 310/500", "aigc jobs logs job_… -f"),
    "timeout": Example('{"time_limit": "10m"}', '{"time_limit": "2h"}'),
    "worker-lost": Example("kill -9 <aigc worker>", "aigc jobs retry job_… --from-checkpoint"),
    "poisoned": Example("aigc jobs retry job_…", "aigc jobs logs job_…"),
    "disk-full": Example("df -h → 100 %", "aigc gc"),
    "expired": Example("Cancel-After: 10s", "Cancel-After: 2h"),
    "internal": Example("500", "aigc doctor"),
    "job-not-found": Example("GET /api/v1/jobs/job_typo", "GET /api/v1/jobs"),
    "job-already-finished": Example("POST /api/v1/jobs/job_…/cancel (succeeded)", "GET /api/v1/jobs/job_…"),
    "job-still-running": Example("DELETE /api/v1/jobs/job_… (running)", "POST /api/v1/jobs/job_…/cancel"),
    "job-cancelling": Example("POST …/cancel, POST …/pause", "POST …/cancel, POST …/retry"),
    "job-pausing": Example("POST …/pause, POST …/resume", "POST …/pause (paused), POST …/resume"),
    "job-needed": Example("DELETE /api/v1/jobs/job_…", "POST /api/v1/jobs/<waiting>/cancel"),
    "cannot-generate": Example("POST /api/v1/models/mdl_…/generate", "GET /api/v1/tasks"),
    # requests
    "bad-request": Example("Idempotency-Key: (300 × x)", "Idempotency-Key: 7d3c…"),
    "malformed-json": Example("{task: 'image_gan.train',}", '{"task": "image_gan.train"}'),
    "form-expired": Example("csrf_token=…", "F5"),
    "not-found": Example("/job", "/jobs"),
    "method-not-allowed": Example("PUT /api/v1/jobs", "POST /api/v1/jobs"),
    "not-acceptable": Example("Accept: application/xml", "Accept: application/json"),
    "body-too-large": Example("POST /api/v1/jobs (2 MB)", "POST /api/v1/datasets -F file=@pictures.zip"),
    "unsupported-media-type": Example("Content-Type: text/plain", "Content-Type: application/json"),
    "other-tus-version": Example("Tus-Resumable: 0.2.2", "Tus-Resumable: 1.0.0"),
    "upload-moved": Example("Upload-Offset: 0 (8388608)", "Upload-Offset: 8388608"),
    "upload-incomplete": Example("Upload-Offset: 8388608 / Upload-Length: 9000000", "Upload-Offset: 9000000"),
    "upload-overrun": Example("Upload-Length: 100, <101 bytes>", "Upload-Length: 101, <101 bytes>"),
    "version-mismatch": Example('If-Match: "3" (4)', 'If-Match: "4"'),
    "range-not-satisfiable": Example("Range: bytes=5000- (1,000 bytes)", "Range: bytes=0-499"),
    "idempotency-key-reused": Example("Idempotency-Key: a {…1…}, a {…2…}", "Idempotency-Key: a {…1…}, b {…2…}"),
    "invalid-idempotency-key": Example("Idempotency-Key:", "Idempotency-Key: $(uuidgen)"),
    "too-many-streams": Example("Accept: text/event-stream", "Prefer: wait=25"),
    "too-many-requests": Example("429 Retry-After: 20 → 429, 429, 429", "429 Retry-After: 20 → sleep 20 → 202"),
    # server
    "unauthorized": Example(
        "curl SERVER/api/v1/jobs", 'curl SERVER/api/v1/jobs -H "Authorization: Bearer $AIGC_TOKEN"'
    ),
    "forbidden": Example("403", "aigc token create"),
    "scope-too-small": Example("scope: read, POST /api/v1/jobs", "scope: submit, POST /api/v1/jobs"),
    "wrong-host": Example("Host: foundry.example", "AIGC_ALLOWED_HOSTS=foundry.example"),
    "cross-origin": Example("Origin: https://elsewhere.example", "Origin: SERVER"),
    "cookie-needs-origin": Example("curl --cookie session=…", 'curl -H "Authorization: Bearer $AIGC_TOKEN"'),
    "storage-full": Example("df -h → 100 %", "aigc gc"),
    "unavailable": Example("503", "aigc doctor"),
}
