"""``aigc submit``: start a job from the command line."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from aigc import progress
from aigc.cli import completing, naming, personal, settings, times, watching
from aigc.cli.datasets import shown_upload
from aigc.cli.session import EXIT_USAGE, Command, report, session
from aigc.client import Client
from aigc.errors import ApiError, InvalidParams
from aigc.library import Dataset
from aigc.records import TaskRecord
from aigc.resources import Job
from aigc.speech import say


@dataclass(frozen=True, slots=True)
class Order:
    """What was typed after ``aigc submit``."""

    data: str | None
    pairs: tuple[str, ...]
    file: str | None
    preset: str | None
    name: str | None
    after: tuple[str, ...]
    watch: bool
    check: bool
    time_limit: int | None
    webhook: str | None
    webhook_events: str | None

    @property
    def hook(self) -> dict[str, Any] | None:
        """The webhook as the server reads it."""
        if self.webhook is None:
            if self.webhook_events:
                raise click.UsageError(say("--webhook-events needs --webhook."))
            return None
        chosen = [kind.strip() for kind in (self.webhook_events or "").split(",") if kind.strip()]
        return {"url": self.webhook, **({"events": chosen} if chosen else {})}


@click.command(cls=Command)
@click.argument("task", shell_complete=completing.tasks)
@click.option("--data", metavar="PATH|ID", help="The dataset: a file to upload, or an id or name of one.")
@click.option("-p", "pairs", metavar="KEY=VALUE", multiple=True, help="One setting; see them with: aigc tasks TASK.")
@click.option("--params", "file", metavar="FILE|-", help="Settings as a JSON object; -p wins over it.")
@click.option("--preset", help="Named settings that lie beneath yours, such as quick.")
@click.option("--name", help="What to call the job.")
@click.option(
    "--time-limit",
    metavar="TIME",
    callback=times.seconds,
    help="How long it may run: 90m, 2h, 1d. Then it fails and keeps its checkpoint.",
)
@click.option(
    "--after", metavar="ID", multiple=True, help="Wait until this job has succeeded; may be given several times."
)
@click.option("--watch", is_flag=True, help="Show how it goes until it has ended; exit with 3 if it fails.")
@click.option("--webhook", metavar="URL", help="Where to send what happens to the job, if the operator allows it.")
@click.option("--webhook-events", metavar="KINDS", help="Which events: state,phase,checkpoint,sample,log,end.")
@click.option("--check", is_flag=True, help="Only check the settings; nothing is started.")
def submit(task: str, **options: Any) -> int:
    """Start a job. Prints its id; aigc tasks TASK shows the settings."""
    order = Order(**options)
    client, record = session().client, None
    chosen: dict[str, Any] = {}
    try:
        record = client.tasks.get(task)
        chosen = _settings(client, record, order)
        if order.check:
            draft = client.jobs.check(task, chosen, preset=order.preset)
            if session().wants_json:
                session().show(draft, "")
            session().say("The settings are fine. Nothing was started.")
            return 0
        job = client.jobs.submit(
            task,
            chosen,
            preset=order.preset,
            name=order.name,
            after=[naming.job(client, text).id for text in order.after],
            webhook=order.hook,
            time_limit=order.time_limit,
        )
    except InvalidParams as error:
        report(error)
        if record is not None:
            _name_data(record, chosen)
        return EXIT_USAGE
    return started(job, follow=order.watch)


def _name_data(task: TaskRecord, chosen: Mapping[str, Any]) -> None:
    """Say how a dataset is named, where the task needs one and none was."""
    missing = [name for name in task.inputs("dataset") if name in task.required and name not in chosen]
    if missing:
        sentence = (
            "{task} needs a dataset ({kind}): --data with a file, or with the name or id of one. List them: {command}"
        )
        values = {"task": task.task, "kind": task.kind_of(missing[0]), "command": "aigc datasets list"}
        session().say(sentence, **values)


def started(job: Job, *, follow: bool) -> int:
    """Print a new job's id; watch it to its end where asked."""
    if not follow:
        session().show(job.raw, job.id)
        _tell_wait(job)
        session().say("Watch it: {command}", command=f"aigc jobs watch {job.id}")
        return 0
    if not session().wants_json:
        click.echo(job.id)
    watching.watch(session(), job)
    code = watching.conclude(session(), job)
    if session().wants_json:
        session().show(job.raw, "")
    return code


def _tell_wait(job: Job) -> None:
    """Say where a job stands in its queue and when it will start, where that is not soon."""
    if job.state != "queued" or session().quiet or session().wants_json:
        return
    with contextlib.suppress(ApiError):  # it was accepted, whether the server still answers or not
        if progress.waits_long(job.refresh().raw):
            session().tell(progress.line(job.raw))


def _settings(client: Client, task: TaskRecord, order: Order) -> dict[str, Any]:
    chosen = settings.from_file(order.file) if order.file else {}
    chosen |= settings.from_pairs(order.pairs, task)
    for field in task.inputs("model"):
        if isinstance(chosen.get(field), str) and not naming.is_job(chosen[field]):
            chosen[field] = naming.model(client, chosen[field], family=task.kind_of(field)).id
    for field in task.inputs("dataset"):
        if isinstance(chosen.get(field), str):
            found = naming.dataset(client, chosen[field], task.kind_of(field))
            chosen[field] = _told(found, task)
    if order.data:
        fields = task.inputs("dataset")
        if not fields:
            raise click.UsageError(say("{task} reads no dataset, so --data has no meaning for it.", task=task.task))
        chosen[fields[0]] = _told(_dataset(client, order.data, task.kind_of(fields[0]), check=order.check), task)
    return chosen


def _told(data: Dataset, task: TaskRecord) -> str:
    """The id of a dataset; what a model may learn of people from it was told."""
    if task.task.endswith(".train"):
        personal.tell(data)
    return data.id


def _dataset(client: Client, data: str, kind: str, *, check: bool) -> Dataset:
    """The dataset that ``--data`` names, uploading the file it names."""
    path = Path(data).expanduser()
    if not path.is_file():
        if path.suffix and not data.startswith("@"):
            raise click.UsageError(say("There is no file called {name}.", name=data))
        return naming.dataset(client, data, kind)
    if check:
        raise click.UsageError(say("--check starts nothing, so it uploads nothing. Use the id of a dataset."))
    session().say("Uploading {name} and checking it", name=path.name)
    with shown_upload(path) as tell:
        return client.datasets.upload(path, progress=tell)
