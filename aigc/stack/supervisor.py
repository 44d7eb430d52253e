"""Starting the processes in order, keeping them up, and stopping them in reverse order."""

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from aigc.address import Running
from aigc.stack import broker, ports
from aigc.stack.child import Child, Role
from aigc.stack.home import Home, StackError

NOT_CONFIGURED = 78  # EX_CONFIG of sysexits.h
START_SECONDS = 90.0
LOOK_SECONDS = 0.05
TEND_SECONDS = 0.2
STOP_SECONDS: Mapping[str, float] = {"web": 5.0, "worker": 50.0, "scheduler": 5.0, "broker": 5.0}

Tell = Callable[[str], None]


class Stopped(Exception):
    """The stack was asked to stop while it was still starting."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the person asked for.

    Attributes:
        home: Directory of all state.
        host: Address the web server binds.
        port: Its port; None for 8000 or the next free one, 0 for any.
        environment: What the processes inherit.
    """

    home: Path
    host: str = "127.0.0.1"
    port: int | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))


class Stack:
    """The processes of one home directory. Make, start, tend and stop it in one thread.

    The kernel ties each process to the *thread* that started it, so that thread must live on.
    """

    def __init__(self, wishes: Wishes, tell: Tell) -> None:
        self.wishes = wishes
        self.home = Home(wishes.home)
        self.url = ""
        self.stopping = threading.Event()
        self._tell = tell
        self._children: list[Child] = []
        self._returning: set[str] = set()

    def start(self) -> str:
        """Start everything; returns the address of the web server once all of it serves.

        Raises:
            StackError: Something does not start; what did start has been stopped again.
            Stopped: :attr:`stopping` was set in the meantime.
        """
        self.home.open()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self.url

    def _start(self) -> None:
        environment = self._environment()
        self.home.note(Running(os.getpid(), "", ""))
        if environment.get("AIGC_REDIS_URL"):
            broker.check(environment["AIGC_REDIS_URL"])
        else:
            listen = self.home.socket()
            environment["AIGC_REDIS_URL"] = f"redis+socket://{listen}"
            self._start_broker(listen, environment)
        self._await_end(self._child(Role("migrate", python("jobs.migrate"), lasting=False), environment))
        lanes = ["--lane", "training", "--lane", "generation"]
        port = ports.choose(self.wishes.host, self.wishes.port)
        web_environment = {**environment, "AIGC_HOST": self.wishes.host, "AIGC_PORT": str(port)}
        children = [
            self._child(Role("scheduler", python("jobs.scheduler")), environment),
            self._child(Role("worker", [*python("worker.launch"), *lanes]), environment),
            self._child(Role("web", python("web")), web_environment),
        ]
        said = self._await_all(children)["web"]
        self.url = said
        web_environment["AIGC_PORT"] = said.rsplit(":", 1)[-1]  # a restarted server keeps its address
        children[-1].environment = web_environment
        socket_url = environment["AIGC_REDIS_URL"] if "socket" in environment["AIGC_REDIS_URL"] else ""
        self.home.note(Running(os.getpid(), self.url, socket_url))

    def _environment(self) -> dict[str, str]:
        own = {
            "AIGC_HOME": str(self.home.path),
            "AIGC_PARENT_DEATH": "1",
            "PYTHONUNBUFFERED": "1",
            "PYTHONSAFEPATH": "1",  # a folder called web or jobs where `aigc up` was typed is not ours
        }
        return {**self.wishes.environment, **own}

    def _start_broker(self, listen: Path, environment: Mapping[str, str]) -> None:
        server = broker.find_server()
        command = broker.command(server, self.home, listen)
        role = Role("broker", command, answers=lambda: broker.answers(listen))
        child = self._child(role, environment)
        try:
            self._await_all([child])
        except StackError:
            child.kill()
            aside = broker.set_aside(self.home)
            if aside is None:
                raise
            self._tell(f"The queue's files were damaged and are now in {aside}. No job is lost by this.")
            child.start()
            self._await_all([child])

    def _child(self, role: Role, environment: Mapping[str, str]) -> Child:
        child = Child(role, self.home.logs / f"{role.name}.log", environment)
        self._children.append(child)
        child.start()
        return child

    def _await_all(self, children: list[Child]) -> dict[str, str]:
        """Wait until every part serves; gives what each said. One that ends is told at once."""
        started, said = time.monotonic(), dict[str, str]()
        while len(said) < len(children):
            for child in children:
                word = self._look(child)
                if word is not None and child.role.name not in said:
                    said[child.role.name] = word
                    self._tell_ready(child.role.name, started)
            self._pause([child for child in children if child.role.name not in said], started + START_SECONDS)
        return said

    def _look(self, child: Child) -> str | None:
        if not child.alive:
            raise self._failed(child, f"ended at once (exit code {child.exit_code})")
        return child.ready()

    def _await_end(self, child: Child) -> None:
        started = time.monotonic()
        while child.alive:
            self._pause([child], started + START_SECONDS)
        if child.exit_code != 0:
            raise self._failed(child, f"failed (exit code {child.exit_code})")
        self._tell_ready("database", started)

    def _pause(self, awaited: list[Child], deadline: float) -> None:
        if not awaited:
            return
        if self.stopping.wait(LOOK_SECONDS):
            raise Stopped
        if time.monotonic() > deadline:
            raise self._failed(awaited[0], f"was not ready after {START_SECONDS:.0f} s")

    def _tell_ready(self, what: str, started: float) -> None:
        self._tell(f"  {what:<10} ready  {time.monotonic() - started:5.1f} s")

    def _failed(self, child: Child, how: str) -> StackError:
        name, last = child.role.name, child.last_lines()
        if child.exit_code == NOT_CONFIGURED:  # it has said what to do, in words for people
            return StackError(last, exit_code=NOT_CONFIGURED)
        said = f"Its last lines:\n\n{last}\n\n" if last else ""
        return StackError(f"The part called {name} {how}. {said}Its whole log: {child.log}\nCheck with: aigc doctor")

    def tend(self) -> None:
        """Wait a moment, and start again whatever has died meanwhile."""
        self.stopping.wait(TEND_SECONDS)
        for child in self._children:
            if self.stopping.is_set() or not child.role.lasting:
                continue
            if child.alive:
                self._welcome(child)
            elif child.restart_at is None:
                pause = child.plan_restart()
                soon = f"in {pause:.0f} s" if pause >= 1 else "now"
                self._tell(
                    f"The {child.role.name} ended (exit code {child.exit_code}) and starts again {soon}."
                    f" Jobs are kept. Log: {child.log}"
                )
            if child.restart_at is not None and time.monotonic() >= child.restart_at:
                child.start()
                self._returning.add(child.role.name)

    def _welcome(self, child: Child) -> None:
        if child.role.name in self._returning and child.ready() is not None:
            self._returning.discard(child.role.name)
            self._tell(f"The {child.role.name} is back.")

    def stop(self) -> None:
        """End everything in reverse order, each part asked first and made to after its time."""
        self.stopping.set()
        while self._children:
            child = self._children[-1]
            child.stop(STOP_SECONDS.get(child.role.name, 5.0), partial(self._say_waiting, child.role.name))
            self._children.pop()
        self.home.close()

    def _say_waiting(self, name: str) -> None:
        if name == "worker":
            self._tell("Waiting for the worker to save its work (Ctrl-C again to stop at once)")

    def kill(self) -> None:
        """End everything at once; safe in a signal handler."""
        self.stopping.set()
        for child in self._children:
            if child.process is not None:
                child.process.kill()


def python(module: str) -> list[str]:
    """A module of this installation as a program."""
    return [sys.executable, "-m", module]
