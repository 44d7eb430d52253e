"""``aigc worker``, ``scheduler``, ``migrate``, ``token``: the other parts, each a process of its own."""

import importlib.util
import os
import sys
from collections.abc import Mapping

import click

from aigc import program
from aigc.address import home_directory, running_stack
from aigc.speech import say

PASSED_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []}

passes_on = click.argument("arguments", nargs=-1, type=click.UNPROCESSED)


@click.command(context_settings=PASSED_ON)
@passes_on
def worker(arguments: tuple[str, ...]) -> None:
    """Run a worker on this machine (--help shows its options)."""
    if importlib.util.find_spec("torch") is None:
        sentence = "PyTorch is not installed here. Install the worker: {command}"
        raise click.ClickException(say(sentence, command="pip install 'aigc-foundry[worker]'"))
    become("worker.launch", arguments)


@click.command(context_settings=PASSED_ON)
@passes_on
def scheduler(arguments: tuple[str, ...]) -> None:
    """Run a scheduler; one is enough, several do no harm."""
    become("jobs.scheduler", arguments)


@click.command(context_settings=PASSED_ON)
@passes_on
def migrate(arguments: tuple[str, ...]) -> None:
    """Bring the database to the form this version needs."""
    become("jobs.migrate", arguments)


@click.command(context_settings=PASSED_ON)
@passes_on
def token(arguments: tuple[str, ...]) -> None:
    """Make, list and revoke access tokens: create, list, revoke."""
    become("jobs.token_command", arguments or ("--help",))


def become(module: str, arguments: tuple[str, ...]) -> None:
    """Replace this process by a module of the installation."""
    need_server(module.partition(".")[0])
    command = [sys.executable, "-m", module, *arguments]
    os.execve(sys.executable, command, environment())  # noqa: S606 - the command is ours


def need_server(package: str = "jobs") -> None:
    """Say what to install where only the client is.

    Raises:
        ClickException: The part is not installed here.
    """
    if importlib.util.find_spec(package) is None:
        sentence = "Only the client is installed here. Install the whole: {command}"
        raise click.ClickException(say(sentence, command="pip install aigc-foundry"))


def environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What a part needs to find the state of this machine's stack, running or not."""
    home = home_directory(environ)
    made = {**environ, "AIGC_HOME": str(home), "PYTHONSAFEPATH": "1", program.PASSED_ON: program.called()}
    running = running_stack(home)
    if running and running.redis_url and not made.get("AIGC_REDIS_URL"):
        made["AIGC_REDIS_URL"] = running.redis_url
    return made
