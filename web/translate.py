"""Sentences in the reader's language: a constant template is the key, its gaps are filled afterwards.

Which language: ``?lang=`` (remembered in a cookie), the cookie, ``Accept-Language``, English.
"""

from collections.abc import Iterable, Mapping
from gettext import NullTranslations
from typing import Any

from flask import current_app, g, has_request_context, request

from aigc_models.base import Fault

COOKIE = "aigc_lang"
EXTENSION = "languages"  # of an app: the sentences of each language by its tag
SOURCE = NullTranslations()  # English, the language of the keys

ONE = "one"  # the context of a sentence's form for a single thing
# Gaps whose values are words of ours, so they are translated, too.
WORDS = frozenset({"title", "kind", "status", "found", "wanted", "looks_like"})


def say(template: str, values: Mapping[str, Any] | None = None) -> str:
    """Translate a template and fill its gaps."""
    known = sentences()
    translated = _form(known, template, values or {}) if template else template
    if not values:
        return translated
    spoken = {name: _word(known, value) if name in WORDS else value for name, value in values.items()}
    try:
        return translated.format(**spoken)
    except (KeyError, IndexError, ValueError):
        return translated


def _form(known: NullTranslations, template: str, values: Mapping[str, Any]) -> str:
    """The sentence of a language, in its form for one where the values count one and it has such a form."""
    if values.get("count") in (1, "1"):
        one = known.pgettext(ONE, template)
        if one != template:
            return one
    return known.gettext(template)


def joined(told: Iterable[str]) -> str:
    """Sentences one after the other; full-width marks have their room in them."""
    text = ""
    for one in told:
        text += one if not text or text.endswith(("。", "；", "：")) else f" {one}"
    return text


def say_fault(fault: Fault) -> str:
    """The sentence of one fault."""
    return say(fault.message, fault.values)


def sentences() -> NullTranslations:
    """The sentences of this request's language; outside of one they stay as they are written."""
    if not has_request_context():
        return SOURCE
    known: NullTranslations = current_app.extensions.get(EXTENSION, {}).get(language(), SOURCE)
    return known


def language() -> str:
    """The tag of the language this reply is in, for ``Content-Language``."""
    if not has_request_context():
        return "en"
    if "language" not in g:
        g.language = _choose()
    known: str = g.language
    return known


def tag_of(wanted: str) -> str | None:
    """Our tag for a language someone asks for: ``zh``, ``zh-Hans-CN`` and ``zh_CN`` are all ``zh-CN``."""
    known: Mapping[str, str] = {"en": "en", "zh": "zh-CN"}
    return known.get(wanted.replace("_", "-").partition("-")[0].strip().lower())


def _choose() -> str:
    asked = tag_of(request.args.get("lang", "")) or tag_of(request.cookies.get(COOKIE, ""))
    return asked or next(filter(None, map(tag_of, request.accept_languages.values())), "en")


def _word(known: NullTranslations, value: Any) -> Any:
    return known.gettext(value) if isinstance(value, str) and value else value
