"""Fail-points: named moments at which a worker's process kills or freezes itself, when the chaos run asks for it.

The product holds none of this. The chaos run puts a ``sitecustomize`` on the path of its workers, which
calls :func:`install`; that waits for the product's modules to be imported and wraps a few of their
functions. A point is armed by a file; the process that manages to remove the file is the one that is hit.
"""

import importlib.abc
import importlib.machinery
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

VARIABLE = "AIGC_CHAOS_FAILPOINTS"
SITE = f"""import os
if os.environ.get("{VARIABLE}"):
    from tests.chaos.failpoints import install
    install()
"""
DEATHS, REFUSALS, FROZEN = "deaths", "refusals", "frozen"
KILL, FREEZE, FULL = "kill", "freeze", "full"

# Where a process can be killed: each is a moment at which something is half done.
DEADLY = (
    "inside_claim",  # the row is updated, the claim not committed
    "after_claim",  # the job is running, nobody works on it
    "before_rename",  # bytes are written under a temporary name
    "after_rename",  # bytes are in the store, no row names them
    "before_checkpoint",
    "after_checkpoint",
    "before_success",
    "inside_success",  # everything is written, nothing committed
    "after_end",  # committed, and nobody was told
)


class Trap:
    """The directory in which points are armed, seen from the chaos run."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for made in (directory, directory / FROZEN):
            made.mkdir(parents=True, exist_ok=True)

    def arm(self, point: str, action: str) -> Path:
        """Let the next process that reaches a point be hit; the file is gone when that has happened."""
        armed = self.directory / f"{point}.{action}"
        armed.touch()
        return armed

    def frozen(self) -> list[tuple[int, str]]:
        """Process id and lease of every process that froze itself and has not been taken note of."""
        found = []
        for path in (self.directory / FROZEN).iterdir():
            if (lease := path.read_text()).endswith("\n"):  # written in full
                found.append((int(path.name), lease.strip()))
                path.unlink()
        return found

    def deaths(self) -> list[tuple[str, float]]:
        """Lease and moment of every process that killed itself."""
        return [(lease, float(at)) for at, _, lease in self._lines(DEATHS)]

    def refusals(self) -> list[str]:
        """The writes that a stale lease tried and that changed nothing: the name of each call."""
        return [call for _, call, _ in self._lines(REFUSALS)]

    def _lines(self, name: str) -> list[list[str]]:
        path = self.directory / name
        return [line.split(" ") for line in path.read_text().splitlines()] if path.exists() else []


class _Afterwards(importlib.abc.MetaPathFinder):
    """Lets modules be found as usual, and wraps some of their functions once they are loaded."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        change = _CHANGES.get(name)
        spec = importlib.machinery.PathFinder.find_spec(name, path) if change is not None else None
        if spec is None or spec.loader is None or change is None:
            return None
        load = spec.loader.exec_module

        def load_and_change(module: ModuleType) -> None:
            load(module)
            change(module)

        spec.loader.exec_module = load_and_change  # type: ignore[method-assign]
        return spec


def install() -> None:
    """Wrap what is wrapped, in this process."""
    sys.meta_path.insert(0, _Afterwards())


class _Gate:
    """Lets a process freeze itself only between transactions.

    One that stands still inside a transaction is another fault (``hold_database``): on SQLite it
    would hold up everybody, and nothing could be learnt about what comes after.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside, self._closed = 0, False

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Around each writing transaction of this process."""
        with self._changed:
            self._changed.wait_for(lambda: not self._closed)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Without any transaction."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: self._inside == 0)
        try:
            yield
        finally:
            with self._changed:
                self._closed = False
                self._changed.notify_all()


_gate = _Gate()
_current_lease = "-"


def _reach(point: str) -> None:
    directory = Path(os.environ[VARIABLE])
    for action in (KILL, FREEZE):
        try:
            (directory / f"{point}.{action}").unlink()
        except FileNotFoundError:
            continue
        if action == KILL:
            _append(directory / DEATHS, point, _current_lease)
            os.kill(os.getpid(), signal.SIGKILL)
        else:
            _freeze(directory)


def _freeze(directory: Path) -> None:
    with _gate.closed():
        (directory / FROZEN / str(os.getpid())).write_text(f"{_current_lease}\n")
        # To this thread, which then goes no step further; another one might take its time to stop the process.
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)


def _append(path: Path, what: str, lease: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, f"{time.time()} {what} {lease}\n".encode())
    os.close(handle)


def _around(owner: Any, name: str, before: str = "", after: str = "") -> None:
    """Put points before and after a function."""
    original = getattr(owner, name)

    def wrapped(*arguments: Any, **named: Any) -> Any:
        if before:
            _reach(before)
        result = original(*arguments, **named)
        if after:
            _reach(after)
        return result

    setattr(owner, name, wrapped)


def _noting_refusals(lease: Any, name: str, lost: type[Exception]) -> None:
    """Write down each time that a call is refused because the lease is somebody else's."""
    original = getattr(lease, name)

    def wrapped(self: Any, *arguments: Any, **named: Any) -> Any:
        try:
            return original(self, *arguments, **named)
        except lost:
            _append(Path(os.environ[VARIABLE]) / REFUSALS, name, self.claim.lease_id)
            raise

    setattr(lease, name, wrapped)


def _change_lifecycle(module: Any) -> None:
    for name in ("beat", "checkpoint", "sample", "succeed", "fail", "release", "cancelled", "paused"):
        _noting_refusals(module.Lease, name, module.LeaseLost)
    _around(module.Lease, "succeed", before="before_success")
    _around(module.Lease, "_succeed", after="inside_success")
    _around(module.Lease, "_end", after="after_end")
    _around(module.Lease, "checkpoint", before="before_checkpoint", after="after_checkpoint")


def _change_claiming(module: Any) -> None:
    _around(module, "claimed", before="inside_claim")


def _change_database(module: Any) -> None:
    original = module.Database.begin

    @contextmanager
    def begin(self: Any, *arguments: Any, **named: Any) -> Iterator[Any]:
        with _gate.transaction(), original(self, *arguments, **named) as session:
            yield session

    module.Database.begin = begin


def _change_slot(module: Any) -> None:
    original = module.claim_several

    def claim_several(*arguments: Any, **named: Any) -> Any:
        global _current_lease
        found = original(*arguments, **named)
        if found:
            _current_lease = found[0].lease_id
            _reach("after_claim")
        return found

    module.claim_several = claim_several


def _change_artifacts(module: Any) -> None:
    original = module._copy

    def copy(source: Path, target: Path) -> Any:
        if (Path(os.environ[VARIABLE]) / f"store.{FULL}").exists():
            raise OSError(module.errno.ENOSPC, os.strerror(module.errno.ENOSPC))
        return original(source, target)

    module._copy = copy
    _around(module.LocalStore, "_place", before="before_rename", after="after_rename")


_CHANGES: dict[str, Callable[[Any], None]] = {
    "jobs.artifacts": _change_artifacts,
    "jobs.claiming": _change_claiming,
    "jobs.db": _change_database,
    "jobs.lifecycle": _change_lifecycle,
    "worker.slot": _change_slot,
}
