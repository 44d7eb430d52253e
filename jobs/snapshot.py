"""What held when a job was submitted: the version of the code, the preset, and exactly which bytes it reads."""

import hashlib
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from jobs.results import DATASET, MODEL
from jobs.tables import Artifact, Dataset, ModelVersion

_FILES = select(Artifact.name, Artifact.sha256).where(Artifact.job_id == bindparam("job_id"), Artifact.role == "output")


def of_dataset(session: Session, row: Dataset) -> dict[str, Any]:
    """Which version of a dataset it is, with the hash of its content."""
    return _described(session, row, DATASET)


def of_model(session: Session, row: ModelVersion) -> dict[str, Any]:
    """Which model version it is, with the hash of its content."""
    return _described(session, row, MODEL)


def _described(session: Session, row: Dataset | ModelVersion, prefix: str) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "version": row.number, "sha256": _content(session, row.job_id, prefix)}


def _content(session: Session, job_id: str, prefix: str) -> str:
    """The SHA-256 over names and hashes of a set of files: two sets of the same content have the same."""
    # Sorted here: PostgreSQL's order depends on its locale.
    rows = sorted((row.name, row.sha256) for row in session.execute(_FILES, {"job_id": job_id}))
    listed = "".join(f"{sha256} {name}\n" for name, sha256 in rows if name.startswith(prefix))
    return hashlib.sha256(listed.encode()).hexdigest()
