"""The store's disk is full for a while."""

import errno
import os
from pathlib import Path

from tests.chaos import failpoints
from tests.chaos.field import Field

CHUNK = b"\0" * 2**20


def fill_disk(field: Field) -> None:
    """Nothing can be stored: attempts wait for room without a failure counted, no file is torn, and all goes on.

    Where the run may not mount a small file system for the store, the store's writes fail at a fail-point.
    """
    field.take("disk")
    ballast = field.stack.settings.artifacts / "ballast"
    if field.stack.store_is_small:
        _fill(ballast)
    else:
        ballast = field.stack.trap.arm("store", failpoints.FULL)

    def make_room() -> None:
        ballast.unlink()
        field.give_back("disk")

    field.heal(field.rng.uniform(0.5, 3), make_room)


def _fill(ballast: Path) -> None:
    handle = os.open(ballast, os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(handle, CHUNK):
            pass
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
    finally:
        os.close(handle)
