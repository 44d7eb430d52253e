"""The list of jobs: counts as filters, search, pages by cursor; everything that was chosen is in the address."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request, url_for

from aigc_models import registry
from jobs.details import LONGEST_TAG
from jobs.repository import JobFilter, Page
from jobs.tables import STATUSES, Job
from web import context
from web.pages import live
from web.pages.states import Situation, situation

ROWS = 20
TRAIL = 10
SHOWN_STATES = ("queued", "running", "succeeded", "failed", "cancelled")

blueprint = Blueprint("job_list", __name__)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the address asks for.

    Attributes:
        states: Statuses to show.
        task: Only this task.
        q: Only names or ids with this text.
        dataset: Only jobs that read this dataset.
        tag: Only jobs with this tag.
        cursor: Where this page begins.
        trail: Cursors of the pages before, the nearest last.
        newest: Id of the newest row when the page was loaded; later ones are counted, not shown.
    """

    states: tuple[str, ...] = ()
    task: str = ""
    q: str = ""
    dataset: str = ""
    tag: str = ""
    cursor: str = ""
    trail: tuple[str, ...] = ()
    newest: str = ""

    @property
    def filtered(self) -> bool:
        """Whether anything is left out."""
        return bool(self.states or self.task or self.q or self.dataset or self.tag)

    def address(self, endpoint: str = "pages.job_list.index", **changes: Any) -> str:
        """The address of this list with changes."""
        wish = replace(self, **changes)
        pairs = [("state", state) for state in wish.states]
        for name in ("task", "q", "dataset", "tag", "cursor", "newest"):
            pairs += [(name, getattr(wish, name))] if getattr(wish, name) else []
        pairs += [("trail", ",".join(wish.trail))] if wish.trail else []
        return url_for(endpoint) + (f"?{urlencode(pairs)}" if pairs else "")

    def link(self, **changes: Any) -> str:
        """The address of the first page with another filter."""
        return self.address(cursor="", trail=(), newest="", **changes)


@dataclass(frozen=True, slots=True)
class Listing:
    """What the list shows."""

    wish: Wish
    rows: Sequence[Situation]
    counts: Mapping[str, int]
    fresh: int
    older: str
    newer: str

    @property
    def moving(self) -> bool:
        """Whether to ask again: always on the first page, on others while a row changes."""
        return not self.wish.cursor or any(not row.final for row in self.rows)


@blueprint.get("/jobs")
def index() -> str:
    """Show the list."""
    found = _listing(_wish())
    tags = [tag for tag, _ in context.repository().tags()]
    return render_template("jobs.html", listing=found, tasks=list(registry.tasks()), tags=tags, states=SHOWN_STATES)


@blueprint.get("/jobs/live")
def rows() -> Response:
    """The rows again, if any of them changed."""
    found = _listing(_wish())
    seen = [(row.job.id, row.job.version, row.state, row.position) for row in found.rows]
    tag = live.tag_of(seen, sorted(found.counts.items()), found.fresh)
    return live.part(tag, lambda: render_template("jobs_live.html", listing=found, states=SHOWN_STATES))


def _wish() -> Wish:
    asked = request.args
    return Wish(
        states=tuple(state for state in asked.getlist("state") if state in STATUSES),
        task=asked.get("task", ""),
        q=asked.get("q", "").strip()[:200],
        dataset=asked.get("dataset", ""),
        tag=asked.get("tag", "").strip()[:LONGEST_TAG],
        cursor=asked.get("cursor", ""),
        trail=tuple(part for part in asked.get("trail", "").split(",") if part)[-TRAIL:],
        newest=asked.get("newest", ""),
    )


def _listing(wish: Wish) -> Listing:
    reads = context.repository()
    page, fresh = _page(wish)
    rows = [situation(job, reads) for job in page.items]
    newest = wish.newest or (page.items[0].id if page.items and not wish.cursor else "")
    wish = replace(wish, newest=newest)
    here = (*wish.trail, wish.cursor or "first")
    return Listing(
        wish=wish,
        rows=rows,
        counts=reads.counts(),
        fresh=fresh,
        older=wish.address(cursor=page.next_cursor, trail=here, newest="") if page.next_cursor else "",
        newer=_newer(wish),
    )


def _page(wish: Wish) -> tuple[Page[Job], int]:
    """One page; on the first one, jobs that came after it was loaded are counted but do not move the rows."""
    reads = context.repository()
    wanted = JobFilter(
        states=wish.states,
        task=wish.task or None,
        q=wish.q or None,
        dataset=wish.dataset or None,
        tags=(wish.tag,) if wish.tag else (),
    )
    if wish.cursor or not wish.newest:
        return reads.jobs(wanted, wish.cursor or None, ROWS), 0
    wide = reads.jobs(wanted, None, 100).items
    fresh = sum(job.id > wish.newest for job in wide)
    if fresh > 100 - ROWS:
        return reads.jobs(wanted, None, ROWS), 0
    return Page(wide[fresh : fresh + ROWS], reads.jobs(wanted, None, fresh + ROWS).next_cursor), fresh


def _newer(wish: Wish) -> str:
    if not wish.cursor:
        return ""
    before = wish.trail[-1] if wish.trail else "first"
    cursor = "" if before == "first" else before
    return wish.address(cursor=cursor, trail=wish.trail[:-1], newest="")
