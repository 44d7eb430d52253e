"""The directory that holds all state of a stack, and the lock that keeps a second stack off it."""

import fcntl
import hashlib
import json
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TextIO

from aigc.address import Running

LONGEST_SOCKET = 100  # the kernel takes 107 bytes; Celery's and Valkey's limits differ by a few
LEAST_FREE = 64 * 2**20


class StackError(Exception):
    """The stack cannot start or go on; the message says why and what to do."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        self.exit_code = exit_code
        super().__init__(message)


def near(path: Path) -> str:
    """A path as somebody in the present directory writes it: ``.aigc``."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


@dataclass
class Home:
    """One home directory, held by at most one running stack."""

    path: Path
    _lock: TextIO | None = field(default=None, repr=False)
    _elsewhere: Path | None = field(default=None, repr=False)

    @property
    def run(self) -> Path:
        """What only lives as long as the stack: socket, lock, address."""
        return self.path / "run"

    @property
    def logs(self) -> Path:
        """What each process printed."""
        return self.path / "logs"

    @property
    def broker(self) -> Path:
        """The embedded broker's files."""
        return self.path / "broker"

    def open(self) -> None:
        """Make the directories and take the lock.

        Raises:
            StackError: Somebody else holds it, or the directory cannot be used.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for folder in (self.run, self.logs, self.broker):
                folder.mkdir(mode=0o700, exist_ok=True)
            self.run.chmod(0o700)
            lock = (self.run / "up.lock").open("a+")
        except OSError as error:
            raise StackError(
                f"The directory {self.path} cannot be used: {error.strerror}. Choose another with --home or AIGC_HOME."
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise StackError(self._held_by()) from None
        except OSError as error:
            lock.close()
            raise StackError(
                f"The file system of {self.path} has no locks ({error.strerror}). Choose a local one with --home."
            ) from error
        self._lock = lock
        self._check_space()
        (self.run / "up.json").unlink(missing_ok=True)

    def note(self, running: Running) -> None:
        """Write down who runs here and at which address."""
        noted = self.run / "up.json"
        draft = noted.with_suffix(".new")
        draft.write_text(json.dumps(asdict(running)))
        draft.replace(noted)

    def close(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            (self.run / "up.json").unlink(missing_ok=True)
            if self._elsewhere is not None:
                with suppress(OSError):
                    self._elsewhere.rmdir()
            self._lock.close()
            self._lock = None

    def hand_on(self) -> None:
        """Let the program that takes this process's place keep the lock, until it ends."""
        if self._lock is not None:
            os.set_inheritable(os.dup(self._lock.fileno()), True)

    def socket(self) -> Path:
        """Where the broker listens: in the home, or in a private short directory where that is too deep.

        Raises:
            StackError: No private directory with a short enough path can be had.
        """
        inside = self.run / "valkey.sock"
        if len(os.fsencode(inside)) <= LONGEST_SOCKET:
            return inside
        name = "aigc-" + hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]
        for root in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"):  # noqa: S108 - checked below
            if root and len(os.fsencode(Path(root) / name / "valkey.sock")) <= LONGEST_SOCKET:
                self._elsewhere = _private(Path(root) / name)
                return self._elsewhere / "valkey.sock"
        raise StackError(f"The path {self.path} is too long for a Unix socket. Choose a shorter one with --home.")

    def _held_by(self) -> str:
        try:
            noted = json.loads((self.run / "up.json").read_text())
            who = f"process {noted['pid']} at {noted['url']}" if noted["url"] else f"process {noted['pid']} (starting)"
            stop = "Ctrl-C there or with: aigc down"
        except (OSError, ValueError, KeyError):
            who, stop = "another process", f"fuser -k {self.run / 'up.lock'}"
        return (
            f"A stack already runs on {self.path}: {who}.\n"
            f"Use that one, stop it with {stop}, or choose another directory with --home."
        )

    def _check_space(self) -> None:
        free = shutil.disk_usage(self.path).free
        if free < LEAST_FREE:
            raise StackError(
                f"The disk of {self.path} has only {free // 2**20} MiB left. Make room, or choose another with --home."
            )


def _private(folder: Path) -> Path:
    """A directory that only we can enter: /tmp is everybody's."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise StackError(f"The directory {folder} cannot be made: {error.strerror}.") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise StackError(f"The directory {folder} belongs to somebody else. Remove it, or set XDG_RUNTIME_DIR.")
    return folder
