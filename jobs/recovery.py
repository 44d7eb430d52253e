"""What the next attempt does differently after a failure, and what a user is told to try when there is none."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any

from aigc_models import registry
from aigc_models.base import UNADJUSTED, Adjustments, Fault

MOST_PARTS = 4  # two halvings; a batch in still smaller parts seldom keeps the device busy

OUT_OF_MEMORY = "The device ran out of memory at batch size {batch_size}. Try {suggested}."
OUT_OF_MEMORY_IN_PARTS = (
    "The device ran out of memory at batch size {batch_size}, also with each batch in {parts} parts. Try {suggested}."
)
NO_SMALLER_BATCH = "The device ran out of memory at the smallest batch size. Choose a smaller model."
NO_SMALLER_CHUNK = "The device ran out of memory, also with fewer items at once. Free memory on it, or ask for less."
DIVERGED = "The loss became NaN at step {step}. Try a learning rate of {suggested}."
DIVERGED_TWICE = (
    "The loss became NaN at step {step}, also with the learning rate halved. Try a learning rate of {suggested}."
)


@dataclass(frozen=True, slots=True)
class Case:
    """What is known of a job whose attempt failed.

    Attributes:
        task: ``<family>.<operation>``.
        params: Its settings.
        adjustments: How the attempt that failed went gentler about them.
        checkpoint_step: Where the next attempt would go on; -1 is the start.
    """

    task: str
    params: Mapping[str, Any]
    adjustments: Adjustments
    checkpoint_step: int = -1


@dataclass(frozen=True, slots=True)
class Remedy:
    """What the next attempt does differently, and the line of the log that says so."""

    adjustments: Adjustments
    line: str


@dataclass(frozen=True, slots=True)
class Advice:
    """A sentence with the setting to change, and the same for programs."""

    fault: Fault
    params: Mapping[str, Any]


def remedy(code: str, case: Case) -> Remedy | None:
    """What helps against a failure, or None: it is hopeless, or passes by itself, or everything was tried."""
    if code == "out_of_memory":
        return _smaller_parts(case)
    if code == "diverged":
        return _smaller_steps(case)
    return None


def advice(code: str, case: Case, step: Any = None) -> Advice | None:
    """What a user may change so that the job works, or None where the worker's own sentence says all.

    Args:
        code: The failure code.
        case: The job.
        step: Where a training diverged.
    """
    if code == "out_of_memory":
        return _smaller_batch(case)
    if code == "diverged" and step is not None and _learning_rate(case) is not None:
        return _lower_rate(case, step)
    return None


def _smaller_parts(case: Case) -> Remedy | None:
    parts, size = 2 * case.adjustments.micro_batches, _batch_size(case)
    if parts > MOST_PARTS or (size is not None and parts > size):
        return None
    change = replace(case.adjustments, micro_batches=parts)
    if size is None:
        return Remedy(change, f"The device ran out of memory. Trying again with {parts} times fewer items at once.")
    line = (
        f"The device ran out of memory. Trying again with each batch in {parts} parts, one after the other; "
        f"their gradients are added up, so the batch size stays {size}."
    )
    return Remedy(change, line)


def _smaller_steps(case: Case) -> Remedy | None:
    rate = _learning_rate(case)
    if rate is None or case.adjustments.learning_rate_factor < 1:
        return None
    place = f"step {case.checkpoint_step}" if case.checkpoint_step >= 0 else "the start"
    line = f"The loss became NaN. Going back to {place} with the learning rate halved, {_plain(rate / 2)}."
    return Remedy(replace(case.adjustments, learning_rate_factor=0.5), line)


def _smaller_batch(case: Case) -> Advice:
    size, parts = _batch_size(case), case.adjustments.micro_batches
    if size is None:
        return Advice(Fault(NO_SMALLER_CHUNK, code="out-of-memory"), {})
    least = _least(case.task, "batch_size")
    if size <= least:
        return Advice(Fault(NO_SMALLER_BATCH, pointer="/batch_size", code="out-of-memory"), {})
    suggested = max(least, size // (2 * parts))  # what would have been tried next
    sentence = OUT_OF_MEMORY if parts == 1 else OUT_OF_MEMORY_IN_PARTS
    values = {"batch_size": size, "suggested": suggested, "parts": parts}
    return Advice(Fault(sentence, values, "/batch_size", code="out-of-memory"), {"batch_size": suggested})


def _lower_rate(case: Case, step: Any) -> Advice:
    factor = case.adjustments.learning_rate_factor
    suggested = float(f"{(_learning_rate(case) or 0) * factor / 2:.2g}")
    sentence = DIVERGED if factor == 1 else DIVERGED_TWICE
    fault = Fault(sentence, {"step": step, "suggested": _plain(suggested)}, "/learning_rate", code="diverged")
    return Advice(fault, {"learning_rate": suggested})


def _batch_size(case: Case) -> int | None:
    size = case.params.get("batch_size")
    return size if isinstance(size, int) else None


def _learning_rate(case: Case) -> float | None:
    rate = case.params.get("learning_rate")
    return float(rate) if isinstance(rate, int | float) else None


def _least(task: str, field: str) -> int:
    """The least value that a setting may have."""
    known = registry.tasks().get(task)
    schema = known.model_json_schema()["properties"] if known is not None else {}
    return int(schema.get(field, {}).get("minimum", 1))


def _plain(number: float) -> str:
    """``0.00025``, never ``2.5e-04``."""
    return format(Decimal(f"{number:.4g}"), "f")


def stored(adjustments: Adjustments) -> dict[str, Any]:
    """As the job's row keeps it: only what is changed."""
    plain = asdict(UNADJUSTED)
    return {name: value for name, value in asdict(adjustments).items() if value != plain[name]}
