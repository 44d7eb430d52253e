"""``aigc up``: everything on this machine."""

import os
import shlex
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from aigc.address import home_directory
from aigc.cli.processes import need_server
from aigc.cli.session import Command
from aigc.program import here
from aigc.stack import background
from aigc.stack.home import StackError, near
from aigc.stack.supervisor import Stack, Stopped, Wishes
from aigc.version import __version__

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

host_option = click.option("--host", help="Address to bind; default AIGC_HOST or 127.0.0.1, this machine only.")
port_option = click.option(
    "--port", type=click.IntRange(0, 65535), help="Port; default AIGC_PORT, else 8000 or the next free one. 0: any."
)
home_option = click.option(
    "--home", type=click.Path(path_type=Path), help="Directory of all state; default AIGC_HOME or .aigc here."
)


@click.command(cls=Command)
@port_option
@home_option
@host_option
@click.option("--no-open", is_flag=True, help="Do not open a browser.")
@click.option("-d", "--detach", is_flag=True, help="Go on in the background; stop it with: aigc down")
def up(no_open: bool, detach: bool, **options: Any) -> int:
    """Start everything on this machine and stay: queue, database, worker, web pages.

    All state is in one directory. Stop with Ctrl-C, or with aigc down from another terminal:
    running jobs save their state and go on at the next start.
    """
    need_server()
    if detach:
        return _detached(wishes(options), options, no_open=no_open)
    stack = Stack(wishes(options), click.echo)
    click.echo(f"AIGC Foundry {__version__}, state in {near(stack.home.path)}")
    with stopped_by_signals(stack):
        try:
            click.echo(f"Open {stack.start()}   (stop with Ctrl-C)")
            if not no_open and sys.stdout.isatty():
                show_page(stack.url)
            while not stack.stopping.is_set():
                stack.tend()
        except StackError as error:
            click.echo(here(f"Error: {error}"), err=True)
            return error.exit_code
        except Stopped:
            pass
        finally:
            end(stack)
    return 0


def _detached(wished: Wishes, options: Mapping[str, Any], *, no_open: bool) -> int:
    given = [
        word for name in ("host", "port") if options[name] is not None for word in (f"--{name}", str(options[name]))
    ]
    click.echo(f"AIGC Foundry {__version__}, state in {near(wished.home)}")
    try:
        running = background.start(wished.home, [*given, "--home", str(wished.home)])
    except StackError as error:
        click.echo(here(f"Error: {error}"), err=True)
        return error.exit_code
    click.echo(here(f"Open {running.url}   (stop with: aigc down{_of(wished.home)})"))
    if not no_open and sys.stdout.isatty():
        show_page(running.url)
    return 0


def _of(home: Path) -> str:
    """What must be said of a home directory so that another command finds it."""
    return "" if home == home_directory() else f" --home {shlex.quote(str(home))}"


def wishes(options: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Wishes:
    """What was asked for: options first, then the environment, then the defaults."""
    home = options["home"]
    port = options["port"] if options["port"] is not None else _port(environ.get("AIGC_PORT"))
    return Wishes(
        home=home.expanduser().absolute() if home else home_directory(environ),
        host=options["host"] or environ.get("AIGC_HOST") or "127.0.0.1",
        port=port,
        environment={name: value for name, value in environ.items() if name != "AIGC_URL"},
    )


def _port(text: str | None) -> int | None:
    if not text:
        return None
    if not text.isdigit() or int(text) > 65535:
        raise click.UsageError(f"AIGC_PORT is {text}, but a port is a number up to 65535.")
    return int(text)


@contextmanager
def stopped_by_signals(stack: Stack) -> Iterator[list[int]]:
    """Let Ctrl-C and SIGTERM stop a stack, and a second one stop it without waiting; yields the signals seen."""
    seen: list[int] = []

    def stop(number: int, _frame: object) -> None:
        seen.append(number)
        stack.stopping.set()
        if len(seen) > 1:
            stack.kill()

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end(stack: Stack) -> None:
    """Stop a stack, saying so where somebody waits for it."""
    if stack.url:
        click.echo("Stopping")
    stack.stop()
    if stack.url:
        click.echo("Stopped. All state is kept.")


def show_page(url: str) -> None:
    """Open a page where a browser window can appear."""
    from aigc.cli.browse import has_screen

    if has_screen():
        import webbrowser

        webbrowser.open(url)
