"""What may become of a job, and the only code besides claiming that writes a status.

Every write of a worker goes through a :class:`Lease`: one UPDATE that names the lease and whose
row count decides. An attempt that was given up as lost changes nothing, however late it wakes up.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, select, update
from sqlalchemy.orm import Session

from aigc_models.base import Adjustments, Fault
from jobs import beats, budget, curves, energy, graph, needs, recovery, results
from jobs.artifacts import NewFile
from jobs.beats import NOTHING, Beat
from jobs.claiming import Claim
from jobs.company import ALONE
from jobs.engine import Engine
from jobs.errors import LeaseLost
from jobs.moves import Move, NewEvent, apply, state_event
from jobs.naming import plain
from jobs.removal import delete_job
from jobs.requesting import request_cancel, request_pause, resume
from jobs.staging import TAIL_BYTES
from jobs.tables import FAILURE_CODES, Attempt, Job

__all__ = [
    "Beat",
    "Failure",
    "Lease",
    "Signals",
    "delete_job",
    "request_cancel",
    "request_pause",
    "resume",
]


@dataclass(frozen=True, slots=True)
class Signals:
    """What users asked of a running job."""

    cancel: bool
    pause: bool


@dataclass(frozen=True, slots=True)
class Told:
    """What a heartbeat has written, and what it found."""

    signals: Signals
    metrics: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed.

    Attributes:
        code: One of :data:`jobs.tables.FAILURE_CODES`.
        faults: Sentences for the user.
        disk: Of a full disk: the host, and the bytes that were free when the attempt had been tidied up.
    """

    code: str
    faults: Sequence[Fault] = ()
    disk: Mapping[str, Any] | None = None

    def stored(self) -> dict[str, Any]:
        """As it is kept in the job's row."""
        if self.code not in FAILURE_CODES:
            raise ValueError(f"no such failure code: {self.code}")
        disk = {"disk": dict(self.disk)} if self.disk is not None else {}
        return {"code": self.code, "faults": [_jsonable(asdict(fault)) for fault in self.faults]} | disk


