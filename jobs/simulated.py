"""Dialogues that a job made of documents, as a dataset that says where they are from."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import select

from jobs.engine import Engine
from jobs.principal import Principal
from jobs.tables import Artifact, Dataset, Job, JobInput
from jobs.uploads import Upload, receive

DIALOGUES = "dialogues.jsonl"


def dialogues_of(engine: Engine, job: Job) -> Artifact | None:
    """The file of a job that holds dialogues; None where it made none."""
    wanted = select(Artifact).where(Artifact.job_id == job.id, Artifact.role == "output", Artifact.name == DIALOGUES)
    with engine.db.read() as session:
        return session.scalar(wanted) if job.status == "succeeded" else None


def make_dataset(engine: Engine, principal: Principal, job: Job, name: str = "") -> tuple[Dataset, Job] | None:
    """Queue the import of a job's dialogues; None where it made none.

    The notes of the dataset name the job and what its dialogues were made of.

    Raises:
        StorageFull: There is no room for it.
    """
    file = dialogues_of(engine, job)
    if file is None:
        return None
    source = select(Dataset).join(JobInput, JobInput.dataset_id == Dataset.id).where(JobInput.job_id == job.id)
    with engine.db.read() as session:
        made_of = session.scalars(source).first()
    of_what = f" from {made_of.name} v{made_of.number}" if made_of else ""
    with TemporaryDirectory() as directory:
        path = Path(directory) / DIALOGUES
        with engine.store.open(file.sha256) as stream, path.open("wb") as copy:
            shutil.copyfileobj(stream, copy)
        called = name or (f"{made_of.name}-simulated" if made_of else job.name)
        upload = Upload(path, path.name, called, "text", notes=f"Simulated{of_what} by the job {job.id}.")
        return receive(engine, principal, upload)
