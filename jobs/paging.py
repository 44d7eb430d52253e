"""Pages of lists by key: the place after the last row, not a number of rows to skip."""

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, or_
from sqlalchemy.orm import Session

from aigc_models.base import Fault
from jobs.errors import InvalidParams

LIMIT = 20
MOST = 100

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows, the newest first unless sorted otherwise, and where the next ones begin (None after the last)."""

    items: list[Row]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a list, by its key: from one point on, and before another."""

    begins: Any
    ends: Any


@dataclass(frozen=True, slots=True)
class Order:
    """How a list is sorted; rows with the same key by their id.

    Attributes:
        name: What tells its cursors from those of another order.
        key: What is compared, never NULL.
        id: The table's id.
        descending: Whether the largest comes first.
        value: The key of a row that was read: text or a point in time.
        read: The key from its text in a cursor.
    """

    name: str
    key: Any
    id: Any
    descending: bool
    value: Callable[[Any], Any]
    read: Callable[[str], Any] = str


def newest(table: Any) -> Order:
    """The order of most lists: by ``created_at``, the newest first."""
    return Order("", table.created_at, table.id, descending=True, value=lambda row: row.created_at, read=moment)


def moment(text: str) -> datetime:
    """A point in time from its text.

    Raises:
        ValueError: It is none.
    """
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return at


def page(
    session: Session, rows: Select[Any], order: Order, cursor: str | None, limit: int = LIMIT,
    within: Sequence[Stretch] | None = None,
) -> Page[Any]:  # fmt: skip
    """Read one page.

    Args:
        session: Only read from.
        rows: The list.
        order: How it is sorted.
        cursor: Where the page begins; None for the first.
        limit: How many rows.
        within: The only parts of the list that hold any rows, in its order and apart from one another.

    Raises:
        InvalidParams: The cursor is none of ours, or of a list with another order.
    """
    key, id_, last = order.key, order.id, None
    if cursor is not None:
        last, last_id = _decode(cursor, order)
        # Written out: SQLite uses the index for this, as it does not for a row of bound values of mixed types.
        if order.descending:
            rows = rows.where(key <= last, or_(key < last, id_ < last_id))
        else:
            rows = rows.where(key >= last, or_(key > last, id_ > last_id))
    by = (key.desc(), id_.desc()) if order.descending else (key.asc(), id_.asc())
    size = max(1, min(limit, MOST))
    rows, found = rows.order_by(*by), list[Any]()
    for part in _parts(rows, order, last, within):
        found += session.scalars(part.limit(size + 1 - len(found))).all()
        if len(found) > size:
            break
    more = len(found) > size
    return Page(list(found[:size]), _encode(found[size - 1], order) if more else None)


def _parts(rows: Select[Any], order: Order, last: Any, within: Sequence[Stretch] | None) -> Iterator[Select[Any]]:
    """The queries that give a list one after the other, without the parts that lie before the page."""
    if within is None:
        yield rows
        return
    for part in within:
        past = last is not None and (part.begins > last if order.descending else part.ends <= last)
        if not past:
            yield rows.where(order.key >= part.begins, order.key < part.ends)


def _encode(row: Any, order: Order) -> str:
    value = order.value(row)
    place = [order.name, value.isoformat() if isinstance(value, datetime) else value, row.id]
    text = json.dumps(place) if order.name else f"{place[1]} {row.id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str, order: Order) -> tuple[Any, str]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        name, value, id_ = json.loads(text) if order.name else ("", *text.rsplit(" ", 1))
        found = order.read(value) if name == order.name and isinstance(value, str) else None
    except (ValueError, TypeError, binascii.Error):
        found, id_ = None, ""
    readable = isinstance(id_, str) and id_.isprintable() and "\0" not in str(found)
    if found is None or not id_ or not readable:
        fault = Fault("The cursor is not one that this server gave.", pointer="/cursor", code="invalid-cursor")
        raise InvalidParams(faults=[fault])
    return found, id_
