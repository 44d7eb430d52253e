"""What the check of a dataset of texts found, as its page shows it, and what its forms ask for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aigc_models.base import Fault
from aigc_models.data import column_words
from jobs.errors import InvalidParams
from jobs.tables import Artifact, Dataset
from web import context
from web.i18n import plural
from web.pages import amounts
from web.pages.interaction_report import DELIMITERS, Bin, Spread, label
from web.translate import say

PREVIEW = "preview.json"
SHOWN_VALUES = 12
SHAPES: Mapping[str, tuple[str, str, str]] = {
    "passages": ("Passages", "Texts to learn writing from.", "Texts"),
    "dialogues": ("Dialogues", "Questions with their answers, turn by turn.", "Dialogues"),
    "documents": ("Documents", "Pages with headings, to look things up in.", "Documents"),
}
ROLES: Mapping[str, str] = {"user": "Asks", "assistant": "Answers", "system": "Instruction"}
FORMATS: Mapping[str, str] = {
    "text": "plain text", "jsonl": "JSON lines", "csv": "rows of cells", "files": "files in a ZIP",
}  # fmt: skip
LANGUAGES: Mapping[str, str] = {
    "en": "English", "zh": "Chinese", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian",
    "pt": "Portuguese", "nl": "Dutch", "pl": "Polish", "ja": "Japanese", "ko": "Korean", "ru": "Russian",
    "uk": "Ukrainian", "el": "Greek", "ar": "Arabic", "he": "Hebrew", "th": "Thai", "hi": "Hindi",
    "": "cannot be told",
}  # fmt: skip
# What a column can be; each is a setting of the import but the last two.
USES: Mapping[str, str] = {
    "text": "Text", "question": "Question", "answer": "Answer", "role": "Who speaks", "dialogue": "Dialogue",
    "title": "Title", "name": "Id", "language": "Language", "attribute": "Attribute", "": "Left out",
}  # fmt: skip
PERSONAL: Mapping[str, tuple[str, str]] = {
    column_words.EMAIL: ("{count} e-mail address", "{count} e-mail addresses"),
    column_words.PHONE: ("{count} phone number", "{count} phone numbers"),
    column_words.CARD: ("{count} card number", "{count} card numbers"),
    column_words.NATIONAL_ID: ("{count} national id", "{count} national ids"),
    column_words.IBAN: ("{count} account number", "{count} account numbers"),
}
TEXTS = ("{count} text", "{count} texts")
TWICE = "Two columns are chosen as {use}: {first} and {second}. Choose one."


@dataclass(frozen=True, slots=True)
class AttributeView:
    """One attribute with its commonest values, each with its share of the commonest one's in percent."""

    name: str
    sentence: str
    values: Sequence[tuple[str, int, float]]
    more: int


@dataclass(frozen=True, slots=True)
class TextView:
    """A dataset of texts as its page shows it; documents are as the preview holds them."""

    shape: str
    about: str
    noun: str
    documents: Sequence[Mapping[str, Any]]
    characters: tuple[int, int]
    parts: tuple[int, int]
    languages: Sequence[tuple[str, str]]
    attributes: Sequence[AttributeView]
    lengths: Spread | None
    personal: Sequence[tuple[str, str]]
    source: Sequence[tuple[str, str]]
    roles: Sequence[tuple[str, str]]
    columns: Sequence[tuple[str, str]]
    uses: Sequence[tuple[str, str]]
    copies: int
    copies_left: int
    near_left: int
    synthetic: bool


def view(dataset: Dataset, files: Sequence[Artifact]) -> TextView:
    """Everything that the page shows of it."""
    report: Mapping[str, Any] = dataset.report or {}
    title, about, noun = SHAPES.get(str(report.get("shape")), SHAPES["passages"])
    same, near = int(report.get("duplicates", 0)), int(report.get("near_duplicates", 0))
    dropped = int(report.get("dropped", 0))
    total = int(report.get("train", 0)) + int(report.get("test", 0))
    return TextView(
        shape=say(title),
        about=say(about),
        noun=say(noun),
        documents=[_document(one) for one in _preview(files)],
        characters=_both(report.get("characters")),
        parts=_both(report.get("parts")),
        languages=[_language(code, int(count), total) for code, count in (report.get("languages") or {}).items()],
        attributes=[_attribute(one) for one in report.get("attributes") or []],
        lengths=_lengths(report.get("lengths"), say(noun)),
        personal=[] if report.get("masked") else [_personal(one) for one in report.get("personal") or []],
        source=list(_source(report)),
        roles=_roles(report.get("roles") or {}),
        columns=_columns(report.get("columns") or {}),
        uses=[(name, say(word)) for name, word in USES.items()],
        copies=same + near,
        copies_left=max(0, same - dropped),
        near_left=max(0, same + near - dropped),
        synthetic="synthetic" in dataset.name,
    )


