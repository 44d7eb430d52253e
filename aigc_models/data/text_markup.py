"""From the source of one help page to its title and its sections: Markdown, HTML, or text without marks."""

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token

from aigc_models.data.text_html import Page, read_html
from aigc_models.data.texts import Part

Markup = Literal["markdown", "html", "plain"]

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_TITLE = re.compile(r"^title[ \t]*:[ \t]*[\"']?(.+?)[\"']?[ \t]*$", re.MULTILINE | re.IGNORECASE)


def markup_of(name: str) -> Markup:
    """How a file is written, by its name."""
    suffix = PurePosixPath(name.lower()).suffix
    if suffix in (".md", ".markdown", ".mdx"):
        return "markdown"
    return "html" if suffix in (".html", ".htm", ".xhtml") else "plain"


def read_page(text: str, markup: Markup) -> Page:
    """Cut a page into sections; blank ones without a heading are left out."""
    if markup == "markdown":
        return read_markdown(text)
    if markup == "html":
        return read_html(text)
    body = text.strip()
    return Page("", [Part(body)] if body else [])


def read_markdown(text: str) -> Page:
    """Sections of Markdown (CommonMark): headings by ``#`` and by underlines, none inside fences; text as written."""
    front = _FRONT_MATTER.match(text)
    title = ""
    if front:
        named = _TITLE.search(front.group(1))
        title = named.group(1).strip() if named else ""
        text = text[front.end() :]
    lines = text.split("\n")
    tokens = MarkdownIt("commonmark").parse(text)
    starts: list[tuple[int, int, int, str]] = []  # first line, line after, level, heading
    for place, token in enumerate(tokens):
        if token.type == "heading_open" and token.map and token.level == 0:
            starts.append((*token.map, int(token.tag[1]), spoken(tokens[place + 1])))  # type: ignore[arg-type]
    parts = list(_between(lines, starts))
    return Page(title or next((part.heading for part in parts if part.level == 1), ""), parts)


def spoken(token: Token) -> str:
    """A heading without the marks of links, code and stress, as one line."""
    held = token.children or ()
    pieces = (one.content if one.content else " " if one.type in ("softbreak", "hardbreak") else "" for one in held)
    return " ".join("".join(pieces).split())


def _between(lines: Sequence[str], starts: Sequence[tuple[int, int, int, str]]) -> Iterator[Part]:
    before = "\n".join(lines[: starts[0][0] if starts else len(lines)]).strip()
    if before:
        yield Part(before)
    for place, (_, after, level, heading) in enumerate(starts):
        end = starts[place + 1][0] if place + 1 < len(starts) else len(lines)
        body = "\n".join(lines[after:end]).strip()
        if heading or body:
            yield Part(body, heading=heading, level=level if heading else 0)
