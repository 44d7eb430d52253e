"""What the check of a table found, as its page shows it: first rows, columns with small drawings, personal data."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aigc_models.data import column_words
from jobs.tables import Artifact, Dataset, Job
from web import context
from web.pages import amounts
from web.pages.interaction_report import DELIMITERS
from web.translate import say

PREVIEW = "preview.json"
MOST_COLUMNS = 200
WIDTH, HEIGHT = 120, 30
TYPES: Mapping[str, str] = {
    "continuous": "number with decimals",
    "integer": "whole number",
    "categorical": "category",
    "boolean": "yes or no",
    "datetime": "date or time",
    "identifier": "identifier",
    "text": "free text",
    "constant": "constant",
}
MARKS: Mapping[str, str] = {",": "comma", ".": "point", "'": "apostrophe", " ": "space"}
EXAMPLE = datetime(2026, 12, 31, 23, 59, 5, tzinfo=UTC)
PERSONAL: Mapping[str, str] = {
    column_words.EMAIL: "{column} looks like e-mail addresses.",
    column_words.PHONE: "{column} looks like phone numbers.",
    column_words.CARD: "{column} looks like card numbers.",
    column_words.NATIONAL_ID: "{column} looks like national ids.",
    column_words.IBAN: "{column} looks like account numbers.",
    column_words.NAME: "{column} looks like names of people.",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a drawing, in its units, and what it stands for."""

    x: float
    y: float
    width: float
    height: float
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class ColumnView:
    """One column as the page shows it."""

    place: int
    name: str
    type: str
    word: str
    wished: bool
    masked: bool
    personal: str
    distinct: int
    missing: int
    percent: str
    facts: Sequence[tuple[str, str]]
    bars: Sequence[Bar]
    about: str


@dataclass(frozen=True, slots=True)
class TableView:
    """A whole table."""

    columns: Sequence[ColumnView]
    more: int
    names: Sequence[str]
    rows: Sequence[Sequence[str]]
    personal: Sequence[ColumnView]
    source: Sequence[tuple[str, str]]
    account: str
    dropped: Sequence[str]
    types: Sequence[tuple[str, str]]


def view(dataset: Dataset, job: Job, files: Sequence[Artifact]) -> TableView:
    """Everything that a table's page shows of it."""
    report: Mapping[str, Any] = dataset.report or {}
    wished = {name for name, _ in column_words.split_types(job.params.get("column_types", ""))}
    total = report.get("train", 0) + report.get("test", 0)
    stored: Sequence[Mapping[str, Any]] = report.get("columns") or []
    columns = [_column(place, one, total, one["name"] in wished) for place, one in enumerate(stored[:MOST_COLUMNS])]
    names, rows = _preview(files)
    return TableView(
        columns,
        max(0, len(stored) - MOST_COLUMNS),
        names[:MOST_COLUMNS],
        [row[:MOST_COLUMNS] for row in rows],
        [column for column in columns if column.personal],
        _source(report.get("source") or {}),
        report.get("account", ""),
        report.get("dropped") or [],
        [(name, say(word)) for name, word in TYPES.items()],
    )


def _preview(files: Sequence[Artifact]) -> tuple[list[str], list[list[str]]]:
    file = next((file for file in files if file.name == PREVIEW), None)
    if file is None:
        return [], []
    with context.engine().store.open(file.sha256) as stream:
        found = json.loads(stream.read())
    return found["columns"], found["rows"]


def _column(place: int, one: Mapping[str, Any], total: int, wished: bool) -> ColumnView:
    missing = int(one.get("missing_count", 0))
    kind, personal = str(one["type"]), PERSONAL.get(one.get("personal", ""), "")
    bars = _bars(one)
    return ColumnView(
        place=place,
        name=one["name"],
        type=kind,
        word=say(TYPES.get(kind, kind)),
        wished=wished,
        masked=bool(one.get("masked")),
        personal=say(personal, {"column": one["name"]}) if personal else "",
        distinct=int(one.get("distinct", 0)),
        missing=missing,
        percent=f"{100 * missing / total:.1f}".removesuffix(".0") if total else "0",
        facts=_facts(one),
        bars=bars,
        about=say("Distribution of {column}", {"column": one["name"]}),
    )


def _facts(one: Mapping[str, Any]) -> list[tuple[str, str]]:
    told = []
    if "least" in one:
        told = [
            (say("Least"), _value(one["least"], one)),
            (say("Median"), _value(one["quantiles"]["0.5"], one)),
            (say("Mean"), _value(one["mean"], one)),
            (say("Greatest"), _value(one["greatest"], one)),
        ]
    spellings: Mapping[str, int] = one.get("missing_spellings") or {}
    if any(spellings):
        words = ", ".join(f"{text or say('empty')}: {amounts.number(count)}" for text, count in spellings.items())
        told.append((say("Missing cells are written"), words))
    if one.get("format"):
        told.append((say("Written"), _written(str(one["type"]), str(one["format"]))))
    return told