def changes(report: Mapping[str, Any], sent: Mapping[str, str]) -> dict[str, Any]:
    """The settings of the next import by a form of the page: a hint's button, or what each column is.

    Raises:
        InvalidParams: Two columns are chosen as one thing.
    """
    if "mask" in sent:
        return {"mask": True}
    if sent.get("repeats") in ("drop_same", "drop_similar"):
        return {"repeats": sent["repeats"]}
    names = [name for name, _ in _columns(report.get("columns") or {})]
    chosen = {name: sent.get(f"use-{place}", "") for place, name in enumerate(names)}
    made: dict[str, Any] = {}
    for use, word in list(USES.items())[:-2]:
        named = [name for name, own in chosen.items() if own == use]
        if len(named) > 1:
            values = {"use": say(word), "first": named[0], "second": named[1]}
            raise InvalidParams(faults=[Fault(TWICE, values, f"/{use}_column")])
        made[f"{use}_column"] = named[0] if named else "none"
    if made["text_column"] == "none":
        made["text_column"] = ""
    attributes = [name for name, own in chosen.items() if own == "attribute"]
    return made | {"attribute_columns": column_words.join(attributes) if attributes else "none", "shape": "auto"}


def _preview(files: Sequence[Artifact]) -> list[Mapping[str, Any]]:
    file = next((file for file in files if file.name == PREVIEW), None)
    if file is None:
        return []
    with context.engine().store.open(file.sha256) as stream:
        found: list[Mapping[str, Any]] = json.loads(stream.read())["texts"]
    return found


def _document(one: Mapping[str, Any]) -> Mapping[str, Any]:
    parts = [{**part, "who": _role(str(part.get("role", "")))} for part in one["parts"]]
    attributes = [(name, say(", ").join(values)) for name, values in (one.get("attributes") or {}).items()]
    language = _word(one.get("language", "")) if one.get("language") else ""
    left = int(one.get("count", 0)) - len(parts)
    return {**one, "parts": parts, "attributes": attributes, "language": language, "left": left}


def _role(role: str) -> str:
    return say(ROLES[role]) if role in ROLES else ""


def _both(found: Mapping[str, int] | None) -> tuple[int, int]:
    return int((found or {}).get("train", 0)), int((found or {}).get("test", 0))


def _word(code: str) -> str:
    return say(LANGUAGES[code]) if code in LANGUAGES else code


def _language(code: str, count: int, total: int) -> tuple[str, str]:
    percent = 100 * count / total if total else 0
    share = f"{percent:.0f} %" if percent >= 1 else "< 1 %"
    return _word(code), f"{amounts.number(count)} ({share})"


def _attribute(one: Mapping[str, Any]) -> AttributeView:
    values = [(str(value), int(count)) for value, count in one["values"]]
    most = max((count for _, count in values), default=1)
    numbers = {"texts": amounts.number(one["documents"]), "different": amounts.number(one["different"])}
    sentence = (
        say("{different} values, several in a text, in {texts} texts.", numbers)
        if one.get("multiple")
        else say("{different} values in {texts} texts.", numbers)
    )
    shown = [(value, count, 100 * count / most) for value, count in values[:SHOWN_VALUES]]
    return AttributeView(one["name"], sentence, shown, max(0, int(one["different"]) - len(shown)))


def _lengths(found: Mapping[str, Any] | None, head: str) -> Spread | None:
    if not found:
        return None
    bins = [Bin(label(one["from"], one["to"]), int(one["count"])) for one in found.get("bins") or []]
    values = {name: amounts.number(round(found.get(name, 0))) for name in ("least", "middle", "most")}
    sentence = say("{least} characters at least, {middle} in the middle, {most} at most.", values)
    return Spread(say("Lengths"), head, sentence, bins, max((one.count for one in bins), default=1))


def _personal(one: Mapping[str, Any]) -> tuple[str, str]:
    """A sentence on one kind of personal data, and where it was met first."""
    single, many = PERSONAL.get(str(one.get("kind", "")), ("{count}", "{count}"))
    found = plural(single, many, int(one["pieces"]))
    sentence = say("{found} in {texts}", {"found": found, "texts": plural(*TEXTS, int(one["documents"]))})
    return sentence, say(", ").join(str(name) for name in one.get("first") or [])


def _source(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    source: Mapping[str, Any] = report.get("source") or {}
    shape, delimiter = str(source.get("format")), str(source.get("delimiter"))
    told = [(say("Read as"), say(FORMATS[shape]))] if shape in FORMATS else []
    encodings: Mapping[str, int] = source.get("encodings") or {}
    words = [name if len(encodings) == 1 else f"{name}: {amounts.number(count)}" for name, count in encodings.items()]
    if words:
        told.append((say("Encoding"), say(", ").join(words)))
    if delimiter in DELIMITERS:
        told.append((say("Delimiter"), say(DELIMITERS[delimiter])))
    if report.get("signs"):
        told.append((say("Different characters"), amounts.number(report["signs"])))
    return told


def _roles(roles: Mapping[str, str]) -> list[tuple[str, str]]:
    """Roles that are called otherwise in the file: as there, and what they do."""
    return [(name, say(ROLES[role])) for name, role in roles.items() if role in ROLES and name != role]


def _columns(columns: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every column of the file with its use, those with a use first."""
    used = [(name, use) for use, name in (columns.get("uses") or {}).items()]
    attributes = [(name, "attribute") for name in columns.get("attributes") or []]
    return [*used, *attributes, *((name, "") for name in columns.get("others") or [])]
