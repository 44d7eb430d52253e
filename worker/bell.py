"""A way to wake a thread that waits on file descriptors: from other threads, and from signal handlers."""

import contextlib
import os


class Bell:
    """A pipe to itself; ringing takes no lock, so that a signal handler may do it."""

    def __init__(self) -> None:
        self.fd, self._write = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._write, False)

    def ring(self) -> None:
        """Make the descriptor readable."""
        with contextlib.suppress(BlockingIOError):  # full: it is ringing already
            os.write(self._write, b"!")

    def hush(self) -> None:
        """Make it unreadable until the next ring."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self.fd, 4096):
                pass

    def close(self) -> None:
        """Let go of the pipe."""
        os.close(self.fd)
        os.close(self._write)
