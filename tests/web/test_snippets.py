"""Every command that a page offers to copy is one that the command line takes."""

import shlex
from pathlib import Path

import click
import pytest
from flask import Flask

from aigc.cli.root import root
from aigc.cli.session import Session
from web.pages import snippets

MODEL, JOB = "mdl_0123456789abcdef", "job_0123456789abcdef"


def parsed(line: str) -> dict[str, object]:
    """What the command line's own parser makes of a command; nothing is run.

    Raises:
        click.UsageError: It takes no such command.
    """
    current = Session()
    name, *arguments = shlex.split(line)
    command: click.Command = root
    context: click.Context | None = None
    while isinstance(command, click.Group):
        context = command.make_context(name, arguments, context, obj=current)
        found, child, arguments = command.resolve_command(context, [*context._protected_args, *context.args])
        assert child is not None
        name, command = found or name, child
    return command.make_context(name, arguments, context, obj=current).params


@pytest.mark.parametrize("operation", ["generate", "recommend", "reply"])
def test_the_command_of_a_models_use(app: Flask, operation: str) -> None:
    question = "How do I print the agent's page?"
    params = {"question": question, "sources": 1} if operation == "reply" else {"count": 4}
    with app.test_request_context():
        text = next(one.text for one in snippets.model(MODEL, params, operation) if one.key == "cli")
    found = parsed(text)
    assert found["model_id"] == MODEL
    if operation == "reply":
        assert (found["question"], found["pairs"], found["no_watch"]) == (question, ("sources=1",), False)
    else:
        assert (found["pairs"], found["watch"]) == (("count=4",), True)


def test_the_commands_of_jobs_and_datasets(app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {
        "task": "image_gan.train",
        "params": {"dataset": "dst_1", "epochs": 2, "name": "a 'quoted' one"},
        "preset": "quick",
        "name": "two words",
        "time_limit": 7200,
        "after": [JOB],
        "webhook": {"url": "https://example.org/hook"},
    }
    monkeypatch.chdir(tmp_path)
    with app.test_request_context():
        found = [*snippets.submit(body)]
        found += [one for operation in ("train", "recommend", "reply") for one in snippets.job(JOB, operation)]
        for kind in ("", "images", "table", "interactions", "text", "event_log", "language_model"):
            found += snippets.dataset(kind)
    commands = [line for one in found if one.key == "cli" for line in one.text.replace("\\\n", " ").split("\n")]
    for command in commands:
        if command.startswith("aigc datasets add"):
            (tmp_path / shlex.split(command)[3]).touch()
        parsed(command)
    first = parsed(commands[0])
    assert (first["time_limit"], first["webhook"], first["after"]) == (7200, "https://example.org/hook", (JOB,))
    assert first["pairs"] == ("dataset=dst_1", "epochs=2", "name=a 'quoted' one")
