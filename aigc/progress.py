"""How far a job is, as words and as a bar; the same words in terminal and notebook."""

import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from aigc.speech import say

_PHASES = {
    "preparing": "Preparing data",
    "training": "Training",
    "evaluating": "Evaluating",
    "generating": "Generating",
    "saving": "Saving",
}
_STATES = {
    "blocked": "Waiting for another job",
    "queued": "Queued",
    "waiting_for_worker": "Queued, but no worker is running; start one with: aigc worker",
    "waiting_retry": "Waiting to try again",
    "broker_down": "Queued, but the queue cannot be reached",
    "running": "Running",
    "stalled": "The worker stopped answering",
    "cancelling": "Stopping",
    "pausing": "Pausing",
    "paused": "Paused",
    "succeeded": "Succeeded",
    "failed": "Failed",
    "cancelled": "Cancelled",
}
_UNITS = ((90, 1, "s"), (90 * 60, 60, "min"), (math.inf, 3600, "h"))
_STARTS = {
    "s": "starts in about {span} s",
    "min": "starts in about {span} min",
    "h": "starts in about {span} h",
}
LINE_SECONDS, LONG_WAIT = 10.0, 60.0
SILENT_SECONDS = 2.0
Show = Callable[[Mapping[str, Any]], None]


def headline(job: Mapping[str, Any]) -> str:
    """What is going on: the phase of a running job, else its state."""
    state = str(job["state"])
    phase = (job.get("progress") or {}).get("phase")
    if state == "running" and phase:
        return say(_PHASES.get(phase, str(phase).capitalize()))
    return say(_STATES.get(state, state.replace("_", " ").capitalize()))


def time_left(seconds: float | None) -> str:
    """About how long it takes still, rounded; empty where nobody knows."""
    if seconds is None:
        return ""
    if seconds < 90:
        return say("about {count} s left", count=max(1, round(seconds)))
    if seconds < 90 * 60:
        return say("about {count} min left", count=round(seconds / 60))
    return say("about {count} h left", count=round(seconds / 3600))


def speed(job: Mapping[str, Any]) -> str:
    """How fast it goes: images a second where it reports that, else steps."""
    images = (job.get("metrics") or {}).get("images_per_second")
    if images:
        return say("{count} img/s", count=f"{images:.0f}")
    rate = (job.get("progress") or {}).get("rate")
    return say("{count} steps/s", count=f"{rate:.3g}") if rate else ""


def counts(job: Mapping[str, Any]) -> bool:
    """Whether steps say how far the job is: not while data is prepared, nor once all steps are done."""
    progress = job.get("progress") or {}
    going = job["state"] in ("running", "cancelling", "pausing") and progress.get("phase") != "preparing"
    return going and 0 < (progress.get("step") or 0) < (progress.get("total") or 0)


def line(job: Mapping[str, Any]) -> str:
    """One plain line: phase, percent, steps, speed, time left."""
    return "  ".join([headline(job), *(_facts(job) if counts(job) else _waits(job))])


def starts(job: Mapping[str, Any]) -> str:
    """When a queued job will start, as an interval; empty where nobody knows."""
    span = (job.get("queue") or {}).get("starts_in_seconds")
    if not span:
        return ""
    low, high = float(span["low"]), float(span["high"])
    size, unit = next((size, unit) for below, size, unit in _UNITS if high < below)
    first, last = round(low / size), math.ceil(high / size)
    return say(_STARTS[unit], span=say("{first} to {last}", first=first, last=last) if first < last else last)


def waits_long(job: Mapping[str, Any]) -> bool:
    """Whether a queued job has others ahead of it, or starts in a minute or later."""
    queue = job.get("queue") or {}
    late = (queue.get("starts_in_seconds") or {}).get("high", 0) >= LONG_WAIT
    return job["state"] == "queued" and ((queue.get("position") or 0) > 1 or late)


def _waits(job: Mapping[str, Any]) -> list[str]:
    if job["state"] == "blocked":
        return [str(job["hint"])] if job.get("hint") else []
    return [fact for fact in (_ahead((job.get("queue") or {}).get("position")), starts(job)) if fact]


def _ahead(place: int | None) -> str:
    if place is None:
        return ""
    if place <= 1:
        return say("next in line")
    return say("1 job is ahead") if place == 2 else say("{count} jobs are ahead", count=place - 1)


def _facts(job: Mapping[str, Any]) -> list[str]:
    progress = job["progress"]
    facts = [
        f"{progress.get('percent') or 0:.0f} %",
        f"{progress['step']}/{progress['total']}",
        speed(job),
        time_left(progress.get("eta_seconds")),
    ]
    return [fact for fact in facts if fact]


@dataclass
class Phase:
    """How long a phase lasts that no steps are counted of, such as an evaluation: so it is seen that something goes on.

    It is counted from the first look at it.
    """

    words: str = ""
    since: float = 0.0

    def lasting(self, job: Mapping[str, Any], now: float) -> str:
        """That it has lasted so long; empty in its first seconds, and where steps say how far it is."""
        words = headline(job)
        if words != self.words:
            self.words, self.since = words, now
        seconds = now - self.since
        if job["state"] != "running" or counts(job) or seconds < SILENT_SECONDS:
            return ""
        return say("for {count} s", count=f"{seconds:.0f}")


@dataclass
class Lines:
    """Plain progress: at once what is new in words, else a line every ten seconds; none twice."""

    write: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    _last: float = field(default=float("-inf"), repr=False)
    _headline: str = field(default="", repr=False)
    _line: str = field(default="", repr=False)
    _phase: "Phase" = field(default_factory=lambda: Phase(), repr=False)

    def show(self, job: Mapping[str, Any]) -> None:
        """Write a line if it is due and says something new."""
        now, words = self.clock(), headline(job)
        told = "  ".join(filter(None, [line(job), self._phase.lasting(job, now)]))
        if told != self._line and (words != self._headline or now - self._last >= LINE_SECONDS):
            self._last, self._headline, self._line = now, words, told
            self.write(told)


@contextmanager
def follow_on_screen(console: Any = None) -> Iterator[Show]:
    """A live bar; plain lines in a file or pipe, or where rich is not installed.

    What is yielded is to be given every look at the job.
    """
    console = console or _screen()
    if console is None:
        yield Lines(lambda text: print(text, file=sys.stderr, flush=True)).show
        return
    with _bar(console) as show:
        yield show


def _screen() -> Any:
    """Where a bar can be drawn: a terminal or a notebook; None where there is none."""
    if find_spec("rich") is None:
        return None
    from rich.console import Console

    console = Console(stderr=True)
    return console if console.is_terminal or console.is_jupyter else None


@contextmanager
def _bar(console: Any) -> Iterator[Show]:
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}"),
        TextColumn("{task.fields[percent]}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[facts]}"),
    )
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as bars:
        bar, phase = bars.add_task("", total=None, percent="", facts=""), Phase()

        def show(job: Mapping[str, Any]) -> None:
            percent, *facts = _facts(job) if counts(job) else ["", *_waits(job)]
            facts = [*facts, *filter(None, [phase.lasting(job, time.monotonic())])]
            progress = job.get("progress") or {}
            bars.update(
                bar,
                description=headline(job),
                total=progress.get("total") or None,
                completed=progress.get("step") or 0,
                percent=percent,
                facts="  ".join(facts),
                refresh=True,  # at every look, so no thread has to draw
            )

        yield show
