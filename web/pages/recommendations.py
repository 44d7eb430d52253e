"""Recommendations as people look at them: who had what, what is recommended to them, and for what."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import request

from aigc_models.data.recommended import BULK, Item, RecommendationList, Recommendations, Recommended
from jobs.tables import Artifact
from web import recommended_files
from web.i18n import plural
from web.pages import amounts
from web.translate import say

PER_PAGE, MOST_HISTORY, MOST_REASONS, MOST_UNKNOWN = 10, 12, 3, 10


@dataclass(frozen=True, slots=True)
class Row:
    """One recommended item: its place, what it is called, its score, and what it is recommended for."""

    rank: int
    name: str
    id: str
    score: str
    because: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One user's list; ``more`` is how many items of the history came before those that are shown."""

    user: str
    history: Sequence[str]
    more: int
    rows: Sequence[Row]
    unknown: str


@dataclass(frozen=True, slots=True)
class View:
    """All that a page shows of a job's recommendations.

    Attributes:
        lists: The lists of this page, as far as they fit what is searched for.
        sentences: What there is and what was left out.
        unknown: Users that the model does not know; empty if all are known.
        wish: What is searched for.
        searchable: Whether there is more than one page of lists.
        page: Number of this page, from 1.
        pages: How many there are.
        bulk: The file with all of them.
    """

    lists: Sequence[Shown]
    sentences: Sequence[str]
    unknown: str
    wish: str
    searchable: bool
    page: int
    pages: int
    bulk: Artifact | None


def of(files: Sequence[Artifact]) -> View | None:
    """What the address asks for of a job's recommendations; None where the job made none."""
    found = recommended_files.lists(files)
    if found is None:
        return None
    wish = request.args.get("who", "").strip()[:200]
    fitting = [one for one in found.lists if wish.casefold() in (one.user or "").casefold()]
    pages = max(1, -(-len(fitting) // PER_PAGE))
    asked = request.args.get("page", "1")
    page = min(pages, max(1, int(asked))) if asked.isascii() and asked.isdecimal() and len(asked) < 6 else 1
    return View(
        lists=[shown(one) for one in fitting[(page - 1) * PER_PAGE : page * PER_PAGE]],
        sentences=_sentences(found),
        unknown=_listed(found.unknown_users),
        wish=wish,
        searchable=len(found.lists) > PER_PAGE,
        page=page,
        pages=pages,
        bulk=next((file for file in files if file.name == BULK and file.role == "output"), None),
    )


def first(files: Sequence[Artifact]) -> Shown | None:
    """The first list, for a page that shows several jobs."""
    found = recommended_files.lists(files)
    return shown(found.lists[0]) if found and found.lists else None


def shown(one: RecommendationList) -> Shown:
    """One list in words."""
    return Shown(
        user=one.user if one.user is not None else say("Somebody new"),
        history=[name_of(item) for item in one.history[-MOST_HISTORY:]],
        more=max(0, len(one.history) - MOST_HISTORY),
        rows=[_row(rank, item) for rank, item in enumerate(one.items, 1)],
        unknown=_listed(one.unknown),
    )


def name_of(item: Item) -> str:
    """What people call an item; its id where it has no title."""
    return item.title or item.item


def _row(rank: int, item: Recommended) -> Row:
    reasons = [name_of(one) for one in item.because[:MOST_REASONS]]
    because = say("because you viewed {titles}", {"titles": say(", ").join(reasons)}) if reasons else ""
    return Row(rank, name_of(item), item.item if item.title else "", f"{item.score:.4g}", because)


def _sentences(found: Recommendations) -> list[str]:
    total = max(found.total, len(found.lists))
    said = [plural("{count} list", "{count} lists", total)]
    if found.model:
        said = [plural("{count} list, made by {model}", "{count} lists, made by {model}", total, model=found.model)]
    if len(found.lists) < total:
        said.append(say("the first {count} can be looked at here", {"count": amounts.number(len(found.lists))}))
    if found.filtered:
        said.append(plural("{count} item was not allowed", "{count} items were not allowed", found.filtered))
    return said


def _listed(names: Sequence[str]) -> str:
    """Names after each other; of many the first."""
    if len(names) <= MOST_UNKNOWN:
        return say(", ").join(names)
    rest = amounts.number(len(names) - MOST_UNKNOWN)
    return say("{names} and {count} more", {"names": say(", ").join(names[:MOST_UNKNOWN]), "count": rest})
