"""``aigc doctor``: what works on this machine, what does not, and what to do about it."""

import importlib.util
import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass

import click

from aigc.address import home_directory, running_stack
from aigc.cli.processes import environment
from aigc.cli.session import EXIT_ERROR, Command, Session, session
from aigc.errors import ApiError
from aigc.stack import broker
from aigc.stack.home import StackError

SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; ``fix`` says what to do where it is not well."""

    what: str
    well: bool
    detail: str
    fix: str = ""

    def text(self) -> str:
        """The lines to print."""
        fix = "" if self.well or not self.fix else f"\n    Fix: {self.fix}"
        return f"{'✓' if self.well else '✕'} {self.what}: {self.detail}{fix}"


@click.command(cls=Command)
def doctor() -> int:
    """Check this machine: Python, PyTorch, queue, database, disk, server. Exit 1 if something is wrong."""
    findings = [python_version(), pytorch(), queue_server(), stack(), server(session()), *state()]
    if session().wants_json:
        session().show([asdict(finding) for finding in findings], "")
    else:
        click.echo("\n".join(finding.text() for finding in findings))
    return 0 if all(finding.well for finding in findings) else EXIT_ERROR


def python_version() -> Finding:
    """Whether this Python is new enough."""
    well = sys.version_info >= (3, 11)
    return Finding("Python", well, platform.python_version(), "Install Python 3.11 or newer.")


def pytorch() -> Finding:
    """Whether a worker could run here; PyTorch is not loaded for that."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = version("torch") if importlib.util.find_spec("torch") else ""
    except PackageNotFoundError:
        found = ""
    fix = "A machine that trains needs it: pip install 'aigc-foundry[worker]'"
    return Finding("PyTorch", bool(found), found or "not installed", fix)


def queue_server() -> Finding:
    """Which broker would be used."""
    if os.environ.get("AIGC_REDIS_URL"):
        return Finding("Queue server", True, "the one that AIGC_REDIS_URL names")
    try:
        return Finding("Queue server", True, broker.find_server())
    except StackError as error:
        return Finding("Queue server", False, "none", str(error))


def stack() -> Finding:
    """Whether everything runs on this machine; a server elsewhere is as good."""
    home = home_directory()
    running = running_stack(home)
    if running and running.url:
        return Finding("Stack", True, f"process {running.pid} at {running.url}, state in {home}")
    return Finding("Stack", True, f"not running on {home}; aigc up starts it")


def server(current: Session) -> Finding:
    """Whether the server answers and can reach what it needs."""
    try:
        current.client.get("/readyz")
    except ApiError as error:
        return Finding("Server", False, str(error), "Start everything with: aigc up")
    return Finding("Server", True, f"{current.client.url} answers and is ready")


def state() -> list[Finding]:
    """What the part that knows database, broker, disk and workers finds."""
    command = [sys.executable, "-m", "jobs.doctor"]
    checked = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=SECONDS, check=False)
    found = [json.loads(line) for line in checked.stdout.splitlines() if line.startswith("{")]
    if not found:
        last = (checked.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return [Finding("State", False, f"cannot be looked at: {last}", "Install again: make setup")]
    return [Finding(item["name"].capitalize(), item["ok"], item["detail"], item["fix"]) for item in found]
