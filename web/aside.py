"""Work whose memory is given back whole: done in a copy of the process, which ends with it.

What Python frees after a large piece of work stays with the process in half-empty blocks. A server that does such
work once, at its start, would carry them as long as it lives.
"""

import os
import threading
import traceback
from collections.abc import Callable
from typing import NoReturn


def aside(make: Callable[[], bytes]) -> bytes:
    """Call something in a forked child and return what it returned.

    Only a process with one thread can be forked safely, so in any other it is simply called.

    Raises:
        RuntimeError: The child failed; what failed stands in its traceback on standard error.
    """
    if threading.active_count() > 1:
        return make()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _send(make, reading, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        sent = pipe.read()
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise RuntimeError("what was done aside failed")
    return sent


def _send(make: Callable[[], bytes], reading: int, writing: int) -> NoReturn:
    status = 1
    try:
        os.close(reading)
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(make())
        status = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(status)  # nothing of the parent's may be closed, flushed or rolled back here
