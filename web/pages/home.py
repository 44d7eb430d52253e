"""Home: what can be made, each with an example that starts in one click, and the latest jobs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Blueprint, abort, redirect, render_template, url_for
from werkzeug.wrappers import Response

from aigc_models import registry
from aigc_models.data import kinds
from aigc_models.data.starters import STARTERS, Starter
from jobs.repository import Repository
from jobs.submit import Submission, submit
from jobs.tables import FINAL
from jobs.uploads import receive_starter
from web import context
from web.auth import scoped
from web.pages.estimates import Estimates
from web.pages.states import Situation, situation
from web.rates import limited
from web.translate import say
from web.waiting import watch

LATEST = 5
RECENT_DATASETS = 50
IMPORT_PATIENCE = 15.0

blueprint = Blueprint("home", __name__)


@dataclass(frozen=True, slots=True)
class Use:
    """Something a business wants, the task that makes it, and a picture with its words for who does not see it."""

    group: str
    task: str
    title: str
    sentence: str
    starter: str
    picture: str
    about: str = "Pictures of clothes drawn by this kind of model"


USES: Sequence[Use] = (
    Use(
        group="Content",
        task="image_gan.train",
        title="Product pictures",
        sentence="Draw new product pictures in the style of your own photos, by class if they are sorted into folders.",
        starter="fashion-mnist",
        picture="img/image_gan.png",
    ),
    Use(
        group="Content",
        task="image_vae.train",
        title="Picture variations",
        sentence="Blend, vary and rebuild pictures along a few numbers that describe them.",
        starter="fashion-mnist",
        picture="img/image_vae.png",
    ),
    Use(
        group="Content",
        task="text_transformer.train",
        title="Texts",
        sentence="Write product texts, news or reviews like your own, with the attributes you ask for or after a "
        "prompt.",
        starter="synthetic-products",
        picture="img/text_transformer.svg",
        about="A line that was given, and the text that goes on from it",
    ),
    Use(
        group="Content",
        task="text_vae.train",
        title="Other words",
        sentence="Write a sentence in other words, go from one sentence to another, or draw new ones.",
        starter="shakespeare",
        picture="img/text_vae.svg",
        about="Two sentences and the steps between them",
    ),
    Use(
        group="Data augmentation",
        task="table_vae.train",
        title="Synthetic rows",
        sentence="Make new rows like those of your own table, to test with or to share, and see how good they are.",
        starter="credit",
        picture="img/table_vae.svg",
        about="A table with made rows among real ones",
    ),
    Use(
        group="Data augmentation",
        task="table_gan.train",
        title="Rare cases",
        sentence="Make more rows of a value that is rare in your table, such as loans that were not paid back.",
        starter="credit",
        picture="img/table_gan.svg",
        about="A table of made rows, all with the value that was asked for",
    ),
    Use(
        group="Recommendation",
        task="sasrec.train",
        title="Recommendations",
        sentence="Say what each customer will want next, from what they did so far, and for which of it.",
        starter="synthetic-shop",
        picture="img/sasrec.svg",
        about="What somebody had, and beside it what is recommended to them",
    ),
    Use(
        group="Assistants",
        task="assistant.train",
        title="Help desk",
        sentence="Answer questions from your help pages and past dialogues, with the source of each sentence, or say "
        "that no answer is there.",
        starter="foundry-help",
        picture="img/assistant.svg",
        about="A question, and below it an answer with numbered sources",
    ),
    Use(
        group="Assistants",
        task="next_event.train",
        title="How-to guides",
        sentence="Learn from logs of what people do in a program what comes next, and draft step-by-step guides.",
        starter="synthetic-operations",
        picture="img/next_event.svg",
        about="Lines of a log, and beside them the steps of a guide",
    ),
)


def groups() -> dict[str, list[Use]]:
    """The uses whose family is installed, by what they are for."""
    found: dict[str, list[Use]] = {}
    for use in uses():
        found.setdefault(use.group, []).append(use)
    return found


def uses() -> list[Use]:
    """The uses whose family is installed."""
    known: Mapping[str, object] = registry.tasks()
    return [use for use in USES if use.task in known]


@blueprint.get("/")
def index() -> str:
    """Say what can be made and show the latest jobs."""
    reads = context.repository()
    latest: list[Situation] = [situation(job, reads) for job in reads.jobs(limit=LATEST).items]
    return render_template("home.html", groups=groups(), latest=latest, times=_times(reads), starters=starters())


def starters() -> list[Starter]:
    """The bundled datasets whose import is installed."""
    return [one for one in STARTERS.values() if one.kind in kinds.offered()]


def _times(reads: Repository) -> Mapping[str, str]:
    """How long each example would take, once its data has been looked at, and whether that was measured."""
    ready = {row.name: row.id for row in reads.datasets(limit=RECENT_DATASETS, ready_only=True).items}
    times = {}
    for use in uses():
        dataset = ready.get(STARTERS[use.starter].name)
        field = next(name for name, info in _inputs(use.task).items() if info == "dataset")
        cost = Estimates(use.task, reads).of({field: dataset}, "quick") if dataset else None
        if cost is not None:
            values = {"time": cost.time}
            measured = say("{time} with sample data, as such jobs took here", values)
            times[use.task] = measured if cost.jobs else say("{time} with sample data, reckoned", values)
    return times


@blueprint.post("/try/<task>")
@scoped("submit")
@limited("submissions")
def start_example(task: str) -> Response:
    """Register the starter and train on it with the quick preset; wait for its check, which takes seconds."""
    use = next((use for use in uses() if use.task == task), None)
    if use is None:
        abort(404)
    dataset, check = receive_starter(context.engine(), context.principal(), STARTERS[use.starter].name)
    shared = context.process()
    with shared.waits.hold() as taken:
        if taken and check.status not in FINAL:
            watch(shared.engine, check.id, lambda seen: seen.final or shared.stopping(), IMPORT_PATIENCE)
    if context.repository().dataset_state(dataset) != "ready":
        # The dataset's page moves by itself and offers the training as soon as the check has ended.
        wanted = urlencode({"then": task})
        return redirect(f"{url_for('pages.datasets.show', dataset_id=dataset.id)}?{wanted}")
    field = next(name for name, info in _inputs(task).items() if info == "dataset")
    wish = Submission(task=task, params={field: dataset.id}, preset="quick")
    made = submit(context.engine(), context.principal(), wish)
    return redirect(url_for("pages.job.show", job_id=made.job.id))


def _inputs(task: str) -> dict[str, str]:
    schema = registry.task(task).model_json_schema()["properties"]
    return {name: own["x-input"] for name, own in schema.items() if "x-input" in own}
