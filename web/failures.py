"""Why a job failed, in words: a title, a sentence when the worker gave none, and whether to try again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aigc_models.base import Fault
from web.forms import to_text
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
        "The job passed its time limit. Go on from its checkpoint, or use a higher limit.",
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
        "The disk of the worker is full. Delete what is not needed; the job goes on by itself.",
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


# The button that starts the form with a suggested setting, by the setting's name.
DUPLICATES: Mapping[str, str] = {
    "batch_size": "Duplicate with batch size {value}",
    "learning_rate": "Duplicate with learning rate {value}",
}


@dataclass(frozen=True)
class Suggestion:
    """A way to try again with other settings.

    Attributes:
        label: What the button says.
        params: The settings to change.
    """

    label: str
    params: Mapping[str, Any]


def suggestion(failure: Mapping[str, Any]) -> Suggestion | None:
    """What may work instead, in the reader's language."""
    params: Mapping[str, Any] = (failure.get("suggestion") or {}).get("params") or {}
    known = next((name for name in params if name in DUPLICATES), None)
    if known is None:
        return None
    return Suggestion(say(DUPLICATES[known], {"value": to_text(params[known])}), params)


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
