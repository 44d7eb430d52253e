"""Sentences of the code in a language, and how Markdown wants them."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from babel.messages.pofile import read_po

from scripts.reference.chinese import punctuate
from web import i18n

CATALOG = Path(__file__).parent / "zh_Hans.po"
LANGUAGES = {"en": ".md", "zh_Hans": ".zh.md"}


class Words:
    """Translates; what has no translation stays English and is noted in ``missing``."""

    def __init__(self, locale: str) -> None:
        self.locale = locale
        self.missing: list[str] = []
        self._own: dict[str, str] = {}
        if locale != "en":
            with CATALOG.open("rb") as file:
                self._own = {str(message.id): str(message.string) for message in read_po(file) if message.id}

    def __call__(self, text: str) -> str:
        """A sentence in this language."""
        text = " ".join(text.replace("``", "`").split())
        if self.locale == "en" or not text or not re.search("[A-Za-z]", text):
            return text
        known = self._own.get(text) or vars(i18n.load(self.locale)).get("_catalog", {}).get(text)
        if not isinstance(known, str) or not known:
            self.missing.append(text)
            return text
        return punctuate(known)

    def text(self, *sentences: str) -> str:
        """Sentences of the code, one after the other; Chinese puts no space between them."""
        return ("" if self.locale != "en" else " ").join(self(sentence) for sentence in sentences if sentence)

    def listed(self, items: Iterable[object]) -> str:
        """Names as code, separated as lists are."""
        return ("、" if self.locale != "en" else ", ").join(code(item) for item in items)


def first_sentence(docstring: str | None) -> str:
    """The summary of a docstring, its line breaks and roles taken out."""
    summary = (docstring or "").strip().partition("\n\n")[0]
    return re.sub(r":\w+:`~?([^`]+)`", r"`\1`", " ".join(summary.split()))


def cell(text: str) -> str:
    """Text that ends no table cell and opens no tag."""
    parts = re.split(r"(`[^`]*`)", text)
    plain = [part if part.startswith("`") else part.replace("<", "&lt;") for part in parts]
    return "".join(plain).replace("|", "\\|").replace("\n", " ")


def code(text: object) -> str:
    """Text as code, or nothing."""
    return f"`{text}`" if str(text) else ""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, with an empty line behind it."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines) + "\n\n"