class Lease:
    """The right of one attempt to write to its job.

    Every method raises :class:`jobs.errors.LeaseLost` when the attempt no longer holds the job, and
    lets database errors through: repeat the call, it does nothing twice. A call that ends the
    attempt and whose COMMIT was answered by silence is recognised as done when it is repeated.
    """

    def __init__(self, engine: Engine, claim: Claim) -> None:
        self._engine = engine
        self.claim = claim
        self.meter: energy.Meter | None = None  # set by who supervises the attempt, where it lasts
        self.peak_memory: int | None = None  # the same; what the runner took of its device
        self._metrics: dict[str, float | None] = {}

    def signals(self) -> Signals:
        """Look whether a user asked to stop; only reads, so it may be called every second."""
        with self._engine.db.read() as session:
            flags = select(Job.cancel_requested_at, Job.pause_requested_at).where(*self._held())
            row: Any = session.execute(flags).one_or_none()
        if row is None:
            raise LeaseLost
        return signals_in(row)

    def beat(self, beat: Beat = NOTHING) -> Signals:
        """Renew the lease and write down what happened since the last time."""
        with self._engine.db.begin() as session:
            told = self.tell(session, self._engine.db.now(session), beat)
        return self.remember(told)

    def tell(self, session: Session, now: datetime, beat: Beat) -> Told:
        """What :meth:`beat` writes, to be written along with others; give it to :meth:`remember` after the commit."""
        points = curves.merge(beat.points)
        metrics = self.seen(points)
        row = self._write(session, beats.renewal(self._engine.settings, beat, metrics, now), now)
        curves.write(self._engine.db, session, self.claim.job_id, points)
        self._note_energy(session)
        return Told(signals_in(row), metrics)

    def remember(self, told: Told) -> Signals:
        """Keep what was told, and give what was asked."""
        self._metrics = dict(told.metrics)
        return told.signals

    def checkpoint(self, step: int, files: Sequence[NewFile]) -> None:
        """Record a checkpoint, in the place of the one before. An older step than the last one's is ignored.

        Raises:
            BlobMissing: Put the files again, then repeat the call.
        """
        move = Move("running", "running", {"checkpoint_step": step}, [NewEvent("checkpoint", {"step": step})])
        with self._engine.db.begin() as session:
            now = self._engine.db.now(session)
            if apply(session, self.claim.job_id, move, now, *self._held(), Job.checkpoint_step < step) is None:
                self._require(session)
                return
            results.keep_files(self._engine, session, self._place("checkpoint", step), files, now)
            results.drop_checkpoints(session, self.claim.job_id, keep_step=step)
            self._note_energy(session, kept=True)

    def sample(self, step: int, file: NewFile) -> None:
        """Record a preview made at a step; it is kept under a name that holds the step.

        Raises:
            BlobMissing: Put the file again, then repeat the call.
        """
        kept = replace(file, name=results.stepped_name(file.name, step))
        event = NewEvent("sample", {"step": step, "name": kept.name, "sha256": kept.sha256})
        with self._engine.db.begin() as session:
            now = self._engine.db.now(session)
            self._write(session, Move("running", "running", events=[event]), now)
            results.keep_files(self._engine, session, self._place("sample", step), [kept], now)

    def succeed(self, metrics: Mapping[str, float], files: Sequence[NewFile], last: Beat | None = None) -> None:
        """End the job well, and register the model version or complete the dataset it makes, all at once.

        The dataset's report is read from the file ``dataset/dataset.json`` among ``files``. What
        happened since the last heartbeat may come along in ``last``, which saves a transaction.

        Raises:
            BlobMissing: Put the files again, then repeat the call.
            IncompleteResult: The files do not hold what the operation makes.
        """
        self._end(self.success(metrics, files, last), "succeeded")

    def success(
        self, metrics: Mapping[str, float], files: Sequence[NewFile], last: Beat | None = None
    ) -> Callable[[Session, datetime], None]:
        """What :meth:`succeed` writes, to be written along with other jobs' ends (:mod:`jobs.together`)."""
        made = results.Result(results.makes(self.claim.family, self.claim.operation), curves.clean(metrics), files)
        report = results.check_complete(self._engine, made)

        return lambda session, now: self._succeed(session, now, made, report, last or NOTHING)

    def fail(self, failure: Failure, stderr_tail: str = "") -> None:
        """End the attempt badly: try again later if the failure's kind and the budget allow it, else give up.

        What the next attempt does differently is written in the same transaction that queues it.
        """
        stored, tail = failure.stored(), _tail(stderr_tail)
        self._end(lambda session, now: self._fail(session, now, stored, tail), "retried", "failed", "cancelled")

    def release(self, reason: str) -> None:
        """Give the job back unharmed (the worker shuts down, the device is unwell); no failure is counted."""
        self._end(self.giving_back(reason), "released", "cancelled")
        # The row is announced again by the scheduler as well, should this message be lost.
        self._engine.dispatcher.announce(self.claim.lane, self.claim.device_kind)

    def leave_company(self, reason: str) -> None:
        """Give the job back unharmed, to be run by itself: a call that it shared broke, and nobody knows why."""
        self._end(self.giving_back(reason, alone=True), "released", "cancelled")
        self._engine.dispatcher.announce(self.claim.lane, self.claim.device_kind)

    def giving_back(self, reason: str, alone: bool = False) -> Callable[[Session, datetime], None]:
        """What :meth:`release` writes, to be written along with others.

        Args:
            reason: One or two words.
            alone: Whether it must not share a call of its model any more (:mod:`jobs.company`).
        """
        return lambda session, now: self._release(session, now, reason, alone)

    def cancelled(self) -> None:
        """End the job because a user asked for it; call it when the runner is gone."""
        self._end(self._cancelled, "cancelled")

    def paused(self) -> None:
        """Leave the job paused because a user asked for it; call it after the last checkpoint.

        A request to cancel that came meanwhile goes before it.
        """
        self._end(self._paused, "paused", "cancelled")

    def seen(self, points: Mapping[int, Mapping[str, float | None]]) -> dict[str, float | None]:
        """The last value of each figure, those of an earlier beat included."""
        return self._metrics | {name: value for values in points.values() for name, value in values.items()}

    def _end(self, work: Callable[[Session, datetime], None], *outcomes: str) -> None:
        """End the attempt, unless an earlier call did so whose COMMIT was answered by silence."""

        def ending(session: Session, now: datetime) -> list[Row[Any]]:
            work(session, now)
            return graph.settle(session, [self.claim.job_id], now)

        try:
            graph.announce(self._engine, self._engine.db.transact(ending))
        except LeaseLost:
            with self._engine.db.read() as session:
                found = session.scalar(select(Attempt.outcome).where(Attempt.lease_id == self.claim.lease_id))
            if found not in outcomes:
                raise

    def _succeed(
        self, session: Session, now: datetime, made: results.Result, report: Mapping[str, Any], last: Beat
    ) -> None:
        points = curves.merge(last.points)
        move = beats.success(self._engine.settings, last, self.seen(points), made.metrics, now)
        job = self._write(session, move, now)
        curves.write(self._engine.db, session, self.claim.job_id, points)
        results.keep_files(self._engine, session, self._place("output"), made.files, now)
        if job.checkpoint_step >= 0:
            results.drop_checkpoints(session, job.id)
        if made.makes == "model":
            results.register_model(session, job, made.metrics, now)
        if made.makes == "dataset":
            results.complete_dataset(session, job.id, report, now)
        self._end_attempt(session, now, "succeeded")

    def _fail(self, session: Session, now: datetime, failure: dict[str, Any], tail: str) -> None:
        row = self._require(session)
        code, settings, case = failure["code"], self._engine.settings, self._case(row)
        remedy = recovery.remedy(code, case)
        decision = budget.decide(code, row.app_failures, settings, remedied=remedy is not None)
        if decision == "fail":
            event = state_event("failed", attempt=self.claim.attempt, code=code)
            self._write(session, Move("running", "failed", {"failure": _advised(failure, case)}, [event]), now)
            self._end_attempt(session, now, "failed", code, tail)
            return
        if row.cancel_requested_at is not None:
            self._cancelled(session, now)
            return
        later = now + budget.pause(code, row.app_failures, settings)
        counted = {"app_failures": Job.app_failures + 1} if decision == "retry" else {"releases": Job.releases + 1}
        values: dict[str, Any] = {"failure": failure, "not_before": later, **counted}
        said: dict[str, Any] = {"attempt": self.claim.attempt, "code": code, "not_before": later.isoformat()}
        events = []
        if remedy is not None:
            values["adjustments"] = said["adjustments"] = recovery.stored(remedy.adjustments)
            events.append(NewEvent("log", {"level": "warning", "message": remedy.line}))
        self._write(session, Move("running", "queued", values, [*events, state_event("queued", **said)]), now)
        self._end_attempt(session, now, "retried", code, tail)

    def _case(self, row: Any) -> recovery.Case:
        claim = self.claim
        task, adjustments = f"{claim.family}.{claim.operation}", Adjustments.read(claim.adjustments)
        return recovery.Case(task, claim.params, adjustments, row.checkpoint_step)

    def _release(self, session: Session, now: datetime, reason: str, alone: bool) -> None:
        if self._require(session).cancel_requested_at is not None:
            self._cancelled(session, now)
            return
        event = state_event("queued", attempt=self.claim.attempt, reason=reason)
        values: dict[str, Any] = {"releases": Job.releases + 1, "not_before": now}
        if alone:
            values["adjustments"] = {**self.claim.adjustments, ALONE: True}
        self._write(session, Move("running", "queued", values, [event]), now)
        self._end_attempt(session, now, "released")

    def _cancelled(self, session: Session, now: datetime) -> None:
        self._write(
            session,
            Move("running", "cancelled", events=[state_event("cancelled")]),
            now,
            Job.cancel_requested_at.is_not(None),
        )
        self._end_attempt(session, now, "cancelled")

    def _paused(self, session: Session, now: datetime) -> None:
        if self._require(session).cancel_requested_at is not None:  # asked since the worker looked last
            self._cancelled(session, now)
            return
        move = Move("running", "paused", {"pause_requested_at": None}, [state_event("paused")])
        self._write(session, move, now, Job.pause_requested_at.is_not(None))
        self._end_attempt(session, now, "paused")

    def _held(self) -> tuple[ColumnElement[bool], ...]:
        return (Job.id == self.claim.job_id, Job.lease_id == self.claim.lease_id, Job.status == "running")

    def _write(self, session: Session, move: Move, now: datetime, *guards: ColumnElement[bool]) -> Row[Any]:
        if move.rule is not None:
            bound = {**move.bound, "lease": self.claim.lease_id}
            row = apply(session, self.claim.job_id, replace(move, bound=bound), now)
        else:
            row = apply(session, self.claim.job_id, move, now, Job.lease_id == self.claim.lease_id, *guards)
        if row is None:
            raise LeaseLost
        return row

    def _require(self, session: Session) -> Any:
        wanted = select(Job.app_failures, Job.cancel_requested_at, Job.checkpoint_step).where(*self._held())
        row: Any = session.execute(wanted.with_for_update()).one_or_none()
        if row is None:
            raise LeaseLost
        return row

    def _end_attempt(
        self, session: Session, now: datetime, outcome: str, code: str | None = None, tail: str = ""
    ) -> None:
        values = {"now": now, "outcome_": outcome, "code": code, "tail": tail or None, "lease": self.claim.lease_id}
        session.connection().execute(END_ATTEMPT, values)
        self._note_energy(session, kept=energy.ends_kept(outcome))
        if self.peak_memory is not None:
            noted = {"lease": self.claim.lease_id, "peak": self.peak_memory}
            session.connection().execute(needs.NOTE_PEAK, noted)

    def _note_energy(self, session: Session, *, kept: bool = False) -> None:
        if self.meter is not None:
            energy.note(session, self.claim.lease_id, self.meter(), kept=kept)

    def _place(self, role: str, step: int | None = None) -> results.Place:
        return results.Place(self.claim.tenant_id, self.claim.job_id, role, step)


