"""Where the sentences of the languages come from, and what templates call them by.

Translations are read from the committed ``.po`` files when the process starts, so no compiled file can be
missing or out of date. Numbers look alike in all languages there are (12,345.6), so no locale's data is needed.
"""

from collections.abc import Mapping
from functools import cache, partial
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Any

from flask import Flask, Response, request

from web.aside import aside
from web.translate import COOKIE, EXTENSION, SOURCE, language, say, sentences, tag_of

DIRECTORY = Path(__file__).parent / "translations"
YEAR = 365 * 24 * 3600
LANGUAGES: Mapping[str, str] = {"en": "English", "zh-CN": "中文"}
LOCALES: Mapping[str, str] = {"en": "en", "zh-CN": "zh_Hans"}


@cache
def load(locale: str) -> NullTranslations:
    """Read and compile one language; English is the source and has no file."""
    path = DIRECTORY / locale / "LC_MESSAGES" / "messages.po"
    return GNUTranslations(BytesIO(aside(partial(_compiled, path, locale)))) if path.is_file() else SOURCE


def _compiled(path: Path, locale: str) -> bytes:
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = BytesIO()
    with path.open("rb") as source:
        write_mo(compiled, read_po(source, locale=locale))
    return compiled.getvalue()


def init_app(app: Flask) -> None:
    """Give every request its language, and templates their words."""
    app.extensions[EXTENSION] = {tag: load(locale) for tag, locale in LOCALES.items()}
    app.jinja_env.globals.update(t=words, tn=plural, language=language, languages=LANGUAGES)
    app.after_request(_remember)


def words(template: str, **values: Any) -> str:
    """``t()`` of templates: a sentence with its ``{gaps}`` filled."""
    return say(template, values)


def plural(one: str, many: str, count: int, **values: Any) -> str:
    """``tn()`` of templates: the form for a number, which fills the gap ``{count}``."""
    return sentences().ngettext(one, many, count).format(count=f"{count:,}", **values)


def _remember(reply: Response) -> Response:
    asked = tag_of(request.args.get("lang", ""))
    if asked and request.method == "GET":
        reply.set_cookie(COOKIE, asked, max_age=YEAR, samesite="Lax", httponly=True, secure=request.is_secure)
    return reply
