"""``aigc models``: see what was trained, and use it."""

from pathlib import Path
from typing import Any

import click

from aigc.cli import completing, figures, lists, naming, replies, settings, watching
from aigc.cli.acting import deleted, each, edited
from aigc.cli.session import EXIT_USAGE, Group, confirm_deletion, report, session
from aigc.cli.submit import started
from aigc.downloads import safe_name
from aigc.errors import InvalidParams
from aigc.library import Model
from aigc.records import TaskRecord
from aigc.speech import say

COMMANDS = ("generate", "recommend", "reply")


@click.group(cls=Group)
def models() -> None:
    """See what was trained, and use it.

    ID may be a whole id, a unique beginning or end of one, a name (its newest version), or @last.
    """


@models.command("list")
@click.option("--family", help="Only models of this family.")
@click.option("--use", "operation", help="Only models that can do this: generate, recommend, reply, ...")
@click.option("--search", "q", help="Only models whose name or id holds this text.")
@click.option("-L", "--limit", default=20, show_default=True, type=click.IntRange(1), help="At most this many.")
def list_(limit: int, **filters: str | None) -> None:
    """List the newest model versions."""
    client, chosen = session().client, {name: value for name, value in filters.items() if value}
    found = client.models.list(limit=limit, **chosen)
    if not found:
        naming.say_empty(client, "model", filtered=bool(chosen))
    known = {family: figures.of_task(client, f"{family}.train") for family in {item.family for item in found}}
    rows = [
        [item.id, f"{item.name} v{item.version}", item.family, figures.short(item.metrics, known[item.family])]
        for item in found
    ]
    session().table(("id", "name", "family", "figures"), rows, [item.raw for item in found])


@models.command()
@click.argument("model_id", metavar="ID", shell_complete=completing.models)
def show(model_id: str) -> None:
    """Show one model version."""
    item = naming.model(session().client, model_id)
    known = figures.of_task(session().client, f"{item.family}.train")
    told = [f"  {line}" for line in figures.lines(item.metrics, known, item.raw.get("judgements"), everything=True)]
    text = [f"{item.name} v{item.version}  {item.id}", item.family, *told]
    origin = {"Job": item.job, "Dataset": item.dataset, "Page": item.web_url}
    session().show(item.raw, "\n".join([*text, *(f"{say(name)}: {value}" for name, value in origin.items() if value)]))


@models.command()
@click.argument("model_id", metavar="ID", shell_complete=completing.models)
@click.option("-o", "--output", default=".", show_default=True, type=click.Path(file_okay=False, path_type=Path))
def download(model_id: str, output: Path) -> None:
    """Save a model's files (weights, configuration) into a folder; prints their paths."""
    saved = [str(path) for path in naming.model(session().client, model_id).download(output)]
    session().show(saved, "\n".join(saved))


@models.command()
@click.argument("model_id", metavar="ID", shell_complete=completing.models)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="The ZIP to write, or a folder for it; default: here."
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def export(model_id: str, output: Path | None, force: bool) -> None:
    """Save a model as one ZIP: weights, card, settings, figures and licence.

    Prints the path of the ZIP.
    """
    model = naming.model(session().client, model_id)
    target, name = output or Path(), f"{safe_name(model.name).name}-v{model.version}.zip"
    target = target / name if target.is_dir() else target
    if target.exists() and not force:
        raise click.UsageError(say("{path} is there already. Say --force to write over it.", path=target))
    model.export(target)
    session().show({"id": model.id, "path": str(target)}, str(target))


@models.command()
@click.argument("model_id", metavar="ID", shell_complete=completing.models)
def card(model_id: str) -> None:
    """Print a model's card as Markdown: data, intended use, limits, licence, figures."""
    model = naming.model(session().client, model_id)
    session().show({"id": model.id, "card": model.card}, model.card_text())


@models.command()
@click.argument("model_id", metavar="ID", shell_complete=completing.models)
@click.option("--intended-use", help="What it is meant for.")
@click.option("--limits", help="What it cannot do, and what it must not be used for.")
@click.option("--licence", help="Under what terms it may be used.")
@click.option("--notes", help="Anything else worth knowing.")
def edit(model_id: str, **parts: str | None) -> int:
    """Write parts of a model's card; what is not named stays, an empty text removes a part."""
    model = naming.model(session().client, model_id)
    return edited(parts, lambda changes: model.write_card(**changes))


@models.command()
@click.argument("model_id", metavar="ID", shell_complete=completing.models)
@click.argument("alias", metavar="ALIAS", type=click.Choice(naming.ALIASES))
@click.option("--replaces", metavar="ID", help="Only if the alias stands for this version so far; - for none.")
def promote(model_id: str, alias: str, replaces: str | None) -> None:
    """Let production or staging stand for a model, instead of another version of its name."""
    client = session().client
    model = naming.model(client, model_id)
    if replaces is None:
        model.promote(alias)
    else:
        model.promote(alias, replaces=None if replaces == "-" else naming.model(client, replaces).id)
    session().show(model.raw, say("{name} is {id} now", name=f"{model.name}@{alias}", id=model.id))


