"""The database's tables. Only :mod:`jobs.lifecycle` and :mod:`jobs.claiming` write a job's status."""

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from jobs.base import Base as Base
from jobs.records import ApiToken as ApiToken
from jobs.records import NameBlock as NameBlock
from jobs.records import NameGram as NameGram
from jobs.records import Tally as Tally
from jobs.records import TallyMark as TallyMark
from jobs.switches import LanePause as LanePause
from jobs.switches import ModelAlias as ModelAlias
from jobs.verdicts import ReplyFeedback as ReplyFeedback

JobStatus = Literal["blocked", "queued", "running", "paused", "succeeded", "failed", "cancelled"]
STATUSES: tuple[JobStatus, ...] = ("blocked", "queued", "running", "paused", "succeeded", "failed", "cancelled")
FINAL: tuple[JobStatus, ...] = ("succeeded", "failed", "cancelled")
FAILURE_CODES = (
    "invalid_data", "out_of_memory", "host_out_of_memory", "diverged", "stalled", "timeout",
    "worker_lost", "poisoned", "disk_full", "expired", "internal",
)  # fmt: skip
_UNTOLD = "webhook IS NOT NULL AND webhook_seq < last_seq"
_TAGGED = "tags IS NOT NULL"
_RETRIED = "retried_from IS NOT NULL"
TRIED = "attempt > 0 AND status IN ('blocked', 'queued', 'running', 'paused')"
WIDE = "devices > 1 AND status = 'queued'"
UNFINISHED = "status IN ('blocked', 'queued', 'running', 'paused')"  # in constants, so that its index can be used
# What has not finished comes last, whichever way a list is sorted. Constants, as an index on them asks for.
FINISHED_OR_SOONEST = "coalesce(finished_at, '1970-01-01 00:00:00.000000')"
FINISHED_OR_LATEST = "coalesce(finished_at, '9999-01-01 00:00:00.000000')"


class SchemaInfo(Base):
    """One row: which database this is. ``epoch`` changes at a restore and fences every older lease."""

    __tablename__ = "schema_info"

    id: Mapped[int] = mapped_column(primary_key=True)
    epoch: Mapped[str] = mapped_column(String(40))
    min_compatible: Mapped[int]


class Job(Base):
    """One submission. ``version`` grows with every change and is the row's ETag.

    ``snapshot`` is what held at the submission (version of the code, preset), ``adjustments`` what
    recovery changed for the next attempt (micro-batches, learning rate), ``webhook_seq`` the last
    event that has a delivery or needs none. ``name``, ``tags`` (NULL if there are none) and ``notes``
    are people's own (:mod:`jobs.details`).
    """

    __tablename__ = "job"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant_id: Mapped[str]
    owner: Mapped[str]
    name: Mapped[str]
    family: Mapped[str]
    operation: Mapped[str]
    params: Mapped[dict[str, Any]]
    lane: Mapped[str]
    device_kind: Mapped[str] = mapped_column(String(8), default="cpu")
    priority: Mapped[int] = mapped_column(default=0)
    status: Mapped[str] = mapped_column(String(16))
    version: Mapped[int] = mapped_column(default=1)
    last_seq: Mapped[int] = mapped_column(default=0)

    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    not_before: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    dispatched_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    cancel_requested_at: Mapped[datetime | None]
    pause_requested_at: Mapped[datetime | None]

    attempt: Mapped[int] = mapped_column(default=0)
    lease_id: Mapped[str | None] = mapped_column(String(40))
    lease_until: Mapped[datetime | None]
    worker_id: Mapped[str | None] = mapped_column(String(40))
    app_failures: Mapped[int] = mapped_column(default=0)
    worker_losses: Mapped[int] = mapped_column(default=0)
    releases: Mapped[int] = mapped_column(default=0)

    phase: Mapped[str | None] = mapped_column(String(16))
    step: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    rate: Mapped[float | None]
    progress_at: Mapped[datetime | None]
    checkpoint_step: Mapped[int] = mapped_column(default=-1)
    metrics: Mapped[dict[str, Any]] = mapped_column(default=dict)
    failure: Mapped[dict[str, Any] | None]
    retried_from: Mapped[str | None] = mapped_column(String(40))
    snapshot: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    adjustments: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    time_limit_seconds: Mapped[int | None]
    webhook: Mapped[dict[str, Any] | None]
    webhook_seq: Mapped[int] = mapped_column(default=0, server_default="0")
    tags: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    notes: Mapped[str] = mapped_column(Text, default="", server_default="")
    devices: Mapped[int] = mapped_column(default=1, server_default="1")
    memory_needed: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")

    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="status"),
        CheckConstraint("lane IN ('training', 'generation')", name="lane"),
        CheckConstraint("(status = 'running') = (lease_id IS NOT NULL)", name="lease"),
        CheckConstraint("(status IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL)", name="final"),
        Index("ix_job_claim", "status", "lane", "device_kind", "priority", "created_at"),
        Index(
            "ix_job_claim_owner",
            *("status", "lane", "device_kind", "priority", "tenant_id", "owner", "created_at"),
        ),
        # The name is in it for the search, which looks at the newest first and reads no rows it does not show.
        Index("ix_job_tenant_created", "tenant_id", "created_at", "id", "name"),
        Index("ix_job_tenant_name", "tenant_id", "name", "id"),
        Index("ix_job_finished_soonest", "tenant_id", text(FINISHED_OR_SOONEST), "id"),
        Index("ix_job_finished_latest", "tenant_id", text(FINISHED_OR_LATEST), "id"),
        Index("ix_job_retried_from", "retried_from", sqlite_where=text(_RETRIED)),
        Index("ix_job_unfinished", "tenant_id", "created_at", "id", sqlite_where=text(UNFINISHED)),
        Index("ix_job_wide", "lane", "device_kind", sqlite_where=text(WIDE)),
        Index("ix_job_tried", "lane", "device_kind", sqlite_where=text(TRIED)),
        Index("ix_job_tenant_status", "tenant_id", "status", "created_at", "id"),
        Index("ix_job_lease", "status", "lease_until"),
        Index("ix_job_history", "family", "operation", "status", "finished_at"),
        Index("ix_job_webhook", "id", sqlite_where=text(_UNTOLD)),
        Index(
            "ix_job_tagged",
            *("tenant_id", "created_at", "id"),
            sqlite_where=text(_TAGGED),
        ),
    )


