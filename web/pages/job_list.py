"""The list of jobs: counts as filters, search, pages by cursor; everything that was chosen is in the address."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request, url_for

from aigc_models import registry
from jobs.details import LONGEST_TAG
from jobs.paging import MOST
from jobs.repository import MOST_COUNTED, JobFilter, Page
from jobs.tables import STATUSES, Job
from web import context
from web.api.render import address as full_address
from web.pages import live, results, spreadsheet
from web.pages.states import Situation, situation

ROWS = 20
MOST_EXPORTED = 10_000
EXPORTED = (
    "id", "name", "task", "state", "created_at", "started_at", "finished_at", "seconds", "step", "total", "result",
    "failure", "url",
)  # fmt: skip
TRAIL = 10
SHOWN_STATES = ("queued", "running", "succeeded", "failed", "cancelled")
SELDOM_STATES = ("blocked", "paused")

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
        since: Only jobs made on this day (UTC) or later.
        until: Only jobs made on this day (UTC) or earlier.
        cursor: Where this page begins.
        trail: Cursors of the pages before, the nearest last.
        newest: Id of the newest row when the page was loaded; later ones are counted, not shown.
    """

    states: tuple[str, ...] = ()
    task: str = ""
    q: str = ""
    dataset: str = ""
    tag: str = ""
    since: str = ""
    until: str = ""
    cursor: str = ""
    trail: tuple[str, ...] = ()
    newest: str = ""

    @property
    def filtered(self) -> bool:
        """Whether anything is left out."""
        return bool(self.states or self.task or self.q or self.dataset or self.tag or self.since or self.until)

    @property
    def filter(self) -> JobFilter:
        """Which jobs that are."""
        first, last = _day(self.since), _day(self.until)
        return JobFilter(
            states=self.states,
            task=self.task or None,
            q=self.q or None,
            dataset=self.dataset or None,
            tags=(self.tag,) if self.tag else (),
            created_after=first - timedelta(microseconds=1) if first else None,
            created_before=last + timedelta(days=1) if last else None,
        )

    def address(self, endpoint: str = "pages.job_list.index", **changes: Any) -> str:
        """The address of this list with changes."""
        wish = replace(self, **changes)
        pairs = [("state", state) for state in wish.states]
        single = ("task", "q", "dataset", "tag", "since", "until", "cursor", "newest")
        pairs += [(name, getattr(wish, name)) for name in single if getattr(wish, name)]
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
    export: str

    def counted(self, state: str = "") -> tuple[int, bool]:
        """How many jobs are in a state, or in all, and whether there may be more than were counted."""
        counts = [self.counts.get(state, 0)] if state else list(self.counts.values())
        return sum(counts), any(count >= MOST_COUNTED for count in counts)

    @property
    def states(self) -> Sequence[str]:
        """States to filter by: the common ones, and the seldom ones when a job is in them or they are asked for."""
        seldom = [state for state in SELDOM_STATES if self.counts.get(state) or state in self.wish.states]
        return (*SHOWN_STATES, *seldom)

    @property
    def moving(self) -> bool:
        """Whether to ask again: always on the first page, on others while a row changes."""
        return not self.wish.cursor or any(not row.final for row in self.rows)


@blueprint.get("/jobs")
def index() -> str:
    """Show the list."""
    found = _listing(_wish())
    tags = [tag for tag, _ in context.repository().tags()]
    return render_template("jobs.html", listing=found, tasks=list(registry.tasks()), tags=tags)


@blueprint.get("/jobs/live")
def rows() -> Response:
    """The rows again, if any of them changed."""
    found = _listing(_wish())
    seen = [(row.job.id, row.job.version, row.state, row.position) for row in found.rows]
    tag = live.tag_of(seen, sorted(found.counts.items()), found.fresh)
    return live.part(tag, lambda: render_template("jobs_live.html", listing=found))


@blueprint.get("/jobs.csv")
def export() -> Response:
    """All jobs of the list, the newest first, at most 10,000."""
    return spreadsheet.reply("jobs.csv", [EXPORTED, *(_exported(job) for job in _all(_wish().filter))])


def _all(wanted: JobFilter) -> Iterator[Job]:
    reads = context.repository()
    cursor: str | None = None
    for _ in range(MOST_EXPORTED // MOST):
        page = reads.jobs(wanted, cursor, MOST)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return


def _exported(job: Job) -> Sequence[Any]:
    seconds = (job.finished_at - job.started_at).total_seconds() if job.started_at and job.finished_at else None
    task = f"{job.family}.{job.operation}"
    result = results.main_figure(job.family, job.metrics or {}) if job.status == "succeeded" else ""
    failure = (job.failure or {}).get("code", "")
    times = (job.created_at, job.started_at, job.finished_at, seconds)
    link = full_address(url_for("pages.job.show", job_id=job.id))
    return (job.id, job.name, task, job.status, *times, job.step, job.total, result, failure, link)


def _wish() -> Wish:
    asked = request.args
    return Wish(
        states=tuple(state for state in asked.getlist("state") if state in STATUSES),
        task=asked.get("task", ""),
        q=asked.get("q", "").strip()[:200],
        dataset=asked.get("dataset", ""),
        tag=asked.get("tag", "").strip()[:LONGEST_TAG],
        since=_known_day(asked.get("since", "")),
        until=_known_day(asked.get("until", "")),
        cursor=asked.get("cursor", ""),
        trail=tuple(part for part in asked.get("trail", "").split(",") if part)[-TRAIL:],
        newest=asked.get("newest", ""),
    )


def _day(text: str) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC) if text else None
    except ValueError:
        return None


def _known_day(text: str) -> str:
    return text if _day(text) else ""


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
        export=wish.address("pages.job_list.export", cursor="", trail=(), newest=""),
    )


def _page(wish: Wish) -> tuple[Page[Job], int]:
    """One page; on the first one, jobs that came after it was loaded are counted but do not move the rows."""
    reads = context.repository()
    wanted = wish.filter
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
