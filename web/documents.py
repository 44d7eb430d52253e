"""The user's documentation: Markdown files beside the code, rendered when asked for.

``docs/index.md`` is the table of contents: each of its second-level headings is a section, each list
entry a page with one sentence on it. What it does not name is not served. A page in another language
lies beside the English one (``webhooks.zh.md``); where there is none the English one is shown.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

import web

SUFFIXES: Mapping[str, str] = {"en": ".md", "zh-CN": ".zh.md"}
ADDRESS = "/docs/"
IMAGES = "images"
_ENTRY = re.compile(r"^- \[(?P<title>[^]]+)\]\((?P<path>[\w/.-]+?)(\.zh)?\.md\)[:\uff1a]? ?(?P<sentence>.*)$")


@dataclass(frozen=True, slots=True)
class Entry:
    """A page as the table of contents names it; ``path`` has no suffix: ``how-to/webhooks``."""

    path: str
    title: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Section:
    """One kind of pages."""

    title: str
    about: str
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Source:
    """A page's text, and the language it is in."""

    path: str
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a page that answers a search."""

    entry: Entry
    heading: str
    anchor: str
    text: str


def directory() -> Path:
    """Where the files are: in the installed package, or in the checkout."""
    package = Path(web.__file__).resolve().parent
    return next(place for place in (package / "_docs", package.parent / "docs") if place.is_dir())


def contents(language: str) -> Sequence[Section]:
    """The table of contents."""
    return _contents(language, _file("index", language)[0].stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _contents(language: str, _modified: int) -> Sequence[Section]:
    sections = []
    for part in re.split(r"^## ", _file("index", language)[0].read_text("utf-8"), flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        found = [_ENTRY.match(line) for line in body.splitlines()]
        entries = [Entry(one["path"], one["title"], one["sentence"].strip()) for one in found if one]
        about = " ".join(line for line in body.splitlines() if line and not line.startswith(("- ", "  ")))
        sections.append(Section(title.strip(), about, entries))
    return sections


def source(path: str, language: str) -> Source | None:
    """A page's text, if the table of contents names it or the folder of a record it names."""
    if section_of(path, language) is None:
        return None
    file, spoken = _file(path, language)
    return Source(path, spoken, file.read_text("utf-8"))


def section_of(path: str, language: str) -> Section | None:
    """The section a page belongs to: records are in that of their folder's README."""
    index = path if path not in _records() else "decisions/README"
    return next((one for one in contents(language) if any(entry.path == index for entry in one.entries)), None)


@lru_cache(maxsize=1)
def _records() -> frozenset[str]:
    return frozenset(f"decisions/{file.stem}" for file in (directory() / "decisions").glob("[0-9]*.md"))


def image(name: str) -> Path | None:
    """A picture's file, if there is one of exactly this name."""
    known = {file.name: file for file in (directory() / IMAGES).iterdir() if file.suffix in (".png", ".svg")}
    return known.get(name)


def _file(path: str, language: str) -> tuple[Path, str]:
    wanted = directory() / f"{path}{SUFFIXES[language]}"
    return (wanted, language) if wanted.is_file() else (directory() / f"{path}.md", "en")


def address(link: str, path: str) -> str:
    """Where a link of a page leads when the pages are served; other sites' addresses stay as they are."""
    if "://" in link or link.startswith(("#", "mailto:")):
        return link
    target, _, anchor = link.partition("#")
    joined = PurePosixPath(path).parent / target
    parts: list[str] = []
    for part in joined.parts:
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
    name = re.sub(r"(\.zh)?\.md$", "", "/".join(parts))
    name = "" if name == "index" else name
    return (ADDRESS + name).rstrip("/") + (f"#{anchor}" if anchor else "")


def slug(heading: str) -> str:
    """A heading's anchor, made as GitHub and the built site make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower().strip()).replace(" ", "-")


def search(asked: str, language: str, most: int = 30) -> Sequence[Passage]:
    """Parts of pages that hold all words asked for; those with a word in their heading come first."""
    words = asked.casefold().split()
    if not words:
        return []
    found = [
        (sum(word in f"{passage.entry.title} {passage.heading}".casefold() for word in words), passage)
        for section in contents(language)
        for entry in section.entries
        for passage in _passages(entry, language)
        if all(word in f"{entry.title} {passage.heading} {passage.text}".casefold() for word in words)
    ]
    found.sort(key=lambda ranked: -ranked[0])
    return [_cut(passage, words[0]) for _, passage in found[:most]]


def _passages(entry: Entry, language: str) -> Sequence[Passage]:
    text = _file(entry.path, language)[0].read_text("utf-8")
    lead, *parts = re.split(r"^#{2,3} ", text, flags=re.MULTILINE)
    passages = [Passage(entry, "", "", _plain(lead.partition("\n")[2]))]
    for part in parts:
        heading, _, body = part.partition("\n")
        passages.append(Passage(entry, _plain(heading), slug(_plain(heading)), _plain(body)))
    return passages


def _plain(markdown: str) -> str:
    without_links = re.sub(r"!?\[([^]]*)\]\([^)]*\)", r"\1", markdown)
    return " ".join(re.sub(r"^```\w*$|^[-| :]+$|[`*|]", " ", without_links, flags=re.MULTILINE).split())


def _cut(passage: Passage, word: str, width: int = 200) -> Passage:
    start = max(0, passage.text.casefold().find(word) - width // 3)
    text = passage.text[start : start + width]
    text = ("… " if start else "") + text + (" …" if start + width < len(passage.text) else "")
    return Passage(passage.entry, passage.heading, passage.anchor, text)
