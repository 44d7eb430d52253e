"""How each problem is mended: on the pages, over the API, on the command line; code needs no translation."""

from collections.abc import Mapping
from typing import NamedTuple


class Ways(NamedTuple):
    """Where to mend a problem.

    Attributes:
        pages: A sentence on what to do in the browser.
        api: The request that mends it.
        command: The command that mends it.
    """

    pages: str
    api: str
    command: str


FIELD = "The form keeps what you typed, marks the field and says what it takes. Correct it and press the button again."
LIST = "The form lists what can be chosen. Pick one there."
UPLOAD = "Correct the file, then upload it again on the page Datasets. The page of the upload lists every fault."
AGAIN = "The job's page says why it ended and has buttons to try again, also with other settings or from a checkpoint."
USED = "The page that asks before deleting lists what is in the way, with links, in the order to delete it."
WAIT = "Nothing to do: the page follows by itself. Try again when it shows the new state."
RELOAD = "Go back to the page before, reload it, then send it again."
ADDRESS = "Use the links of the pages instead of a typed address; the home page leads everywhere."
PROGRAMS = "This concerns programs only; the pages do it rightly by themselves."
SIGN_IN = "Sign in with a token that may do this; the page that asks for it opens by itself."
OPERATOR = "Tell whoever runs this server; nothing can be set on the pages."
MAKE_ROOM = "Delete jobs and datasets that are not needed; on the page Jobs several can be ticked at once."
VERSIONS = "The model's page shows which version each alias stands for; press the button there again."

CHECK = "POST /api/v1/jobs?validate_only=true"
SCHEMA = "GET /api/v1/tasks/image_gan.train"
FILE = "curl SERVER/api/v1/datasets -F file=@corrected.zip"
RETRY = 'POST /api/v1/jobs/job_…/retry {"from": "checkpoint"}'
ONCE_MORE = "aigc jobs retry job_… --from-checkpoint"
DESCRIPTION = "GET /api/v1/openapi.json"

