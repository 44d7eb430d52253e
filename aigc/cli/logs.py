"""``aigc jobs logs``: what a job wrote, once or as it goes."""

import json

import click

from aigc.cli import completing, naming, watching
from aigc.cli.session import Command, session
from aigc.records import Event, LogLine
from aigc.resources import Job


@click.command(cls=Command)
@click.argument("job_id", metavar="ID", shell_complete=completing.jobs)
@click.option("-f", "--follow", is_flag=True, help="Go on with new lines until the job has ended.")
@click.option("--tail", metavar="N", type=click.IntRange(1), help="Only the last lines.")
@click.option("--level", help="Only lines of this level, such as warning.")
@click.option("--search", help="Only lines that hold this text.")
def logs(job_id: str, follow: bool, tail: int | None, level: str | None, search: str | None) -> None:
    """Print a job's log. Ctrl-C leaves the job running."""
    job = naming.job(session().client, job_id)
    lines = job.log_lines(level=level, search=search)
    shown = lines[-tail:] if tail else lines
    if session().wants_json and not follow:
        session().show([_raw(line) for line in shown], "")
        return
    for line in shown:
        _print(line)
    if not follow:
        return
    try:
        _follow(job, lines[-1].seq if lines else 0, level, search)
    except KeyboardInterrupt:
        watching.stopped(job)
        raise


def _follow(job: Job, after: int, level: str | None, search: str | None) -> None:
    for event in job.events(after):
        if event.kind == "log":
            line = _line(event)
            if level in (None, line.level) and (search or "").casefold() in line.message.casefold():
                _print(line)


def _line(event: Event) -> LogLine:
    return LogLine(event.seq, event.at, str(event.data.get("level", "info")), str(event.data.get("message", "")))


def _raw(line: LogLine) -> dict[str, object]:
    return {"seq": line.seq, "at": line.at.isoformat(), "level": line.level, "message": line.message}


def _print(line: LogLine) -> None:
    """As text; as JSON one object a line, since nobody knows how many are to come."""
    click.echo(json.dumps(_raw(line), ensure_ascii=False) if session().wants_json else str(line))
