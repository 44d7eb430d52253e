"""What the check of a dataset found, as its page shows it: classes, pictures of each, what the files gave away."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aigc_models.data import image_kinds
from jobs.tables import Artifact
from web.i18n import plural
from web.pages import amounts
from web.translate import say

COLOURS: Mapping[str, str] = {"grey": "grey", "colour": "colour", "transparency": "with transparency"}


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class: how many images, how many of them are kept for testing, which share of all they are."""

    name: str
    count: int
    tested: int | None
    percent: int


@dataclass(frozen=True, slots=True)
class Strip:
    """Some pictures of a class in one file; ``count`` of them lie side by side, unless they are of no class."""

    file: Artifact
    count: int
    alt: str
    caption: str


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the uploaded files said beside their pixels, and how many pictures made from them still do."""

    sentences: Sequence[str]
    still: int


def classes(report: Mapping[str, Any]) -> list[ClassRow]:
    """The classes in the order of their numbers."""
    counts: Mapping[str, int] = report.get("class_counts") or {}
    tested: Mapping[str, int] = report.get("class_test_counts") or {}
    total = sum(counts.values()) or 1
    return [ClassRow(name, count, tested.get(name), round(100 * count / total)) for name, count in counts.items()]


def balance(rows: Sequence[ClassRow]) -> str:
    """How evenly the classes are filled, in one sentence."""
    if len(rows) < 2:
        return ""
    largest, smallest = max(rows, key=lambda row: row.count), min(rows, key=lambda row: row.count)
    if largest.count == smallest.count:
        return say("Every class has the same number of images.")
    values = {"largest": largest.name, "smallest": smallest.name}
    if smallest.count == 0:
        return say("{smallest} has no images.", values)
    times = f"{largest.count / smallest.count:.1f}".removesuffix(".0")
    return say("{largest} has {times} times as many images as {smallest}.", values | {"times": times})


def strips(report: Mapping[str, Any], files: Sequence[Artifact], dataset: str) -> list[Strip]:
    """The pictures of each class that the check kept."""
    by_name = {file.name: file for file in files}
    found = []
    for sample in report.get("samples") or []:
        file = by_name.get(str(sample.get("file")))
        if file is not None:
            found.append(_strip(file, str(sample.get("class", "")), int(sample.get("count", 0)), dataset))
    return found


def _strip(file: Artifact, name: str, count: int, dataset: str) -> Strip:
    if not name:
        alt = plural("{count} image of {dataset}", "{count} images of {dataset}", count, dataset=dataset)
        return Strip(file, count, alt, "")
    return Strip(file, count, plural("{count} image of {name}", "{count} images of {name}", count, name=name), name)


def metadata(report: Mapping[str, Any]) -> Metadata | None:
    """What the files gave away; None where nothing was looked for."""
    found: Mapping[str, int] | None = report.get("metadata")
    if found is None:
        return None
    told = [_told(kind, count) for kind, count in found.items() if count]
    return Metadata(told, int(report.get("pictures_with_metadata", 0)))


def _told(kind: str, count: int) -> str:
    match kind:
        case image_kinds.GPS:
            return plural(
                "{count} file says where it was taken (GPS).", "{count} files say where they were taken (GPS).", count
            )
        case image_kinds.PERSON:
            return plural("{count} file names a person.", "{count} files name a person.", count)
        case image_kinds.SERIAL:
            return plural(
                "{count} file names the camera by its serial number.",
                "{count} files name the camera by its serial number.",
                count,
            )
        case image_kinds.TAKEN:
            return plural("{count} file says when it was taken.", "{count} files say when they were taken.", count)
    return plural(
        "{count} file carries metadata (EXIF, XMP or text).", "{count} files carry metadata (EXIF, XMP or text).", count
    )


def kinds(counts: Mapping[str, int] | None, words: Mapping[str, str] | None = None) -> str:
    """How many there are of each kind: "PNG: 12, JPEG: 3"."""
    named = ((say(words[kind]) if words and kind in words else kind, count) for kind, count in (counts or {}).items())
    return ", ".join(f"{name}: {amounts.number(count)}" for name, count in named)
