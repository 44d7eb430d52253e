"""Sentences in the reader's language: a constant template is the key, its gaps are filled afterwards."""

from collections.abc import Mapping
from typing import Any

from flask import current_app, g, has_request_context
from flask_babel import get_locale, gettext

from aigc_models.base import Fault

LANGUAGE_TAGS = {"zh_Hans": "zh-CN", "zh": "zh-CN", "zh_CN": "zh-CN", "zh_Hans_CN": "zh-CN"}

# Gaps whose values are words of ours, so they are translated, too.
WORDS = frozenset({"title", "kind", "status", "found", "wanted", "looks_like"})


def say(template: str, values: Mapping[str, Any] | None = None) -> str:
    """Translate a template and fill its gaps."""
    translated = gettext(template) if template and _translates() else template
    if not values:
        return translated
    spoken = {name: _word(value) if name in WORDS else value for name, value in values.items()}
    try:
        return translated.format(**spoken)
    except (KeyError, IndexError, ValueError):
        return translated


def say_fault(fault: Fault) -> str:
    """The sentence of one fault."""
    return say(fault.message, fault.values)


def language() -> str:
    """The tag of the language this reply is in, for ``Content-Language``."""
    if not _translates():
        return "en"
    if "language" not in g:
        locale = str(get_locale() or "en")
        g.language = LANGUAGE_TAGS.get(locale, locale.replace("_", "-"))
    known: str = g.language
    return known


def _word(value: Any) -> Any:
    return gettext(value) if isinstance(value, str) and value and _translates() else value


def _translates() -> bool:
    return has_request_context() and "babel" in current_app.extensions
