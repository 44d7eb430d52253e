"""What a person should know about texts before anything learns from them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from aigc_models.data.text_files import Gathered
from aigc_models.data.text_personal import Personal
from aigc_models.data.texts import Document, TextSet, to_json

EDGES = (1, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 1_000_000)
SHOWN_DOCUMENTS, SHOWN_CHARACTERS, SHOWN_PARTS = 20, 1200, 12
SHOWN_VALUES, SHOWN_ATTRIBUTES, SHOWN_FILES = 50, 50, 10
_FEW, _FEW_CHARACTERS = 50, 20_000
_QUANTILES = {"least": 0.0, "quarter": 0.25, "middle": 0.5, "most_but_tenth": 0.9, "most": 1.0}


@dataclass(frozen=True, slots=True)
class Found:
    """What was found out about documents beyond reading them.

    Attributes:
        groups: A number for each kept document, the same for those that stay on one side of the split.
        too_alike: Whether near-copies had to be parted, as nearly all documents are some.
        copies: Documents that say the same as an earlier one.
        near_copies: Documents that say nearly the same as an earlier one.
        dropped: How many of both were left out.
        personal: Likely personal data before it was masked.
        masked: Whether it was.
    """

    groups: Sequence[int]
    too_alike: bool
    copies: int
    near_copies: int
    dropped: int
    personal: Sequence[Personal]
    masked: bool


def report(texts: TextSet, gathered: Gathered, found: Found) -> dict[str, Any]:
    """Everything :func:`aigc_models.data.texts.load_report` tells of."""
    documents = (*texts.train, *texts.test)
    lengths = np.array([document.characters for document in documents], np.int64)
    columns = gathered.columns
    return {
        "characters": {"train": _characters(texts.train), "test": _characters(texts.test)},
        "parts": {"train": _parts(texts.train), "test": _parts(texts.test)},
        "languages": dict(Counter(document.language for document in documents).most_common()),
        "attributes": list(_attributes(documents)),
        "lengths": {name: float(np.quantile(lengths, share)) for name, share in _QUANTILES.items()}
        | {"bins": _bins(lengths)},
        "signs": len(set().union(*(set(part.text) for document in documents for part in document.parts))),
        "duplicates": found.copies,
        "near_duplicates": found.near_copies,
        "dropped": found.dropped,
        "left_out": gathered.left_out,
        "personal": [asdict(one) for one in found.personal],
        "masked": found.masked,
        "roles": dict(gathered.roles),
        "columns": {
            "uses": dict(columns.uses) if columns else {},
            "attributes": list(columns.attributes) if columns else [],
            "others": list(columns.others) if columns else [],
        },
        "source": {
            "format": gathered.format,
            "encodings": dict(gathered.encodings.most_common()),
            "delimiter": gathered.delimiter,
            "skipped": list(gathered.skipped)[:SHOWN_FILES],
            "skipped_count": len(gathered.skipped),
        },
        "warnings": [
            {"message": message, "values": dict(values)} for message, values in _warnings(texts, gathered, found)
        ],
    }


def preview(texts: TextSet) -> dict[str, Any]:
    """The first documents, cut to what fits a page: in ``texts`` with their parts, and as ``rows`` of ``columns``.

    In ``texts``, ``characters`` and ``count`` say how long a document is in characters and in parts.
    """
    first = (*texts.train, *texts.test)[:SHOWN_DOCUMENTS]
    attributes = [name for name in texts.attribute_names() if any(name in one.attributes for one in first)]
    rows = [
        [one.name, one.title, one.language, *(", ".join(one.attributes.get(name, ())) for name in attributes),
         one.text[:SHOWN_CHARACTERS]]
        for one in first
    ]  # fmt: skip
    columns = ["name", "title", "language", *attributes, "text"]
    return {"columns": columns, "rows": rows, "texts": [_shown(document) for document in first]}


def _shown(document: Document) -> dict[str, Any]:
    told, room, parts = to_json(document), SHOWN_CHARACTERS, []
    for part in told["parts"][:SHOWN_PARTS]:
        parts.append(part | {"text": part["text"][:room], "cut": len(part["text"]) > room})
        room -= min(room, len(part["text"]))
        if not room:
            break
    return told | {"parts": parts, "characters": document.characters, "count": len(document.parts)}


def _characters(documents: Sequence[Document]) -> int:
    return sum(document.characters for document in documents)


def _parts(documents: Sequence[Document]) -> int:
    return sum(len(document.parts) for document in documents)


def _bins(lengths: Any) -> list[dict[str, Any]]:
    """How many documents have how many characters, up to the next edge."""
    places = np.maximum(np.searchsorted(EDGES, lengths, side="right") - 1, 0)
    counts = np.bincount(places, minlength=len(EDGES)).tolist()
    highs: list[int | None] = [edge - 1 for edge in EDGES[1:]]
    return [
        {"from": low, "to": high, "count": count}
        for low, high, count in zip(EDGES, [*highs, None], counts, strict=True)
        if count
    ]


def _attributes(documents: Sequence[Document]) -> Iterator[dict[str, Any]]:
    counts: dict[str, Counter[str]] = {}
    having: Counter[str] = Counter()
    multiple: set[str] = set()
    for document in documents:
        for name, values in document.attributes.items():
            counts.setdefault(name, Counter()).update(values)
            having[name] += 1
            if len(values) > 1:
                multiple.add(name)
    for name, found in list(counts.items())[:SHOWN_ATTRIBUTES]:
        yield {
            "name": name,
            "multiple": name in multiple,
            "documents": having[name],
            "different": len(found),
            "values": [[value, count] for value, count in found.most_common(SHOWN_VALUES)],
        }


def _warnings(texts: TextSet, gathered: Gathered, found: Found) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Sentences with gaps, each with what fills them."""
    documents = (*texts.train, *texts.test)
    characters = _characters(documents)
    if len(documents) - len(texts.test) == 1 and texts.test and len(documents) == 2 and texts.shape == "passages":
        yield "The file is one running text: its end is kept for testing.", {}
    elif not texts.test and len(documents) > 1:
        yield "All texts repeat each other, so none is kept for testing.", {}
    elif not texts.test:
        yield "There is only one text, so none is kept for testing.", {}
    elif len(documents) < _FEW and characters < _FEW_CHARACTERS * 10:
        values = {"count": len(documents)}
        yield "There are only {count} texts: few for a model that writes, enough for an assistant to search.", values
    if characters < _FEW_CHARACTERS:
        values = {"count": characters}
        yield "There are only {count} characters; a model that writes will learn little but to repeat them.", values
    if found.dropped:
        yield "{count} texts that repeat others were left out.", {"count": found.dropped}
    if found.copies + found.near_copies - found.dropped > 0:
        values = {"count": found.copies + found.near_copies - found.dropped}
        yield "{count} texts repeat others; copies stay on the same side of training and testing.", values
    if found.too_alike:
        yield "Nearly all texts are near-copies of each other, so some of these are among both parts.", {}
    if gathered.left_out:
        yield "{count} rows, lines or files could not be read and were left out.", {"count": gathered.left_out}
    if gathered.removed:
        yield "{count} signs that mean nothing in a text were left out.", {"count": gathered.removed}
    if gathered.skipped:
        names = ", ".join(gathered.skipped[:3])
        yield (
            "{count} files are no texts and were left out, such as {names}.",
            {"count": len(gathered.skipped), "names": names},
        )
    yield from _about_dialogues(texts)
    unknown = sum(not document.language for document in documents)
    if unknown:
        yield "The language of {count} texts cannot be told.", {"count": unknown}


def _about_dialogues(texts: TextSet) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if texts.shape != "dialogues":
        return
    silent = sum(not any(document.exchanges()) for document in (*texts.train, *texts.test))
    if silent:
        yield "{count} dialogues have no answer; nothing is learnt to answer from them.", {"count": silent}
