"""What a person should know about interactions before anything learns from them."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aigc_models.data.event_columns import shown
from aigc_models.data.event_rows import EventFile, Read
from aigc_models.data.interactions import Interactions

SHOWN_EVENTS, SHOWN_ITEMS = 20, 20
EDGES = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000, 100_000)
_FEW_EVENTS, _FEW_USERS = 1000, 50
_SPAN = 200 * 365 * 86_400  # seconds; what is further from 1970 is no date anybody meant


def report(read: Read, source: EventFile) -> dict[str, Any]:
    """Counts, spans, how events spread over users and items, the most popular items, and the first events.

    ``hash`` is of the content, so that the same events make the same dataset wherever they are read.
    """
    data = read.data
    per_user = np.bincount(data.users, minlength=len(data.user_names))
    per_item = np.bincount(data.items, minlength=len(data.item_names))
    pairs = len(np.unique(data.users * len(data.item_names) + data.items))
    return {
        "kind": "interactions",
        "events": len(data),
        "users": len(data.user_names),
        "items": len(data.item_names),
        "pairs": pairs,
        "density": pairs / (len(data.user_names) * len(data.item_names)),
        "titled": sum(bool(title) for title in data.item_titles),
        "columns": {role: shown(source.columns, place) for role, place in read.roles.items()},
        "time_unit": read.times.unit if read.times else "",
        "first_time": moment(read, float(np.nanmin(data.times))) if read.times else "",
        "last_time": moment(read, float(np.nanmax(data.times))) if read.times else "",
        "encoding": source.encoding,
        "delimiter": source.delimiter,
        "rated": int(np.isfinite(data.ratings).sum()),
        "repeats": read.repeats,
        "left_out": {
            "broken": read.left.broken,
            "rated_low": read.left.rated_low,
            "repeats": read.left.repeats,
            "users": read.left.users,
            "users_events": read.left.users_events,
        },
        "per_user": spread(per_user),
        "per_item": spread(per_item),
        "popular": list(_popular(data, per_item)),
        "first": [_event(read, int(row)) for row in read.first[:SHOWN_EVENTS]],
        "warnings": [{"message": message, "values": values} for message, values in _warnings(read, per_user, per_item)],
        "hash": _content(data),
    }


def moment(read: Read, seconds: float) -> str:
    """A time of interactions as a person reads it; empty where there are none."""
    return moment_of(seconds, read.times.unit) if read.times is not None else ""


def moment_of(seconds: float, unit: str) -> str:
    """A time as a person reads it: a day where the file has days, else to the second; a bare number stays one."""
    if np.isnan(seconds):
        return ""
    if unit == "numbers" or abs(seconds) > _SPAN:
        return f"{seconds:.10g}"
    when = datetime.fromtimestamp(seconds, UTC)
    return when.date().isoformat() if unit == "days" else when.isoformat(timespec="seconds")


def spread(counts: NDArray[np.int64]) -> dict[str, Any]:
    """How many users, items or sessions have how many events: least, middle, most, and bins up to the next edge."""
    places = np.searchsorted(EDGES, counts, side="right") - 1
    bins = np.bincount(places, minlength=len(EDGES)).tolist()
    highs: list[int | None] = [edge - 1 for edge in EDGES[1:]]
    return {
        "least": int(counts.min()),
        "middle": float(np.median(counts)),
        "most": int(counts.max()),
        "bins": [
            {"from": low, "to": high, "count": count}
            for low, high, count in zip(EDGES, [*highs, None], bins, strict=True)
            if count
        ],
    }


def _popular(data: Interactions, per_item: NDArray[np.int64]) -> Iterator[dict[str, Any]]:
    for item in np.argsort(-per_item, kind="stable")[:SHOWN_ITEMS].tolist():
        users = len(np.unique(data.users[data.items == item]))
        yield {
            "item": data.item_names[item],
            "title": data.item_titles[item],
            "events": int(per_item[item]),
            "users": users,
        }


def _event(read: Read, row: int) -> dict[str, Any]:
    data, rating = read.data, float(read.data.ratings[row])
    item = int(data.items[row])
    return {
        "user": data.user_names[int(data.users[row])],
        "item": data.item_names[item],
        "title": data.item_titles[item],
        "time": moment(read, float(data.times[row])),
        "rating": None if np.isnan(rating) else rating,
    }


def _warnings(
    read: Read, per_user: NDArray[np.int64], per_item: NDArray[np.int64]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Sentences with gaps, each with what fills them."""
    data, left = read.data, read.left
    if read.times is None:
        yield "The file has no times, so the order of its rows is taken as the order in time.", {}
    elif read.same_time:
        yield "All events have the same time, so the order of the rows is taken as the order in time.", {}
    elif read.times.unit == "numbers":
        yield "The times are small numbers; they are taken as an order, not as dates.", {}
    if read.times is not None and read.times.unclear:
        yield "Day and month of the dates could be the other way round; day first was taken.", {}
    if left.broken:
        yield "{count} rows could not be read and were left out.", {"count": left.broken}
    if left.rated_low:
        yield "{count} events are rated lower than asked for and were left out.", {"count": left.rated_low}
    if left.repeats:
        yield "{count} events repeat another one at the same time and were left out.", {"count": left.repeats}
    elif read.repeats:
        yield "{count} events repeat an earlier one of the same user and item.", {"count": read.repeats}
    if left.users:
        values = {"count": left.users, "events": left.users_events}
        yield "{count} users with too few events were left out, with {events} events.", values
    single = int((per_user == 1).sum())
    if single:
        yield "{count} users have one event only; nothing can be tested on them.", {"count": single}
    rare = int((per_item == 1).sum())
    if rare:
        yield "{count} items were met once only; hardly anything can be learnt about them.", {"count": rare}
    untitled = sum(not title for title in data.item_titles)
    if 0 < untitled < len(data.item_titles):
        yield "{count} items have no title; they are shown by their id.", {"count": untitled}
    if len(data) < _FEW_EVENTS or len(data.user_names) < _FEW_USERS:
        values = {"events": len(data), "users": len(data.user_names)}
        yield "There are only {events} events of {users} users; results will be poor.", values


def _content(data: Interactions) -> str:
    content = sha256()
    for array in (data.users, data.items, data.times, data.ratings):
        content.update(np.ascontiguousarray(array).tobytes())
    for names in (data.user_names, data.item_names, data.item_titles):
        content.update("\n".join(names).encode() + b"\0")
    return content.hexdigest()
