"""``aigc jobs compare``: where jobs differ, settings and figures side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from aigc.cli import completing, figures, naming
from aigc.cli.session import Command, session
from aigc.notebook import number
from aigc.resources import Job
from aigc.speech import say


@click.command(cls=Command)
@click.argument("job_ids", metavar="ID ID...", nargs=-1, required=True, shell_complete=completing.jobs)
@click.option("--all", "everything", is_flag=True, help="Show also what is the same in all of them.")
def compare(job_ids: tuple[str, ...], everything: bool) -> None:
    """Compare jobs: the settings and figures in which they differ."""
    if len(job_ids) < 2:
        raise click.UsageError(say("Name at least two jobs to compare."))
    jobs = [naming.job(session().client, job_id) for job_id in job_ids]
    rows = [row for row in side_by_side(jobs) if everything or row["differs"]]
    known = figures.of_task(session().client, jobs[0].task)
    cells = [[_title(str(row["field"]), known), *(_shown(value) for value in row["values"].values())] for row in rows]
    if session().wants_json or cells:
        heads = [job.name or job.id for job in jobs]
        session().table(("", *heads), cells, rows)
    else:
        session().say("These jobs do not differ.")


def _title(field: str, known: figures.Known) -> str:
    """What a row is called: figures by their titles, all else by its field."""
    name = field.removeprefix("metrics.")
    return str(known.get(name, {}).get("title") or name) if name != field else field


def side_by_side(jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """What jobs were told and what came of it: a row for each fact, its values by the jobs' ids."""
    kinds = {"": [_facts(job) for job in jobs], "params.": [job.params for job in jobs]}
    kinds["metrics."] = [job.last_metrics for job in jobs]
    rows = []
    for prefix, found in kinds.items():
        for name in dict.fromkeys(name for one in found for name in one):
            values = [one.get(name) for one in found]
            differs = any(value != values[0] for value in values)
            by_id = dict(zip((job.id for job in jobs), values, strict=True))
            rows.append({"field": f"{prefix}{name}", "differs": differs, "values": by_id})
    return rows


def _facts(job: Job) -> Mapping[str, Any]:
    started, ended = job.started_at, job.finished_at
    seconds = round((ended - started).total_seconds(), 1) if started and ended else None
    return {"id": job.id, "task": job.task, "state": job.state, "dataset": job.dataset, "seconds": seconds}


def _shown(value: Any) -> str:
    return "" if value is None else number(value)
