"""From what an operation raised, or how its process ended, to a failure code and a sentence."""

import errno
import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from aigc_models.base import Diverged, Fault, InputError
from jobs.errors import StorageFull, StoreUnavailable

_NO_SPACE = "No space left on device"
_NO_MEMORY = ("not enough memory", "can't allocate memory", "Cannot allocate memory")

OUT_OF_MEMORY = "The device ran out of memory. Choose a smaller batch size or a smaller model."
HOST_OUT_OF_MEMORY = "The machine ran out of memory. Choose a smaller batch size, or free memory on the machine."
DIVERGED = "The loss became NaN at step {step}. Choose a lower learning rate, or another loss."
DISK_FULL = "The disk is full. Delete what is not needed; the job goes on by itself."
TIMEOUT = "The job has run for its time limit of {limit} and was stopped. Go on from its checkpoint, or do less."
STALLED = "The job made no step for {seconds} seconds and was stopped."
KILLED = "The process that did the work was killed by {signal}."
EXITED = "The process that did the work ended by itself with exit status {status}."
UNEXPECTED = "The program met an error it did not expect. {kind}: {detail}"
BROKEN_INPUT = "The file {name} in the store is damaged or missing. Import or train it again."


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run failed, in a form that travels over the pipe.

    Attributes:
        code: One of :data:`jobs.tables.FAILURE_CODES`.
        faults: What is wrong, one sentence each.
    """

    code: str
    faults: list[Fault] = field(default_factory=list)

    def as_message(self) -> dict[str, Any]:
        """Fields of an ``end`` message."""
        return {"outcome": "failed", "code": self.code, "faults": [asdict(fault) for fault in self.faults]}


def ending(code: str, sentence: str, /, **values: Any) -> Ending:
    """A failure of one sentence."""
    return Ending(code, [Fault(sentence, values, code=code.replace("_", "-"))])


def from_message(message: Mapping[str, Any]) -> Ending:
    """Read what :meth:`Ending.as_message` wrote."""
    return Ending(message["code"], [Fault(**fault) for fault in message["faults"]])


def from_exception(error: BaseException) -> Ending:
    """What an exception means for the job. The chain of causes is searched, as libraries wrap errors."""
    chain = list(_chain(error))
    for cause in chain:
        known = _known(cause)
        if known is not None:
            return known
    return ending("internal", UNEXPECTED, kind=type(error).__name__, detail=str(error)[:500])


def from_exit(status: int, oom_killed: bool) -> Ending:
    """What the end of a runner that said nothing means.

    Args:
        status: As :attr:`subprocess.Popen.returncode`: negative for a signal.
        oom_killed: Whether the kernel killed for memory meanwhile.
    """
    if oom_killed and status == -signal.SIGKILL:
        return ending("host_out_of_memory", HOST_OUT_OF_MEMORY)
    if status < 0:
        return ending("internal", KILLED, signal=signal.Signals(-status).name)
    return ending("internal", EXITED, status=status)


def _known(error: BaseException) -> Ending | None:
    if isinstance(error, InputError):
        return Ending("invalid_data", error.faults)
    if isinstance(error, Diverged):
        return ending("diverged", DIVERGED, step=error.step)
    if is_disk_full(error):
        return ending("disk_full", DISK_FULL)
    if isinstance(error, StoreUnavailable):
        return Ending("internal", [Fault(error.message, error.values, code=error.code)])
    if _is_device_memory(error):
        return ending("out_of_memory", OUT_OF_MEMORY)
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and _says(error, *_NO_MEMORY)):
        return ending("host_out_of_memory", HOST_OUT_OF_MEMORY)
    return None


def is_disk_full(error: BaseException) -> bool:
    """Whether the disk, or the user's share of it, had no room; Rust libraries only say so in words."""
    if isinstance(error, StorageFull):  # the store keeps some room free, for the database beside it
        return True
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    return _says(error, _NO_SPACE)


def _is_device_memory(error: BaseException) -> bool:
    torch = sys.modules.get("torch")  # only the runner has it, and supervisors must not import it
    return torch is not None and isinstance(error, torch.OutOfMemoryError)


def _says(error: BaseException, *words: str) -> bool:
    return any(word in str(error) for word in words)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
