"""From the cells of a file of events to ordered, numbered interactions, with every fault and what was left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aigc_models.base import Fault, InputError
from aigc_models.data import event_times
from aigc_models.data.event_columns import Role, shown
from aigc_models.data.event_times import Times
from aigc_models.data.interactions import Interactions

KEPT_FAULTS = 100
LEAST_EVENTS, LEAST_USERS, LEAST_ITEMS = 10, 2, 2

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Rules:
    """What is to be kept of the events.

    Attributes:
        least_rating: Events rated lower are left out; None keeps all.
        least_events: Users with fewer events are left out.
        drop_repeats: Whether an event that repeats another one (user, item and time) is left out.
        skip_broken: Whether rows with faults are left out instead of refused.
        hash_users: Whether users are stored under a hash of their name.
    """

    least_rating: float | None = None
    least_events: int = 2
    drop_repeats: bool = True
    skip_broken: bool = False
    hash_users: bool = False


@dataclass(frozen=True, slots=True)
class EventFile:
    """A file of events as it was read, every cell a text; an empty one is missing.

    Attributes:
        columns: The headers; empty strings where the file has none.
        cells: The cells of columns by their place among ``columns``; only those that are used.
        name: What the file is called.
        first_row: Number of the first row of cells as a person counts, a header being row 1.
        skipped: Numbers of rows that are not among the cells, in order.
        unreadable: Rows left out because they have too few or too many cells.
        encoding: How its letters are written; empty where that has no meaning.
        delimiter: What stands between its cells; empty where that has no meaning.
    """

    columns: Sequence[str]
    cells: Mapping[int, "pd.Series[str]"]
    name: str = ""
    first_row: int = 2
    skipped: Sequence[int] = ()
    unreadable: int = 0
    encoding: str = ""
    delimiter: str = ""

    def number(self, index: int) -> int:
        """The number that a spreadsheet gives a row, by its index among the cells."""
        gaps = np.asarray(self.skipped, np.int64) - np.arange(len(self.skipped))
        return index + self.first_row + int(np.searchsorted(gaps, index + self.first_row, side="right"))

    def __len__(self) -> int:
        """Number of rows."""
        return len(next(iter(self.cells.values())))


@dataclass(slots=True)
class Left:
    """How many events, users and cells were left out, and why."""

    broken: int = 0
    rated_low: int = 0
    repeats: int = 0
    users: int = 0
    users_events: int = 0


@dataclass(frozen=True, slots=True)
class Read:
    """Interactions, and what is to be known of how they were read.

    Attributes:
        data: The interactions.
        roles: The column of each role.
        times: How the times were read; None without a column of times.
        left: What was left out.
        repeats: Events that repeat another one, left out or not.
        first: Rows of ``data`` that come first in the file.
        same_time: Whether all events have one time.
    """

    data: Interactions
    roles: Mapping[Role, int]
    times: Times | None
    left: Left
    repeats: int
    first: NDArray[np.int64]
    same_time: bool


@dataclass(slots=True)
class CellFaults:
    """The first faults, and how many rows have one."""

    source: EventFile
    broken: Mask
    kept: list[Fault] = field(default_factory=list)

    def add(self, rows: Mask, place: int, message: str, code: str) -> None:
        """Note faulty cells of a column."""
        self.broken |= rows
        name, cells = shown(self.source.columns, place), self.source.cells[place]
        for row in np.flatnonzero(rows)[: KEPT_FAULTS - len(self.kept)].tolist():
            number, value = self.source.number(row), str(cells.iloc[row])[:80]
            values = {"row": number, "column": name, "value": value}
            self.kept.append(Fault(message, values, where=values, code=code))

    def refuse(self) -> None:
        """Raise what was found; a count comes first where not all faults are listed."""
        count = int(self.broken.sum())
        if count > len(self.kept):
            sentence = "{count} of {total} rows cannot be used. The first {shown} faults are listed."
            values = {"count": count, "total": len(self.broken), "shown": KEPT_FAULTS - 1}
            raise InputError([Fault(sentence, values, code="bad-cell"), *self.kept])
        if self.kept:
            raise InputError(sorted(self.kept, key=lambda fault: fault.where["row"]))


def hashed(name: str, kind: str = "u") -> str:
    """What a user, or something else, is stored as where names are hashed; whoever knows a name can work it out."""
    return f"{kind}-{sha256(name.encode()).hexdigest()[:16]}"


def read_events(source: EventFile, roles: Mapping[Role, int], rules: Rules, titles: Mapping[str, str]) -> Read:
    """Check all cells, leave out what the rules say, number users and items, and order the events.

    Args:
        source: The file.
        roles: The column of each role.
        rules: What to keep.
        titles: Titles of items from another file.

    Raises:
        InputError: Cells are faulty, each named by row, column and value, or too few events are left.
    """
    columns = {role: source.cells[place] for role, place in roles.items()}
    faults = CellFaults(source, np.zeros(len(source), np.bool_))
    _check_names(source, roles, faults)
    times = read_times(source, roles.get("time"), faults)
    ratings = _ratings(columns.get("rating"), roles, faults)
    if not rules.skip_broken:
        faults.refuse()
    left = Left(broken=int(faults.broken.sum()) + source.unreadable)
    frame = pd.DataFrame(
        {
            "user": columns["user"],
            "item": columns["item"],
            "time": np.nan if times is None else times.seconds,
            "rating": np.float32(np.nan) if ratings is None else ratings,
            "title": columns.get("title", ""),
        }
    )[~faults.broken]
    frame, repeats = _keep(frame, rules, left, timed=times is not None)
    _refuse_few(frame)
    data, first = _ordered(frame, rules, titles)
    same = bool(times is not None and len(np.unique(data.times)) == 1)
    return Read(data, roles, times, left, repeats, first, same)


def _check_names(source: EventFile, roles: Mapping[Role, int], faults: CellFaults) -> None:
    no_user = "Row {row} has no user in the column {column}."
    no_item = "Row {row} has no item in the column {column}."
    faults.add((source.cells[roles["user"]] == "").to_numpy(), roles["user"], no_user, "cell-missing")
    faults.add((source.cells[roles["item"]] == "").to_numpy(), roles["item"], no_item, "cell-missing")


def read_times(source: EventFile, place: int | None, faults: CellFaults) -> Times | None:
    """The times in a column; None where there is no such column, or nothing in it."""
    if place is None or bool((source.cells[place] == "").all()):
        return None
    cells = source.cells[place]
    found = event_times.parse(cells)
    empty, wrong = (cells == "").to_numpy(), np.isnan(found.seconds)
    faults.add(empty, place, "Row {row} has no time in the column {column}.", "cell-missing")
    sentence = "Row {row}, column {column}: {value} is no time. Write it as a date such as 2024-01-31 or in seconds."
    faults.add(wrong & ~empty, place, sentence, "bad-cell")
    return found


def _ratings(
    cells: "pd.Series[str] | None", roles: Mapping[Role, int], faults: CellFaults
) -> NDArray[np.float32] | None:
    if cells is None or bool((cells == "").all()):
        return None
    numbers = pd.to_numeric(cells.where(cells != ""), errors="coerce").to_numpy(np.float64)
    wrong = ~np.isfinite(numbers) & (cells != "").to_numpy()
    faults.add(wrong, roles["rating"], "Row {row}, column {column}: {value} is no number.", "bad-cell")
    return numbers.astype(np.float32)


def _keep(frame: pd.DataFrame, rules: Rules, left: Left, *, timed: bool) -> tuple[pd.DataFrame, int]:
    """Leave out by the rules; gives the number of repeats, too."""
    if rules.least_rating is not None:
        low = ~(frame["rating"] >= rules.least_rating)
        left.rated_low = int(low.sum())
        frame = frame[~low]
    repeated = frame.duplicated(["user", "item", "time"])
    repeats = int(repeated.sum())
    if rules.drop_repeats and timed:  # without times a repeat may well be a second purchase
        left.repeats = repeats
        frame = frame[~repeated]
    sizes = frame.groupby("user", sort=False)["item"].transform("size")
    few = sizes < rules.least_events
    left.users, left.users_events = int(frame["user"][few].nunique()), int(few.sum())
    return frame[~few], repeats


def _refuse_few(frame: pd.DataFrame) -> None:
    users, items = int(frame["user"].nunique()), int(frame["item"].nunique())
    if len(frame) < LEAST_EVENTS or users < LEAST_USERS or items < LEAST_ITEMS:
        sentence = (
            "Too little is left: events {events}, users {users}, items {items}. At least {least} events, 2 users and "
            "2 items are needed."
        )
        values: dict[str, Any] = {"events": len(frame), "users": users, "items": items, "least": LEAST_EVENTS}
        raise InputError(Fault(sentence, values, code="too-few-events"))


def _ordered(frame: pd.DataFrame, rules: Rules, titles: Mapping[str, str]) -> tuple[Interactions, NDArray[np.int64]]:
    users, user_names = pd.factorize(frame["user"])
    items, item_names = pd.factorize(frame["item"])
    times = frame["time"].to_numpy(np.float64)
    order = np.lexsort((np.where(np.isnan(times), 0.0, times), users))  # stable: equal times keep the file's order
    own = frame.loc[frame["title"] != "", ["item", "title"]].drop_duplicates("item")
    named = dict(zip(own["item"].tolist(), own["title"].tolist(), strict=True))
    known = {**named, **titles}
    names = [hashed(name) for name in user_names] if rules.hash_users else [str(name) for name in user_names]
    data = Interactions(
        users=users[order].astype(np.int64),
        items=items[order].astype(np.int64),
        times=times[order],
        ratings=frame["rating"].to_numpy(np.float32)[order],
        user_names=names,
        item_names=[str(name) for name in item_names],
        item_titles=[known.get(str(name), "") for name in item_names],
    )
    return data, np.argsort(order, kind="stable")
