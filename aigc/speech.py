"""The client's own sentences in the reader's language; those of the server come translated."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from aigc.chinese import CHINESE

_language: ContextVar[str] = ContextVar("aigc_language", default="en")
_CATALOGUES: Mapping[str, Mapping[str, str]] = {"zh": CHINESE}
LANGUAGES = frozenset({"en", *_CATALOGUES})


def say(sentence: str, **values: Any) -> str:
    """A sentence in the language that is spoken now, its gaps filled."""
    catalogue = _CATALOGUES.get(_language.get().replace("_", "-").split("-")[0].lower(), {})
    told = catalogue.get(sentence, sentence)
    return told.format(**values) if values else told


@contextmanager
def speaking(language: str | None) -> Iterator[None]:
    """Speak a language such as ``zh-CN`` meanwhile; None leaves it as it is."""
    before = _language.set(language or _language.get())
    try:
        yield
    finally:
        _language.reset(before)


def speak(language: str) -> None:
    """Speak a language from now on, until what surrounds this ends."""
    _language.set(language)
