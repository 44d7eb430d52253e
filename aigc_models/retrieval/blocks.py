"""From the text of a section to its blocks, without marks: paragraphs, items of lists, code, rows of tables.

Markdown is read as CommonMark with tables. Everything else is read line by line: blank lines, marks of lists, fences
and rows between bars part it, and lines that were broken to fit a width are put together again.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from aigc_models.data.replies import PieceKind
from aigc_models.data.text_html import read_html
from aigc_models.data.text_markup import Markup, markup_of
from aigc_models.retrieval.plain_blocks import Block, joined, plain_blocks, table_rows

# Marks that no text has by chance: fences, links, bold words, inline code, the line below a table's head.
_MARKED = re.compile(
    r"^ {0,3}(?:```|~~~)|\[[^\]\n]+\]\([^)\s]+\)|(?<!\*)\*\*(?=\S)[^*\n]+(?<=\S)\*\*|(?<!`)`[^`\n]+`(?!`)"
    r"|^\s*\|?\s*:?-{3,}:?\s*\|[-|:\s]*$",
    re.MULTILINE,
)
_BREAKS = frozenset({"br", "br/"})
_TAG = re.compile(r"</?\s*([a-zA-Z0-9]+/?)")
_HARD = "\n"


def markup_in(name: str, text: str) -> Markup:
    """How a section of a document is written: by the document's name, else by marks in the text."""
    named = markup_of(name)
    if named == "plain" and _MARKED.search(text):
        return "markdown"
    return named


def blocks_of(text: str, markup: Markup = "plain") -> list[Block]:
    """The blocks of a section in their order; none is blank."""
    return _Markdown(text).blocks() if markup == "markdown" else plain_blocks(text)


@dataclass(slots=True)
class _Item:
    """A mark that waits for the text of its item."""

    mark: str = ""
    kind: PieceKind = "text"


class _Markdown:
    """Blocks of a Markdown text."""

    def __init__(self, text: str) -> None:
        self._text = text
        starts = [0, *(place + 1 for place, sign in enumerate(text) if sign == "\n"), len(text) + 1]
        self._starts = starts

    def blocks(self) -> list[Block]:
        """All of them."""
        parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
        tree = SyntaxTreeNode(parser.parse(self._text))
        return [one for one in self._all(tree.children, _Item()) if one.text.strip()]

    def _all(self, nodes: Sequence[SyntaxTreeNode], item: _Item) -> Iterator[Block]:
        for node in nodes:
            yield from self._one(node, item)

    def _one(self, node: SyntaxTreeNode, item: _Item) -> Iterator[Block]:
        kind = node.type
        if kind in ("paragraph", "heading"):
            if _is_picture(node):
                return
            for line in _spoken(node).split(_HARD):
                if line.strip():
                    yield self._block(node, item.mark + line.strip(), item.kind)
                    item.mark = ""
        elif kind in ("fence", "code_block"):
            yield self._block(node, node.content.rstrip("\n"), "code")
        elif kind in ("bullet_list", "ordered_list"):
            yield from self._list(node)
        elif kind == "table":
            yield from self._table(node)
        elif kind == "html_block":
            for part in read_html(node.content).parts:
                for block in plain_blocks(part.text):
                    yield self._block(node, block.text, block.kind)
        else:
            yield from self._all(node.children, item)

    def _list(self, node: SyntaxTreeNode) -> Iterator[Block]:
        """Each item as one block; what else stands in it follows."""
        ordered = node.type == "ordered_list"
        first = int(str(node.attrs.get("start", 1)))
        for number, child in enumerate(node.children, first):
            yield from self._all(child.children, _Item(f"{number}. " if ordered else "", "item"))

    def _table(self, node: SyntaxTreeNode) -> Iterator[Block]:
        rows = [row for part in node.children for row in part.children]
        spoken = [[_spoken(cell).replace(_HARD, " ") for cell in row.children] for row in rows]
        for row, text in zip(rows[1:], table_rows(spoken[0], spoken[1:]), strict=True):
            yield self._block(row, text, "table")

    def _block(self, node: SyntaxTreeNode, text: str, kind: PieceKind) -> Block:
        first, after = node.map or (0, 0)
        return Block(text, kind, self._starts[first], self._starts[min(after, len(self._starts) - 1)] - 1)


def _is_picture(node: SyntaxTreeNode) -> bool:
    """Whether a paragraph is pictures alone, whose descriptions are no sentences of it."""
    held = [one for child in node.children for one in child.children]
    return bool(held) and all(one.type in ("image", "softbreak") for one in held)


def _spoken(node: SyntaxTreeNode) -> str:
    """The words of a paragraph: without marks, its lines put together, :data:`_HARD` where a line ends by wish."""
    return joined("".join(_inline(node)).split("\v"))


def _inline(node: SyntaxTreeNode) -> Iterator[str]:
    for child in node.children:
        if child.type in ("text", "code_inline"):
            yield child.content.replace("\n", " ")
        elif child.type == "softbreak":
            yield "\v"
        elif child.type == "hardbreak" or (child.type == "html_inline" and _is_break(child.content)):
            yield _HARD
        elif child.children:
            yield from _inline(child)
        elif child.type == "image":
            yield child.content


def _is_break(tag: str) -> bool:
    found = _TAG.match(tag)
    return found is not None and found[1].lower() in _BREAKS
