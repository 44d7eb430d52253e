"""``aigc backup``, ``restore``, ``verify``, ``gc``, ``scale``: what operators do, each a process of its own."""

import os

import click

from aigc.address import home_directory
from aigc.cli.processes import PASSED_ON, become, passes_on
from aigc.stack.home import Home, StackError

HELP = {"-h", "--help"}


@click.command(context_settings=PASSED_ON)
@passes_on
def backup(arguments: tuple[str, ...]) -> None:
    """Back up database and files into a directory or a tar file, while everything runs."""
    become("jobs.backup", arguments)


@click.command(context_settings=PASSED_ON)
@passes_on
def restore(arguments: tuple[str, ...]) -> None:
    """Bring a backup back; with --force over what is there."""
    if not HELP & set(arguments) and _uses_home():
        _hold_home()
    become("jobs.restore", arguments)


@click.command(context_settings=PASSED_ON)
@passes_on
def verify(arguments: tuple[str, ...]) -> None:
    """See that every file and row that anything refers to is there and unharmed."""
    # A bare --json means all fields to the other commands, which is written --json=* by now.
    become("jobs.verify", tuple("--json" if given == "--json=*" else given for given in arguments))


@click.command(context_settings=PASSED_ON)
@passes_on
def gc(arguments: tuple[str, ...]) -> None:
    """Remove now what nothing needs any more, and say what that freed."""
    become("jobs.gc_command", arguments)


@click.command(context_settings=PASSED_ON)
@passes_on
def scale(arguments: tuple[str, ...]) -> None:
    """Say how many workers each queue needs, and why."""
    become("jobs.scaling", tuple("--json" if given == "--json=*" else given for given in arguments))


def _uses_home() -> bool:
    """Whether the database is the embedded one, which nobody may use during a restore."""
    address = os.environ.get("AIGC_DATABASE_URL", "")
    return not address or address.startswith("sqlite")


def _hold_home() -> None:
    """Take the lock that ``aigc up`` takes, for as long as the restore lasts."""
    home = Home(home_directory())
    try:
        home.open()
    except StackError as error:
        raise click.ClickException(
            f"{str(error).splitlines()[0]}\nStop it (Ctrl-C there), then restore: with SQLite nobody may be at work."
        ) from error
    home.hand_on()
