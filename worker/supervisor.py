"""One attempt of one job: keeps the lease, follows the runner, stores what it makes, records how it ended.

Nothing here waits by sleeping: the supervisor sits on the runner's pipe, its process handle
and a bell that the heartbeat and SIGTERM ring. It never imports torch.
"""

import logging
import selectors
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from jobs import durations, energy, logs, staging
from jobs.claiming import Claim
from jobs.engine import Engine
from jobs.errors import LeaseLost
from jobs.lifecycle import Lease, Signals
from worker import failures, linux
from worker.bell import Bell
from worker.devices import Device
from worker.harvest import Harvest
from worker.heart import Heart
from worker.materialise import DamagedFile, InputCache, place
from worker.protocol import BrokenProtocol, Message
from worker.recorder import End
from worker.runner_pool import Runner

SAVE_SECONDS = 30.0  # what a runner gets to finish a checkpoint that it began before its grace ran out
LATE_SECONDS = 0.25  # what ends within it needs no heartbeat: its lease is fresh
_TAIL_SECONDS = 1.0

log = logging.getLogger(__name__)


def _alone(_claim: Claim) -> Mapping[str, Any]:
    """One device does it."""
    return {}


@dataclass(frozen=True, slots=True)
class Post:
    """What a slot gives to each attempt it supervises.

    Attributes:
        engine: Database, store and settings.
        device: What the runner computes on.
        inputs: Local copies of inputs.
        bell: Rung when something outside the pipe has changed.
        draining: Whether the slot is to stop, or its device is unwell.
        meter: Begins to count the energy that a runner uses.
        crew: What a runner is told of a job that several devices work on.
    """

    engine: Engine
    device: Device
    inputs: InputCache
    bell: Bell
    draining: Callable[[], bool]
    meter: Callable[[int], energy.Meter] | None = None
    crew: Callable[[Claim], Mapping[str, Any]] = _alone


class Company(Protocol):
    """The jobs that were claimed along with one, if any."""

    def note(self, end: End, lease: Lease, heart: Heart, harvest: Harvest, staging: Path) -> None:
        """Record how the attempt ended, now or along with others."""

    def dissolve(self) -> None:
        """Leave none of the others waiting: this attempt may last."""


