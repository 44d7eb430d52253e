"""Which language a reader gets, and where the sentences come from.

Order: ``?lang=`` (remembered in a cookie), the cookie, ``Accept-Language``, English. Translations
are read from the committed ``.po`` files when the process starts, so no compiled file can be
missing or out of date.
"""

from collections.abc import Mapping
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import Translations
from flask import Flask, Response, request
from flask_babel import Babel, Domain, get_locale, get_translations

from web.translate import language, say

DIRECTORY = Path(__file__).parent / "translations"
DOMAIN = "messages"
COOKIE = "aigc_lang"
YEAR = 365 * 24 * 3600
LANGUAGES: Mapping[str, str] = {"en": "English", "zh-CN": "中文"}
LOCALES: Mapping[str, str] = {"en": "en", "zh-CN": "zh_Hans"}


class PoDomain(Domain):  # type: ignore[misc]  # flask_babel has no types
    """Translations compiled in memory."""

    def get_translations(self) -> Translations:
        """The sentences of this request's language."""
        return load(str(get_locale() or "en"))


@lru_cache(maxsize=8)
def load(locale: str) -> Translations:
    """Read and compile one language; English is the source and has no file."""
    path = DIRECTORY / locale / "LC_MESSAGES" / f"{DOMAIN}.po"
    if not path.is_file():
        return Translations()
    compiled = BytesIO()
    with path.open("rb") as source:
        write_mo(compiled, read_po(source, locale=locale))
    compiled.seek(0)
    return Translations(compiled, domain=DOMAIN)


def init_app(app: Flask) -> None:
    """Give every request its language, and templates their words."""
    babel = Babel(configure_jinja=False)
    babel.domain_instance = PoDomain()
    babel.init_app(app, default_locale="en", locale_selector=lambda: LOCALES[choose()])
    for locale in LOCALES.values():
        load(locale)
    app.jinja_env.globals.update(t=words, tn=plural, language=language, languages=LANGUAGES)
    app.after_request(_remember)


def words(template: str, **values: Any) -> str:
    """``t()`` of templates: a sentence with its ``{gaps}`` filled."""
    return say(template, values)


def plural(one: str, many: str, count: int, **values: Any) -> str:
    """``tn()`` of templates: the form for a number, which fills the gap ``{count}``."""
    form: str = get_translations().ungettext(one, many, count)
    return form.format(count=format_decimal(count, locale=get_locale() or "en"), **values)


def choose() -> str:
    """The tag of the language this request is answered in."""
    asked = tag_of(request.args.get("lang", "")) or tag_of(request.cookies.get(COOKIE, ""))
    if asked:
        return asked
    for wanted in request.accept_languages.values():
        found = tag_of(wanted)
        if found:
            return found
    return "en"


def tag_of(wanted: str) -> str | None:
    """Our tag for a language someone asks for: ``zh``, ``zh-Hans-CN`` and ``zh_CN`` are all ``zh-CN``."""
    known: Mapping[str, str] = {"en": "en", "zh": "zh-CN"}
    return known.get(wanted.replace("_", "-").partition("-")[0].strip().lower())


def _remember(reply: Response) -> Response:
    asked = tag_of(request.args.get("lang", ""))
    if asked and request.method == "GET":
        reply.set_cookie(COOKIE, asked, max_age=YEAR, samesite="Lax", httponly=True, secure=request.is_secure)
    return reply
