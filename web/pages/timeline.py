"""The steps of a job from its first moment in the queue to its end, with how long each took."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from jobs.tables import Job, JobEvent
from web.pages.names import phase_title
from web.translate import say

ORDER = ("preparing", "training", "evaluating", "generating", "saving")
QUEUED = "queued"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: ``mark`` is done, now, bad, cut (cancelled here) or empty (to come)."""

    key: str
    title: str
    mark: str = ""
    seconds: float | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time in one phase; the last one of a running job has no end."""

    phase: str
    start: datetime
    end: datetime | None


def planned(job: Job) -> tuple[str, ...]:
    """The phases a job of this kind is expected to go through."""
    if job.operation == "train":
        return ("preparing", "training", "evaluating", "saving")
    if job.operation.startswith("import_"):
        return ("preparing", "saving")
    return ("preparing", "evaluating" if job.operation == "evaluate" else "generating", "saving")


def steps(job: Job, events: Iterable[JobEvent]) -> list[Step]:
    """The timeline. Times of repeated attempts add up."""
    stretches = _stretches(job, events)
    seen = {stretch.phase for stretch in stretches}
    final = job.finished_at is not None
    wanted = seen if final else seen | set(planned(job))
    phases = [phase for phase in (*ORDER, *sorted(seen - {QUEUED, *ORDER})) if phase in wanted]
    found = [_step(job, phase, stretches) for phase in (QUEUED, *phases)]
    return _marked(job, found, stretches)


def _stretches(job: Job, events: Iterable[JobEvent]) -> list[Stretch]:
    """Turn events into stretches: a new state or phase ends the one before."""
    marks: list[tuple[str, datetime]] = [(QUEUED, job.created_at)]
    for event in events:
        if event.kind == "phase":
            marks.append((str(event.data.get("phase")), event.at))
        elif event.kind == "state" and event.data.get("status") == "running" and "requested" not in event.data:
            marks.append(("preparing", event.at))
        elif event.kind == "state" and event.data.get("status") in (QUEUED, "paused"):
            marks.append((QUEUED, event.at))
    ends = [at for _, at in marks[1:]] + [job.finished_at]
    return [Stretch(phase, start, end) for (phase, start), end in zip(marks, ends, strict=True)]


def _step(job: Job, phase: str, stretches: Sequence[Stretch]) -> Step:
    own = [stretch for stretch in stretches if stretch.phase == phase]
    title = say("Queued") if phase == QUEUED else phase_title(phase, job.operation)
    if not own:
        return Step(phase, title)
    past = sum((stretch.end - stretch.start).total_seconds() for stretch in own if stretch.end)
    return Step(phase, title, "done", past, own[-1].start if own[-1].end is None else None)


def _marked(job: Job, found: list[Step], stretches: Sequence[Stretch]) -> list[Step]:
    """Mark the step where the job is, or where it ended other than well."""
    if job.status == "succeeded":
        return found
    here = stretches[-1].phase
    mark = {"failed": "bad", "cancelled": "cut"}.get(job.status, "now")
    place = next((index for index, step in enumerate(found) if step.key == here), 0)
    marked = [replace(step, mark=mark) if index == place else step for index, step in enumerate(found)]
    if job.finished_at is not None:
        return marked
    # A retried attempt goes through steps again that an earlier one had done already.
    return [replace(step, mark="") if index > place else step for index, step in enumerate(marked)]
