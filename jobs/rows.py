"""New rows without the unit of work: where many jobs are submitted, its bookkeeping is most of the cost."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from sqlalchemy import Insert, insert
from sqlalchemy.orm import Session, make_transient_to_detached

from jobs.tables import Base


def add(session: Session, row: Base) -> None:
    """INSERT a new row now, alone; from then on the session knows it as if it had been read."""
    statement, defaults = _plan(type(row))
    given = vars(row)
    for name, default in defaults.items():
        if name not in given:
            setattr(row, name, default())
    session.connection().execute(statement, {name: getattr(row, name) for name in defaults})
    make_transient_to_detached(row)
    session.add(row)


@cache
def _plan(kind: type[Base]) -> tuple[Insert, Mapping[str, Callable[[], Any]]]:
    """The statement, and for each column what it holds where nothing was given."""
    defaults = {}
    for column in kind.__table__.columns:
        defaults[column.key] = _default(column.default)
    return insert(kind.__table__), defaults  # type: ignore[arg-type]


def _default(declared: Any) -> Callable[[], Any]:
    if declared is None:
        return lambda: None
    if declared.is_callable:
        return lambda: declared.arg(None)
    return lambda: declared.arg
