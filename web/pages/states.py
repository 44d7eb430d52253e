"""What a job's state is called, how it looks, and the sentence under it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jobs.repository import Label, Repository, Span
from jobs.tables import Job
from web import failures
from web.i18n import plural
from web.pages import amounts
from web.pages.names import phase_title
from web.translate import say


@dataclass(frozen=True, slots=True)
class Look:
    """A state's word, icon and colour; the colour never stands alone."""

    word: str
    icon: str
    tone: str


LOOKS: Mapping[str, Look] = {
    "blocked": Look("Waiting", "◷", "wait"),
    "queued": Look("Queued", "◷", "wait"),
    "waiting_for_worker": Look("Queued", "◷", "wait"),
    "waiting_retry": Look("Queued", "◷", "wait"),
    "broker_down": Look("Queued", "◷", "wait"),
    "running": Look("Running", "●", "run"),
    "stalled": Look("Running", "●", "run"),
    "cancelling": Look("Stopping", "◌", "wait"),
    "pausing": Look("Pausing", "◌", "wait"),
    "paused": Look("Paused", "◌", "wait"),
    "succeeded": Look("Succeeded", "✓", "ok"),
    "failed": Look("Failed", "✕", "bad"),
    "expired": Look("Expired", "⌛", "bad"),
    "cancelled": Look("Cancelled", "–", ""),
}
HINTS: Mapping[str, str] = {
    "blocked": "Waiting for another job to end.",
    "paused": "Stopped with its state kept. It can go on from there.",
}


@dataclass(frozen=True, slots=True)
class Situation:
    """A job with what is known about it beside its row."""

    job: Job
    label: Label
    position: int | None = None
    eta: float | None = None
    starts_in: Span | None = None

    @property
    def state(self) -> str:
        """The state as pages show it: a job that failed because it came too late is expired."""
        if self.label.state == "failed" and (self.job.failure or {}).get("code") == "expired":
            return "expired"
        return self.label.state

    @property
    def final(self) -> bool:
        """Whether nothing more will happen."""
        return self.job.finished_at is not None


def situation(job: Job, reads: Repository, *, forecast: bool = False) -> Situation:
    """Look up what is known about a job beside its row; when it will start costs a look at what runs and ran."""
    starts_in = reads.starts_in(job) if forecast else None
    return Situation(job, reads.label(job), reads.queue_position(job), reads.eta(job), starts_in)


def look(state: str) -> Look:
    """The look of a state; an unknown one is shown as it is."""
    return LOOKS.get(state, Look(state, "•", ""))


def hint(now: Situation) -> str:
    """One line of text that says what the state means for this job."""
    job = now.job
    if now.label.hint:
        return say(now.label.hint, now.label.values)
    match now.state:
        case "queued":
            return _queued(now)
        case "running":
            return " · ".join(_running(now))
        case "succeeded":
            return say(
                "Finished in {time}.", {"time": amounts.duration(amounts.elapsed(job.started_at, job.finished_at) or 0)}
            )
        case "failed":
            return failures.describe(job.failure or {})[0]
        case "expired":
            return _expired(job)
        case "cancelled":
            return _cancelled(job)
        case other:
            return say(HINTS.get(other, ""))


def _queued(now: Situation) -> str:
    if now.position is None or now.position <= 1:
        line = say("Waiting for a free worker.")
    else:
        line = plural(
            "Waiting for a free worker. {count} job is ahead.",
            "Waiting for a free worker. {count} jobs are ahead.",
            now.position - 1,
        )
    return f"{line} {amounts.starts(now.starts_in.low, now.starts_in.high)}" if now.starts_in else line


def _running(now: Situation) -> list[str]:
    job = now.job
    parts = [phase_title(job.phase, job.operation)] if job.phase else []
    if job.total > 0:
        values: dict[str, Any] = {"step": amounts.number(job.step), "total": amounts.number(job.total)}
        parts.append(say("step {step} of {total}", values))
        parts.append(f"{amounts.percent(job.step, job.total)} %")
    if now.eta is not None and now.eta >= 1:
        parts.append(amounts.left(now.eta))
    return parts


def _expired(job: Job) -> str:
    if job.expires_at is None:
        return say("Did not start before its deadline.")
    allowed = amounts.elapsed(job.created_at, job.expires_at) or 0
    return say("Did not start before its deadline ({time}).", {"time": amounts.duration(allowed)})


def _cancelled(job: Job) -> str:
    when = clock(job.finished_at) if job.finished_at else ""
    if job.checkpoint_step > 0:
        values = {"time": when, "step": amounts.number(job.checkpoint_step)}
        return say("Cancelled at {time}. The last checkpoint (step {step}) was kept.", values)
    return say("Cancelled at {time}.", {"time": when})


def clock(moment: datetime) -> str:
    """Hours and minutes in UTC; the browser turns times in ``<time>`` into local ones."""
    return moment.strftime("%H:%M UTC")