class OwnerTurn(Base):
    """When a lane last took a job of an owner; whose turn is oldest goes first."""

    __tablename__ = "owner_turn"

    lane: Mapped[str] = mapped_column(String(16), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(primary_key=True)
    claimed_at: Mapped[datetime]

    __table_args__ = (Index("ix_owner_turn_claimed", "lane", "claimed_at"),)


class Attempt(Base):
    """One try of a job by one worker; ``lease_id`` is its fencing token."""

    __tablename__ = "attempt"

    job_id: Mapped[str] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    lease_id: Mapped[str] = mapped_column(String(40), unique=True)
    worker_id: Mapped[str] = mapped_column(String(40))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(16))
    failure_code: Mapped[str | None] = mapped_column(String(32))
    resumed_step: Mapped[int | None]
    stderr_tail: Mapped[str | None] = mapped_column(Text)
    joules: Mapped[float | None]
    joules_kept: Mapped[float | None]
    energy_source: Mapped[str | None] = mapped_column(String(8))
    peak_memory: Mapped[int | None] = mapped_column(BigInteger)


class JobEvent(Base):
    """What happened to a job, in order. At most one event of a job is terminal."""

    __tablename__ = "job_event"

    job_id: Mapped[str] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(16))
    terminal: Mapped[bool] = mapped_column(default=False)
    data: Mapped[dict[str, Any]]

    __table_args__ = (
        CheckConstraint("kind IN ('state', 'phase', 'checkpoint', 'sample', 'log', 'end')", name="kind"),
        Index(
            "uq_job_event_terminal",
            "job_id",
            unique=True,
            sqlite_where=text("terminal"),
        ),
    )


class Metric(Base):
    """The figures reported at one step; a resumed attempt overwrites the steps it repeats."""

    __tablename__ = "metric"

    job_id: Mapped[str] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    values: Mapped[dict[str, Any]]


class Blob(Base):
    """Bytes in the store, by their SHA-256. ``deleting`` while the collector removes them."""

    __tablename__ = "blob"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(8), default="live")
    created_at: Mapped[datetime]


class Artifact(Base):
    """A named file of a job: ``role`` is output, sample, checkpoint or upload."""

    __tablename__ = "artifact"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant_id: Mapped[str]
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(512))
    step: Mapped[int | None]
    sha256: Mapped[str] = mapped_column(ForeignKey("blob.sha256"))
    size: Mapped[int] = mapped_column(BigInteger)
    media_type: Mapped[str]
    created_at: Mapped[datetime]

    __table_args__ = (
        CheckConstraint("role IN ('output', 'sample', 'checkpoint', 'upload')", name="role"),
        UniqueConstraint("job_id", "role", "name"),
        Index("ix_artifact_sha256", "sha256"),
    )


