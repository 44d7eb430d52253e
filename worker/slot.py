"""A slot: one lane on one device, at most one attempt at a time.

Work comes by two ways. Celery brings tokens: the short way, within milliseconds. And an idle
slot looks into the database every two seconds by itself: tokens may be lost (a broker that was
wiped, a message in a dead socket), sit in a slot that is busy, or not be sent at all while the
broker is down. Both ways share one lock, so a slot never does two things at once.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from jobs import disk, workers
from jobs.claiming import ANY_ROOM, Claim, Room, WorkerIdentity, claim_several
from jobs.company import claim_company, items_of_claim
from jobs.engine import Engine
from jobs.errors import NotFound
from jobs.neighbours import Neighbours, look_around
from jobs.settings import Settings
from worker import readings
from worker.batching import Sizes, shares
from worker.bell import Bell
from worker.burst import MOST, Burst, Pace
from worker.devices import Device, together_on
from worker.energy import Meter
from worker.gpu import Gpu
from worker.heart import DATABASE_AWAY
from worker.materialise import InputCache
from worker.party import Party
from worker.runner_pool import RunnerPool, RunnerSpec
from worker.supervisor import Post

IDLE_SECONDS = 2.0

log = logging.getLogger(__name__)


def _readable(settings: Settings) -> dict[str, str]:
    """What runners may read besides their inputs."""
    return {"AIGC_PRETRAINED": str(settings.pretrained.resolve())} if settings.pretrained else {}


class Slot:
    """Claims and supervises for one lane on one device.

    Args:
        engine: Database, store and settings; used by this process only.
        lane: ``training`` or ``generation``.
        device: What its runners compute on.
    """

    def __init__(self, engine: Engine, lane: str, device: Device) -> None:
        settings = engine.settings
        self.engine, self.lane, self.device = engine, lane, device
        self.draining = False
        self._bell = Bell()
        self._busy = threading.Lock()
        self._closing = threading.Event()
        run = settings.home.resolve() / "run"
        run.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._gpu = Gpu(run, lane, device) if device.kind == "gpu" else None
        keep = lane == "generation"
        self._party = Party(run, lane, device) if lane == "training" else None
        self._spec = RunnerSpec(
            threads=settings.cpu_threads,
            cache=settings.warm_models if keep else 0,
            environment={**device.environment, **_readable(settings)},
            preload=keep,
            memory_share=settings.gpu_memory_share if device.kind == "gpu" else 1.0,
            inherited=(self._gpu.lock.fd,) if self._gpu else (),
        )
        self._runners = RunnerPool(self._spec, keep, settings.runner_jobs)
        self._pace = Pace(MOST if keep else 1)
        self._sizes = Sizes(settings.shared_jobs if keep else 1)
        inputs = InputCache(settings.cache, engine.store)
        meter = Meter(device, self._gpu.nvml if self._gpu else None, settings.core_watts)
        self._post = Post(
            engine, device, inputs, self._bell, self._gives_back,
            meter=lambda pid: meter.begin(pid, self._party.names if self._party else ()), crew=self._crew,
        )  # fmt: skip
        self._identity = WorkerIdentity("", lane, device.kind)
        self._threads = [
            threading.Thread(target=loop, name=loop.__name__.strip("_"), daemon=True)
            for loop in (self._announce, self._look_for_work)
        ]

    def start(self) -> None:
        """Register, warm up a runner and begin to look for work."""
        self._register()
        self._runners.start_ahead()
        for thread in self._threads:
            thread.start()

    def drain(self) -> None:
        """Take no more work and bring what runs to a checkpoint; safe in a signal handler."""
        self.draining = True
        self._bell.ring()

    def close(self) -> None:
        """Drain, and return when the attempt under way is recorded."""
        self.drain()
        self._closing.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        with self._busy:
            self._runners.close()
            if self._gpu:
                self._gpu.close()
        try:
            workers.leave(self.engine, self._identity.id)
        except DATABASE_AWAY as error:
            log.warning("Could not sign off: %s", error)

    def work(self, wait: bool = True) -> bool:
        """Claim the best job of this lane and see it through; whether there was one.

        Args:
            wait: Whether to wait while the other way brings work. A token waits, which keeps
                Celery from fetching more of them for a slot that is busy.
        """
        if not self._busy.acquire(blocking=wait):
            return False
        try:
            claimed = self._claim() if self._fit() else []
            if claimed:
                self._supervise(claimed, self._take_along(claimed))
        except DATABASE_AWAY as error:
            log.warning("The database cannot be reached: %s", error)
            return False
        except Exception:  # also MemoryError, which would end Celery's whole worker
            log.exception("The slot met an error nobody foresaw; the job's lease will expire")
            return False
        finally:
            if self._party:
                self._party.close()
            self._busy.release()
        return bool(claimed)

    def _register(self) -> None:
        node = workers.register(self.engine, "worker", self.lane, self.device.title, self.device.kind)
        self._identity = WorkerIdentity(node, self.lane, self.device.kind)
        self._beat()

    def _beat(self) -> None:
        trouble = self._gpu.look() if self._gpu else None
        seen = self._gpu.seen if self._gpu else readings.read(self.device, None)
        if trouble is not None:
            self._bell.ring()  # what runs on it is given back
        device = workers.DeviceState(
            self.device.name,
            seen.memory_total,
            seen.memory_free,
            place=self.device.place,
            utilisation=seen.utilisation,
            temperature=seen.temperature,
            watts=seen.watts,
            unfit=trouble,
        )
        workers.beat(self.engine, self._identity.id, self.draining, disk.free(self.engine.settings.home), device)

    def _fit(self) -> bool:
        """Whether this slot may take work now."""
        if self.draining:
            return False
        settings = self.engine.settings
        if disk.free(settings.home) < settings.min_free_disk:
            log.warning("Less than %d MiB free on the disk: taking no jobs", settings.min_free_disk >> 20)
            return False
        if self._gpu is not None and not self._gpu.ready():
            return False
        return self._party is None or self._party.open()

    def _gives_back(self) -> bool:
        """Whether what runs is to be brought to a checkpoint and left to another slot."""
        return self.draining or (self._gpu is not None and self._gpu.health.trouble is not None)

    def _claim(self) -> list[Claim]:
        warm, most = self._runners.warm, self._pace.most
        room = self._gpu.room() if self._gpu else ANY_ROOM
        if self._party is None:
            return claim_several(self.engine, self._identity, warm, most, room)
        around = look_around(self.engine, self._identity, room)
        if not self._party.gather(around.wanted, around.names):
            return []  # no smaller job either, or the larger one would wait for ever
        room = self._shared(room, around)
        claimed = claim_several(self.engine, self._identity, warm, most, room)
        self._party.keep(claimed[0].devices if claimed else 1)
        return claimed

    def _shared(self, room: Room, around: Neighbours) -> Room:
        """What each of several devices has for a job."""
        assert self._party is not None
        least = min([room.memory, *(around.memory[name] for name in self._party.names[1:])])
        return replace(room, devices=around.wanted, memory=least)

    def _crew(self, claim: Claim) -> Mapping[str, Any]:
        """What a runner is told of a job that several devices work on."""
        if claim.devices == 1 or self._party is None:
            return {}
        names = [f"cuda:{place}" if self._gpu else "cpu" for place in range(claim.devices)]
        return {"devices": names, "held": self._party.descriptors, "patience": self.engine.settings.stall_seconds}

    def _spec_of(self, claim: Claim) -> RunnerSpec | None:
        """How a runner is started that needs more than this slot's device; None for one as they all are."""
        if claim.devices == 1 or self._party is None:
            return None
        seen = together_on(self._party.names if self._gpu else [])
        environment, held = {**self._spec.environment, **seen}, self._party.descriptors
        return replace(self._spec, environment=environment, inherited=[*self._spec.inherited, *held])

    def _take_along(self, claimed: list[Claim]) -> list[Claim]:
        """The jobs that share a call with the first: of those claimed, and of those that wait."""
        head = claimed[0]
        if self._sizes.limit == 1 or items_of_claim(head) is None:
            return []
        room = self._sizes.room(head)
        shared, left = list[Claim](), room.items - (items_of_claim(head) or 0)
        for claim in claimed[1:]:
            if shares(head, claim) and (items_of_claim(claim) or 0) <= left:
                claimed.remove(claim)
                shared.append(claim)
                left -= items_of_claim(claim) or 0
        taken = room.items - left
        try:
            return shared + claim_company(self.engine, self._identity, head, room, taken)
        except DATABASE_AWAY as error:  # what is claimed is run all the same
            log.warning("The database cannot be reached: %s", error)
            return shared

    def _supervise(self, claimed: Sequence[Claim], shared: Sequence[Claim]) -> None:
        runner = self._runners.take(self._spec_of(claimed[0]))
        healthy, burst = False, Burst(self._post, claimed, runner, shared)
        try:
            healthy = burst.run()
        finally:
            if burst.typical is not None:
                self._pace.note(burst.typical)
            if burst.learned is not None:
                self._sizes.learn([claimed[0], *shared], burst.learned)
            self._runners.give_back(runner, healthy)
            if self._gpu:
                self._gpu.after(runner.pid, healthy=healthy, died=runner.ended_itself)

    def _announce(self) -> None:
        while not self._closing.wait(self.engine.settings.heartbeat_seconds):
            try:
                self._beat()
            except NotFound:  # silent so long that it was forgotten
                self._register()
            except (*DATABASE_AWAY, OSError) as error:
                log.warning("Could not announce this slot: %s", error)

    def _look_for_work(self) -> None:
        while True:
            while self.work(wait=False):
                pass
            if self._closing.wait(IDLE_SECONDS):
                return