END_ATTEMPT = (
    update(Attempt.__table__)  # type: ignore[arg-type]
    .where(Attempt.__table__.c.lease_id == bindparam("lease"))
    .values(
        ended_at=bindparam("now"),
        outcome=bindparam("outcome_"),
        failure_code=bindparam("code"),
        stderr_tail=bindparam("tail"),
    )
)


def signals_in(row: Any) -> Signals:
    """What a job's row asks for."""
    return Signals(cancel=row.cancel_requested_at is not None, pause=row.pause_requested_at is not None)


def _advised(failure: Mapping[str, Any], case: recovery.Case) -> dict[str, Any]:
    """A final failure, with what to change in place of the worker's sentence, where that is known."""
    faults = failure["faults"]
    found = recovery.advice(failure["code"], case, faults[0]["values"].get("step") if faults else None)
    if found is None:
        return dict(failure)
    suggestion = {"suggestion": {"params": dict(found.params)}} if found.params else {}
    return {**failure, "faults": [asdict(found.fault), *faults[1:]], **suggestion}


def _tail(text: str) -> str:
    return plain(text)[-TAIL_BYTES:]


def _jsonable(value: Any) -> Any:
    """What a fault carries, as JSON can hold it: values from data may be of any type."""
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    return plain(str(value))
