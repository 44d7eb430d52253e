"""Blocks of a text without marks: its lines put together again where they were broken to fit a width."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from aigc_models.data.replies import PieceKind, is_wide

_FENCE = re.compile(r"\s{0,3}(`{3,}|~{3,})")
_ROW = re.compile(r"\s*\|(.*)\|\s*")
_RULE = re.compile(r"[\s|:-]*-{3,}[\s|:-]*")
_MARK = re.compile(
    r"\s*(?:([-*•·‣▪◦–])(?=[ \t\u3000])|(\d{1,3}[.)](?=\s)|\d{1,3}[、．]|[(（]\d{1,2}[)）]|[①-⑳]|[a-z]\)(?=\s)|"
    r"[一二三四五六七八九十]{1,3}、))[ \t\u3000]*(?=\S)"
)
_ENDS = (".", "!", "?", ":", ";", "。", "！", "？", "：", "；", "…")
_CODE = re.compile(r"\w\(|[={}]|^\s*['#/*]|\w\.\w+\.\w")  # lines such as these are of a program, most likely
_WITHOUT = "“”‘’—…·"  # stand beside Chinese without a blank
_SLACK = 6  # columns that a line of Chinese may leave free, as some signs begin no line
_LEAST, _MOST = 40, 120  # columns of lines that were broken to fit a width
_ENOUGH, _FULL = 0.6, 0.6  # share of the lines that could not have taken the next word; how full such a line is
_WITHIN = 0.3  # share of the lines at whose end no sentence can have ended


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, an item of a list, code, or a row of a table.

    Attributes:
        text: What it says, without marks; of code and rows, with its line ends.
        kind: What it is.
        start, end: The characters of the section in which it stands.
    """

    text: str
    kind: PieceKind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def plain_blocks(text: str) -> list[Block]:
    """The blocks of a section in their order; none is blank."""
    lines, start = [], 0
    for line in text.split("\n"):
        lines.append(_Line(line, start))
        start += len(line) + 1
    return list(_all(lines))


def _all(lines: Sequence[_Line]) -> Iterator[Block]:
    width = _width([line.text for line in lines])
    place = 0
    while place < len(lines):
        line = lines[place]
        fence = _FENCE.match(line.text)
        if fence:
            end = next((at for at in range(place + 1, len(lines)) if _closes(lines[at].text, fence[1])), len(lines))
            body = "\n".join(one.text for one in lines[place + 1 : end])
            if body.strip():
                yield Block(body.rstrip(), "code", line.start, lines[min(end, len(lines) - 1)].end)
            place = end + 1
            continue
        rows = _rows(lines[place:])
        if len(rows) > 1:
            yield from _table(rows)
            place += len(rows)
        elif not line.text.strip():
            place += 1
        else:
            taken = _paragraph(lines[place:], width)
            yield _spoken(taken)
            place += len(taken)


def _closes(line: str, fence: str) -> bool:
    return line.strip().startswith(fence) and not line.strip().strip(fence[0])


def _rows(lines: Sequence[_Line]) -> list[_Line]:
    found = []
    for line in lines:
        if not _ROW.fullmatch(line.text):
            break
        found.append(line)
    return found


def _table(rows: Sequence[_Line]) -> Iterator[Block]:
    """The rows of a table; it has a head where a rule stands below its first row."""
    cells = [[cell.strip() for cell in line.text.strip().strip("|").split("|")] for line in rows]
    headed = len(rows) > 1 and _RULE.fullmatch(rows[1].text) is not None
    head, body = (cells[0], 2) if headed else ([], 0)
    for line, text in zip(rows[body:], table_rows(head, cells[body:]), strict=True):
        if text:
            yield Block(text, "table", line.start, line.end)


def table_rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines of ``header: value``; empty cells are left out."""
    made = []
    for row in rows:
        named = [(head[place] if place < len(head) else "", cell) for place, cell in enumerate(row) if cell.strip()]
        made.append("\n".join(_named(name.strip(), cell) for name, cell in named))
    return made


def _named(name: str, cell: str) -> str:
    if not name or name == cell:
        return cell
    return f"{name}：{cell}" if is_wide(name[-1]) else f"{name}: {cell}"


def _width(lines: Sequence[str]) -> int:
    """The width to which lines were broken, in columns; 0 where they were not."""
    pairs = [
        (line, after)
        for line, after in pairwise(lines)
        if line.strip() and after.strip() and not (_begins(line) or _begins(after) or after.startswith("  "))
    ]
    width = max((columns(line) for line in lines), default=0)
    if not pairs or not _LEAST <= width <= _MOST:
        return 0
    if 2 * sum(_CODE.search(line) is not None for line, _ in pairs) > len(pairs):
        return 0
    full = [not _fits(line, after, width) and columns(line) >= _FULL * width for line, after in pairs]
    within = [not line.rstrip().endswith(_ENDS) and not after.lstrip()[0].isupper() for line, after in pairs]
    if sum(within) < max(1, _WITHIN * len(pairs)):
        return 0  # paragraphs of a line each
    return width if sum(full) >= _ENOUGH * len(full) else 0


def _fits(line: str, after: str, width: int) -> bool:
    """Whether the next line's first word would have had room."""
    first = after.split(maxsplit=1)[0]
    needed = _SLACK if is_wide(first) else columns(first)
    return columns(line) + (0 if close(line.rstrip()[-1], first[0]) else 1) + needed <= width


def columns(text: str) -> int:
    """How wide a text is; Chinese characters take two columns."""
    return sum(2 if is_wide(sign) else 1 for sign in text.rstrip())


def _begins(line: str) -> bool:
    """Whether a line begins something other than the rest of a paragraph."""
    return bool(_MARK.match(line) or _FENCE.match(line) or _ROW.fullmatch(line))


def _paragraph(lines: Sequence[_Line], width: int) -> list[_Line]:
    """The lines that are one paragraph or one item."""
    taken = [lines[0]]
    item = _MARK.match(lines[0].text)
    for line in lines[1:]:
        if not line.text.strip() or _begins(line.text):
            break
        indented = item is not None and line.text.startswith("  ")
        if not indented and not (width and not _fits(taken[-1].text, line.text, width)):
            break
        taken.append(line)
    return taken


def _spoken(lines: Sequence[_Line]) -> Block:
    text = joined([line.text for line in lines])
    mark = _MARK.match(lines[0].text)
    start = lines[0].start + len(lines[0].text) - len(lines[0].text.lstrip())
    end = lines[-1].start + len(lines[-1].text.rstrip())
    if mark is None:
        return Block(text, "text", start, end)
    rest = text[len(mark[0].lstrip()) :].strip()
    return Block(f"{mark[2]} {rest}" if mark[2] else rest, "item", start, end)


def joined(lines: Sequence[str]) -> str:
    """Lines as one; no blank comes between two Chinese characters."""
    made = ""
    for line in (one.strip(" \t") for one in lines):
        if not line:
            continue
        made += line if not made or close(made[-1], line[0]) else f" {line}"
    return made


def close(before: str, after: str) -> bool:
    """Whether no blank stands between two characters, as one is Chinese and the other no letter of another script."""
    if is_wide(before) or is_wide(after):
        return all(is_wide(sign) or sign in _WITHOUT for sign in (before, after))
    return False