@models.command()
@click.argument("model_id", metavar="ID", shell_complete=completing.models)
@click.argument("alias", metavar="ALIAS", type=click.Choice(naming.ALIASES))
def demote(model_id: str, alias: str) -> None:
    """Take production or staging from a model; it stands for none then."""
    model = naming.model(session().client, model_id).demote(alias)
    session().show(model.raw, say("{name} stands for no version now", name=f"{model.name}@{alias}"))


@models.command()
@click.argument("model_ids", metavar="ID...", nargs=-1, required=True, shell_complete=completing.models)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def delete(model_ids: tuple[str, ...], yes: bool) -> int:
    """Delete model versions that no job reads, with the jobs that trained them."""
    confirm_deletion(model_ids, yes=yes)

    def remove(model: Model) -> Model:
        model.delete()
        return model

    return each(model_ids, naming.model, remove, deleted)


def _task(model: Model, operation: str) -> TaskRecord:
    """The task of a use of a model; of a use that its family does not know, those that it knows are told."""
    known = {task.task: task for task in session().client.tasks.list()}
    if f"{model.family}.{operation}" in known:
        return known[f"{model.family}.{operation}"]
    uses = [
        f"aigc models {name} {model.name}" if name in COMMANDS else f"aigc submit {task} -p model={model.name}"
        for task in known
        for family, _, name in [task.partition(".")]
        if family == model.family and name not in ("train", "evaluate")
    ]
    sentence = "{name} is a {family}, which has no {operation}. Use it with: {commands}"
    values = {"name": model.name, "family": model.family, "operation": operation, "commands": "; ".join(uses)}
    raise click.UsageError(say(sentence, **values))


@models.command()
@click.argument("model_id", metavar="ID", shell_complete=completing.models)
@click.option("-p", "pairs", metavar="KEY=VALUE", multiple=True, help="One setting, such as -p count=64.")
@click.option("--name", help="What to call the job.")
@click.option("--watch", is_flag=True, help="Show how it goes until it has ended; exit with 3 if it fails.")
def generate(model_id: str, **options: Any) -> int:
    """Make something new with a model. Prints the job's id."""
    client = session().client
    try:
        model = naming.model(client, model_id, operation="generate")
        task = _task(model, "generate")
        chosen = settings.from_pairs(options["pairs"], task)
        job = client.models.generate(model, chosen, name=options["name"])
    except InvalidParams as error:
        report(error)
        return EXIT_USAGE
    return started(job, follow=options["watch"])


@models.command()
@click.argument("model_id", metavar="ID", shell_complete=completing.models)
@click.option("-p", "pairs", metavar="KEY=VALUE", multiple=True, help="One setting, such as -p users=anna.")
@click.option("--name", help="What to call the job.")
@click.option("--watch", is_flag=True, help="Wait for the end and print the lists; exit with 3 if it fails.")
def recommend(model_id: str, **options: Any) -> int:
    """Ask a model for recommendations. Prints the job's id, or with --watch a table."""
    client = session().client
    try:
        model = naming.model(client, model_id, operation="recommend")
        task = _task(model, "recommend")
        chosen = settings.from_pairs(options["pairs"], task)
        job = client.models.recommend(model, chosen, name=options["name"])
    except InvalidParams as error:
        report(error)
        return EXIT_USAGE
    if not options["watch"]:
        return started(job, follow=False)
    watching.watch(session(), job)
    code = watching.conclude(session(), job)
    if job.state == "succeeded":
        lists.show(job.recommendations())
    return code


@models.command()
@click.argument("model_id", metavar="ID", shell_complete=completing.models)
@click.argument("question", metavar="QUESTION")
@click.option("-p", "pairs", metavar="KEY=VALUE", multiple=True, help="One setting, such as -p sources=1.")
@click.option("--earlier", metavar="QUESTION", multiple=True, help="What was asked before, the oldest first.")
@click.option("--name", help="What to call the job.")
@click.option("--no-watch", is_flag=True, help="Print the job's id at once instead of the answer.")
def reply(model_id: str, question: str, **options: Any) -> int:
    """Ask an assistant. Prints the answer with its sources; exits with 3 if there is none because it failed."""
    client = session().client
    try:
        model = naming.model(client, model_id)
        task = _task(model, "reply")
        chosen = {**settings.from_pairs(options["pairs"], task), "question": question}
        if options["earlier"]:
            chosen["history"] = list(options["earlier"])
        job = client.models.reply(model, chosen, name=options["name"])
    except InvalidParams as error:
        report(error)
        return EXIT_USAGE
    if options["no_watch"]:
        return started(job, follow=False)
    watching.watch(session(), job)
    code = watching.conclude(session(), job)
    if job.state == "succeeded":
        replies.show(job.reply())
    return code
