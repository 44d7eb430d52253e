"""``aigc doctor``: what works on this machine, what does not, and what to do about it."""

import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

import click

from aigc.address import home_directory, running_stack
from aigc.cli.processes import environment
from aigc.cli.session import EXIT_ERROR, Command, Session, session
from aigc.errors import ApiError
from aigc.program import here
from aigc.speech import say
from aigc.stack import broker, ports
from aigc.stack.home import StackError

SECONDS = 60.0
GPU_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; ``fix`` says what to do where it is not well."""

    what: str
    well: bool
    detail: str
    fix: str = ""

    def text(self) -> str:
        """The lines to print."""
        fix = "" if self.well or not self.fix else f"\n    {say('Fix')}: {self.fix}"
        return f"{'✓' if self.well else '✕'} {self.what}: {self.detail}{fix}"


@click.command(cls=Command)
def doctor() -> int:
    """Check this machine: Python, PyTorch, GPU, queue, database, disk, port, server.

    Every line says what was found and, where something is wrong, how to mend it. Exits with 1 then.
    """
    findings = [python_version(), server(session())]
    if importlib.util.find_spec("jobs") is not None:
        findings = [python_version(), pytorch(), gpu(), queue_server(), stack(), port(), server(session()), *state()]
    if session().wants_json:
        session().show([asdict(finding) for finding in findings], "")
    else:
        click.echo(here("\n".join(finding.text() for finding in findings)))
    return 0 if all(finding.well for finding in findings) else EXIT_ERROR


def python_version() -> Finding:
    """Whether this Python is new enough."""
    well = sys.version_info >= (3, 11)
    return Finding("Python", well, platform.python_version(), say("Install Python 3.11 or newer."))


def pytorch() -> Finding:
    """Whether a worker could run here; PyTorch is not loaded for that."""
    found = _torch()
    fix = say("A machine that trains needs it: {command}", command="pip install 'aigc-foundry[worker]'")
    return Finding("PyTorch", bool(found), found or say("not installed"), fix)


def _torch() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("torch") if importlib.util.find_spec("torch") else ""
    except PackageNotFoundError:
        return ""


def gpu() -> Finding:
    """Which GPUs the driver knows, and whether this PyTorch can use them; none is no fault."""
    if shutil.which("nvidia-smi") is None:
        return Finding("GPU", True, say("none; jobs run on the CPU"))
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=GPU_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return Finding("GPU", False, say("the driver does not answer"), say("Restart the machine or its driver."))
    found = [line.strip() for line in asked.stdout.splitlines() if line.strip()]
    if asked.returncode != 0 or not found:
        said = (asked.stdout + asked.stderr).strip().splitlines() or [say("the driver does not answer")]
        return Finding("GPU", False, said[0], say("Install or restart the driver; nvidia-smi says what is wrong."))
    if "+cpu" in _torch():
        fix = say("Install a PyTorch that can use it; see https://pytorch.org/get-started.")
        return Finding("GPU", False, say("{found}, but this PyTorch is built for CPUs", found="; ".join(found)), fix)
    return Finding("GPU", True, "; ".join(found))


def queue_server() -> Finding:
    """Which broker would be used."""
    if os.environ.get("AIGC_REDIS_URL"):
        return Finding(say("Queue server"), True, say("the one that AIGC_REDIS_URL names"))
    try:
        return Finding(say("Queue server"), True, broker.find_server())
    except StackError as error:
        return Finding(say("Queue server"), False, say("none"), str(error))


def stack() -> Finding:
    """Whether everything runs on this machine; a server elsewhere is as good."""
    home = home_directory()
    running = running_stack(home)
    if running and running.url:
        sentence = "process {pid} at {url}, state in {home}"
        return Finding(say("Stack"), True, say(sentence, pid=running.pid, url=running.url, home=home))
    return Finding(say("Stack"), True, say("not running on {home}; aigc up starts it", home=home))


def port() -> Finding:
    """Where the pages are served, or could be."""
    what, running = say("Port"), running_stack(home_directory())
    if running and running.url:
        return Finding(what, True, say("{port}, used by the stack", port=urlsplit(running.url).port))
    wanted = os.environ.get("AIGC_PORT", "")
    host, number = os.environ.get("AIGC_HOST") or "127.0.0.1", int(wanted) if wanted.isdigit() else ports.DEFAULT_PORT
    try:
        free = ports.is_free(host, number)
    except (StackError, OverflowError) as error:
        return Finding(what, False, str(error), say("Correct AIGC_HOST or AIGC_PORT."))
    if free:
        return Finding(what, True, say("{port} is free", port=number))
    if wanted:
        fix = say("Stop the program that holds it, or choose another port with AIGC_PORT.")
        return Finding(what, False, say("{port} is taken by another program", port=number), fix)
    return Finding(what, True, say("{port} is taken; aigc up takes the next free one", port=number))


def server(current: Session) -> Finding:
    """Whether the server answers and can reach what it needs."""
    what, fix = say("Server"), say("Start everything with: aigc up")
    try:
        ready = current.client.get("/readyz")
    except ApiError as error:
        return Finding(what, False, str(error), fix)
    down = [name for name, state in ready.get("parts", {}).items() if state != "ok"]
    if down:
        detail = say(
            "{url} answers, but these parts do not work: {parts}", url=current.client.url, parts=", ".join(down)
        )
        return Finding(what, False, detail, say("See its log, and what this command says on the server's machine."))
    return Finding(what, True, say("{url} answers and is ready", url=current.client.url))


def state() -> list[Finding]:
    """What the part that knows database, broker, disk and workers finds."""
    command = [sys.executable, "-m", "jobs.doctor"]
    try:
        checked = subprocess.run(
            command, env=environment(), capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        fix = say("See whether the database and the queue server run.")
        return [Finding(say("State"), False, say("no answer within {count} s", count=f"{SECONDS:.0f}"), fix)]
    found = [json.loads(line) for line in checked.stdout.splitlines() if line.startswith("{")]
    if not found:
        last = (checked.stderr.strip().splitlines() or [say("it said nothing")])[-1]
        return [
            Finding(
                say("State"), False, say("cannot be looked at: {reason}", reason=last), say("Install again: make setup")
            )
        ]
    return [
        Finding(say(item["name"].capitalize()), item["ok"], say(item["detail"]), say(item["fix"])) for item in found
    ]
