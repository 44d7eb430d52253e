"""Which jobs of a list, and in which order."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from sqlalchemy import Select, cast, exists, func, literal, literal_column, select
from sqlalchemy.orm import Session

from aigc_models import registry
from jobs.db import Database, UtcDateTime
from jobs.name_search import ids_like
from jobs.paging import Order, moment, newest
from jobs.tables import (
    FINAL,
    FINISHED_OR_LATEST,
    FINISHED_OR_SOONEST,
    STATUSES,
    UNFINISHED,
    Dataset,
    Job,
    JobInput,
    ModelVersion,
)

Sort = Literal["-created_at", "created_at", "-finished_at", "finished_at", "-name", "name"]
NEWEST: Sort = "-created_at"
CANCELLING = "cancelling"
IMPORTS = "dataset"  # the family of all imports
FINAL_STATES = frozenset(FINAL)
OPEN_STATES = frozenset(STATUSES) - FINAL_STATES
SOONEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs of a list; what is empty does not filter.

    Attributes:
        states: Statuses, or ``cancelling``.
        task: ``<family>.<operation>``.
        q: Text in the name, or the beginning of an id, with ``job_`` or without.
        dataset: Id of a dataset they read or made.
        tags: Tags that they all have.
        created_after: Only jobs created after this time.
        created_before: Only jobs created before this time.
        ids: Only these jobs.
        imports: Whether imports of datasets are among them, where no task is named.
    """

    states: Sequence[str] = ()
    task: str | None = None
    q: str | None = None
    dataset: str | None = None
    tags: Sequence[str] = ()
    created_after: datetime | None = None
    created_before: datetime | None = None
    ids: Sequence[str] = ()
    imports: bool = True


def filtered(rows: Select[Any], wanted: JobFilter, db: Database) -> Select[Any]:
    """The jobs among rows that are wanted."""
    if wanted.ids:
        rows = rows.where(Job.id.in_(wanted.ids))
    if wanted.states:
        rows = rows.where(_in_states(wanted.states))
    if wanted.task is not None:
        family, _, operation = wanted.task.partition(".")
        rows = rows.where(Job.family == family, Job.operation == operation)
    elif not wanted.imports:
        rows = rows.where(Job.family != IMPORTS)
    if wanted.q:
        rows = rows.where(has_text(wanted.q, db))
    if wanted.dataset is not None:
        reads = select(JobInput.job_id).where(JobInput.dataset_id == wanted.dataset)
        makes = select(Dataset.job_id).where(Dataset.id == wanted.dataset)
        rows = rows.where(Job.id.in_(reads.union_all(makes)))
    if wanted.tags:  # the first condition is the index's own
        rows = rows.where(Job.tags.is_not(None), *(_has_tag(tag, db) for tag in wanted.tags))
    if wanted.created_after is not None:
        rows = rows.where(Job.created_at > wanted.created_after)
    if wanted.created_before is not None:
        rows = rows.where(Job.created_at < wanted.created_before)
    return rows


@dataclass(frozen=True, slots=True)
class ModelFilter:
    """Which model versions of a list; what is empty does not filter.

    Attributes:
        family: Only versions of this family.
        operation: Only versions of families that can do this.
        name: Only versions of this name.
        q: Text in the name or id.
    """

    family: str | None = None
    operation: str | None = None
    name: str | None = None
    q: str | None = None

    def among(self, rows: Select[Any], db: Database) -> Select[Any]:
        """The model versions among rows that are wanted."""
        if self.name is not None:
            rows = rows.where(ModelVersion.name == self.name)
        if self.family is not None:
            rows = rows.where(ModelVersion.family == self.family)
        if self.operation is not None:
            able = [one.name for one in registry.families().values() if self.operation in one.operations]
            rows = rows.where(ModelVersion.family.in_(able))
        return rows.where(has_text(self.q, db, ModelVersion)) if self.q else rows


ALL_MODELS = ModelFilter()


def has_text(text: str, db: Database, table: type[Job] | type[ModelVersion] = Job) -> Any:
    """Whether the name holds it, in small or capital letters, or the id begins with it."""
    pattern = "%" + re.sub(r"([/%_])", r"/\1", text) + "%"
    # SQLite's LIKE is blind to the case of ASCII by itself; lower() on every row costs more than the rest.
    name = table.name.like(pattern, escape="/") if db.is_sqlite else table.name.ilike(pattern, escape="/")
    bounds = ids_like(text)
    return name | ((table.id >= bounds[0]) & (table.id < bounds[1])) if bounds else name


def _in_states(states: Sequence[str]) -> Any:
    named = [state for state in states if state != CANCELLING]
    plain = Job.status.in_(named)
    if CANCELLING in states:
        return plain | ((Job.status == "running") & Job.cancel_requested_at.is_not(None))
    # The few that have not ended stand in an index of their own, which is used where its very condition is asked for.
    if FINAL_STATES & set(named):
        return plain
    # Said twice, PostgreSQL would take the conditions for independent, expect hardly a row, and use another index.
    return literal_column(UNFINISHED) if set(named) == OPEN_STATES else plain & literal_column(UNFINISHED)


def known_tags(session: Session, db: Database, tenant: str, limit: int) -> Sequence[tuple[str, int]]:
    """A tenant's tags, the most used first, with the number of jobs of each."""
    each = _each_tag(db)
    rows = select(each.c.value, func.count()).select_from(Job).join(each, literal(True))
    rows = rows.where(Job.tenant_id == tenant, Job.tags.is_not(None)).group_by(each.c.value)
    found = session.execute(rows.order_by(func.count().desc(), each.c.value).limit(limit))
    return [(str(tag), int(count)) for tag, count in found]


def _each_tag(db: Database) -> Any:
    """The tags of a job's row, as rows of one column ``value``."""
    if db.is_sqlite:
        return func.json_each(Job.tags).table_valued("value")
    return func.json_array_elements_text(Job.tags).table_valued("value")


def _has_tag(tag: str, db: Database) -> Any:
    if db.is_sqlite:
        each = _each_tag(db)
        return exists(select(1).select_from(each).where(each.c.value == tag))
    from sqlalchemy.dialects.postgresql import JSONB

    return cast(Job.tags, JSONB).contains([tag])


def _order(sort: Sort) -> Order:
    name, descending = sort.removeprefix("-"), sort.startswith("-")
    if name == "name":
        return Order(sort, Job.name, Job.id, descending, lambda row: row.name)
    if name == "created_at":
        return Order(sort, Job.created_at, Job.id, descending, lambda row: row.created_at, moment)
    last, text = (SOONEST, FINISHED_OR_SOONEST) if descending else (LATEST, FINISHED_OR_LATEST)
    key = literal_column(text, UtcDateTime())
    return Order(sort, key, Job.id, descending, lambda row: row.finished_at or last, moment)


ORDERS: Mapping[Sort, Order] = {sort: newest(Job) if sort == NEWEST else _order(sort) for sort in get_args(Sort)}
