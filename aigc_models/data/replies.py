"""The file in which a reply is kept: what was asked, each sentence with its source, or why there is none.

Only the standard library is used: the web process reads these files.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

REPLY, TEXT = "reply.json", "reply.txt"

Kind = Literal["answer", "refusal", "clarification"]


@dataclass(frozen=True, slots=True)
class Source:
    """A passage that a reply cites.

    Attributes:
        number: How sentences cite it, from 1.
        document: The document's name in the dataset.
        title: What the document is called; empty where nothing says so.
        headings: What the passage stands under, the outermost first.
        question: What it answered, where it comes from a dialogue.
        text: All that it says.
    """

    number: int
    document: str
    title: str
    headings: Sequence[str]
    question: str
    text: str

    @property
    def name(self) -> str:
        """What a person would call it."""
        above = list(dict.fromkeys(one for one in (self.title, *self.headings) if one))
        return " › ".join(above) or self.question or self.document


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a source, character by character as it stands there."""

    text: str
    source: int


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


def save_reply(reply: Reply, directory: Path) -> None:
    """Write it for programs and for people."""
    (directory / REPLY).write_text(json.dumps(asdict(reply), ensure_ascii=False, indent=1), encoding="utf-8")
    cited = [f"[{one.number}] {one.name}" for one in reply.sources] if reply.kind == "answer" else []
    (directory / TEXT).write_text("\n".join([reply.text, *([""] if cited else []), *cited]) + "\n", encoding="utf-8")


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
            [Sentence(str(one["text"]), int(one["source"])) for one in stored["sentences"]],
            [_source(one) for one in stored["sources"]],
            [str(one) for one in stored["options"]],
            float(stored["sureness"]),
            float(stored["threshold"]),
            str(stored["language"]),
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"no reply: {error}") from None


def _source(stored: Mapping[str, Any]) -> Source:
    return Source(
        int(stored["number"]),
        str(stored["document"]),
        str(stored["title"]),
        [str(one) for one in stored["headings"]],
        str(stored["question"]),
        str(stored["text"]),
    )
