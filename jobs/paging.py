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


def page(session: Session, rows: Select[Any], order: Order, cursor: str | None, limit: int = LIMIT) -> Page[Any]:
    """Read one page.

    Args:
        session: Only read from.
        rows: The list.
        order: How it is sorted.
        cursor: Where the page begins; None for the first.
        limit: How many rows.

    Raises:
        InvalidParams: The cursor is none of ours, or of a list with another order.
    """
    rows, _ = _after(rows, order, cursor)
    size = max(1, min(limit, MOST))
    return _page(list(session.scalars(rows.limit(size + 1)).all()), size, order)


def page_within(
    session: Session, rows: Select[Any], order: Order, place: tuple[str | None, int], within: Sequence[Stretch]
) -> Page[Any]:
    """Read one page of a list that has rows in some parts only.

    Args:
        session: Only read from.
        rows: The list.
        order: How it is sorted.
        place: Where the page begins, as for :func:`page`, and how many rows.
        within: The only parts of the list that hold any rows, in its order and apart from one another.

    Raises:
        InvalidParams: The cursor is none of ours, or of a list with another order.
    """
    cursor, limit = place
    rows, last = _after(rows, order, cursor)
    size, found = max(1, min(limit, MOST)), list[Any]()
    for part in _parts(rows, order, last, within):
        found += session.scalars(part.limit(size + 1 - len(found))).all()
        if len(found) > size:
            break
    return _page(found, size, order)


def _after(rows: Select[Any], order: Order, cursor: str | None) -> tuple[Select[Any], Any]:
    """The rows after a cursor, sorted, and the key of the last row before them."""
    key, id_, last = order.key, order.id, None
    if cursor is not None:
        last, last_id = _decode(cursor, order)
        # Written out: SQLite uses the index for this, as it does not for a row of bound values of mixed types.
        if order.descending:
            rows = rows.where(key <= last, or_(key < last, id_ < last_id))
        else:
            rows = rows.where(key >= last, or_(key > last, id_ > last_id))
    by = (key.desc(), id_.desc()) if order.descending else (key.asc(), id_.asc())
    return rows.order_by(*by), last


def _page(found: list[Any], size: int, order: Order) -> Page[Any]:
    """The page, and the cursor of the next one where one row more than fits was found."""
    return Page(found[:size], _encode(found[size - 1], order) if len(found) > size else None)


def _parts(rows: Select[Any], order: Order, last: Any, within: Sequence[Stretch]) -> Iterator[Select[Any]]:
    """The queries that give a list one after the other, without the parts that lie before the page."""
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
