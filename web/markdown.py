"""Markdown to HTML that keeps to the rules of the pages: no foreign markup, tables and code reachable by keyboard."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any

from web import documents
from web.translate import say

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token


@dataclass(frozen=True, slots=True)
class Rendered:
    """A page's HTML, and its second-level headings with their anchors."""

    title: str
    html: str
    headings: Sequence[tuple[str, str]]


@dataclass
class _Count:
    """What a page has so far, as each needs a name of its own."""

    tables: int = 0
    codes: int = 0


def render(source: documents.Source) -> Rendered:
    """Render a page; its words around tables and code are in the reader's language."""
    return _render(source.path, source.text, (say("Table {number}"), say("Code {number}"), say("Copy")))


@lru_cache(maxsize=1)
def _render(path: str, text: str, words: tuple[str, str, str]) -> Rendered:
    """Section by section: the tokens of a long page would be a lasting 2 MB of the server."""
    parser = _parser()
    html, headings = "", list[tuple[str, str, str]]()
    env = {"count": _Count(), "words": words}
    for section in _sections(text):
        tokens = parser.parse(section)
        for opening, inline in itertools.pairwise(tokens):
            if opening.type == "heading_open":
                words_of = _text(inline)
                opening.attrSet("id", documents.slug(words_of))
                headings.append((opening.tag, documents.slug(words_of), words_of))
            _mend_links(opening, path)
        html += parser.renderer.render(tokens, parser.options, env)
    title = next((words_of for tag, _, words_of in headings if tag == "h1"), "")
    return Rendered(title, html, [(anchor, words_of) for tag, anchor, words_of in headings if tag == "h2"])


def _sections(text: str) -> Iterator[str]:
    """The parts that begin with a heading below the title; what looks like one inside a fence is none."""
    lines, fenced = list[str](), False
    for line in text.splitlines(keepends=True):
        if line.startswith(("## ", "### ")) and not fenced:
            yield "".join(lines)
            lines.clear()
        fenced ^= line.lstrip().startswith("```")
        lines.append(line)
    yield "".join(lines)


@lru_cache(maxsize=1)
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt  # first needed when somebody reads

    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    rules: dict[str, Callable[..., str]] = {
        "table_open": _table,
        "table_close": lambda *_: "</table></div>\n",
        "fence": _fence,
        "th_open": _head,
        "th_close": lambda tokens, index, *_: "</td>\n" if _is_empty(tokens, index - 2) else "</th>\n",
        "image": _image,
    }
    for name, rule in rules.items():
        parser.renderer.rules[name] = rule  # type: ignore[attr-defined]  # a plain dict of the HTML renderer
    return parser


def _table(_tokens: "Sequence[Token]", _index: int, _options: Any, env: Any) -> str:
    env["count"].tables += 1
    label = env["words"][0].format(number=env["count"].tables)
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}"><table class="compact">\n'


def _head(tokens: "Sequence[Token]", index: int, *_: Any) -> str:
    return "<td>" if _is_empty(tokens, index) else '<th scope="col">'


def _is_empty(tokens: "Sequence[Token]", index: int) -> bool:
    return tokens[index].type == "th_open" and not tokens[index + 1].content


def _fence(tokens: "Sequence[Token]", index: int, _options: Any, env: Any) -> str:
    env["count"].codes += 1
    label = escape(env["words"][1].format(number=env["count"].codes))
    code = escape(tokens[index].content.rstrip("\n"), quote=False)
    return (
        f'<div class="snippet"><pre tabindex="0" role="region" aria-label="{label}">{code}</pre>'
        f'<button type="button" class="btn small" data-copy hidden>{escape(env["words"][2])}'
        f'<span class="vh"> {label}</span></button></div>\n'
    )


def _image(tokens: "Sequence[Token]", index: int, *_: Any) -> str:
    token = tokens[index]
    return f'<img src="{escape(str(token.attrGet("src")))}" alt="{escape(_text(token))}" loading="lazy">'


def _mend_links(token: "Token", path: str) -> None:
    for child in token.children or []:
        for name in ("href", "src"):
            link = child.attrGet(name)
            if isinstance(link, str):
                child.attrSet(name, documents.address(link, path))


def _text(token: "Token") -> str:
    return "".join(_text(child) if child.children else child.content for child in token.children or [])
