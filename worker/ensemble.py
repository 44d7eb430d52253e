"""Several attempts on one model, carried out by one call of the runner: each has its own lease, files and end.

What befalls one leaves the others alone: a cancel, a lost lease, bad data. Only when the runner itself is lost does
nobody know whose fault it was; then those that have not ended go back to the queue unharmed, each to be run by itself.
"""

import logging
import selectors
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs import staging
from jobs.artifacts import NewFile
from jobs.claiming import Claim
from jobs.errors import LeaseLost
from jobs.lifecycle import Lease, Signals
from jobs.together import Success, succeed_together
from worker import failures
from worker.harvest import Harvest
from worker.heart import Heart
from worker.hearts import Hearts
from worker.materialise import DamagedFile
from worker.protocol import BrokenProtocol, Message
from worker.recorder import End, record
from worker.runner_pool import Runner
from worker.supervisor import LATE_SECONDS, Company, Post

BROKEN = "company lost"
_TAIL_SECONDS = 1.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Part:
    """One of the attempts."""

    claim: Claim
    lease: Lease
    heart: Heart
    staging: Path
    harvest: Harvest
    cancel: bool = False
    pause: bool = False
    told: set[str] = field(default_factory=set)
    give_up_at: float = float("inf")

    @property
    def name(self) -> str:
        """What the runner calls it."""
        return self.claim.lease_id


@dataclass(frozen=True, slots=True)
class Learned:
    """What a call has shown.

    Attributes:
        jobs: How many it held.
        seconds: How long it took.
        fitted: How many the device had room for at once.
        room: How many it would have had room for, where that is known.
    """

    jobs: int
    seconds: float
    fitted: int
    room: int | None = None


