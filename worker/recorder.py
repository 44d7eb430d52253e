"""Recording how an attempt ended: the one place that decides which end of the lease is right."""

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from jobs import disk
from jobs.artifacts import NewFile
from jobs.errors import LeaseLost
from jobs.lifecycle import Failure, Lease
from jobs.staging import OUT
from worker import failures
from worker.failures import Ending
from worker.harvest import Harvest
from worker.heart import Heart

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class End:
    """How an attempt ended.

    Attributes:
        outcome: What the runner said, or ``killed`` when it did not stop in its time.
        metrics: Of a success.
        failure: Of a failure.
        stop: What was asked meanwhile.
        tail: What the runner printed last.
    """

    outcome: Literal["succeeded", "cancelled", "paused", "failed", "killed"]
    metrics: Mapping[str, float] = field(default_factory=dict)
    failure: Ending | None = None
    stop: Literal["cancel", "pause", "drain"] | None = None
    tail: str = ""

    @property
    def healthy(self) -> bool:
        """Whether the runner can be trusted with another job: nothing went wrong but the user's data."""
        if self.failure is not None:
            return self.failure.code == "invalid_data"
        return self.outcome != "killed"


def record(end: End, lease: Lease, heart: Heart, harvest: Harvest, staging: Path) -> None:
    """Write the end, and before it whatever the heart still has to tell. The results lie in ``out`` below staging.

    Raises:
        LeaseLost: Another attempt holds the job by now; nothing was written.
    """
    if end.stop == "cancel":  # whatever came of it: a cancelled job shows no result
        _last(heart)
        heart.persist(lease.cancelled)
    elif end.outcome == "succeeded":
        _succeed(end, lease, heart, harvest, staging)
    elif end.failure is not None:
        _fail(end.failure, end.tail, lease, heart, staging)
    elif end.outcome == "paused" and end.stop == "pause":
        _last(heart)
        heart.persist(lease.paused)
    elif end.outcome in ("paused", "killed"):
        _last(heart)
        heart.persist(lambda: lease.release("drain"))
    else:
        said = failures.ending("internal", failures.UNEXPECTED, kind="Cancelled", detail="Nobody asked for it.")
        _fail(said, end.tail, lease, heart, staging)


def _succeed(end: End, lease: Lease, heart: Heart, harvest: Harvest, staging: Path) -> None:
    def write(files: list[NewFile]) -> None:
        heart.stop()  # until here it goes on: storing may take long
        heart.hand_over(lambda last: lease.succeed(end.metrics, files, last))

    try:
        harvest.store(staging / OUT, write)
    except LeaseLost:
        raise
    except Exception as error:
        log.exception("The results could not be kept")
        _fail(failures.from_exception(error), "", lease, heart, staging)


def _fail(found: Ending, tail: str, lease: Lease, heart: Heart, staging: Path) -> None:
    _last(heart)
    room = None
    if found.code == "disk_full":
        shutil.rmtree(staging, ignore_errors=True)  # what this attempt itself took is no room for the next one
        room = disk.measured(staging.parent)
    heart.persist(lambda: lease.fail(Failure(found.code, found.faults, room), tail))


def _last(heart: Heart) -> None:
    heart.stop()
    heart.flush()
