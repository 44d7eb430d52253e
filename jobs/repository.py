"""All reads on behalf of a caller; nothing of another tenant can be seen through it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import Any, Literal

from sqlalchemy import Row, Select, bindparam, exists, func, select, union_all

from jobs import aliases, curves, disk, energy, fitting, graph, name_search, pausing, positions, states, workforce
from jobs.curves import Point
from jobs.engine import Engine
from jobs.errors import JobNotFound, NotFound
from jobs.filtering import ALL_MODELS, NEWEST, ORDERS, JobFilter, ModelFilter, Sort, filtered, known_tags
from jobs.forecast import Span, starts_in
from jobs.moment import Moment
from jobs.paging import LIMIT, Page, newest, page, page_within
from jobs.picking import full_owners
from jobs.positions import CAP, Line, Waiting
from jobs.principal import Principal
from jobs.states import Label
from jobs.tables import (
    FINAL,
    Artifact,
    Attempt,
    Dataset,
    Job,
    JobDependency,
    JobEvent,
    JobInput,
    ModelVersion,
    WorkerNode,
)
from jobs.workers import LIVE, lanes, live
from jobs.workforce import QueueState, count_jobs

__all__ = ["DatasetState", "JobFilter", "Label", "Page", "Point", "QueueState", "Repository", "Sort", "Span"]

DatasetState = Literal["checking", "ready", "refused"]
MOST_COUNTED = 2_000  # a page shows ``2,000+``; every thousand more costs it a tenth of a millisecond
ETA_SHARE, ETA_AFTER = 0.03, timedelta(seconds=10)


_JOB = select(Job).where(Job.id == bindparam("job"), Job.tenant_id == bindparam("tenant"))


@dataclass
class Repository:
    """The reads one caller may do; make one per request, as it remembers which workers live."""

    engine: Engine
    principal: Principal
    moment: Moment = field(default_factory=Moment)
    _ahead: dict[str, Sequence[Waiting]] = field(default_factory=dict, init=False)
    _lines: dict[tuple[str, str], Line] = field(default_factory=dict, init=False)
    _full: dict[str, list[tuple[str, str]]] = field(default_factory=dict, init=False)

    def job(self, job_id: str) -> Job:
        """One job. Raises :class:`JobNotFound`."""
        with self.engine.db.read() as session:
            found: Job | None = session.scalar(_JOB, {"job": job_id, "tenant": self.principal.tenant_id})
        if found is None:
            raise JobNotFound(kind="job", id=job_id)
        return found

    def jobs(
        self, wanted: JobFilter | None = None, cursor: str | None = None, limit: int = LIMIT, sort: Sort = NEWEST
    ) -> Page[Job]:
        """Jobs, the newest first or sorted otherwise."""
        with self.engine.db.read() as session:
            rows = filtered(self._mine(Job), wanted or JobFilter(), self.engine.db)
            if wanted is None or not wanted.q:
                return page(session, rows, ORDERS[sort], cursor, limit)
            within = name_search.stretches(session, self.principal.tenant_id, wanted.q)
            if within is not None and sort.endswith("created_at"):
                parts = within if sort == NEWEST else within[::-1]
                return page_within(session, rows, ORDERS[sort], (cursor, limit), parts)
            return page(session, name_search.narrowed(session, rows, within), ORDERS[sort], cursor, limit)

    def tags(self, limit: int = 100) -> Sequence[tuple[str, int]]:
        """The caller's tags, the most used first, with the number of jobs of each."""
        with self.engine.db.read() as session:
            return known_tags(session, self.engine.db, self.principal.tenant_id, limit)

    def label(self, job: Job) -> Label:
        """How a job's state reads at this moment."""
        if job.status == "running":
            return states.label(job, self._now, frozenset())  # whoever runs it, it is served
        if job.status == "queued":
            if (misfit := fitting.misfit(job, self._nodes, self.engine.settings.try_unfit_seconds)) is not None:
                return misfit
            without_room = disk.lanes_without_room(self._nodes, self.engine.settings)
            idle = self.pauses.idle_lanes(self._nodes) if self.pauses.rows else set[tuple[str, str]]()
            found = states.label(job, self._now, lanes(self._nodes), without_room, idle)
            return states.held_back(found, self.engine.settings.max_running_per_owner) if self._is_full(job) else found
        if job.status == "blocked" or (job.status == "cancelled" and job.cancel_requested_at is None):
            with self.engine.db.read() as session:
                return graph.label(session, job)
        return Label(job.status)

    def queue_position(self, job: Job, alone: bool = False) -> int | None:
        """The place of a waiting job in its lane, 1 being next, to 1,000; None for others. Quicker if ``alone``."""
        if job.status != "queued":
            return None
        if alone:
            with self.engine.db.read() as session:
                found = positions.by_age(session, job)
            if found is not None:
                return found
        return min(len(self._before(job)) + 1, CAP)

    def starts_in(self, job: Job) -> Span | None:
        """When a waiting job will start, as seconds from now; None for others, and while nobody can tell."""
        if job.status != "queued" or states.rests(job, self._now) or self._is_full(job):
            return None
        slots = [node for node in self._nodes if not node.draining and self.pauses.holding(node) is None]
        here = sum((node.lane, node.device_kind) == (job.lane, job.device_kind) for node in slots)
        before = self._before(job) if here else ()
        if not here or len(before) >= CAP:
            return None
        with self.engine.db.read() as session:
            return starts_in(session, job, before, here, self._now)

    def energy(self, job: Job) -> energy.Energy | None:
        """What the attempts of a job have used; None where none was metered."""
        if job.attempt == 0:
            return None
        with self.engine.db.read() as session:
            return energy.of_job(session, self.engine.settings, job.id)

    def needs(self, job_id: str) -> Sequence[Row[Any]]:
        """What a job of the caller waits or waited for: ``needs_id``, ``name``, ``status``, ``field``."""
        self.job(job_id)
        with self.engine.db.read() as session:
            return graph.needs(session, job_id)

    def eta(self, job: Job) -> float | None:
        """Seconds a running job still needs, or None while nobody can tell.

        Reckoned from the row alone, up to its last step: the same row always gives the same figure. A step
        to come takes as long as half one of the attempt so far, half one of lately.
        """
        if job.status != "running" or not job.total or job.progress_at is None or job.started_at is None:
            return None
        began, first = job.started_at, 0
        if job.attempt > 1:
            began, first = self._this_attempt(job)
        done, elapsed = job.step - first, job.progress_at - began
        if done <= 0 or (done < ETA_SHARE * job.total and elapsed < ETA_AFTER):
            return None
        usual = elapsed.total_seconds() / done
        lately = 1 / job.rate if job.rate else usual
        return round((usual + lately) / 2 * max(0, job.total - job.step), 1)

    def events(
        self, job_id: str, after: int = 0, limit: int = 100, kinds: Sequence[str] | None = None
    ) -> Sequence[JobEvent]:
        """What happened to a job, in order, after a sequence number; of all kinds, or only of some."""
        with self.engine.db.read() as session:
            rows = select(JobEvent).where(JobEvent.job_id == job_id, JobEvent.seq > after, self._owns(JobEvent.job_id))
            if kinds is not None:
                rows = rows.where(JobEvent.kind.in_(kinds))
            return session.scalars(rows.order_by(JobEvent.seq).limit(limit)).all()

    def metrics(
        self, job_id: str, after: int = -1, names: Sequence[str] | None = None, max_points: int = 1_000
    ) -> list[Point]:
        """The figures of a job by step, thinned so that peaks and dips stay."""
        self.job(job_id)
        with self.engine.db.read() as session:
            points = curves.read(session, job_id, after, names)
        return curves.thin(points, max_points)

    def artifacts(self, job_id: str, role: str | None = None) -> Sequence[Artifact]:
        """The files of a job, by step and name."""
        rows = self._mine(Artifact).where(Artifact.job_id == job_id)
        if role is not None:
            rows = rows.where(Artifact.role == role)
        with self.engine.db.read() as session:
            return session.scalars(rows.order_by(func.coalesce(Artifact.step, -1), Artifact.name)).all()

    def artifact(self, artifact_id: str) -> Artifact:
        """One file. Raises :class:`NotFound`."""
        found: Artifact = self._one(Artifact, artifact_id, "file")
        return found

    def attempts(self, job_id: str) -> Sequence[Attempt]:
        """The tries of a job, the first one first."""
        with self.engine.db.read() as session:
            rows = select(Attempt).where(Attempt.job_id == job_id, self._owns(Attempt.job_id))
            return session.scalars(rows.order_by(Attempt.number)).all()

    def datasets(
        self, cursor: str | None = None, limit: int = LIMIT, kind: str | None = None, ready_only: bool = False,
        name: str | None = None,
    ) -> Page[Dataset]:  # fmt: skip
        """Datasets, the newest first."""
        rows = self._mine(Dataset)
        if name is not None:
            rows = rows.where(Dataset.name == name)
        if kind is not None:
            rows = rows.where(Dataset.kind == kind)
        if ready_only:
            rows = rows.where(Dataset.ready_at.is_not(None))
        with self.engine.db.read() as session:
            return page(session, rows, newest(Dataset), cursor, limit)

    def dataset(self, dataset_id: str) -> Dataset:
        """One dataset, by its id or the newest of a name that is ready. Raises :class:`NotFound`."""
        with self.engine.db.read() as session:
            meant = aliases.newest(session, self.principal, Dataset, dataset_id)
        if meant is None:
            raise NotFound(kind="dataset", id=dataset_id)
        found: Dataset = self._one(Dataset, meant, "dataset")
        return found

    def dataset_state(self, dataset: Dataset) -> DatasetState:
        """Whether a dataset can be used."""
        if dataset.ready_at is not None:
            return "ready"
        with self.engine.db.read() as session:
            row = session.execute(
                select(Job.status, Dataset.ready_at)
                .join(Dataset, Dataset.job_id == Job.id)
                .where(Dataset.id == dataset.id)
            ).one_or_none()
        if row is not None and row.ready_at is not None:
            return "ready"
        return "refused" if row is None or row.status in FINAL else "checking"

    def models(
        self, cursor: str | None = None, limit: int = LIMIT, wanted: ModelFilter = ALL_MODELS
    ) -> Page[ModelVersion]:
        """Model versions, the newest first."""
        rows = wanted.among(self._mine(ModelVersion), self.engine.db)
        with self.engine.db.read() as session:
            return page(session, rows, newest(ModelVersion), cursor, limit)

    def model(self, model_id: str) -> ModelVersion:
        """One model version, by its id, as ``name@alias``, or the newest of a name. Raises :class:`NotFound`."""
        with self.engine.db.read() as session:
            meant = aliases.resolve(session, self.principal, model_id)
        if meant is None:
            raise NotFound(kind="model version", id=model_id)
        found: ModelVersion = self._one(ModelVersion, meant, "model version")
        return found

    def aliases(self, model_ids: Sequence[str]) -> Mapping[str, list[str]]:
        """The aliases that stand for each of the caller's model versions."""
        with self.engine.db.read() as session:
            return aliases.of_models(session, model_ids)

    def models_made_by(self, job_ids: Sequence[str]) -> Mapping[str, str]:
        """Ids of the model versions that jobs made, by the job's id."""
        return self._made_by(ModelVersion, job_ids)

    def datasets_made_by(self, job_ids: Sequence[str]) -> Mapping[str, str]:
        """Ids of the datasets that imports made or are making, by the job's id."""
        return self._made_by(Dataset, job_ids)

    def inputs(self, job_id: str) -> Sequence[JobInput]:
        """The datasets and model versions a job reads, by setting."""
        with self.engine.db.read() as session:
            rows = select(JobInput).where(JobInput.job_id == job_id, self._owns(JobInput.job_id))
            return session.scalars(rows.order_by(JobInput.field)).all()

    def children(self, job_id: str) -> Sequence[Job]:
        """Jobs that read what a job made, or that repeat it; the newest first, at most 100."""
        models = select(ModelVersion.id).where(ModelVersion.job_id == job_id)
        datasets = select(Dataset.id).where(Dataset.job_id == job_id)
        theirs = union_all(  # each by its own index; as one condition they would be looked up for every job there is
            select(Job.id).where(Job.retried_from == job_id),
            select(JobInput.job_id).where(JobInput.model_id.in_(models)),
            select(JobInput.job_id).where(JobInput.dataset_id.in_(datasets)),
        )
        with self.engine.db.read() as session:
            rows = self._mine(Job).where(Job.id.in_(theirs))
            return session.scalars(rows.order_by(Job.created_at.desc(), Job.id.desc()).limit(100)).all()

    def waiting_for(self, job_id: str) -> Sequence[Job]:
        """Jobs that wait until this one has succeeded; the oldest first, at most 100."""
        with self.engine.db.read() as session:
            waiting = select(JobDependency.job_id).where(JobDependency.needs_id == job_id)
            rows = self._mine(Job).where(Job.id.in_(waiting), Job.status.in_(("blocked", "paused")))
            return session.scalars(rows.order_by(Job.id).limit(100)).all()

    def workers(self) -> Sequence[WorkerNode]:
        """Live slots and schedulers, the oldest first."""
        with self.engine.db.read() as session:
            return live(session, self.engine.db.now(session), self._patience)

    def jobs_of_workers(self) -> Mapping[str, str]:
        """Ids of the caller's running jobs by the id of the worker that runs them."""
        with self.engine.db.read() as session:
            rows = select(Job.worker_id, Job.id).where(
                Job.tenant_id == self.principal.tenant_id, Job.status == "running"
            )
            return {worker: job for worker, job in session.execute(rows) if worker}

    def queues(self) -> Sequence[QueueState]:
        """Every lane's queue; the counts are of all tenants, as they share the workers."""
        with self.engine.db.read() as session:
            return workforce.queues(session, self._nodes, self.pauses)

    @cached_property
    def pauses(self) -> pausing.Pauses:
        """Slots and queues that take no new jobs; all tenants share them."""
        return self.moment.of("pauses", self._read_pauses)

    def waiting_for_room(self) -> int:
        """How many of the caller's jobs wait because a disk was full."""
        with self.engine.db.read() as session:
            return count_jobs(session, Job.tenant_id == self.principal.tenant_id, *disk.waits(self._now))

    def counts(self, *, imports: bool = True) -> Mapping[str, int]:
        """The caller's jobs by status, with imports or without, each counted to :data:`MOST_COUNTED`."""
        with self.engine.db.read() as session:
            return workforce.by_status(session, self.principal.tenant_id, MOST_COUNTED, imports=imports)

    def _before(self, job: Job) -> Sequence[Waiting]:
        if job.id not in self._ahead:
            aging, queue = timedelta(seconds=self.engine.settings.aging_seconds), (job.lane, job.device_kind)
            with self.engine.db.read() as session:
                if queue not in self._lines:
                    read = partial(Line, session, *queue, aging, self._now)
                    self._lines[queue] = self.moment.of(("line", *queue), read)
                self._ahead[job.id] = self._lines[queue].before(session, job)
        return self._ahead[job.id]

    def _is_full(self, job: Job) -> bool:
        """Whether as many of the owner's jobs run in the lane as may."""
        quota = self.engine.settings.max_running_per_owner
        if quota and job.lane not in self._full:
            with self.engine.db.read() as session:
                self._full[job.lane] = full_owners(session, job.lane, quota)
        return bool(quota) and (job.tenant_id, job.owner) in self._full[job.lane]

    @property
    def _patience(self) -> timedelta:
        return max(LIVE, timedelta(seconds=3 * self.engine.settings.heartbeat_seconds))

    @cached_property
    def _now(self) -> datetime:
        return self.moment.of("now", self._read_now)

    @cached_property
    def _nodes(self) -> Sequence[WorkerNode]:
        return self.moment.of("nodes", self._read_nodes)

    def _read_now(self) -> datetime:
        with self.engine.db.read() as session:
            return self.engine.db.now(session)

    def _read_nodes(self) -> Sequence[WorkerNode]:
        with self.engine.db.read() as session:
            return live(session, self._now, self._patience)

    def _read_pauses(self) -> pausing.Pauses:
        with self.engine.db.read() as session:
            return pausing.read(session)

    def _this_attempt(self, job: Job) -> tuple[datetime, int]:
        with self.engine.db.read() as session:
            attempt = session.get_one(Attempt, (job.id, job.attempt))
        return attempt.started_at, attempt.resumed_step or 0

    def _mine(self, table: Any) -> Select[Any]:
        return select(table).where(table.tenant_id == self.principal.tenant_id)

    def _owns(self, job_id: Any) -> Any:
        return exists().where(Job.id == job_id, Job.tenant_id == self.principal.tenant_id)

    def _one(self, table: Any, id_: str, kind: str) -> Any:
        with self.engine.db.read() as session:
            found = session.scalar(self._mine(table).where(table.id == id_))
        if found is None:
            raise NotFound(kind=kind, id=id_)
        return found

    def _made_by(self, table: Any, job_ids: Sequence[str]) -> Mapping[str, str]:
        if not job_ids:
            return {}
        with self.engine.db.read() as session:
            rows = select(table.job_id, table.id).where(
                table.job_id.in_(job_ids), table.tenant_id == self.principal.tenant_id
            )
            return dict(session.execute(rows).all())
