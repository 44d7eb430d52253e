"""Watching a job: a live bar in a terminal, a plain line every ten seconds elsewhere."""

import contextlib
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import click

from aigc import progress
from aigc.cli import advice
from aigc.cli.session import EXIT_JOB_FAILED, Session
from aigc.errors import ApiError, Unavailable
from aigc.notebook import number
from aigc.resources import Job

LINE_SECONDS = 10.0
RECONNECT_SECONDS = 3.0
AWAY_SECONDS = 600.0


@dataclass
class Lines:
    """Plain progress: at once what is new in words, else a line every ten seconds."""

    write: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    _last: float = field(default=float("-inf"), repr=False)
    _headline: str = field(default="", repr=False)

    def show(self, job: Mapping[str, Any]) -> None:
        """Write a line if it is due."""
        now, headline = self.clock(), progress.headline(job)
        if headline != self._headline or now - self._last >= LINE_SECONDS:
            self._last, self._headline = now, headline
            self.write(progress.line(job))


def watch(session: Session, job: Job) -> Job:
    """Show how a job goes until it has ended. A lost connection is tried again.

    Ctrl-C ends the watching, never the job.
    """
    try:
        if session.quiet or session.wants_json:
            return keep_looking(session, job, lambda _: None)
        if sys.stderr.isatty():
            with progress.follow_on_screen(session.console(stderr=True)) as show:
                keep_looking(session, job, show)
        else:
            keep_looking(session, job, Lines(lambda text: click.echo(text, err=True)).show)
    except KeyboardInterrupt:
        click.echo(f"Stopped watching; the job goes on. Cancel it with: aigc jobs cancel {job.id}", err=True)
        raise
    return job


def keep_looking(session: Session, job: Job, show: progress.Show) -> Job:
    """Show a job at every look until it has ended, through outages of the server.

    Raises:
        NotReachable: The server was away for more than ten minutes.
    """
    away_since: float | None = None

    def seen(raw: Mapping[str, Any]) -> None:
        nonlocal away_since
        away_since = None
        show(raw)

    while not job.is_final:
        try:
            for now in job.follow():
                seen(now.raw)
        except Unavailable:
            if away_since is None:
                away_since = time.monotonic()
                session.say("Connection lost. Trying again…")
            if time.monotonic() - away_since > AWAY_SECONDS:
                raise
            time.sleep(RECONNECT_SECONDS)
    return job


def conclude(session: Session, job: Job) -> int:
    """Say how a job ended and give the exit code for it."""
    if job.state == "succeeded":
        for line in figures(job.last_metrics):
            session.say(line)
        session.say(f"The job {job.id} succeeded.")
        return 0
    said = (job.error or {}).get("detail") or f"The job {job.id} was {job.state}."
    click.echo(f"Error: {said}", err=True)
    session.say(f"See its log with: aigc jobs logs {job.id}")
    if advice.suggested(job):
        with contextlib.suppress(ApiError):  # the job's end counts, not whether the server still answers
            session.say(f"Try it with: {advice.command(job, session.client.tasks.get(job.task))}")
    return EXIT_JOB_FAILED


def figures(metrics: Mapping[str, Any]) -> list[str]:
    """A job's figures, one a line, aligned."""
    width = max((len(name) for name in metrics), default=0)
    return [f"  {name:<{width}}  {number(value)}" for name, value in metrics.items()]