class Ensemble:
    """Supervises several attempts from their claims to their recorded ends.

    Args:
        post: What the slot provides.
        claims: The jobs, claimed: two or more, of one operation on one model.
        runner: Who does the work.
        company: Other jobs that were claimed along, which must not wait for these.

    Attributes:
        learned: What the call has shown, once it is over.
    """

    def __init__(self, post: Post, claims: Sequence[Claim], runner: Runner, company: Company) -> None:
        self._post, self._runner, self._company = post, runner, company
        self._settings = post.engine.settings
        self._open = {part.name: part for part in map(self._part, claims)}
        self._ended: list[tuple[Part, End]] = []
        hearts = [(part.lease, part.heart) for part in self._open.values()]
        self._hearts = Hearts(post.engine, self._settings.heartbeat_seconds, hearts)
        self._moved_at = time.monotonic()
        self._beats_from = self._moved_at + LATE_SECONDS
        self._kill_at = float("inf")
        self._healthy = True
        self.learned: Learned | None = None

    def run(self) -> bool:
        """Do it all; whether the runner may be used again."""
        parts = list(self._open.values())
        try:
            self._prepare()
            if self._open:
                self._follow()
        except BrokenProtocol:
            log.exception("The runner of %d jobs cannot be understood", len(self._open))
            self._lose_runner()
        except Exception:
            log.exception("%d jobs on one model", len(self._open))
            self._lose_runner()
        finally:
            self._hearts.stop()
            for part in parts:
                part.heart.stop()
                staging.remove(part.staging)
        return self._healthy

    def _part(self, claim: Claim) -> Part:
        settings, lease = self._settings, Lease(self._post.engine, claim)

        def hear(signals: Signals) -> None:
            part.cancel, part.pause = part.cancel or signals.cancel, part.pause or signals.pause
            self._post.bell.ring()

        heart = Heart(lease, settings.heartbeat_seconds, settings.lease_seconds, hear)
        directory = staging.directory(settings, claim.job_id, claim.attempt, claim.lease_id)
        part = Part(claim, lease, heart, directory, Harvest(self._post.engine.store, lease, heart))
        return part

    def _last(self) -> None:
        """Begin to renew the leases: these attempts are not of those that end within moments."""
        if self._beats_from < float("inf"):
            self._beats_from = float("inf")
            self._company.dissolve()
            self._hearts.start()

    def _prepare(self) -> None:
        """Bring the model here and give the runner its work."""
        cache, first = self._post.inputs, next(iter(self._open.values()))
        if not all(cache.holds(files) for files in first.claim.inputs.values()):
            self._last()
        try:
            inputs = {name: str(cache.directory(files)) for name, files in first.claim.inputs.items()}
        except DamagedFile as error:
            for part in list(self._open.values()):
                self._end(
                    part, End("failed", failure=failures.ending("internal", failures.BROKEN_INPUT, name=error.name))
                )
            self._record()
            return
        for part in self._open.values():
            (part.staging / staging.OUT).mkdir(parents=True)
            part.heart.phase("preparing")
        self._runner.tail.copy_to(first.staging / staging.PRINTED)
        self._runner.send(
            "run_many",
            family=first.claim.family,
            operation=first.claim.operation,
            inputs=inputs,
            resume_from=None,
            device=self._post.device.torch_name,
            checkpoint_seconds=self._settings.checkpoint_seconds,
            adjustments={},
            parts=[
                {
                    "part": name,
                    "params": part.claim.params,
                    "out_dir": str(part.staging / staging.OUT),
                    "scratch": str(part.staging / "scratch"),
                }
                for name, part in self._open.items()
            ],
        )

    def _follow(self) -> None:
        """Wait for what comes first: a message, the runner's death, a request, a deadline."""
        began = self._moved_at = time.monotonic()
        jobs, runner, bell = len(self._open), self._runner, self._post.bell
        with selectors.DefaultSelector() as selector:
            for fd in (runner.events.fd, bell.fd, *([runner.exit_fd] if runner.exit_fd is not None else [])):
                selector.register(fd, selectors.EVENT_READ)
            while True:
                self._pass_on_requests()
                ready = {key.fd for key, _ in selector.select(max(0.0, self._deadline() - time.monotonic()))}
                if bell.fd in ready:
                    bell.hush()
                if time.monotonic() >= self._beats_from:
                    self._last()
                gone = runner.exit_fd in ready
                over = self._take_all(runner.events.read_all() if gone else runner.read())
                self._record()
                if over is not None:
                    seconds = time.monotonic() - began
                    self.learned = Learned(jobs, seconds, over["fitted"] or jobs, over["room"])
                    return
                if gone or runner.events.ended or self._overdue():
                    self._take_all(runner.events.read_all())
                    self._lose_runner()
                    return

    def _deadline(self) -> float:
        ends = [self._moved_at + self._settings.stall_seconds, self._kill_at, self._beats_from]
        return min(ends + [part.give_up_at for part in self._open.values()])

    def _overdue(self) -> bool:
        now = time.monotonic()
        return now >= self._kill_at or now >= self._moved_at + self._settings.stall_seconds

    def _pass_on_requests(self) -> None:
        """Tell the runner what is asked of each, once, and give up those that do not stop in their time."""
        now = time.monotonic()
        grace = now + self._settings.grace_seconds
        draining = self._post.draining()
        for part in list(self._open.values()):
            if part.heart.lost:
                self._leave(part)
                continue
            if part.cancel and "cancel" not in part.told:
                part.told.add("cancel")
                part.give_up_at = grace
                self._runner.send("cancel", part=part.name)
            if (part.pause or draining) and "pause" not in part.told:
                part.told.add("pause")
                self._runner.send("pause", part=part.name)
            if now >= part.give_up_at:  # the others go on, and what this one still says is not heard
                self._end(part, End("killed"))
        if draining and self._kill_at == float("inf"):
            self._kill_at = grace
        self._record()
        if not self._open:  # nobody is left who waits for the runner: it gets as long as a lone one
            self._kill_at = min(self._kill_at, grace)

    def _take_all(self, messages: Sequence[Message]) -> Mapping[str, Any] | None:
        """Take in messages; the last one of the call, if it is among them."""
        for message in messages:
            self._moved_at = time.monotonic()
            if message["kind"] == "over":
                self._runner.warm = frozenset(message["warm"])
                return message
            if message["kind"] == "ready":
                continue
            part = self._open.get(message["part"])
            if part is not None:
                self._take(part, message)
        return None

    def _take(self, part: Part, message: Message) -> None:
        kind, heart = message["kind"], part.heart
        try:
            if kind == "progress":
                heart.progress(message["step"], message["total"], message["rate"], message["values"])
            elif kind == "phase":
                heart.phase(message["name"])
            elif kind == "log":
                heart.line(message["line"])
            elif kind == "preview":
                with self._hearts.beating:
                    part.harvest.sample(message["name"], message["step"], Path(message["path"]))
            elif kind == "end":
                self._end(part, _end_of(message))
            elif kind not in ("saving", "checkpoint"):
                raise BrokenProtocol(f"a runner says {kind!r}")
        except LeaseLost:
            self._leave(part)

    def _leave(self, part: Part) -> None:
        """The lease is lost: write nothing, and hear no more of it."""
        self._open.pop(part.name, None)
        part.heart.stop()
        self._runner.send("cancel", part=part.name)
        log.warning("Job %s attempt %s lost its lease; wrote nothing", part.claim.job_id, part.claim.attempt)

    def _end(self, part: Part, end: End) -> None:
        self._open.pop(part.name, None)
        if end.failure is not None and not end.healthy:
            self._healthy = False
        stop = "cancel" if part.cancel else "pause" if part.pause else "drain" if self._post.draining() else None
        tail = self._runner.tail.text() if end.failure is not None and not end.healthy else ""
        self._ended.append((part, End(end.outcome, end.metrics, end.failure, stop, tail)))  # type: ignore[arg-type]

    def _record(self) -> None:
        """Write down what has ended: plain successes together, everything else by itself."""
        ended, self._ended = self._ended, []
        if not ended:
            return
        with self._hearts.beating:
            for part, _ in ended:
                part.heart.stop()
        plain = [(part, end) for part, end in ended if end.outcome == "succeeded" and end.stop is None]
        self._record_together(plain)
        for part, end in ended:
            if (part, end) not in plain:
                _record_alone(part, end)

    def _record_together(self, plain: Sequence[tuple[Part, End]]) -> None:
        if not plain:
            return
        if any(part.harvest.is_large(part.staging / staging.OUT) for part, _ in plain):
            self._last()
        made = list[Success]()
        try:
            files = plain[0][0].harvest.outputs_of_all([part.staging / staging.OUT for part, _ in plain])
            made = [_success(part, end, found) for (part, end), found in zip(plain, files, strict=True)]
            held = plain[0][0].heart.persist(lambda: succeed_together(self._post.engine, made))
        except Exception as error:  # noqa: BLE001 - one of them; by itself, each shows whether it is the one
            log.warning("%d jobs are recorded one by one: %s", len(plain), error)
            held = [False] * len(plain)
            for (part, _), success in zip(plain, made, strict=False):
                part.heart.put_back(success.last)
        for (part, end), written in zip(plain, held, strict=True):
            if not written:
                _record_alone(part, end)

    def _lose_runner(self) -> None:
        """The runner is lost, or must go: whoever has not ended goes back unharmed, to be run by itself."""
        self._healthy = False
        self._runner.kill()
        self._runner.tail.wait(_TAIL_SECONDS)
        self._record()
        for part in list(self._open.values()):
            if part.cancel or self._post.draining():
                self._end(part, End("killed"))
                continue
            self._open.pop(part.name)
            with self._hearts.beating:
                part.heart.stop()
            self._give_back(part)
        self._record()

    def _give_back(self, part: Part) -> None:
        try:
            part.heart.flush()
            part.heart.persist(lambda: part.lease.leave_company(BROKEN))
        except LeaseLost:
            log.warning("Job %s attempt %s lost its lease; wrote nothing", part.claim.job_id, part.claim.attempt)


def _end_of(message: Message) -> End:
    if message["outcome"] == "failed":
        return End("failed", failure=failures.from_message(message))
    return End(message["outcome"], metrics=message.get("metrics", {}))


def _success(part: Part, end: End, files: Sequence[NewFile]) -> Success:
    return Success(part.lease, end.metrics, files, part.heart.cut())


def _record_alone(part: Part, end: End) -> None:
    try:
        record(end, part.lease, part.heart, part.harvest, part.staging)
    except LeaseLost:
        log.warning("Job %s attempt %s lost its lease; wrote nothing", part.claim.job_id, part.claim.attempt)
