"""Why a job failed, in words: a title, a sentence when the worker gave none, and whether to try again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aigc_models.base import Fault
from web.translate import say

HELP = "/docs/problems/"


@dataclass(frozen=True)
class Reason:
    """One failure code's words.

    Attributes:
        title: What happened.
        detail: What to do, where the worker said nothing more precise.
        retryable: Whether the same settings may work another time.
    """

    title: str
    detail: str
    retryable: bool = False


REASONS: Mapping[str, Reason] = {
    "invalid_data": Reason(
        "The data cannot be used",
        "The data has faults that stop the job. Correct them and upload the file again.",
    ),
    "out_of_memory": Reason(
        "The device ran out of memory",
        "The device ran out of memory. Try a smaller batch size or a smaller model.",
    ),
    "host_out_of_memory": Reason(
        "The machine ran out of memory",
        "The machine ran out of memory. Try a smaller batch size or a smaller dataset.",
    ),
    "diverged": Reason(
        "The training went wrong",
        "The loss became NaN or infinite. Try a smaller learning rate.",
    ),
    "stalled": Reason(
        "The job made no progress",
        "The job made no step for too long and was stopped. Start it again, or look at its log.",
        retryable=True,
    ),
    "timeout": Reason(
        "The job took too long",
        "The job passed its time limit. Use fewer epochs or a higher limit.",
    ),
    "worker_lost": Reason(
        "The worker was lost",
        "The worker stopped answering; it may have been killed. Start the job again.",
        retryable=True,
    ),
    "poisoned": Reason(
        "The job ended its workers",
        "Several workers were lost while they ran this job, so it is not tried again. Look at its log.",
    ),
    "disk_full": Reason(
        "The disk is full",
        "The disk of the worker is full. Delete what is not needed, then start the job again.",
        retryable=True,
    ),
    "expired": Reason(
        "The job expired",
        "The job did not start before its deadline. Start it again, with a later deadline or none.",
        retryable=True,
    ),
    "internal": Reason(
        "The program failed",
        "The program that ran the job failed. Its log says where. Start it again or report it.",
        retryable=True,
    ),
}


def slug(code: str) -> str:
    """A failure code as it is written in addresses and in the API."""
    return code.replace("_", "-")


def faults(failure: Mapping[str, Any]) -> list[Fault]:
    """The stored faults of a failure, as objects."""
    return [
        Fault(
            str(item.get("message", "")),
            item.get("values") or {},
            str(item.get("pointer") or ""),
            item.get("where") or {},
            str(item.get("code") or "invalid-data"),
        )
        for item in failure.get("faults", [])
    ]


def describe(failure: Mapping[str, Any]) -> tuple[str, str, bool]:
    """Title, sentence and whether to try again, in the reader's language."""
    reason = REASONS.get(str(failure.get("code")), REASONS["internal"])
    found = faults(failure)
    detail = say(found[0].message, found[0].values) if found else say(reason.detail)
    return say(reason.title), detail, reason.retryable
