"""The files in which recommendations are kept, and the list of a model's items that people choose from.

A job that recommends writes :data:`LISTS`, at most :data:`SHOWN` lists to look at, and :data:`BULK`, a row for each
recommendation there is. A training writes :data:`CATALOGUE` beside its weights, so that items can be found by title
without loading the model. Only the standard library is used: the web process reads these files.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

LISTS, BULK, CATALOGUE = "recommendations.json", "recommendations.csv", "catalogue.json"
SHOWN = 200
HEAD = ("user", "rank", "item", "title", "score")
# What a spreadsheet would compute instead of showing.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Item:
    """An item and what people call it; the title is empty where nothing is known."""

    item: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Reason(Item):
    """An item that somebody had, and its share in a recommendation, from 0 to 1."""

    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Recommended(Item):
    """A recommended item, its score, and what it is recommended for, the weightiest first."""

    score: float = 0.0
    because: Sequence[Reason] = ()


@dataclass(frozen=True, slots=True)
class RecommendationList:
    """What is recommended to one user.

    Attributes:
        user: The user as the dataset calls it; None for somebody who is described by a history alone.
        history: What the user had, the oldest first; of long histories the newest.
        items: The recommendations, the best first.
        unknown: Items that the history named and the model does not know.
    """

    user: str | None
    history: Sequence[Item]
    items: Sequence[Recommended]
    unknown: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Recommendations:
    """All that is shown of a job that recommends.

    Attributes:
        lists: At most :data:`SHOWN` lists.
        model: What made them, such as "SASRec".
        filtered: How many items were not allowed to be recommended.
        total: Users there are lists for, in the bulk file.
        unknown_users: Users that were asked for and that the model does not know, the first of them.
    """

    lists: Sequence[RecommendationList]
    model: str = ""
    filtered: int = 0
    total: int = 0
    unknown_users: Sequence[str] = field(default_factory=tuple)


def save_recommendations(found: Recommendations, directory: Path) -> None:
    """Write the lists to look at."""
    text = json.dumps(asdict(found), ensure_ascii=False, indent=1)
    (directory / LISTS).write_text(text, encoding="utf-8")


def parse_recommendations(text: str | bytes) -> Recommendations:
    """Read the lists to look at.

    Raises:
        ValueError: It is no such file.
    """
    stored = json.loads(text)
    try:
        lists = [_list(one) for one in stored["lists"]]
        return Recommendations(
            lists,
            str(stored.get("model", "")),
            int(stored.get("filtered", 0)),
            int(stored.get("total", len(lists))),
            [str(user) for user in stored.get("unknown_users", ())],
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"no recommendations: {error}") from None


def write_bulk(lists: Iterable[RecommendationList], stream: IO[str]) -> int:
    """Write a row for each recommendation, list by list, so that none has to stay in memory; gives the rows.

    Ids and titles that a spreadsheet would compute get an apostrophe in front, as all tables of the software do.
    """
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(HEAD)
    rows = 0
    for one in lists:
        for rank, item in enumerate(one.items, 1):
            writer.writerow((_text(one.user or ""), rank, _text(item.item), _text(item.title), f"{item.score:.6g}"))
            rows += 1
    return rows


def save_catalogue(items: Iterable[tuple[str, str, int]], directory: Path) -> None:
    """Write a model's items: id, title and number of events, the most popular first."""
    stored = sorted(items, key=lambda item: -item[2])
    (directory / CATALOGUE).write_text(json.dumps({"items": stored}, ensure_ascii=False), encoding="utf-8")


def parse_catalogue(text: str | bytes) -> list[Item]:
    """A model's items, the most popular first.

    Raises:
        ValueError: It is no such file.
    """
    try:
        return [Item(str(item), str(title)) for item, title, _ in json.loads(text)["items"]]
    except (KeyError, TypeError) as error:
        raise ValueError(f"no catalogue: {error}") from None


def find_items(items: Iterable[Item], text: str) -> Iterator[Item]:
    """Items whose title or id holds every word, in the order given; all of them for no word."""
    words = text.casefold().split()
    for one in items:
        name = f"{one.title} {one.item}".casefold()
        if all(word in name for word in words):
            yield one


def _list(stored: Mapping[str, Any]) -> RecommendationList:
    return RecommendationList(
        None if stored["user"] is None else str(stored["user"]),
        [Item(str(one["item"]), str(one.get("title") or "")) for one in stored["history"]],
        [_recommended(one) for one in stored["items"]],
        [str(item) for item in stored.get("unknown", ())],
    )


def _recommended(stored: Mapping[str, Any]) -> Recommended:
    because = [
        Reason(str(one["item"]), str(one.get("title") or ""), float(one.get("weight", 0.0)))
        for one in stored.get("because", ())
    ]
    return Recommended(str(stored["item"]), str(stored.get("title") or ""), float(stored["score"]), because)


def _text(value: str) -> str:
    return f"'{value}" if value.startswith(_FORMULA) else value