class Supervisor:
    """Supervises one attempt, from the claim to the recorded end.

    Args:
        post: What the slot provides.
        claim: The job, claimed.
        runner: Who does the work.
        company: The jobs that were claimed along with it.
    """

    def __init__(self, post: Post, claim: Claim, runner: Runner, company: Company) -> None:
        settings = post.engine.settings
        self._post, self._claim, self._runner = post, claim, runner
        self._settings, self._tracing = settings, post.engine.tracing
        self._lease = Lease(post.engine, claim)
        self._heart = Heart(self._lease, settings.heartbeat_seconds, settings.lease_seconds, self._hear)
        self._staging = staging.directory(settings, claim.job_id, claim.attempt, claim.lease_id)
        self._harvest = Harvest(post.engine.store, self._lease, self._heart)
        self._cancel = self._pause = False
        self._asked: set[str] = set()
        self._kill_at = float("inf")
        self._moved_at = time.monotonic()
        self._time_up_at = float("inf") if claim.time_left is None else self._moved_at + claim.time_left
        self._company = company
        self._beats_from = self._moved_at + LATE_SECONDS

    def run(self) -> bool:
        """Do it all; whether the runner may be used again."""
        claim = self._claim
        about: dict[str, str | int] = {"job": claim.job_id, "attempt": claim.attempt}
        facts = {**about, "task": f"{claim.family}.{claim.operation}", "tenant": claim.tenant_id}
        with logs.about(**about), self._tracing.span("attempt", facts, claim.traceparent):
            return self._run()

    def _run(self) -> bool:
        try:
            if self._claim.lane == "training" or self._claim.checkpoint is not None:
                self._last()
            end = self._work()
            if self._harvest.is_large(self._staging / staging.OUT):
                self._last()
            with self._tracing.span("record", {"outcome": end.outcome}):
                self._company.note(end, self._lease, self._heart, self._harvest, self._staging)
        except LeaseLost:
            self._runner.kill()
            log.warning("Job %s attempt %s lost its lease; wrote nothing", self._claim.job_id, self._claim.attempt)
            return False
        finally:
            self._heart.stop()
            staging.remove(self._staging)
        return end.healthy

    def _work(self) -> End:
        try:
            with self._tracing.span("prepare", {"inputs": len(self._claim.inputs)}):
                self._prepare()
            with self._tracing.span("run", {"device": self._post.device.name, "runner": self._runner.pid}):
                end = self._follow()
        except LeaseLost:
            raise
        except DamagedFile as error:
            end = End("failed", failure=failures.ending("internal", failures.BROKEN_INPUT, name=error.name))
        except Exception as error:
            log.exception("Job %s attempt %s", self._claim.job_id, self._claim.attempt)
            end = End("failed", failure=failures.from_exception(error))
        return self._completed(end)

    def _last(self) -> None:
        """Begin to renew the lease: the attempt is not one of those that end within moments."""
        if self._beats_from < float("inf"):
            self._beats_from = float("inf")
            self._company.dissolve()
            if self._post.meter is not None:
                self._lease.meter = self._post.meter(self._runner.pid)
            self._heart.start()

    def _prepare(self) -> None:
        """Bring the inputs here and give the runner its work."""
        claim, cache = self._claim, self._post.inputs
        if claim.attempt > 1:
            for stale in self._settings.staging.glob(f"{claim.job_id}.*"):
                shutil.rmtree(stale, ignore_errors=True)  # of attempts that lost the job
        out, scratch, resume = (self._staging / name for name in (staging.OUT, "scratch", "resume"))
        self._staging.mkdir(parents=True)
        out.mkdir()
        self._runner.tail.copy_to(self._staging / staging.PRINTED)
        self._heart.phase("preparing")
        if not all(cache.holds(files) for files in claim.inputs.values()):
            self._last()
        inputs = {name: str(cache.directory(files)) for name, files in claim.inputs.items()}
        if claim.checkpoint is not None:
            place(claim.checkpoint, resume, self._post.engine.store)
        self._runner.send(
            "run",
            family=claim.family,
            operation=claim.operation,
            params=claim.params,
            inputs=inputs,
            out_dir=str(out),
            scratch=str(scratch),
            resume_from=str(resume) if claim.checkpoint is not None else None,
            device=self._post.device.torch_name,
            checkpoint_seconds=self._settings.checkpoint_seconds,
            adjustments=dict(claim.adjustments),
            **self._post.crew(claim),
        )

    def _follow(self) -> End:
        """Wait for what comes first: a message, the runner's death, a request, a deadline."""
        self._moved_at = time.monotonic()
        runner, bell = self._runner, self._post.bell
        with selectors.DefaultSelector() as selector:
            for fd in (runner.events.fd, bell.fd, *([runner.exit_fd] if runner.exit_fd is not None else [])):
                selector.register(fd, selectors.EVENT_READ)
            while True:
                self._pass_on_requests()
                stalls_at = self._moved_at + self._settings.stall_seconds
                deadline = min(self._kill_at, stalls_at, self._next_limit(), self._beats_from)
                ready = {key.fd for key, _ in selector.select(max(0.0, deadline - time.monotonic()))}
                if bell.fd in ready:
                    bell.hush()
                if self._heart.lost:
                    raise LeaseLost
                if time.monotonic() >= self._beats_from:
                    self._last()
                gone = runner.exit_fd in ready
                end = self._take_all(runner.events.read_all() if gone else runner.read())
                if end is None and (gone or runner.events.ended):
                    end = self._died()
                end = end or self._overdue()
                if end is not None:
                    return end

    def _hear(self, signals: Signals) -> None:
        """Called by the heart's thread. A cancel is passed on from there, as this one may be busy storing."""
        self._cancel = self._cancel or signals.cancel
        self._pause = self._pause or signals.pause
        if self._cancel:
            self._runner.send("cancel")
        self._post.bell.ring()

    def _pass_on_requests(self) -> None:
        """Tell the runner what is asked, once, and set the time it has for it."""
        now = time.monotonic()
        grace, time_is_up = now + self._settings.grace_seconds, now >= self._time_up_at
        if self._cancel and "cancel" not in self._asked:
            self._asked.add("cancel")
            self._runner.send("cancel")
            self._kill_at = min(self._kill_at, grace)
        if (self._pause or self._post.draining() or time_is_up) and "pause" not in self._asked:
            self._asked.add("pause")
            self._runner.send("pause")
        for reason, holds in (("drain", self._post.draining()), ("timeout", time_is_up)):
            if holds and reason not in self._asked:
                self._asked.add(reason)
                self._kill_at = min(self._kill_at, grace)

    def _next_limit(self) -> float:
        """When the time limit has still to be said."""
        return float("inf") if "timeout" in self._asked else self._time_up_at

    def _take_all(self, messages: list[Message]) -> End | None:
        for message in messages:
            self._moved_at = time.monotonic()
            if message["kind"] == "end":
                return self._ended(message)
            self._take(message)
        return None

    def _take(self, message: Message) -> None:
        kind, heart = message["kind"], self._heart
        if kind == "progress":
            heart.progress(message["step"], message["total"], message["rate"], message["values"])
        elif kind == "phase":
            heart.phase(message["name"])
        elif kind == "log":
            heart.line(message["line"])
        elif kind == "preview":
            self._harvest.sample(message["name"], message["step"], Path(message["path"]))
        elif kind == "saving" and self._asked & {"drain", "timeout"} and "cancel" not in self._asked:
            self._kill_at = time.monotonic() + SAVE_SECONDS
        elif kind == "checkpoint":
            self._harvest.checkpoint(message["step"], Path(message["path"]))
        elif kind not in ("ready", "saving"):
            raise BrokenProtocol(f"a runner says {kind!r}")

    def _ended(self, message: Message) -> End:
        self._runner.warm = frozenset(message["warm"])
        self._lease.peak_memory = message.get("peak_memory")
        if message["outcome"] == "failed":
            return End("failed", failure=failures.from_message(message))
        return End(message["outcome"], metrics=message.get("metrics", {}))

    def _overdue(self) -> End | None:
        now = time.monotonic()
        if now >= self._kill_at:
            self._runner.kill()
            return End("killed")
        if now >= self._moved_at + self._settings.stall_seconds:
            seconds = round(self._settings.stall_seconds)
            return End("failed", failure=failures.ending("stalled", failures.STALLED, seconds=seconds))
        return None

    def _died(self) -> End:
        status, self._runner.ended_itself = self._runner.kill(), True
        return End("failed", failure=failures.from_exit(status, linux.oom_kills() > self._runner.oom_kills))

    def _completed(self, end: End) -> End:
        """Add what the requests make of it, and for a failure what the runner printed last."""
        if "timeout" in self._asked and end.outcome != "succeeded":
            limit = durations.spoken(self._claim.time_limit or 0)
            end = replace(end, outcome="failed", failure=failures.ending("timeout", failures.TIMEOUT, limit=limit))
        tail = ""
        if not end.healthy:
            self._runner.kill()
            self._runner.tail.wait(_TAIL_SECONDS)
            tail = self._runner.tail.text()
        stop: Literal["cancel", "pause", "drain"] | None = None
        if self._cancel:
            stop = "cancel"
        elif self._pause:
            stop = "pause"
        elif self._post.draining():
            stop = "drain"
        return End(end.outcome, end.metrics, end.failure, stop, tail)
