"""``aigc jobs``: list, look at, watch, stop, hold, repeat and fetch."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import click

from aigc import progress
from aigc.cli import completing, figures, lists, naming, replies, settings, watching
from aigc.cli.acting import deleted, each, edited
from aigc.cli.comparing import compare
from aigc.cli.logs import logs
from aigc.cli.session import EXIT_ERROR, EXIT_USAGE, Group, confirm_deletion, report, session
from aigc.cli.submit import started
from aigc.downloads import safe_name
from aigc.errors import InvalidParams
from aigc.notebook import number
from aigc.resources import Artifact, Job
from aigc.speech import say

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def since(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """A time as "2h" or "3d" ago, or as a date in ISO form: given in RFC 3339, UTC."""
    if value is None:
        return None
    text = value.strip()
    if text[:-1].isdigit() and text[-1] in _UNITS:
        moment = datetime.now(UTC) - timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
    else:
        try:
            moment = datetime.fromisoformat(text).astimezone(UTC)
        except ValueError:
            raise click.BadParameter(say("{text} is no time. Write 30m, 2h, 3d or 2026-01-31.", text=text)) from None
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


@click.group(cls=Group)
def jobs() -> None:
    """See, watch, stop, hold, repeat and fetch jobs.

    ID may be a whole id, a unique beginning or end of one, a name, or @last.
    """


@jobs.command("list")
@click.option("--state", multiple=True, help="Only jobs in this state; may be given several times.")
@click.option("--task", shell_complete=completing.tasks, help="Only jobs of this task.")
@click.option("--search", "q", help="Only jobs whose name or id holds this text.")
@click.option(
    "--since", "created_after", metavar="TIME", callback=since, help="Only jobs made since then: 2h, 3d, 2026-01-31."
)
@click.option("--imports", is_flag=True, help="Show imports of datasets, too.")
@click.option("-L", "--limit", default=20, show_default=True, type=click.IntRange(1), help="At most this many.")
def list_(limit: int, imports: bool, **filters: Any) -> None:
    """List the newest jobs, without imports of datasets."""
    chosen = {name: value for name, value in filters.items() if value}
    found = session().client.jobs.list(limit=limit, **chosen, **({} if imports else {"imports": "false"}))
    if not found:
        naming.say_empty(session().client, "job", filtered=bool(chosen))
    rows = [[job.id, job.name, job.task, progress.line(job.raw), age(job)] for job in found]
    session().table(("id", "name", "task", "state", "made"), rows, [job.raw for job in found])


@jobs.command()
@click.argument("job_id", metavar="ID", shell_complete=completing.jobs)
@click.option("--web", is_flag=True, help="Open its page in the browser instead.")
def view(job_id: str, web: bool) -> None:
    """Show one job: state, figures, settings, what it made."""
    job = naming.job(session().client, job_id)
    if web:
        from aigc.cli.browse import browse

        browse(session(), job.web_url or f"/jobs/{job.id}")
    else:
        session().show(job.raw, describe(job))


@jobs.command()
@click.argument("job_id", metavar="ID", shell_complete=completing.jobs)
@click.option("--exit-status", is_flag=True, help="Exit with 3 when the job does not succeed; it always does.")
@click.option(
    "--interval",
    metavar="SECONDS",
    type=click.FloatRange(min=0.1),
    help="Look this often; else the server tells every change at once.",
)
def watch(job_id: str, interval: float | None, **_: Any) -> int:
    """Show how a job goes until it has ended; exit with 3 if it does not succeed. Ctrl-C leaves the job running."""
    job = watching.watch(session(), naming.job(session().client, job_id), interval)
    code = watching.conclude(session(), job)
    if session().wants_json:
        session().show(job.raw, "")
    return code


jobs.add_command(logs)
jobs.add_command(compare)


@jobs.command()
@click.argument("job_id", metavar="ID", shell_complete=completing.jobs)
@click.option("--name", help="What to call it, and the model version that it makes.")
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="Its tags, all of them; may be given several times.")
@click.option("--no-tags", is_flag=True, help="Take all its tags away.")
@click.option("--notes", help="What people should know about it.")
def edit(job_id: str, tags: tuple[str, ...], no_tags: bool, **words: str | None) -> int:
    """Change what a job is called, its tags or its notes; what is not named stays."""
    if tags and no_tags:
        raise click.UsageError(say("Say --tag or --no-tags, not both."))
    job = naming.job(session().client, job_id)
    chosen = list(tags) if tags or no_tags else None
    return edited(words | {"tags": chosen}, lambda changes: job.update(**changes))


@jobs.command()
@click.argument("job_ids", metavar="ID...", nargs=-1, required=True, shell_complete=completing.jobs)
def cancel(job_ids: tuple[str, ...]) -> int:
    """Stop jobs. A queued one is cancelled at once, a running one after its current step."""

    return each(job_ids, naming.unfinished, Job.cancel, _now)


@jobs.command()
@click.argument("job_ids", metavar="ID...", nargs=-1, required=True, shell_complete=completing.jobs)
def pause(job_ids: tuple[str, ...]) -> int:
    """Hold jobs until they are resumed. A running one is held at its next checkpoint."""
    return each(job_ids, naming.unfinished, Job.pause, _now)


@jobs.command()
@click.argument("job_ids", metavar="ID...", nargs=-1, required=True, shell_complete=completing.jobs)
def resume(job_ids: tuple[str, ...]) -> int:
    """Let paused jobs go on where they stopped."""
    return each(job_ids, naming.unfinished, Job.resume, _now)


@jobs.command()
@click.argument("job_ids", metavar="ID...", nargs=-1, required=True, shell_complete=completing.jobs)
@click.option("--from-checkpoint", is_flag=True, help="Go on from the last checkpoint, if one was kept.")
def retry(job_ids: tuple[str, ...], from_checkpoint: bool) -> int:
    """Submit ended jobs again as new ones; prints the new ids."""
    return each(job_ids, naming.ended, lambda job: job.retry(from_checkpoint=from_checkpoint), lambda new: new.id)


@jobs.command()
@click.argument("job_id", metavar="ID", shell_complete=completing.jobs)
@click.option("-p", "pairs", metavar="KEY=VALUE", multiple=True, help="One setting that differs.")
@click.option("--name", help="What to call the new job.")
@click.option("--watch", is_flag=True, help="Show how it goes until it has ended; exit with 3 if it fails.")
def duplicate(job_id: str, pairs: tuple[str, ...], name: str | None, watch: bool) -> int:
    """Submit a job's settings as a new job, some of them changed; prints the new id."""
    client = session().client
    job = naming.job(client, job_id)
    try:
        changed = settings.from_pairs(pairs, client.tasks.get(job.task)) if pairs else {}
        return started(job.duplicate(changed, name=name), follow=watch)
    except InvalidParams as error:
        report(error)
        return EXIT_USAGE


