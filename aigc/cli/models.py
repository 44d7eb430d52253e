"""``aigc models``: see what was trained, and use it."""

from pathlib import Path
from typing import Any

import click

from aigc.cli import naming, settings, watching
from aigc.cli.session import EXIT_USAGE, Group, report, session
from aigc.cli.submit import started
from aigc.errors import InvalidParams
from aigc.notebook import number


@click.group(cls=Group)
def models() -> None:
    """See what was trained, and use it."""


@models.command("list")
@click.option("--family", help="Only models of this family.")
@click.option("-L", "--limit", default=20, show_default=True, type=click.IntRange(1), help="At most this many.")
def list_(family: str | None, limit: int) -> None:
    """List the newest model versions."""
    found = session().client.models.list(limit=limit, **({"family": family} if family else {}))
    rows = []
    for item in found:
        first = ", ".join(f"{name} {number(value)}" for name, value in list(item.metrics.items())[:3])
        rows.append([item.id, f"{item.name} v{item.version}", item.family, first])
    session().table(("id", "name", "family", "figures"), rows, [item.raw for item in found])


@models.command()
@click.argument("model_id", metavar="ID")
def show(model_id: str) -> None:
    """Show one model version."""
    item = naming.model(session().client, model_id)
    text = [f"{item.name} v{item.version}  {item.id}", item.family, *watching.figures(item.metrics)]
    origin = {"Job": item.job, "Dataset": item.dataset, "Page": item.web_url}
    session().show(item.raw, "\n".join([*text, *(f"{name}: {value}" for name, value in origin.items() if value)]))


@models.command()
@click.argument("model_id", metavar="ID")
@click.option("-o", "--output", default=".", show_default=True, type=click.Path(file_okay=False, path_type=Path))
def download(model_id: str, output: Path) -> None:
    """Save a model's files (weights, configuration) into a folder; prints their paths."""
    for path in naming.model(session().client, model_id).download(output):
        click.echo(path)


@models.command()
@click.argument("model_id", metavar="ID")
@click.option("-p", "pairs", metavar="KEY=VALUE", multiple=True, help="One setting, such as -p count=64.")
@click.option("--name", help="What to call the job.")
@click.option("--watch", is_flag=True, help="Show how it goes until it has ended; exit with 3 if it fails.")
def generate(model_id: str, **options: Any) -> int:
    """Make something new with a model. Prints the job's id."""
    client = session().client
    try:
        model = naming.model(client, model_id)
        task = client.tasks.get(f"{model.family}.generate")
        chosen = settings.from_pairs(options["pairs"], task)
        job = client.models.generate(model, chosen, name=options["name"])
    except InvalidParams as error:
        report(error)
        return EXIT_USAGE
    return started(job, follow=options["watch"])
