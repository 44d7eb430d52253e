"""``aigc datasets``: bring data in and see what is there."""

from pathlib import Path

import click

from aigc.cli import naming, watching
from aigc.cli.session import Group, session
from aigc.resources import Dataset


@click.group(cls=Group)
def datasets() -> None:
    """Bring data in and see what is there."""


@datasets.command()
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.option("--starter", help="Register a dataset that comes with the product instead, such as fashion-mnist.")
@click.option("--name", help="What to call it.")
@click.option("--licence", default="", help="Under what terms it may be used.")
@click.option("--notes", default="", help="Anything to remember about it.")
def add(path: Path | None, starter: str | None, name: str | None, licence: str, notes: str) -> None:
    """Upload a file, have it checked, and print the id of the dataset."""
    if (path is None) == (starter is None):
        raise click.UsageError("Name a file, or a starter with --starter; not both.")
    client = session().client
    if path is not None:
        session().say(f"Uploading {path.name} and checking it")
        made = client.datasets.upload(path, name, licence=licence, notes=notes)
    else:
        made = client.datasets.starter(str(starter))
    for warning in made.report.get("warnings", []):
        session().say(f"Note: {warning}")
    session().show(made.raw, made.id)


@datasets.command("list")
@click.option("-L", "--limit", default=20, show_default=True, type=click.IntRange(1), help="At most this many.")
def list_(limit: int) -> None:
    """List the newest datasets."""
    found = session().client.datasets.list(limit=limit)
    rows = [[item.id, f"{item.name} v{item.version}", item.kind, item.state, size(item)] for item in found]
    session().table(("id", "name", "kind", "state", "holds"), rows, [item.raw for item in found])


@datasets.command()
@click.argument("dataset_id", metavar="ID")
def show(dataset_id: str) -> None:
    """Show one dataset and what its check found."""
    item = naming.dataset(session().client, dataset_id)
    facts = {name: value for name, value in item.report.items() if not isinstance(value, dict)}
    text = [f"{item.name} v{item.version}  {item.id}", f"{item.kind}, {item.state}", *watching.figures(facts)]
    session().show(item.raw, "\n".join([*text, *([f"Page: {item.web_url}"] if item.web_url else [])]))


def size(item: Dataset) -> str:
    """How much a dataset holds."""
    train, test = item.report.get("train"), item.report.get("test")
    return f"{train} + {test}" if train is not None else ""