@jobs.command()
@click.argument("job_ids", metavar="ID...", nargs=-1, required=True, shell_complete=completing.jobs)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def delete(job_ids: tuple[str, ...], yes: bool) -> int:
    """Delete jobs that have ended, and their files."""
    confirm_deletion(job_ids, yes=yes)

    def remove(job: Job) -> Job:
        job.delete()
        return job

    return each(job_ids, naming.ended, remove, deleted)


@jobs.command()
@click.argument("job_id", metavar="ID", shell_complete=completing.jobs)
@click.option("-o", "--output", default=".", show_default=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--pattern", default="*", show_default=True, help="Only files whose name fits: '*.png'.")
@click.option("--force", is_flag=True, help="Write over other files of the same names.")
def download(job_id: str, output: Path, pattern: str, force: bool) -> int:
    """Save a job's result files into a folder; prints their paths."""
    job = naming.job(session().client, job_id, fits=("succeeded",))
    wanted = [] if force else [file for file in job.artifacts("output") if fnmatch(file.name, pattern)]
    if other := next((path for file in wanted if (path := taken(file, output))), None):
        raise click.UsageError(say("{path} is there already. Say --force to write over it.", path=other))
    saved = job.download(output, pattern)
    session().show([str(path) for path in saved], "\n".join(str(path) for path in saved))
    if not saved and not job.is_final:
        command = f"aigc jobs watch {job.id}"
        session().say("The job has not ended, so it has no results yet. Watch it: {command}", command=command)
    elif not saved:
        session().say("No result file of this job fits {pattern}.", pattern=pattern)
    return 0 if saved else EXIT_ERROR


@jobs.command()
@click.argument("job_id", metavar="ID", shell_complete=completing.jobs)
@click.option("--user", help="Only the list of this user.")
def recommendations(job_id: str, user: str | None) -> None:
    """Print what a job recommends as a table, at most the first 200 lists."""
    job = naming.job(session().client, job_id, fits=("succeeded",), operation="recommend")
    lists.show(job.recommendations(user))


@jobs.command()
@click.argument("job_id", metavar="ID", shell_complete=completing.jobs)
def reply(job_id: str) -> None:
    """Print what an assistant said, with its sources."""
    replies.show(naming.job(session().client, job_id, fits=("succeeded",), operation="reply").reply())


@jobs.command()
@click.argument("job_id", metavar="ID", shell_complete=completing.jobs)
@click.argument("verdict", type=click.Choice(["up", "down"]))
@click.option("--better", metavar="TEXT", default="", help="What should have been said.")
def judge(job_id: str, verdict: str, better: str) -> None:
    """Say what you think of a reply; it can become part of the next dataset."""
    job = naming.job(session().client, job_id, fits=("succeeded",), operation="reply")
    job.judge(verdict, better)
    session().say("Kept. Thank you.")


def taken(file: Artifact, folder: Path) -> Path | None:
    """Where a file would be saved, if another one is there; the same bytes are none."""
    path = folder / safe_name(file.name)
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        return path if hashlib.file_digest(stream, "sha256").hexdigest() != file.sha256 else None


def _now(job: Job) -> str:
    return f"{job.id} {progress.headline(job.raw).lower()}"


def age(job: Job) -> str:
    """How long ago a job was made."""
    if job.created_at is None:
        return ""
    seconds = (datetime.now(UTC) - job.created_at).total_seconds()
    for size, words in ((86400, "{count} d ago"), (3600, "{count} h ago"), (60, "{count} min ago")):
        if seconds >= size:
            return say(words, count=f"{seconds // size:.0f}")
    return say("{count} s ago", count=f"{max(0, seconds):.0f}")


def _below(lines: Iterable[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


def _energy(spent: Mapping[str, Any]) -> str:
    wasted = number(float(spent["wasted_watt_hours"]))
    sentence = "{amount} Wh, {wasted} Wh of it for work that was lost"
    told = [say(sentence, amount=number(float(spent["watt_hours"])), wasted=wasted)]
    if spent["cost"] is not None:
        told.append(f"{spent['cost']:.4g} {spent['currency']}")
    if spent["source"] in ("estimate", "mixed"):
        told.append(say("estimated"))
    return ", ".join(told)


def describe(job: Job) -> str:
    """One job as text."""
    lines = [f"{job.name or job.task}  {job.id}", progress.line(job.raw)]
    if job.error:
        lines.append(str(job.error.get("detail") or job.error.get("title") or ""))
    if job.last_metrics:
        known = figures.of_task(session().client, job.task)
        lines += [
            say("Figures"),
            *_below(figures.lines(job.last_metrics, known, job.raw.get("judgements"), everything=True)),
        ]
    if job.raw.get("verdict"):
        lines.append(str(job.raw["verdict"]))
    if job.params:
        lines += [say("Settings"), *_below(figures.aligned(job.params))]
    if spent := job.raw.get("energy"):
        lines.append(f"{say('Energy')}: {_energy(spent)}")
    made: Mapping[str, Any] = {"Model": job.model, "Dataset": job.dataset, "Page": job.web_url}
    return "\n".join([*lines, *(f"{say(name)}: {value}" for name, value in made.items() if value)])
