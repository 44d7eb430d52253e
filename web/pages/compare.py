"""Jobs beside each other: curves in one chart, figures, settings with the differing ones marked, samples by step."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, abort, render_template, request, url_for

from aigc_models import registry
from jobs import durations
from jobs.errors import JobNotFound
from jobs.repository import Repository
from jobs.tables import Artifact, Job
from web import context
from web.pages import amounts, curves, drawings, names, results
from web.pages.states import Situation, situation
from web.translate import say

FEWEST, MOST = 2, 8
POINTS, ALL_POINTS = 300, 10**9
CHARTS, STEPS = 12, 12

blueprint = Blueprint("compare", __name__)


@dataclass(frozen=True, slots=True)
class Cell:
    """One job's value in a row; ``best`` where it is better than the others'."""

    text: str
    best: bool = False
    baseline: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One setting or figure of all jobs."""

    title: str
    cells: Sequence[Cell]
    differs: bool = False
    direction: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """The samples of all jobs at one step; the results at their end have none."""

    step: int | None
    files: Sequence[Artifact | None]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The jobs of the address, in its order, and what is wrong with it."""

    asked: Sequence[str]
    jobs: Sequence[Job]
    faults: Sequence[str]

    @property
    def enough(self) -> bool:
        """Whether there is anything to compare."""
        return len(self.jobs) >= FEWEST

    @property
    def ids(self) -> str:
        """The ids as an address holds them."""
        return ",".join(job.id for job in self.jobs)

    @property
    def labels(self) -> list[str]:
        """What each is called; jobs of the same name are told apart by the end of their ids."""
        count = Counter(job.name for job in self.jobs)
        return [job.name if count[job.name] == 1 else f"{job.name} ({job.id[-6:]})" for job in self.jobs]

    def without(self, job: Job) -> str:
        """The address without one of them."""
        return url_for("pages.compare.show", ids=",".join(one.id for one in self.jobs if one is not job))


@blueprint.get("/jobs/compare")
def show() -> Response:
    """Compare the jobs of the address, or say what is wrong with it."""
    reads = context.repository()
    chosen = _chosen(reads)
    page = render_template("compare.html", chosen=chosen, most=MOST, **(_view(chosen, reads) if chosen.enough else {}))
    failed = bool(chosen.faults) and not chosen.enough
    return Response(page, 422 if failed else 200, content_type="text/html; charset=utf-8")


@blueprint.get("/jobs/compare/<path:key>.<any(svg, csv):kind>")
def chart(key: str, kind: str) -> Response:
    """One chart as a file."""
    reads = context.repository()
    chosen = _chosen(reads)
    found = next(
        (one for one in _groups(chosen, reads, POINTS if kind == "svg" else ALL_POINTS) if one[0] == key), None
    )
    if found is None:
        abort(404)
    _, title, lines = found
    return drawings.svg(curves.draw(key, title, lines)) if kind == "svg" else drawings.table(f"{key}.csv", lines)


def _chosen(reads: Repository) -> Chosen:
    """Ids may be apart by commas or blanks, or each a parameter of its own, as check boxes send them."""
    asked = list(dict.fromkeys(" ".join(request.args.getlist("ids")).replace(",", " ").split()))
    jobs, faults = list[Job](), list[str]()
    for id_ in asked[:MOST]:
        try:
            jobs.append(reads.job(id_))
        except JobNotFound as error:
            faults.append(say(error.message, {"id": id_[:60]}))
    if len(asked) > MOST:
        values = {"count": len(asked), "most": MOST}
        faults.append(say("The address names {count} jobs. Only the first {most} are compared.", values))
    if asked and len(jobs) < FEWEST:
        faults.append(say("There must be at least two jobs to compare. Choose them in the list of jobs."))
    return Chosen(asked, jobs, faults)


def _view(chosen: Chosen, reads: Repository) -> Mapping[str, Any]:
    seen = [situation(job, reads) for job in chosen.jobs]
    settings = _settings(chosen.jobs)
    drawn = [curves.draw(key, title, lines) for key, title, lines in _groups(chosen, reads, POINTS)[:CHARTS]]
    return {
        "seen": seen,
        "labels": chosen.labels,
        "charts": drawn,
        "facts": _facts(seen),
        "figures": _figures(chosen.jobs),
        "settings": sorted(settings, key=lambda row: not row.differs),
        "differing": sum(row.differs for row in settings),
        "moments": _moments(chosen.jobs, reads),
    }


def _groups(chosen: Chosen, reads: Repository, most: int) -> list[tuple[str, str, list[curves.Series]]]:
    """Key, title and curves of every chart: a figure of the same name and meaning is one, over all jobs."""
    points = [reads.metrics(job.id, -1, None, most) for job in chosen.jobs]
    meanings: dict[tuple[str, str], None] = {}
    for job, own in zip(chosen.jobs, points, strict=True):
        for name in curves.names_of(own):
            if name not in results.SPEEDS:
                meanings[name, names.curve_title(job.family, name)] = None
    known = Counter(name for name, _ in meanings)
    groups = []
    for place, (name, title) in enumerate(meanings):
        lines = [
            curves.series(own if names.curve_title(job.family, name) == title else [], name, label)
            for job, own, label in zip(chosen.jobs, points, chosen.labels, strict=True)
        ]
        groups.append((name if known[name] == 1 else f"{name}-{place}", title, lines))
    return groups


def _facts(seen: Sequence[Situation]) -> list[Row]:
    """What is known about the jobs beside settings and figures."""
    jobs = [one.job for one in seen]
    rows = [
        (say("Task"), [names.task_title(f"{job.family}.{job.operation}") for job in jobs]),
        (say("Preset"), [str((job.snapshot or {}).get("preset") or "–") for job in jobs]),
        (say("Duration"), [_duration(job) for job in jobs]),
        (say("Steps"), [amounts.number(job.step) if job.total else "–" for job in jobs]),
        (say("Attempts"), [amounts.number(job.attempt) for job in jobs]),
        (
            say("Time limit"),
            [durations.spoken(job.time_limit_seconds) if job.time_limit_seconds else "–" for job in jobs],
        ),
        (say("Code version"), [str((job.snapshot or {}).get("code_version") or "–") for job in jobs]),
    ]
    return [_row(title, texts) for title, texts in rows if set(texts) != {"–"}]


def _duration(job: Job) -> str:
    seconds = amounts.elapsed(job.started_at, job.finished_at) if job.finished_at else None
    return amounts.duration(seconds) if seconds is not None else "–"


def _row(title: str, texts: Sequence[str]) -> Row:
    return Row(title, [Cell(text) for text in texts], len(set(texts)) > 1)


def _settings(jobs: Sequence[Job]) -> list[Row]:
    """Every setting that any of the jobs has; a dash where a task does not have it."""
    titles: dict[str, str] = {}
    for job in jobs:
        params = registry.tasks().get(f"{job.family}.{job.operation}")
        schema = params.model_json_schema()["properties"] if params else {}
        for name in job.params:
            titles.setdefault(name, say(schema.get(name, {}).get("title", name)))
    return [_row(title, [_setting(job, name) for job in jobs]) for name, title in titles.items()]


def _setting(job: Job, name: str) -> str:
    """A value in words; of an input the name that it had when the job was submitted."""
    used = ((job.snapshot or {}).get("inputs") or {}).get(name)
    if used:
        return f"{used['name']} v{used['version']}"
    return results.shown(job.params[name]) if name in job.params else "–"


def _figures(jobs: Sequence[Job]) -> list[Row]:
    """The figures the families explain, the best of each marked."""
    better: dict[str, str] = {}
    values: dict[str, list[tuple[Any, Any]]] = {}
    for place, job in enumerate(jobs):
        known = dict(job.metrics or {}) if job.status == "succeeded" else {}
        infos = {name: info for name in known if (info := names.metric_info(job.family, name)) is not None}
        beside = {info.baseline for info in infos.values()}
        for name in (name for name in infos if name not in beside):
            title = say(infos[name].title)
            better[title] = infos[name].better
            own = values.setdefault(title, [(None, None)] * len(jobs))
            own[place] = (known[name], known.get(infos[name].baseline or ""))
    return [_figure(title, better[title], found) for title, found in values.items()]


def _figure(title: str, better: str, values: Sequence[tuple[Any, Any]]) -> Row:
    known = [value for value, _ in values if isinstance(value, int | float)]
    differing = better != "none" and len(set(known)) > 1
    best = (min(known) if better == "lower" else max(known)) if differing else None
    cells = [
        Cell(
            amounts.figure(value),
            best is not None and value == best,
            amounts.figure(baseline) if baseline is not None else "",
        )
        for value, baseline in values
    ]
    return Row(title, cells, best is not None, results.direction(better))


def _moments(jobs: Sequence[Job], reads: Repository) -> list[Moment]:
    """The samples side by side: at each step the last that a job had made by then; at the top what came out."""
    files = [results.files(reads.artifacts(job.id)) for job in jobs]
    ends = [next((file for file in own.pictures if file.name == "samples.png"), None) for own in files]
    samples = [[file for file in own.samples if file.step is not None] for own in files]
    steps = sorted({file.step for own in samples for file in own if file.step is not None})
    rows = [Moment(None, ends)] if any(ends) else []
    rows += [
        Moment(step, [next((file for file in reversed(own) if (file.step or 0) <= step), None) for own in samples])
        for step in reversed(curves.thinned(steps, STEPS))
    ]
    return rows
