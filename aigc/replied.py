"""What an assistant said, as a typed read-only view; unknown fields are kept in ``raw``."""

from collections.abc import Mapping, Sequence
from html import escape
from textwrap import shorten
from typing import Any

_BEGUN = 80  # characters of a passage that is near


class Reply:
    """A reply: an answer with sources, a refusal, or a question back."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw

    @property
    def kind(self) -> str:
        """``answer``, ``refusal`` or ``clarification``."""
        return str(self.raw["kind"])

    @property
    def text(self) -> str:
        """All of it in words, in the question's language."""
        return str(self.raw["text"])

    @property
    def sentences(self) -> Sequence[Mapping[str, Any]]:
        """The sentences of an answer, each with ``text``, the number of its ``source``, ``kind`` and ``support``."""
        return self.raw.get("sentences") or []

    @property
    def sources(self) -> Sequence[Mapping[str, Any]]:
        """What sentences cite, each with ``number``, ``document``, ``title``, ``headings`` and ``text``."""
        return self.raw.get("sources") or []

    @property
    def options(self) -> Sequence[str]:
        """Of a question back: what may be meant."""
        return self.raw.get("options") or []

    @property
    def sureness(self) -> float:
        """How likely it is that what was found is an answer, from 0 to 1."""
        return float(self.raw["sureness"])

    @property
    def finished(self) -> bool:
        """Whether that is all of it; while a model words an answer, it is what was written so far."""
        return bool(self.raw.get("finished", True))

    @property
    def written(self) -> bool:
        """Whether a model worded it; else it is quoted."""
        return self.raw.get("manner") == "written"

    @property
    def dropped(self) -> Sequence[str]:
        """Sentences that the model wrote and no source supports; they are no part of the answer."""
        return self.raw.get("dropped") or []

    def cited(self) -> list[str]:
        """The sources of an answer, one line each."""
        return self._named() if self.kind == "answer" else []

    def nearest(self) -> list[str]:
        """The passages that were nearest where nothing was sure enough, one line each with its beginning."""
        if self.kind != "refusal":
            return []
        begun = (shorten(str(one.get("text") or ""), _BEGUN, placeholder=" …") for one in self.sources)
        return [f"{name}: {text}" for name, text in zip(self._named(), begun, strict=True)]

    def _named(self) -> list[str]:
        return [f"[{one['number']}] {_name(one)}" for one in self.sources]

    def __str__(self) -> str:
        return "\n".join([self.text, *(f"- {one}" for one in self.options), *self.cited(), *self.nearest()])

    def __repr__(self) -> str:
        return f"<Reply {self.kind}: {self.text[:60]}>"

    def _repr_html_(self) -> str:
        sources = "".join(f"<li>{escape(one)}</li>" for one in [*self.options, *self.cited(), *self.nearest()])
        return f"<p>{escape(self.text)}</p><ul>{sources}</ul>"


def _name(source: Mapping[str, Any]) -> str:
    above = dict.fromkeys(one for one in (source.get("title"), *(source.get("headings") or [])) if one)
    return " › ".join(above) or str(source.get("question") or source["document"])
