"""Several short generations claimed together, run one after the other, and recorded together.

A generation of a millisecond costs several in transactions. So a slot whose last jobs were that short takes
more than one at a time. It stays harmless: how many it takes follows from how long the last ones took, what has
not begun after a quarter of a second goes back to the queue, and a single waiting job is run as ever. Only plain
successes are recorded together; whatever else happens to a job is recorded by itself, at once.
"""

import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.claiming import Claim
from jobs.errors import BlobMissing, LeaseLost
from jobs.lifecycle import Lease
from jobs.staging import OUT
from jobs.together import Success, end_together, succeed_together
from worker import failures
from worker.ensemble import Ensemble, Learned
from worker.harvest import Harvest
from worker.heart import Heart
from worker.recorder import End, record
from worker.runner_pool import Runner
from worker.supervisor import Post, Supervisor

MOST = 32
SECONDS = 0.25
_NOT_BEGUN = "not begun"

log = logging.getLogger(__name__)


class Pace:
    """How many jobs a slot may take at once: as many as fit into half the time of a burst, and at most twice as
    many as the last time.

    Args:
        limit: The most it may become.
    """

    def __init__(self, limit: int) -> None:
        self.most = 1
        self._limit = limit

    def note(self, seconds: float) -> None:
        """Learn how long the jobs of a burst took on average."""
        fitting = int(SECONDS / 2 / seconds) if seconds else self._limit
        self.most = max(1, min(self._limit, 2 * self.most, fitting))


@dataclass(slots=True)
class _Done:
    """An attempt that ended well and is not recorded yet; its files are in the store."""

    success: Success
    heart: Heart
    harvest: Harvest
    staging: Path


class Burst:
    """Sees several claims through, in their order.

    Args:
        post: What the slot provides.
        claims: The jobs, claimed; one or more.
        runner: Who does the work.
        shared: Further jobs that share a call of the model with the first.

    Attributes:
        typical: Seconds a job took on average, without what it took to record it; infinite after a fault, and None
            where all of them shared a call.
        learned: What the call that was shared has shown.
    """

    def __init__(self, post: Post, claims: Sequence[Claim], runner: Runner, shared: Sequence[Claim] = ()) -> None:
        self._post, self._runner = post, runner
        self._waiting = deque(claims)
        self._shared = shared
        self._done: list[_Done] = []
        self._jobs = len(claims) - bool(shared)
        self._began = self._worked = 0.0
        self.typical: float | None = float("inf")
        self.learned: Learned | None = None

    def run(self) -> bool:
        """Do it all; whether the runner may be used again."""
        end = time.monotonic() + SECONDS
        healthy = self._one()
        while self._waiting and healthy and not self._post.draining() and time.monotonic() < end:
            if self._waiting[0].attempt > 1:
                self._record()  # it may be the one that ends its worker
            self._runner.jobs += 1
            self._runner.tail.clear()
            healthy = self._one()
        if healthy:
            jobs = self._jobs - len(self._waiting)
            self.typical = self._worked / jobs if jobs else None
        self.dissolve()
        return healthy

    def dissolve(self) -> None:
        """Record what has ended and give back what has not begun: the job under way may last."""
        self._record()
        waiting, self._waiting = self._waiting, deque()
        if waiting:
            self._give_back([Lease(self._post.engine, claim) for claim in waiting])

    def note(self, end: End, lease: Lease, heart: Heart, harvest: Harvest, staging: Path) -> None:
        """Keep a plain success for later, and record everything else as :func:`worker.recorder.record` does."""
        self._worked += time.monotonic() - self._began
        alone = not self._waiting and not self._done
        if alone or end.outcome != "succeeded" or end.stop is not None or end.failure is not None:
            record(end, lease, heart, harvest, staging)
            return
        try:
            files = harvest.outputs(staging / OUT)
        except Exception:  # noqa: BLE001 - it comes again, where it is recorded
            record(end, lease, heart, harvest, staging)
            return
        heart.stop()
        self._done.append(_Done(Success(lease, end.metrics, files, heart.cut()), heart, harvest, staging))

    def _one(self) -> bool:
        self._began = time.monotonic()
        first, shared, self._shared = self._waiting.popleft(), self._shared, ()
        if not shared:
            return Supervisor(self._post, first, self._runner, self).run()
        self._runner.jobs += len(shared)
        ensemble = Ensemble(self._post, [first, *shared], self._runner, self)
        healthy = ensemble.run()
        self.learned = ensemble.learned
        return healthy

    def _record(self) -> None:
        done, self._done = self._done, []
        if not done:
            return
        successes = [each.success for each in done]
        try:
            held = done[-1].heart.persist(lambda: succeed_together(self._post.engine, successes))
        except Exception as error:  # noqa: BLE001 - one of them; by itself, each shows whether it is the one
            log.warning("%d jobs are recorded one by one: %s", len(done), error)
            held = [False] * len(done)
        for each, written in zip(done, held, strict=True):
            if not written:
                self._record_alone(each)

    def _record_alone(self, done: _Done) -> None:
        made, heart = done.success, done.heart
        lease = made.lease
        try:
            try:
                heart.persist(lambda: lease.succeed(made.metrics, made.files, made.last))
            except LeaseLost:
                raise
            except BlobMissing:  # the collector came between, and the files are gone here, too
                heart.persist(lambda: lease.release("files lost"))
            except Exception as error:
                log.exception("The results of job %s could not be kept", lease.claim.job_id)
                end = End("failed", failure=failures.from_exception(error))
                record(end, lease, heart, done.harvest, done.staging)
        except LeaseLost:
            log.warning("Job %s attempt %s lost its lease; wrote nothing", lease.claim.job_id, lease.claim.attempt)

    def _give_back(self, leases: Sequence[Lease]) -> None:
        """Queue again what has not begun. Its tokens still lie at the broker: a burst takes one of them."""
        settings = self._post.engine.settings
        heart = Heart(leases[0], settings.heartbeat_seconds, settings.lease_seconds, lambda _: None)
        ends = [(lease, lease.giving_back(_NOT_BEGUN)) for lease in leases]
        held = heart.persist(lambda: end_together(self._post.engine, ends))
        for lease in (lease for lease, given in zip(leases, held, strict=True) if not given):
            log.warning("Job %s attempt %s lost its lease; wrote nothing", lease.claim.job_id, lease.claim.attempt)
