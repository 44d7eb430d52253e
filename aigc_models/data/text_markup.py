"""From the source of one help page to its title and its sections: Markdown, HTML, or text without marks."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import PurePosixPath
from typing import Literal

from markdown_it import MarkdownIt

from aigc_models.data.texts import Part

Markup = Literal["markdown", "html", "plain"]

_BLANK_LINES = re.compile(r"\n[ \t]*\n\s*")
_BLANKS = re.compile(r"[ \t\f\v\u00a0]+")
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_TITLE = re.compile(r"^title[ \t]*:[ \t]*[\"']?(.+?)[\"']?[ \t]*$", re.MULTILINE | re.IGNORECASE)
_MARKS = re.compile(r"!?\[([^\]]*)\]\([^)]*\)|(`+)(.+?)\2|(\*\*|__|\*|_)(?=\S)(.+?)(?<=\S)\4")
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_HIDDEN = frozenset({"script", "style", "noscript", "template", "svg", "nav", "head"})
_BLOCKS = frozenset({
    "p", "div", "section", "article", "main", "header", "footer", "aside", "ul", "ol", "li", "dl", "dt", "dd", "table",
    "tr", "pre", "blockquote", "figure", "figcaption", "form", "fieldset", "details", "summary", "hr", "br", "td", "th",
    "caption", "address",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its title, empty where it has none, and its sections in their order."""

    title: str
    parts: Sequence[Part]


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
            starts.append((*token.map, int(token.tag[1]), plain_heading(tokens[place + 1].content)))  # type: ignore[arg-type]
    parts = list(_between(lines, starts))
    return Page(title or next((part.heading for part in parts if part.level == 1), ""), parts)


def plain_heading(text: str) -> str:
    """A heading without the marks of links, code and stress, as one line."""
    while (found := _MARKS.sub(lambda mark: mark[1] or mark[3] or mark[5] or "", text)) != text:
        text = found
    return " ".join(text.split())


def _between(lines: Sequence[str], starts: Sequence[tuple[int, int, int, str]]) -> Iterator[Part]:
    before = "\n".join(lines[: starts[0][0] if starts else len(lines)]).strip()
    if before:
        yield Part(before)
    for place, (_, after, level, heading) in enumerate(starts):
        end = starts[place + 1][0] if place + 1 < len(starts) else len(lines)
        body = "\n".join(lines[after:end]).strip()
        if heading or body:
            yield Part(body, heading=heading, level=level if heading else 0)


def read_html(text: str) -> Page:
    """Sections of HTML: what a reader sees, with blank lines between blocks; menus and scripts are left out."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    reader.end_section()
    title = next((part.heading for part in reader.parts if part.level == 1), "") or tidy(reader.title)
    return Page(title, reader.parts)


def tidy(text: str) -> str:
    """A text as one line."""
    return " ".join(text.split())


@dataclass(slots=True)
class _State:
    hidden: int = 0
    kept: int = 0
    titled: bool = False
    level: int = 0


class _Reader(HTMLParser):
    """Collects what is seen, section by section."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self.parts: list[Part] = []
        self._at = _State()
        self._heading: tuple[str, int] = ("", 0)
        self._pieces: list[str] = []
        self._head: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a block, a heading, or something that is not shown."""
        at = self._at
        if tag == "title" and not self.title:
            at.titled = True
        elif tag == "body":
            at.hidden, at.titled = 0, False  # a head that nobody closed
        elif tag in _HIDDEN:
            at.hidden += 1
        elif tag in _HEADINGS and not at.hidden:
            self.end_section()
            at.level, self._head = _HEADINGS[tag], []
        elif tag == "br":
            self._pieces.append("\n")
        elif tag in _BLOCKS:
            at.kept += tag == "pre"
            self._pieces.append("\n\n" if tag != "li" else "\n- ")

    def handle_endtag(self, tag: str) -> None:
        """End it."""
        at = self._at
        if tag == "title":
            at.titled = False
        elif tag in _HIDDEN:
            at.hidden = max(0, at.hidden - 1)
        elif tag in _HEADINGS and at.level:
            self._heading, at.level = (tidy("".join(self._head)), _HEADINGS[tag]), 0
        elif tag in _BLOCKS:
            at.kept = max(0, at.kept - (tag == "pre"))
            self._pieces.append("\n\n" if tag not in ("li", "td", "th") else " ")

    def handle_data(self, data: str) -> None:
        """Take what is written."""
        at = self._at
        if at.titled:
            self.title += data
        elif at.hidden:
            return
        elif at.level:
            self._head.append(data)
        else:
            self._pieces.append(data if at.kept else _BLANKS.sub(" ", data.replace("\n", " ")))

    def end_section(self) -> None:
        """Close what stands under the last heading."""
        lines = (line.strip() if not line.startswith("    ") else line.rstrip() for line in self._body().split("\n"))
        body = _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()
        heading, level = self._heading
        if heading or body:
            self.parts.append(Part(body, heading=heading, level=level if heading else 0))
        self._heading, self._pieces = ("", 0), []

    def _body(self) -> str:
        return "".join(self._pieces)
