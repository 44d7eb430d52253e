"""Watching a job: a live bar in a terminal, a plain line every ten seconds elsewhere."""

import contextlib
import sys
import time
from collections.abc import Mapping
from typing import Any

import click

from aigc import progress
from aigc.cli import advice, figures
from aigc.cli.session import EXIT_JOB_FAILED, Session, complain
from aigc.errors import ApiError, Unavailable
from aigc.program import here
from aigc.resources import Job
from aigc.speech import say

RECONNECT_SECONDS = 3.0
AWAY_SECONDS = 600.0


def watch(session: Session, job: Job, interval: float | None = None) -> Job:
    """Show how a job goes until it has ended. A lost connection is tried again.

    Ctrl-C ends the watching, never the job.

    Args:
        session: Where to show it.
        job: What to watch.
        interval: Seconds between two looks; without it the server tells every change at once.
    """
    try:
        if session.quiet or session.wants_json:
            return keep_looking(session, job, lambda _: None, interval)
        if sys.stderr.isatty():
            with progress.follow_on_screen(session.console(stderr=True)) as show:
                keep_looking(session, job, show, interval)
        else:
            lines = progress.Lines(lambda text: click.echo(here(text), err=True))
            keep_looking(session, job, lines.show, interval)
    except KeyboardInterrupt:
        stopped(job)
        raise
    return job


def stopped(job: Job) -> None:
    """Say that only the watching has ended."""
    told = say("Stopped watching; the job goes on. Cancel it with: {command}", command=f"aigc jobs cancel {job.id}")
    click.echo(here(told), err=True)


def keep_looking(session: Session, job: Job, show: progress.Show, interval: float | None = None) -> Job:
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
            for now in job.follow(interval=interval):
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
        if job.last_metrics and not session.quiet:
            known = figures.of_task(session.client, job.task)
            for line in figures.lines(job.last_metrics, known, job.raw.get("judgements")):
                session.tell(f"  {line}")
        if job.raw.get("verdict"):
            session.tell(str(job.raw["verdict"]))
        session.say("The job {job} succeeded.", job=job.id)
        return 0
    said = (job.error or {}).get("detail") or say("The job {job} was cancelled.", job=job.id)
    complain(str(said))
    session.say("See its log with: {command}", command=f"aigc jobs logs {job.id}")
    if advice.suggested(job):
        with contextlib.suppress(ApiError):  # the job's end counts, not whether the server still answers
            command = advice.command(job, session.client.tasks.get(job.task))
            session.say("Try it with: {command}", command=command)
    return EXIT_JOB_FAILED