class Dataset(Base):
    """One version of an input. It is ready once ``ready_at`` is set by the import job that made it.

    Its files are the import job's output artifacts named ``dataset/...``. ``source_dropped_at`` is
    when somebody deleted the uploaded file, of which only name, size and hash are known since then.
    """

    __tablename__ = "dataset"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant_id: Mapped[str]
    owner: Mapped[str]
    name: Mapped[str]
    number: Mapped[int]
    kind: Mapped[str] = mapped_column(String(16))
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"))
    source_name: Mapped[str]
    source_sha256: Mapped[str] = mapped_column(String(64))
    source_size: Mapped[int] = mapped_column(BigInteger)
    source_dropped_at: Mapped[datetime | None]
    licence: Mapped[str]
    notes: Mapped[str] = mapped_column(Text)
    report: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime]
    ready_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("tenant_id", "name", "number"),
        Index("ix_dataset_tenant_created", "tenant_id", "created_at", "id"),
        Index("ix_dataset_job_id", "job_id"),
        Index("ix_dataset_source", "tenant_id", "source_sha256"),
    )


class ModelVersion(Base):
    """The registered result of a successful training; its files are the job's artifacts ``model/...``.

    ``card`` holds what people wrote about it, by :data:`jobs.catalogue.CARD`.
    """

    __tablename__ = "model_version"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant_id: Mapped[str]
    owner: Mapped[str]
    name: Mapped[str]
    number: Mapped[int]
    family: Mapped[str]
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"), unique=True)
    dataset_id: Mapped[str | None] = mapped_column(ForeignKey("dataset.id"))
    metrics: Mapped[dict[str, Any]]
    card: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    created_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("tenant_id", "name", "number"),
        Index("ix_model_version_tenant_created", "tenant_id", "created_at", "id"),
    )


class JobInput(Base):
    """Lineage: which dataset or model version a job reads, by the name of the setting."""

    __tablename__ = "job_input"

    job_id: Mapped[str] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    field: Mapped[str] = mapped_column(String(64), primary_key=True)
    dataset_id: Mapped[str | None] = mapped_column(ForeignKey("dataset.id"))
    model_id: Mapped[str | None] = mapped_column(ForeignKey("model_version.id"))

    __table_args__ = (Index("ix_job_input_dataset_id", "dataset_id"), Index("ix_job_input_model_id", "model_id"))


class JobDependency(Base):
    """A job that a blocked job waits for; ``field`` is the setting that takes the model version it makes."""

    __tablename__ = "job_dependency"

    job_id: Mapped[str] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    needs_id: Mapped[str] = mapped_column(ForeignKey("job.id"), primary_key=True)
    field: Mapped[str | None] = mapped_column(String(64))

    __table_args__ = (Index("ix_job_dependency_needs_id", "needs_id"),)


class WebhookDelivery(Base):
    """One event of a job on its way to the address that the job names."""

    __tablename__ = "webhook_delivery"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant_id: Mapped[str]
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"))
    seq: Mapped[int]
    state: Mapped[str] = mapped_column(String(16), default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime]
    http_status: Mapped[int | None]
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("state IN ('pending', 'delivered', 'failed')", name="state"),
        UniqueConstraint("job_id", "seq"),
        Index("ix_webhook_delivery_due", "state", "next_at"),
    )


class IdempotencyKey(Base):
    """A key a client sent, the fingerprint of its request, and the job that came of it."""

    __tablename__ = "idempotency_key"

    tenant_id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"))
    created_at: Mapped[datetime]


class WorkerNode(Base):
    """A process that announces itself: a worker's slot or a scheduler."""

    __tablename__ = "worker_node"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    role: Mapped[str] = mapped_column(String(16))
    host: Mapped[str]
    pid: Mapped[int]
    lane: Mapped[str | None] = mapped_column(String(16))
    device: Mapped[str | None]
    device_kind: Mapped[str | None] = mapped_column(String(8))
    device_name: Mapped[str | None]
    code_version: Mapped[str]
    started_at: Mapped[datetime]
    heartbeat_at: Mapped[datetime]
    draining: Mapped[bool] = mapped_column(default=False)
    free_disk: Mapped[int | None] = mapped_column(BigInteger)
    memory_total: Mapped[int | None] = mapped_column(BigInteger)
    memory_free: Mapped[int | None] = mapped_column(BigInteger)
    utilisation: Mapped[int | None]
    temperature: Mapped[int | None]
    watts: Mapped[float | None]
    unfit: Mapped[str | None] = mapped_column(String(16))
    device_place: Mapped[str | None] = mapped_column(String(16))