def _written(kind: str, form: str) -> str:
    """How cells are written, in words: dates by an example, numbers by the marks in them."""
    if kind == "datetime":
        return say("like {example}", {"example": EXAMPLE.strftime(form)})
    decimal, thousands = (say(MARKS.get(mark, mark)) for mark in (form[:1], form[1:]))
    told = [say("decimal {mark}", {"mark": decimal})] if form[:1] != "." else []
    return say(", ").join([*told, *([say("{mark} between thousands", {"mark": thousands})] if thousands else [])])


def _value(value: float, one: Mapping[str, Any]) -> str:
    if one["type"] != "datetime":
        return amounts.figure(value)
    try:
        moment = datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError, ValueError):
        return amounts.figure(value)
    return f"{moment:%Y-%m-%d}" if moment.hour == moment.minute == 0 else f"{moment:%Y-%m-%d %H:%M}"


def _bars(one: Mapping[str, Any]) -> list[Bar]:
    """Bars of a histogram, or of the most frequent values and all others."""
    counted = _spread(one) or _frequent(one)
    most = max((count for _, count in counted), default=0)
    if not most:
        return []
    width = WIDTH / len(counted)
    bars = []
    for place, (label, count) in enumerate(counted):
        height = max(HEIGHT * count / most, 1.0 if count else 0.0)
        gap = min(1.0, width / 4)
        sides = [round(side, 2) for side in (place * width, HEIGHT - height, width - gap, height)]
        bars.append(Bar(sides[0], sides[1], sides[2], sides[3], label, count))
    return bars


def _spread(one: Mapping[str, Any]) -> list[tuple[str, int]]:
    histogram = one.get("histogram")
    if not histogram:
        return []
    edges, counts = histogram["edges"], histogram["counts"]
    single = one["type"] == "integer" and len(edges) > 1 and edges[1] - edges[0] == 1 and edges[0] % 1 == 0.5
    if single:
        return [(amounts.number(round(low + 0.5)), count) for low, count in zip(edges, counts, strict=False)]
    pairs = zip(edges, edges[1:], counts, strict=False)
    return [(f"{_value(low, one)} – {_value(high, one)}", count) for low, high, count in pairs]


def _frequent(one: Mapping[str, Any]) -> list[tuple[str, int]]:
    top = [(str(each["value"]), int(each["count"])) for each in one.get("top") or []]
    if not top or top[0][1] <= 1:
        return []
    return top


def _source(source: Mapping[str, Any]) -> list[tuple[str, str]]:
    if source.get("format") == "parquet":
        return [(say("Format"), "Parquet")]
    if not source:
        return []
    sign = str(source.get("delimiter", ""))
    encoding = str(source.get("encoding", ""))
    if source.get("byte_order_mark"):
        encoding = say("{encoding} with a byte order mark", {"encoding": encoding})
    told = [(say("Encoding"), encoding), (say("Delimiter"), say(DELIMITERS.get(sign, sign)))]
    return [*told, (say("Packed"), "gzip")] if source.get("packed") else told


def changes(report: Mapping[str, Any], params: Mapping[str, Any], sent: Mapping[str, str]) -> dict[str, Any]:
    """The settings of the next import: what was set before, and what the page's form says.

    A form with ``columns`` in it says everything about the columns that are shown; a button of a hint says only
    ``mask`` or ``drop`` of one place.
    """
    names = [str(column["name"]) for column in report.get("columns") or []]
    types = dict(column_words.split_types(params.get("column_types", "")))
    masked = dict.fromkeys(column_words.split(params.get("mask", "")))
    dropped = dict.fromkeys(column_words.split(params.get("drop", "")))
    made: dict[str, Any] = {}
    if "columns" in sent:
        shown = {name: place for place, name in enumerate(names[:MOST_COLUMNS])}
        found = {str(column["name"]): str(column["type"]) for column in report.get("columns") or []}
        chosen = {name: sent.get(f"type-{place}", "") for name, place in shown.items()}
        types |= {name: kind for name, kind in chosen.items() if kind in TYPES and kind != found[name]}
        masked = {name: None for name in masked if name not in shown}
        masked |= {name: None for name, place in shown.items() if f"mask-{place}" in sent}
        dropped = {name: None for name in dropped if f"back-{name}" not in sent}
        dropped |= {name: None for name, place in shown.items() if f"drop-{place}" in sent}
        made["account"] = sent.get("account", "") if sent.get("account", "") in names else ""
    masked |= _pressed(names, sent.get("mask", ""))
    dropped |= _pressed(names, sent.get("drop", ""))
    types = {name: kind for name, kind in types.items() if name not in masked and name not in dropped}
    return made | {
        "column_types": column_words.join(f"{name}={kind}" for name, kind in types.items()),
        "mask": column_words.join(name for name in masked if name not in dropped),
        "drop": column_words.join(dropped),
    }


def _pressed(names: Sequence[str], place: str) -> dict[str, None]:
    return {names[int(place)]: None} if place.isascii() and place.isdigit() and int(place) < len(names) else {}
