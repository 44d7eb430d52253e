"""Devices of one host that work on one training together.

Every slot for trainings holds a lock file while its device computes. A slot whose next job wants several devices takes
those of its idle neighbours, too, and a slot whose device is lent takes no job meanwhile. Nobody waits while it holds
a lock, so nobody waits for ever: a slot that cannot have all it needs lets go of them, takes nothing, and looks again.
As the others do the same when they have finished, the last one finds all of them free.
"""

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

from worker.devices import Device


class Party:
    """The locks of a slot and of those beside it.

    Args:
        directory: Where the lock files of this installation's slots on this host are.
        lane: The lane of all of them.
        device: The slot's own.
    """

    def __init__(self, directory: Path, lane: str, device: Device) -> None:
        self._directory, self._lane, self._own = directory, lane, device
        self._held: dict[str, int] = {}
        self._path(device.name).touch(0o600)  # neighbours lend no device whose slot does not look here

    @property
    def names(self) -> list[str]:
        """The devices that are held, the own one first."""
        return list(self._held)

    @property
    def descriptors(self) -> list[int]:
        """The locks of the neighbours' devices; who inherits one keeps the device until it is gone."""
        return [fd for name, fd in self._held.items() if name != self._own.name]

    def open(self) -> bool:
        """Take the own device, unless it is lent at the moment."""
        return self._take(self._own.name)

    def gather(self, count: int, neighbours: Sequence[str]) -> bool:
        """Take as many devices as are wanted, the own one included; if that is not possible, none of the others."""
        for name in neighbours:
            if len(self._held) < count:
                self._take(name)
        if len(self._held) < count:
            self.keep(1)
            return False
        return True

    def keep(self, count: int) -> None:
        """Let go of what is more than a job needs."""
        for name in list(self._held)[count:]:
            os.close(self._held.pop(name))

    def close(self) -> None:
        """Let go of everything; processes that have inherited a lock keep it."""
        self.keep(0)

    def _take(self, name: str) -> bool:
        if name in self._held:
            return True
        try:
            fd = os.open(self._path(name), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        # Slots of one device may work side by side, as while one that hangs is replaced; lent it is to one alone.
        how = fcntl.LOCK_SH if name == self._own.name else fcntl.LOCK_EX
        try:
            fcntl.flock(fd, how | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        self._held[name] = fd
        return True

    def _path(self, name: str) -> Path:
        return self._directory / f"{self._own.kind}-{name}.{self._lane}.use"
