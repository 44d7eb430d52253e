"""The file in which a reply is kept: what was asked, each sentence with its source, or why there is none.

Only the standard library is used: the web process reads these files.
"""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

REPLY, TEXT, PART = "reply.json", "reply.txt", "reply"
BULLET = "• "

Kind = Literal["answer", "refusal", "clarification"]
# What is quoted whole: a sentence, an item of a list, code, a row of a table.
PieceKind = Literal["text", "item", "code", "table"]
# How an answer was made: of sentences that stand in its sources, or of sentences that a model wrote.
Manner = Literal["quoted", "written"]
# Why an answer is quoted although a model was to write it.
Instead = Literal["", "nothing-supported", "nothing-written"]


@dataclass(frozen=True, slots=True)
class Source:
    """A passage that a reply cites.

    Attributes:
        number: How sentences cite it, from 1.
        document: The document's name in the dataset.
        title: What the document is called; empty where nothing says so.
        headings: What the passage stands under, the outermost first.
        question: What it answered, where it comes from a dialogue.
        text: All that it says, without marks of Markdown or HTML.
        part: Which part of the document it is from, from 0.
        start, end: The characters of that part's text, as the dataset has it, in which it stands.
    """

    number: int
    document: str
    title: str
    headings: Sequence[str]
    question: str
    text: str
    part: int = 0
    start: int = 0
    end: int = 0

    @property
    def name(self) -> str:
        """What a person would call it."""
        above = list(dict.fromkeys(one for one in (self.title, *self.headings) if one))
        return " › ".join(above) or self.question or self.document


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a reply, an item of a list, code, or a row of a table.

    Attributes:
        text: What it says; of what is quoted, character by character as it stands in its source's text.
        source: Number of the source it is from, or by which it is supported.
        kind: What it is.
        start, end: The characters of the source's text that it is, or by which it is supported most.
        begins: Whether a paragraph begins with it.
        support: How far the source supports it, from 0 to 1; of what is quoted 1.
    """

    text: str
    source: int
    kind: PieceKind = "text"
    start: int = 0
    end: int = 0
    begins: bool = False
    support: float = 1.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What an assistant says.

    Attributes:
        question: What was asked.
        searched: What was searched for: the question, with earlier ones where it needs them.
        kind: ``answer``, ``refusal`` where nothing fits, ``clarification`` where several matters fit equally well.
        text: All of it in words, in the question's language.
        sentences: Of an answer, in the order in which they are to be read.
        sources: What they cite; of a refusal the nearest passages, which are not meant to be an answer.
        options: Of a clarification: what may be meant.
        sureness: How likely it is that what was found is an answer, from 0 to 1.
        threshold: Below which the assistant refuses.
        language: ``en`` or ``zh``.
        manner: Whether an answer is quoted or was written by a model.
        instead: Why an answer is quoted although a model was to write it; empty where it was not to.
        dropped: Sentences that a model wrote and no source supports; they are no part of the answer.
    """

    question: str
    searched: str
    kind: Kind
    text: str
    sentences: Sequence[Sentence]
    sources: Sequence[Source]
    options: Sequence[str]
    sureness: float
    threshold: float
    language: str
    manner: Manner = "quoted"
    instead: Instead = ""
    dropped: Sequence[str] = ()

    @property
    def paragraphs(self) -> Sequence[Sequence[Sentence]]:
        """Sentences in groups: a paragraph, the items of a list, rows of a table; code alone."""
        return grouped(self.sentences)


def grouped(sentences: Sequence[Sentence]) -> list[list[Sentence]]:
    """Sentences that are shown together."""
    groups: list[list[Sentence]] = []
    for one in sentences:
        last = groups[-1][-1] if groups else None
        together = last is not None and last.kind == one.kind and last.source == one.source and one.kind != "code"
        if together and not (one.kind == "text" and one.begins):
            groups[-1].append(one)
        else:
            groups.append([one])
    return groups


def spelled(sentences: Sequence[Sentence], *, cited: bool = True) -> str:
    """Sentences as one text, with the numbers of their sources."""
    lines = []
    for group in grouped(sentences):
        said = [_spelled(one, cited) for one in group]
        lines.append(joined(said) if group[0].kind == "text" else "\n".join(said))
    return "\n".join(lines)


def _spelled(one: Sentence, cited: bool) -> str:
    mark = BULLET if one.kind == "item" and one.begins and not one.text[:1].isdigit() else ""
    if not cited:
        return f"{mark}{one.text}"
    between = "\n" if one.kind == "code" else "" if is_wide(one.text[-1:]) else " "
    return f"{mark}{one.text}{between}[{one.source}]"


def joined(texts: Sequence[str]) -> str:
    """Texts one after the other, without a blank after Chinese punctuation."""
    made = ""
    for text in texts:
        wide = is_wide(made.rstrip("0123456789[] ")[-1:])
        made += text if not made or wide else f" {text}"
    return made


def is_wide(sign: str) -> bool:
    """Whether a text's first character takes two columns, as Chinese ones and their punctuation do."""
    return bool(sign) and unicodedata.east_asian_width(sign[0]) in "WF"


def save_reply(reply: Reply, directory: Path) -> None:
    """Write it for programs and for people."""
    (directory / REPLY).write_text(to_json(reply), encoding="utf-8")
    cited = [f"[{one.number}] {one.name}" for one in reply.sources] if reply.kind == "answer" else []
    (directory / TEXT).write_text("\n".join([reply.text, *([""] if cited else []), *cited]) + "\n", encoding="utf-8")


def to_json(reply: Reply) -> str:
    """A reply as its file holds it."""
    return json.dumps(asdict(reply), ensure_ascii=False, indent=1)


def parse_reply(text: str | bytes) -> Reply:
    """Read it.

    Raises:
        ValueError: It is no such file.
    """
    try:
        stored: Mapping[str, Any] = json.loads(text)
        if stored["kind"] not in get_args(Kind):
            raise ValueError(f"no kind of reply: {stored['kind']!r}")
        return Reply(
            str(stored["question"]),
            str(stored["searched"]),
            stored["kind"],
            str(stored["text"]),
            [_sentence(one) for one in stored["sentences"]],
            [_source(one) for one in stored["sources"]],
            [str(one) for one in stored["options"]],
            float(stored["sureness"]),
            float(stored["threshold"]),
            str(stored["language"]),
            "written" if stored.get("manner") == "written" else "quoted",
            stored["instead"] if stored.get("instead") in get_args(Instead) else "",
            [str(one) for one in stored.get("dropped", ())],
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"no reply: {error}") from None


def _sentence(stored: Mapping[str, Any]) -> Sentence:
    kind = stored.get("kind", "text")
    return Sentence(
        str(stored["text"]),
        int(stored["source"]),
        kind if kind in get_args(PieceKind) else "text",
        int(stored.get("start", 0)),
        int(stored.get("end", 0)),
        bool(stored.get("begins", False)),
        float(stored.get("support", 1.0)),
    )


def _source(stored: Mapping[str, Any]) -> Source:
    return Source(
        int(stored["number"]),
        str(stored["document"]),
        str(stored["title"]),
        [str(one) for one in stored["headings"]],
        str(stored["question"]),
        str(stored["text"]),
        *(int(stored.get(name, 0)) for name in ("part", "start", "end")),
    )