BY_GROUP: Mapping[str, Ways] = {
    "Settings": Ways(FIELD, CHECK, "aigc submit image_gan.train --check"),
    "Data": Ways(UPLOAD, FILE, "aigc datasets check corrected.zip"),
    "Jobs": Ways(AGAIN, RETRY, ONCE_MORE),
    "Requests": Ways(PROGRAMS, DESCRIPTION, "aigc doctor"),
    "Server": Ways(OPERATOR, "GET /readyz", "aigc doctor"),
}
WAYS: Mapping[str, Ways] = {
    # settings
    "invalid-params": Ways(FIELD, f"{SCHEMA}, {CHECK}", "aigc tasks image_gan.train"),
    "unknown-setting": Ways(PROGRAMS, SCHEMA, "aigc tasks image_gan.train"),
    "unknown-preset": Ways(LIST, SCHEMA, "aigc submit image_gan.train --preset quick"),
    "unknown-task": Ways(LIST, "GET /api/v1/tasks", "aigc tasks"),
    "unknown-parameter": Ways(ADDRESS, DESCRIPTION, "aigc jobs list --help"),
    "invalid-query": Ways(ADDRESS, DESCRIPTION, "aigc jobs list --help"),
    "needs-upload": Ways(UPLOAD, "curl SERVER/api/v1/datasets -F file=@pictures.zip", "aigc datasets add pictures.zip"),
    "invalid-name": Ways(FIELD, 'PATCH /api/v1/jobs/job_… {"name": "shirts"}', "aigc jobs edit job_… --name shirts"),
    "invalid-tag": Ways(FIELD, 'PATCH /api/v1/jobs/job_… {"tags": ["night"]}', "aigc jobs edit job_… --tag night"),
    "too-many-tags": Ways(FIELD, 'PATCH /api/v1/jobs/job_… {"tags": ["night"]}', "aigc jobs edit job_… --tag night"),
    "invalid-notes": Ways(FIELD, 'PATCH /api/v1/jobs/job_… {"notes": "short"}', "aigc jobs edit job_… --notes short"),
    "wrong-input": Ways(LIST, "GET /api/v1/models?family=image_gan", "aigc models list --family image_gan"),
    "invalid-webhook": Ways(
        FIELD,
        '{"webhook": {"url": "https://receiver.example/hook"}}',
        "aigc submit image_gan.train --webhook https://receiver.example/hook",
    ),
    "webhooks-off": Ways(OPERATOR, "GET /api/v1/jobs/job_…/events", "aigc jobs watch job_…"),
    "fetching-off": Ways(UPLOAD, FILE, "aigc datasets add pictures.zip"),
    "invalid-url": Ways(UPLOAD, '{"url": "https://data.example.org/a.zip"}', "aigc datasets add pictures.zip"),
    "fetch-failed": Ways(UPLOAD, FILE, "aigc datasets add pictures.zip"),
    "needed-job-failed": Ways(AGAIN, "POST /api/v1/jobs/job_…/retry", "aigc jobs retry job_…"),
    "too-many-needed": Ways(FIELD, '{"after": ["job_<last>"]}', "aigc submit image_gan.train --after job_…"),
    "too-many-devices": Ways(FIELD, '{"params": {"devices": 2}}', "aigc submit sasrec.train -p devices=2"),
    "invalid-cursor": Ways(ADDRESS, "GET /api/v1/jobs?limit=20", "aigc jobs list"),
    # data
    "dataset-not-ready": Ways(WAIT, "GET /api/v1/datasets/ds_…", "aigc datasets show ds_…"),
    "dataset-in-use": Ways(USED, "GET /api/v1/datasets/ds_…/used-by", "aigc jobs delete job_…"),
    "model-in-use": Ways(USED, "GET /api/v1/models/mdl_…/used-by", "aigc jobs delete job_…"),
    "model-has-alias": Ways(
        VERSIONS, "DELETE /api/v1/models/mdl_…/aliases/production", "aigc models demote mdl_… production"
    ),
    "alias-moved": Ways(
        VERSIONS, 'POST /api/v1/models/mdl_…/promote {"alias": "production"}', "aigc models promote mdl_… production"
    ),
    "unknown-alias": Ways(
        VERSIONS, 'POST /api/v1/models/mdl_…/promote {"alias": "staging"}', "aigc models promote mdl_… staging"
    ),
    "file-too-large": Ways(OPERATOR, "AIGC_MAX_UPLOAD=4294967296", "aigc datasets add smaller.zip"),
    # jobs
    "out-of-memory": Ways(AGAIN, 'POST /api/v1/jobs/job_…/duplicate {"params": {"batch_size": 64}}',
                          "aigc jobs duplicate job_… -p batch_size=64"),
    "host-out-of-memory": Ways(AGAIN, 'POST /api/v1/jobs/job_…/duplicate {"params": {"batch_size": 64}}',
                               "aigc jobs duplicate job_… -p batch_size=64"),
    "diverged": Ways(AGAIN, 'POST /api/v1/jobs/job_…/duplicate {"params": {"learning_rate": 0.0001}}',
                     "aigc jobs duplicate job_… -p learning_rate=0.0001"),
    "poisoned": Ways(AGAIN, "GET /api/v1/jobs/job_…/logs", "aigc jobs logs job_…"),
    "disk-full": Ways(MAKE_ROOM, "DELETE /api/v1/jobs/job_…", "aigc jobs delete job_…"),
    "expired": Ways(AGAIN, "POST /api/v1/jobs/job_…/retry", "aigc jobs retry job_…"),
    "internal": Ways(AGAIN, "GET /api/v1/jobs/job_…/logs", "aigc doctor"),
    "job-not-found": Ways(ADDRESS, "GET /api/v1/jobs", "aigc jobs list"),
    "job-already-finished": Ways(WAIT, "GET /api/v1/jobs/job_…", "aigc jobs view job_…"),
    "job-still-running": Ways(AGAIN, "POST /api/v1/jobs/job_…/cancel", "aigc jobs cancel job_…"),
    "job-cancelling": Ways(WAIT, "GET /api/v1/jobs/job_… (Prefer: wait=25)", "aigc jobs watch job_…"),
    "job-pausing": Ways(WAIT, "POST /api/v1/jobs/job_…/resume", "aigc jobs resume job_…"),
    "job-needed": Ways(USED, "POST /api/v1/jobs/job_<waiting>/cancel", "aigc jobs cancel job_…"),
    "cannot-generate": Ways(LIST, "GET /api/v1/tasks", "aigc tasks"),
    # requests
    "malformed-json": Ways(FIELD, "python -m json.tool body.json", "aigc submit image_gan.train --params body.json"),
    "form-expired": Ways(RELOAD, "Authorization: Bearer …", "aigc submit image_gan.train"),
    "not-found": Ways(ADDRESS, "GET /api/v1/", "aigc open"),
    "method-not-allowed": Ways(ADDRESS, DESCRIPTION, "aigc open"),
    "not-acceptable": Ways(PROGRAMS, "Accept: application/json", "aigc jobs list --json"),
    "body-too-large": Ways(UPLOAD, "POST /api/v1/uploads", "aigc datasets add pictures.zip"),
    "unsupported-media-type": Ways(PROGRAMS, "Content-Type: application/json", "aigc submit image_gan.train"),
    "version-mismatch": Ways(RELOAD, 'GET /api/v1/jobs/job_… → If-Match: "<ETag>"', "aigc jobs view job_…"),
    "range-not-satisfiable": Ways(PROGRAMS, "HEAD /api/v1/artifacts/art_…/content", "aigc jobs download job_…"),
    "upload-moved": Ways(PROGRAMS, "HEAD /api/v1/uploads/upl_…", "aigc datasets add pictures.zip"),
    "upload-incomplete": Ways(PROGRAMS, "PATCH /api/v1/uploads/upl_…", "aigc datasets add pictures.zip"),
    "upload-overrun": Ways(PROGRAMS, "POST /api/v1/uploads", "aigc datasets add pictures.zip"),
    "other-tus-version": Ways(PROGRAMS, "Tus-Resumable: 1.0.0", "aigc datasets add pictures.zip"),
    "idempotency-key-reused": Ways(RELOAD, "Idempotency-Key: $(uuidgen)", "aigc submit image_gan.train"),
    "invalid-idempotency-key": Ways(PROGRAMS, "Idempotency-Key: $(uuidgen)", "aigc submit image_gan.train"),
    "too-many-streams": Ways(PROGRAMS, "GET /api/v1/jobs/job_… (Prefer: wait=25)", "aigc jobs watch job_…"),
    "too-many-requests": Ways(RELOAD, "sleep <Retry-After>", "aigc submit image_gan.train"),
    # server
    "unauthorized": Ways(SIGN_IN, "Authorization: Bearer $AIGC_TOKEN", "aigc token create"),
    "forbidden": Ways(SIGN_IN, "Authorization: Bearer $AIGC_TOKEN", "aigc token create"),
    "scope-too-small": Ways(SIGN_IN, "Authorization: Bearer $AIGC_TOKEN", "aigc token create --scope submit"),
    "wrong-host": Ways(OPERATOR, "AIGC_ALLOWED_HOSTS=foundry.example", "aigc jobs list --url http://127.0.0.1:8000"),
    "cross-origin": Ways(ADDRESS, "Authorization: Bearer $AIGC_TOKEN", "aigc open"),
    "cookie-needs-origin": Ways(PROGRAMS, "Authorization: Bearer $AIGC_TOKEN", "aigc token create"),
    "storage-full": Ways(MAKE_ROOM, "DELETE /api/v1/jobs/job_…", "aigc gc"),
}  # fmt: skip


def ways(code: str, group: str) -> Ways:
    """How a problem of a group is mended."""
    return WAYS.get(code, BY_GROUP[group])
