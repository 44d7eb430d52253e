"""GPUs of one host that work on one training together.

Every slot for trainings on a GPU holds a lock file while its GPU computes. A slot whose next job wants several GPUs
takes those of its idle neighbours, too, and a slot whose GPU is lent takes no job meanwhile. Nobody waits while it
holds a lock, so nobody waits for ever: a slot that cannot have all it needs lets go of them, takes nothing, and looks
again. As the others do the same when they have finished, the last one finds all of them free.
"""

import fcntl
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from worker.devices import Device

POOL = "AIGC_DEVICE_POOL"  # from the launcher to its slots: names of the GPUs that it has slots for


class Party:
    """The locks of a slot and of those beside it.

    Args:
        directory: Where the lock files of this host are.
        lane: The lane of all of them.
        device: The slot's own.
        pool: Names of all devices that may work together, the own one among them.
    """

    def __init__(self, directory: Path, lane: str, device: Device, pool: Sequence[str]) -> None:
        self._directory, self._lane, self._own = directory, lane, device.name
        self._others = [name for name in pool if name != device.name] if device.name in pool else []
        self._held: dict[str, int] = {}

    @property
    def size(self) -> int:
        """How many devices there are to work together."""
        return 1 + len(self._others)

    @property
    def names(self) -> list[str]:
        """The devices that are held, the own one first."""
        return list(self._held)

    def open(self) -> bool:
        """Take the own device, unless it is lent at the moment."""
        return self._take(self._own)

    def gather(self, count: int, allowed: Callable[[str], bool]) -> bool:
        """Take as many devices as are wanted, the own one included; if that is not possible, none of the others."""
        for name in self._others:
            if len(self._held) < count and allowed(name):
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
        """Let go of everything."""
        self.keep(0)

    def _take(self, name: str) -> bool:
        if name in self._held:
            return True
        path = self._directory / f"gpu-{name}.{self._lane}.use"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        self._held[name] = fd
        return True


def pool_of(environment: Callable[[str], str | None]) -> list[str]:
    """The devices that the launcher has slots for."""
    return [name for name in (environment(POOL) or "").split(",") if name]
