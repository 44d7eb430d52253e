"""From HTML to what a reader sees of it: sections, with blank lines between blocks, marks of lists, rows and code.

Items begin with ``-`` or a number, rows of tables stand between bars with a rule below their head, and code stands
between fences, as in Markdown, so that what reads a section later still knows what is what.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser

from aigc_models.data.texts import Part

_BLANK_LINES = re.compile(r"\n[ \t]*\n\s*")
_BLANKS = re.compile(r"[ \t\f\v\u00a0]+")
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_HIDDEN = frozenset({"script", "style", "noscript", "template", "svg", "nav", "head"})
_BLOCKS = frozenset({
    "p", "div", "section", "article", "main", "header", "footer", "aside", "ul", "ol", "li", "dl", "dt", "dd", "table",
    "tr", "pre", "blockquote", "figure", "figcaption", "form", "fieldset", "details", "summary", "hr", "br", "td", "th",
    "caption", "address",
})  # fmt: skip
_FENCE = "```"
_LONGEST_CELL = 400  # characters; what holds more is no cell of data, but a page laid out as a table


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its title, empty where it has none, and its sections in their order."""

    title: str
    parts: Sequence[Part]


def read_html(text: str) -> Page:
    """Sections of HTML: what a reader sees; menus and scripts are left out."""
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
class _Table:
    """A table that may hold data: where its pieces begin, and its cells so far.

    Attributes:
        begins: How many pieces stood before it.
        rows: The cells of each row, each with whether it is a header.
        cell: Where the pieces of the open cell begin; -1 while none is open.
        data: Whether it can still be one that holds data.
    """

    begins: int
    rows: list[list[tuple[str, bool]]] = field(default_factory=list)
    cell: int = -1
    data: bool = True


@dataclass(slots=True)
class _State:
    hidden: int = 0
    kept: int = 0
    titled: bool = False
    level: int = 0
    lists: list[int] = field(default_factory=list)  # the number of the last item; -1 in a list without numbers
    tables: list[_Table] = field(default_factory=list)


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
            self._begin(tag)

    def _begin(self, tag: str) -> None:
        at = self._at
        if tag in ("ul", "ol"):
            at.lists.append(0 if tag == "ol" else -1)
        if tag == "table":
            for table in at.tables:
                table.data = False
            at.tables.append(_Table(len(self._pieces)))
        elif tag in ("td", "th", "tr") and at.tables:
            self._end_cell()
            table = at.tables[-1]
            if tag == "tr":
                table.rows.append([])
            elif table.rows:
                table.cell = len(self._pieces)
                table.rows[-1].append(("", tag == "th"))
        if tag == "pre":
            at.kept += 1
            self._pieces.append(f"\n\n{_FENCE}\n")
        elif tag == "li":
            self._pieces.append(self._mark())
        else:
            self._pieces.append("\n\n")

    def _mark(self) -> str:
        lists = self._at.lists
        if not lists or lists[-1] < 0:
            return "\n- "
        lists[-1] += 1
        return f"\n{lists[-1]}. "

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
            self._end(tag)

    def _end(self, tag: str) -> None:
        at = self._at
        if tag in ("ul", "ol") and at.lists:
            at.lists.pop()
        if tag == "pre" and at.kept:
            at.kept -= 1
            self._pieces.append(f"\n{_FENCE}\n\n")
            return
        if tag in ("td", "th", "tr", "table") and at.tables:
            self._end_cell()
            if tag == "table":
                self._end_table(at.tables.pop())
        self._pieces.append("\n\n" if tag not in ("li", "td", "th") else " ")

    def _end_cell(self) -> None:
        table = self._at.tables[-1]
        if table.cell < 0:
            return
        text = tidy("".join(self._pieces[table.cell :]))
        table.data = table.data and len(text) <= _LONGEST_CELL
        table.rows[-1][-1] = (text.replace("|", "/"), table.rows[-1][-1][1])
        table.cell = -1

    def _end_table(self, table: _Table) -> None:
        """Write a table of data as rows between bars; any other stays the blocks that its cells are."""
        rows = [row for row in table.rows if any(text for text, _ in row)]
        if not table.data or len(rows) < 2 or max(map(len, rows)) < 2 or table.begins > len(self._pieces):
            return
        lines = ["| " + " | ".join(text for text, _ in row) + " |" for row in rows]
        if all(header for _, header in rows[0]):
            lines.insert(1, "|" + " --- |" * len(rows[0]))
        self._pieces[table.begins :] = ["\n\n" + "\n".join(lines)]

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
        for table in self._at.tables:
            table.data = False  # a heading stands in it
        body = _tidied("".join(self._pieces))
        heading, level = self._heading
        if heading or body:
            self.parts.append(Part(body, heading=heading, level=level if heading else 0))
        self._heading, self._pieces = ("", 0), []


def _tidied(text: str) -> str:
    """Without blanks around lines and many blank lines, but for code."""
    made = []
    for place, piece in enumerate(re.split(rf"^{_FENCE}$", text, flags=re.MULTILINE)):
        if place % 2:
            made.append(f"{_FENCE}\n{piece.strip(chr(10)).rstrip()}\n{_FENCE}" if piece.strip() else "")
        else:
            made.append(_BLANK_LINES.sub("\n\n", "\n".join(line.strip() for line in piece.split("\n"))))
    return "".join(made).strip()
