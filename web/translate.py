"""Sentences in the reader's language: a constant template is the key, its gaps are filled afterwards."""

from collections.abc import Mapping
from typing import Any

from flask import current_app, has_request_context
from flask_babel import get_locale, gettext

from aigc_models.base import Fault

LANGUAGE_TAGS = {"zh_Hans": "zh-CN", "zh": "zh-CN", "zh_CN": "zh-CN", "zh_Hans_CN": "zh-CN"}


def say(template: str, values: Mapping[str, Any] | None = None) -> str:
    """Translate a template and fill its gaps."""
    translated = gettext(template) if template and _translates() else template
    if not values:
        return translated
    try:
        return translated.format(**values)
    except (KeyError, IndexError, ValueError):
        return translated


def say_fault(fault: Fault) -> str:
    """The sentence of one fault."""
    return say(fault.message, fault.values)


def language() -> str:
    """The tag of the language this reply is in, for ``Content-Language``."""
    locale = get_locale() if _translates() else None
    return LANGUAGE_TAGS.get(str(locale), str(locale or "en").replace("_", "-"))


def _translates() -> bool:
    return has_request_context() and "babel" in current_app.extensions
