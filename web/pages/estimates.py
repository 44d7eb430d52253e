"""What a job would cost: reckoned from its settings, and set right by how long such jobs took here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import median
from typing import Any

from pydantic import ValidationError

from aigc_models import registry
from aigc_models.base import Params
from jobs.errors import AigcError
from jobs.repository import JobFilter, Repository
from jobs.submit import validate
from jobs.tables import Job
from web import context
from web.i18n import plural
from web.pages import amounts
from web.translate import say

HISTORY = 20
FEWEST = 3  # fewer jobs say more of chance than of the machine


@dataclass(frozen=True, slots=True)
class Cost:
    """What a job would take, nothing else running.

    Attributes:
        seconds: Wall time.
        memory_mib: Memory of its process; None where only times of others are known.
        parameters: Trainable numbers; None likewise.
        jobs: How many finished jobs of its kind the time was measured on, 0 if none.
    """

    seconds: float
    memory_mib: float | None = None
    parameters: int | None = None
    jobs: int = 0

    @property
    def time(self) -> str:
        """The time; one that nothing was measured for has a single digit, as it may be off by a factor of two."""
        return amounts.about(self.seconds if self.jobs else amounts.roughly(self.seconds))

    @property
    def basis(self) -> str:
        """What the time comes from."""
        if not self.jobs:
            return say("a reckoning from the settings; too few jobs of this kind ran here to measure it")
        if self.memory_mib is None:
            return plural(
                "{count} job of this kind that ran here, whatever its settings",
                "{count} jobs of this kind that ran here, whatever their settings",
                self.jobs,
            )
        return plural(
            "a reckoning, set right by {count} job of this kind that ran here",
            "a reckoning, set right by {count} jobs of this kind that ran here",
            self.jobs,
        )

    def rows(self, busy: int = 0) -> list[tuple[str, str]]:
        """Labels and figures as a form shows them.

        Args:
            busy: How many other jobs run or wait, which the time does not know of.
        """
        rows = [(say("Time"), self.time), (say("Based on"), self.basis)]
        if busy:
            told = plural("{count} job that runs or waits now", "{count} jobs that run or wait now", busy)
            rows.append((say("Not counted"), told))
        if self.memory_mib is not None and self.parameters is not None:
            rows += [
                (say("Memory"), amounts.size(int(self.memory_mib * 2**20))),
                (say("Parameters"), amounts.number(self.parameters)),
            ]
        return rows


class Estimates:
    """The costs of one task's jobs; the finished ones are looked up once."""

    def __init__(self, task: str, reads: Repository) -> None:
        self.task = task
        self._reads = reads
        self._reports: dict[str, Mapping[str, Any]] = {}

    def of(self, params: Mapping[str, Any], preset: str) -> Cost | None:
        """What a job would cost; None while its settings are wrong, its dataset is not chosen, or nobody can tell."""
        try:
            found = self._reckoned(validate(self.task, params, preset or None))
        except AigcError:
            return None
        if found is not None:
            return (
                replace(found, seconds=found.seconds * median(self._off), jobs=len(self._off)) if self._off else found
            )
        seconds = [_seconds(job) for job in self._lately]
        return Cost(median(seconds), jobs=len(seconds)) if len(seconds) >= FEWEST else None

    def rows(self, params: Mapping[str, Any], preset: str) -> list[tuple[str, str]]:
        """What :meth:`of` finds, as a form shows it; nothing where nobody can tell."""
        cost, lane = self.of(params, preset), registry.task(self.task).lane
        busy = sum(one.queued + one.running for one in self._reads.queues() if one.lane == lane) if cost else 0
        return cost.rows(busy) if cost else []

    @cached_property
    def _lately(self) -> list[Job]:
        wanted = JobFilter(states=("succeeded",), task=self.task)
        return [job for job in self._reads.jobs(wanted, limit=HISTORY).items if job.started_at and job.attempt == 1]

    @cached_property
    def _off(self) -> list[float]:
        """By which factor the reckoning was off for each of the last jobs; empty when they are too few."""
        factors = []
        for job in self._lately:
            try:
                reckoned = self._reckoned(registry.task(self.task).model_validate_json(json.dumps(job.params)))
            except (ValidationError, AigcError):
                continue  # of another version, or its dataset is gone
            if reckoned is not None and reckoned.seconds > 0:
                factors.append(_seconds(job) / reckoned.seconds)
        return factors if len(factors) >= FEWEST else []

    def _reckoned(self, params: Params) -> Cost | None:
        report = self._report(params)
        found = params.estimate(report, context.settings().cpu_threads) if report else None
        return Cost(found.seconds, found.memory_mib, found.parameters) if found else None

    def _report(self, params: Params) -> Mapping[str, Any]:
        for name, info in type(params).model_fields.items():
            extra = info.json_schema_extra
            if isinstance(extra, Mapping) and extra.get("x-input") == "dataset":
                chosen = str(getattr(params, name) or "")
                if chosen and chosen not in self._reports:
                    self._reports[chosen] = self._reads.dataset(chosen).report or {}
                return self._reports.get(chosen, {})
        return {}


def _seconds(job: Job) -> float:
    return amounts.elapsed(job.started_at, job.finished_at) or 0.0
