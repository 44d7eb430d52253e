"""Runs a command that dies with whoever started it: ``python tether.py PARENT COMMAND...``.

A script of its own instead of a ``preexec_fn``, which is not safe in a program with threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Ask the kernel for a SIGKILL at the parent's death, then become the command."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the kernel was asked
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - the command is ours


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
