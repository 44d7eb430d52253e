"""A worker played by a test: the engine's own claim and lease, with made-up results."""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from aigc_models.base import Fault
from jobs import workers
from jobs.artifacts import NewFile, media_type
from jobs.claiming import WorkerIdentity, claim
from jobs.engine import Engine
from jobs.lifecycle import Beat, Failure, Lease

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
    "3a7e9b550000000a49444154789c6360000000020001e221bc330000000049454e44ae426082"
)
REPORT = {"kind": "images", "train": 4, "test": 2, "channels": 1, "height": 1, "width": 1, "classes": []}
DATASET_FILES = {
    "dataset/dataset.json": json.dumps(REPORT).encode(),
    "dataset/images.safetensors": b"0",
    "preview.png": PNG,
}


class ActingWorker:
    """Takes jobs of a lane and ends them as told."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.id = workers.register(engine, "worker", "training", "CPU", "cpu")

    def take(self, lane: str = "generation") -> Lease:
        """Claim the next job of a lane."""
        claimed = claim(self.engine, WorkerIdentity(self.id, lane, "cpu"))
        assert claimed is not None, f"no job waits in {lane}"
        return Lease(self.engine, claimed)

    def finish(self, lane: str, files: Mapping[str, bytes], **metrics: float) -> str:
        """Claim the next job of a lane and end it well; gives its id."""
        lease = self.take(lane)
        lease.succeed(metrics, self.keep(files))
        return lease.claim.job_id

    def fail(self, lane: str, code: str, *faults: Fault) -> str:
        """Claim the next job of a lane and end it badly, for good; gives its id."""
        strict = replace(self.engine, settings=self.engine.settings.model_copy(update={"max_app_failures": 0}))
        lease = Lease(strict, self.take(lane).claim)
        lease.fail(Failure(code, faults))
        return lease.claim.job_id

    def check_dataset(self) -> str:
        """Do what an import does."""
        return self.finish("generation", DATASET_FILES)

    def train(self, lane: str = "training") -> str:
        """Do what a training does, with a curve, a sample, a log and a model."""
        lease = self.take(lane)
        points = [(step, {"loss": 1.0 / (1 + step)}) for step in range(0, 100, 10)]
        lease.beat(Beat(phase="training", step=50, total=100, rate=10.0, points=points, lines=["half way"]))
        (sample,) = self.keep({"samples.png": PNG})
        lease.sample(50, sample)
        weights = {"model/weights.safetensors": b"w" * 1000, "model/config.json": b"{}"}
        lease.succeed({"loss": 0.01}, self.keep({**weights, "samples.png": PNG, "report.json": b"{}"}))
        return lease.claim.job_id

    def keep(self, files: Mapping[str, bytes]) -> list[NewFile]:
        """Put bytes into the store."""
        kept = []
        with TemporaryDirectory() as directory:
            for name, data in files.items():
                path = Path(directory) / "file"
                path.write_bytes(data)
                sha256, size = self.engine.store.put(path)
                kept.append(NewFile(name, sha256, size, media_type(name)))
        return kept


def picture_zip(count: int = 3) -> bytes:
    """A ZIP of tiny pictures."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(count):
            archive.writestr(zipfile.ZipInfo(f"shirt/{number}.png"), PNG)  # without the time of day
    return packed.getvalue()


def upload(client: FlaskClient, data: bytes, filename: str = "pictures.zip", **fields: str) -> TestResponse:
    """Upload a file without waiting for its check."""
    headers = {"Prefer": "wait=0"}
    form = {"file": (io.BytesIO(data), filename), **fields}
    return client.post("/api/v1/datasets", data=form, headers=headers, content_type="multipart/form-data")


def ready_dataset(client: FlaskClient, worker: ActingWorker) -> str:
    """The id of a dataset that was uploaded and checked."""
    made = upload(client, picture_zip(), name="digits")
    assert made.status_code == 202, made.get_json()
    worker.check_dataset()
    return str(made.get_json()["id"])


def submit_training(client: FlaskClient, dataset: str, **more: object) -> TestResponse:
    """Submit a training."""
    body = {"task": "image_gan.train", "params": {"dataset": dataset}, **more}
    return client.post("/api/v1/jobs", json=body)
