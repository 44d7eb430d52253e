"""Plays users and workers through the engine's own functions."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from sqlalchemy import select

from jobs import claiming, uploads
from jobs.artifacts import NewFile, media_type
from jobs.claiming import Claim, WorkerIdentity
from jobs.engine import Engine
from jobs.lifecycle import Lease
from jobs.principal import Principal
from jobs.submit import Submission, submit
from jobs.tables import Attempt, Dataset, Job, JobEvent

REPORT = b'{"kind": "images", "train": 3}'


@dataclass
class Actor:
    """One tenant's user and one worker for each lane."""

    engine: Engine
    principal: Principal
    worker: str = "wrk_one"
    _dataset: Dataset | None = field(default=None)

    def store(self, name: str, content: bytes) -> NewFile:
        """Put bytes into the store, ready to be recorded."""
        path = self.engine.settings.home / f"put-{uuid4().hex}"  # several threads may play at once
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        sha256, size = self.engine.store.put(path)
        path.unlink()
        return NewFile(name, sha256, size, media_type(name))

    def upload(self, content: bytes = b"bytes", filename: str = "Photos.zip", **more: Any) -> tuple[Dataset, Job]:
        """Send a file."""
        path = self.engine.settings.home / "upload"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return uploads.receive(self.engine, self.principal, uploads.Upload(path, filename, **more))

    def dataset(self) -> Dataset:
        """A dataset that is ready; the same one each time."""
        if self._dataset is None:
            made, job = self.upload()
            self.finish(self.claim("generation", job.id))
            self._dataset = self.row(Dataset, made.id)
        return self._dataset

    def train(self, **more: Any) -> Job:
        """A queued training."""
        params = {"dataset": self.dataset().id} | more.pop("params", {})
        return self.submit("image_vae.train", params, **more)

    def submit(self, task: str, params: Mapping[str, Any], **more: Any) -> Job:
        """A queued job."""
        return submit(self.engine, self.principal, Submission(task, params, **more)).job

    def claim(self, lane: str = "training", expected: str | None = None) -> Claim:
        """What a free worker takes; there must be something."""
        taken = self.try_claim(lane)
        assert taken is not None
        assert expected in (None, taken.job_id)
        return taken

    def try_claim(self, lane: str = "training", warm: frozenset[str] = frozenset()) -> Claim | None:
        """What a free worker takes, if anything."""
        return claiming.claim(self.engine, WorkerIdentity(self.worker, lane, "cpu"), warm)

    def lease(self, lane: str = "training") -> Lease:
        """The next job's lease."""
        return Lease(self.engine, self.claim(lane))

    def finish(self, claim: Claim, **metrics: float) -> None:
        """End a claimed job well, with what its kind of result consists of."""
        if claim.family == "dataset":
            files = [self.store("dataset/dataset.json", REPORT), self.store("dataset/images.safetensors", b"images")]
        else:
            files = [self.store("model/weights.safetensors", b"weights"), self.store("samples.png", b"png")]
        Lease(self.engine, claim).succeed(metrics, files)

    def model(self) -> str:
        """Id of the model version of a new, finished training."""
        from jobs.repository import Repository

        claim = self.claim(expected=self.train().id)
        self.finish(claim)
        return Repository(self.engine, self.principal).models_made_by([claim.job_id])[claim.job_id]

    def job(self, job_id: str) -> Job:
        """The row as it is now."""
        row: Job = self.row(Job, job_id)
        return row

    def row(self, table: Any, key: Any) -> Any:
        """Any row as it is now."""
        with self.engine.db.read() as session:
            return session.get_one(table, key)

    def events(self, job_id: str, *kinds: str) -> list[JobEvent]:
        """A job's history, or the events of some kinds in it."""
        with self.engine.db.read() as session:
            rows = select(JobEvent).where(JobEvent.job_id == job_id).order_by(JobEvent.seq)
            return [event for event in session.scalars(rows) if not kinds or event.kind in kinds]

    def attempts(self, job_id: str) -> list[Attempt]:
        """A job's tries."""
        with self.engine.db.read() as session:
            return list(session.scalars(select(Attempt).where(Attempt.job_id == job_id).order_by(Attempt.number)))

    def as_owner(self, owner: str, tenant: str | None = None) -> "Actor":
        """The same for another user."""
        other = Principal(tenant or self.principal.tenant_id, owner)
        kept = self._dataset if other.tenant_id == self.principal.tenant_id else None
        return replace(self, principal=other, _dataset=kept)

    def with_settings(self, **changes: Any) -> "Actor":
        """The same with other settings."""
        settings = self.engine.settings.model_copy(update=changes)
        return replace(self, engine=replace(self.engine, settings=settings))
