"""Datasets and model versions as things people keep: versions of one name, who uses them, what is written of them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from jobs import aliases, marks
from jobs.engine import Engine
from jobs.errors import DatasetNotReady, NotFound
from jobs.naming import plain
from jobs.principal import Principal
from jobs.tables import Artifact, Dataset, Job, JobInput, ModelVersion

CARD: Mapping[str, int] = {"intended_use": 10_000, "limits": 10_000, "licence": 120, "notes": 10_000}
MOST_USERS = 50
MOST_VERSIONS = 100


@dataclass(frozen=True, slots=True)
class Users:
    """What stands on a dataset or model version, and so keeps it from being deleted.

    Attributes:
        jobs: The newest jobs that read it.
        models: Versions that were trained on it.
        count: How many jobs there are.
        aliases: Aliases that stand for it.
    """

    jobs: Sequence[Job] = ()
    models: Sequence[ModelVersion] = ()
    count: int = 0
    aliases: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(self.count or self.aliases)


def users_of_dataset(engine: Engine, principal: Principal, dataset_id: str) -> Users:
    """Jobs that read a dataset, and the model versions they made."""
    with engine.db.read() as session:
        jobs, count = _readers(session, principal, JobInput.dataset_id == dataset_id)
        made = select(ModelVersion).where(
            ModelVersion.dataset_id == dataset_id, ModelVersion.tenant_id == principal.tenant_id
        )
        models = session.scalars(made.order_by(ModelVersion.created_at.desc()).limit(MOST_USERS)).all()
        return Users(jobs, models, count)


def users_of_model(engine: Engine, principal: Principal, model_id: str) -> Users:
    """Jobs that read a model version, and the aliases that stand for it."""
    with engine.db.read() as session:
        jobs, count = _readers(session, principal, JobInput.model_id == model_id)
        return Users(jobs, (), count, aliases.of_models(session, [model_id]).get(model_id, []))


def versions(engine: Engine, principal: Principal, kind: type[Dataset] | type[ModelVersion], name: str) -> list[Any]:
    """All versions of one name, the newest first."""
    table: Any = kind
    mine = select(table).where(table.tenant_id == principal.tenant_id, table.name == name)
    with engine.db.read() as session:
        return list(session.scalars(mine.order_by(table.number.desc()).limit(MOST_VERSIONS)))


def mark(row: Dataset | ModelVersion) -> str:
    """The mark of what people wrote: a dataset's licence and notes, or a model version's card."""
    return marks.of(row.licence, row.notes) if isinstance(row, Dataset) else marks.of(sorted(row.card.items()))


def describe_dataset(
    engine: Engine,
    principal: Principal,
    dataset_id: str,
    changes: Mapping[str, str],
    seen: Collection[str] | None = None,
) -> Dataset:
    """Write a dataset's licence or notes anew; what it is made of never changes.

    Raises:
        NotFound: The caller has no such dataset.
        VersionMismatch: Its :func:`mark` is none of those seen.
    """
    with engine.db.begin() as session:
        row: Dataset = _mine(session, principal, Dataset, dataset_id, "dataset")
        marks.check(mark(row), seen, "dataset")
        for name in ("licence", "notes"):
            if name in changes:
                setattr(row, name, plain(changes[name]))
        return row


def write_card(
    engine: Engine, principal: Principal, model_id: str, changes: Mapping[str, str], seen: Collection[str] | None = None
) -> ModelVersion:
    """Write parts of a model version's card, by :data:`CARD`; an empty text removes a part.

    Raises:
        NotFound: The caller has no such model version.
        VersionMismatch: Its :func:`mark` is none of those seen.
    """
    with engine.db.begin() as session:
        row: ModelVersion = _mine(session, principal, ModelVersion, model_id, "model version")
        marks.check(mark(row), seen, "model version")
        written = {**row.card, **{name: plain(changes[name]) for name in CARD if name in changes}}
        row.card = {name: text for name, text in written.items() if text.strip()}
        return row


def drop_source(engine: Engine, principal: Principal, dataset_id: str) -> None:
    """Delete the file that was uploaded, with the metadata in it; the dataset made from it stays.

    Raises:
        NotFound: The caller has no such dataset.
        DatasetNotReady: Its check still needs the file.
    """
    with engine.db.begin() as session:
        row: Dataset = _mine(session, principal, Dataset, dataset_id, "dataset")
        if row.ready_at is None:
            raise DatasetNotReady(name=row.name)
        session.execute(delete(Artifact).where(Artifact.job_id == row.job_id, Artifact.role == "upload"))
        row.source_dropped_at = row.source_dropped_at or engine.db.now(session)


def _readers(session: Session, principal: Principal, reads: ColumnElement[bool]) -> tuple[Sequence[Job], int]:
    ids = select(JobInput.job_id).where(reads)
    mine = (Job.id.in_(ids), Job.tenant_id == principal.tenant_id)
    newest = select(Job).where(*mine).order_by(Job.created_at.desc(), Job.id.desc())
    count = session.scalar(select(func.count()).select_from(Job).where(*mine)) or 0
    return session.scalars(newest.limit(MOST_USERS)).all(), count


def _mine(session: Session, principal: Principal, table: Any, id_: str, kind: str) -> Any:
    row = session.scalar(select(table).where(table.id == id_, table.tenant_id == principal.tenant_id).with_for_update())
    if row is None:
        raise NotFound(kind=kind, id=id_)
    return row
