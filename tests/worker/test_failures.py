import errno
import signal

import pytest

from aigc_models.base import Diverged, Fault, InputError
from jobs.errors import StorageFull
from jobs.tables import FAILURE_CODES
from worker import failures


def wrapped(error: Exception) -> Exception:
    """The same error as a library passes it on."""
    outer = RuntimeError("saving failed")
    outer.__cause__ = error
    return outer


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError(Fault("No.")), "invalid_data"),
        (Diverged(3), "diverged"),
        (MemoryError(), "host_out_of_memory"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory"),
            "host_out_of_memory",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "disk_full"),
        (wrapped(OSError(errno.ENOSPC, "No space left on device")), "disk_full"),
        (wrapped(MemoryError()), "host_out_of_memory"),
        (ValueError("odd"), "internal"),
        (RuntimeError("shapes differ"), "internal"),
    ],
)
def test_an_exception_has_a_code_and_a_sentence(error: Exception, code: str) -> None:
    found = failures.from_exception(error)
    assert found.code == code
    assert code in FAILURE_CODES
    assert all(str(fault) for fault in found.faults)


def test_a_full_store_is_a_full_disk() -> None:
    full = StorageFull(free="1 MB", needed="2 MB")  # before a byte was written: it keeps some room free
    assert failures.from_exception(full).code == "disk_full"
    assert failures.from_exception(wrapped(full)).code == "disk_full"


@pytest.mark.parametrize(
    ("status", "oom_killed", "code", "said"),
    [
        (-signal.SIGKILL, False, "internal", "killed by SIGKILL"),
        (-signal.SIGKILL, True, "host_out_of_memory", "ran out of memory"),
        (-signal.SIGSEGV, True, "internal", "killed by SIGSEGV"),
        (3, False, "internal", "exit status 3"),
    ],
)
def test_a_silent_end_has_a_code_and_a_sentence(status: int, oom_killed: bool, code: str, said: str) -> None:
    found = failures.from_exit(status, oom_killed)
    assert found.code == code
    assert said in str(found.faults[0])


def test_a_failure_travels_as_data() -> None:
    found = failures.from_exception(InputError([Fault("Row {row}.", {"row": 1}, "/x", {"row": 1}, "odd")]))
    assert failures.from_message(found.as_message()) == found
