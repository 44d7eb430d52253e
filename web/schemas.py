"""What the API answers with, as pydantic classes; OpenAPI and the tests read the same ones."""

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import Field, RootModel

from web.job_facts import Answer, Energy, Judgements, Queue, Snapshot
from web.library_facts import Alias, Card, DatasetLinks, ModelFile, ModelLinks, Source, UsedBy

T = TypeVar("T")

State = Literal[
    "blocked", "queued", "waiting_for_worker", "waiting_retry", "broker_down", "running", "stalled",
    "cancelling", "pausing", "paused", "succeeded", "failed", "cancelled",
]  # fmt: skip


Role = Literal["output", "sample", "checkpoint", "upload"]


class ProblemError(Answer):
    """One thing that is wrong, and where."""

    detail: str = Field(description="The sentence.")
    pointer: str | None = Field(None, description="JSON pointer to the place in the request, such as #/params/epochs.")
    where: dict[str, Any] | None = Field(None, description="Place in the data or the address.")
    code: str | None = Field(None, description="Machine code of this fault.")


class Problem(Answer):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="Address of the help page, relative to this server.")
    title: str = Field(description="What kind of problem it is, in the reader's language.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What to do about it, in the reader's language.")
    instance: str = Field(description="The address that was asked for.")
    code: str = Field(description="Machine code; never translated.")
    request_id: str = Field(description="Names this request in the server's log.")
    help_url: str = Field(description="Same as type.")
    errors: list[ProblemError] | None = Field(None, description="Everything that is wrong, up to 100 faults.")
    dataset: str | None = Field(None, description="Id of the dataset that was refused.")
    job: str | None = Field(None, description="Id of the job that refused it.")
    used_by: list[UsedBy] | None = Field(None, description="Jobs that use what was to be deleted, 50 at most.")


class Listing(Answer, Generic[T]):
    """One page of a list."""

    data: list[T]
    has_more: bool = Field(False, description="Whether there is another page.")
    next_cursor: str | None = Field(None, description="Send as cursor to get the next page.")


class Progress(Answer):
    """How far a job is."""

    step: int
    total: int
    percent: float | None = Field(None, description="Absent until the number of steps is known.")
    phase: str | None = None
    eta_seconds: float | None = Field(None, description="Absent where nobody can tell yet.")
    rate: float | None = Field(None, description="Items per second.")


class Suggestion(Answer):
    """What to change so that the job may work."""

    params: dict[str, Any] = Field(description="Settings to submit in place of the job's own.")


class JobFailure(Answer):
    """Why a job failed."""

    code: str
    title: str
    detail: str
    errors: list[ProblemError]
    help_url: str
    retryable: bool = Field(description="Whether the same settings may work another time.")
    suggestion: Suggestion | None = Field(None, description="Other settings that may work, where that is known.")


class JobLinks(Answer):
    """Where everything of a job is."""

    self: str
    web: str
    cancel: str
    pause: str
    resume: str
    retry: str
    duplicate: str
    events: str
    metrics: str
    logs: str
    samples: str
    artifacts: str
    deliveries: str


class JobWebhook(Answer):
    """Where a job's events are sent."""

    url: str = Field(description="The address, without what follows the question mark.")
    events: list[str] = Field(description="Kinds of events that are sent.")


class Job(Answer):
    """One submission."""

    id: str
    object: Literal["job"] = "job"
    task: str
    family: str
    operation: str
    name: str
    tags: list[str] = Field([], description="Words that the job is found by.")
    notes: str = Field("", description="What people should know about the job.")
    state: State
    hint: str | None = Field(None, description="What the state means for this job, in the reader's language.")
    error: JobFailure | None = None
    params: dict[str, Any]
    seed: int | None = None
    progress: Progress
    metrics: dict[str, Any]
    verdict: str = Field(
        "", description="What the figures say beside simple baselines, where they are judged together."
    )
    judgements: Judgements
    queue: Queue
    attempt: int
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    expires_at: datetime | None = None
    time_limit: int | None = Field(None, description="Seconds that its attempts may run together.")
    adjustments: dict[str, Any] = Field(
        {}, description="What later attempts do differently, such as micro_batches or learning_rate_factor."
    )
    energy: Energy | None = Field(
        None, description="What its attempts have used so far; null in lists, and where nothing was metered."
    )
    worker: str | None = None
    dataset: str | None = Field(None, description="Id of the dataset it made or read.")
    model: str | None = Field(None, description="Id of the model version it made.")
    retried_from: str | None = None
    snapshot: Snapshot
    webhook: JobWebhook | None = None
    links: JobLinks


class JobDraft(Answer):
    """A submission that was checked only."""

    object: Literal["job_draft"] = "job_draft"
    valid: Literal[True] = True
    task: str
    params: dict[str, Any] = Field(description="All settings, defaults filled in.")


class JobOrDraft(RootModel[Job | JobDraft]):
    """The job that ended while the request waited, or the draft that was checked."""


class Event(Answer):
    """Something that happened to a job."""

    seq: int
    kind: Literal["state", "phase", "checkpoint", "sample", "log", "end"]
    at: datetime
    data: dict[str, Any]


class DeliveryLinks(Answer):
    """Where to read more of a delivery, and how to repeat it."""

    job: str
    retry: str


class Delivery(Answer):
    """One message to a job's webhook: an event, or some log lines in a row."""

    id: str = Field(description="Also sent as webhook-id; it stays the same however often the delivery is repeated.")
    object: Literal["delivery"] = "delivery"
    job: str
    seq: int = Field(description="Number of the first event in it.")
    state: Literal["pending", "delivered", "failed"]
    attempts: int = Field(description="Tries so far.")
    http_status: int | None = Field(None, description="What the receiver answered last.")
    error: str | None = Field(None, description="Why the last try was no success, in the reader's language.")
    next_at: datetime | None = Field(None, description="When it is tried next; null when it is settled.")
    created_at: datetime
    finished_at: datetime | None = None
    links: DeliveryLinks


class Point(Answer):
    """The figures reported at one step."""

    step: int
    values: dict[str, float | None]


class LogLine(Answer):
    """One line of a job's log."""

    seq: int
    at: datetime
    level: str
    message: str


class ArtifactLinks(Answer):
    """Where a file's bytes are."""

    self: str
    content: str


class Artifact(Answer):
    """A stored file of a job."""

    id: str
    object: Literal["artifact"] = "artifact"
    job: str
    role: Role
    name: str
    step: int | None = None
    size: int
    sha256: str
    media_type: str
    created_at: datetime
    links: ArtifactLinks


class Dataset(Answer):
    """One version of an input."""

    id: str
    object: Literal["dataset"] = "dataset"
    name: str
    version: int
    kind: str
    state: Literal["checking", "ready", "refused"]
    report: dict[str, Any]
    source: Source
    licence: str
    notes: str
    job: str = Field(description="Id of the job that checks it.")
    error: JobFailure | None = None
    created_at: datetime
    links: DatasetLinks


class UploadLinks(Answer):
    """Where to send the rest of an upload, and how to make a dataset of it."""

    self: str
    dataset: str


class Upload(Answer):
    """A file that is being sent in pieces."""

    id: str
    object: Literal["upload"] = "upload"
    filename: str
    offset: int = Field(description="Bytes that have come.")
    length: int = Field(description="Bytes of the whole file.")
    expires_at: datetime = Field(description="When it is given up unless more comes.")
    dataset: str | None = Field(None, description="Id of the dataset that was made of it.")
    links: UploadLinks


class DatasetReport(RootModel[dict[str, Any]]):
    """What the check of a dataset found; what is in it depends on the kind."""


class Model(Answer):
    """The registered result of a training."""

    id: str
    object: Literal["model"] = "model"
    name: str
    version: int
    family: str
    metrics: dict[str, Any]
    judgements: Judgements
    aliases: list[Alias] = Field([], description="What it is the current version for: name@alias is its id, too.")
    card: Card
    job: str
    dataset: str | None = None
    size: int = Field(description="Bytes of all its files.")
    files: list[ModelFile]
    created_at: datetime
    links: ModelLinks


class Figure(Answer):
    """How a figure that jobs of a task report reads to a person."""

    title: str
    better: Literal["lower", "higher", "none"]
    description: str
    baseline: str | None = Field(None, description="Name of the figure that holds the trivial baseline's.")
    real: str | None = Field(None, description="Name of the figure that holds the real data's own.")
    noise: str | None = Field(None, description="Name of the figure up to which a difference may be chance.")
    of: str = Field("", description="Whose figure it is, where it stands beside another one.")
    alone: str = Field("", description="Why no baseline stands beside it, where one could be expected.")


class Task(Answer):
    """One operation of a family."""

    task: str
    object: Literal["task"] = "task"
    family: str
    operation: str
    title: str
    summary: str
    lane: Literal["training", "generation"]
    makes: Literal["model", "dataset", "files"]
    presets: dict[str, dict[str, Any]]
    json_schema: dict[str, Any] = Field(alias="schema", description="JSON Schema 2020-12 of the settings.")
    curves: dict[str, str] = Field({}, description="What other figures that jobs report are called, by name.")
    metrics: dict[str, Figure] = Field({}, description="What the figures of its jobs mean, by name.")


class Worker(Answer):
    """A live slot of a worker, or a scheduler."""

    id: str
    object: Literal["worker"] = "worker"
    role: str
    host: str
    pid: int
    lane: str | None = None
    device: str | None = None
    device_kind: str | None = None
    code_version: str
    draining: bool
    paused: Literal["slot", "queue"] | None = Field(
        None, description="What keeps it from taking new jobs; a job that it runs goes on."
    )
    free_disk: int | None = Field(None, description="Free bytes where it keeps its files.")
    memory_total: int | None = Field(None, description="Bytes of its device's memory.")
    memory_free: int | None = Field(None, description="How many of them are free.")
    device_name: str | None = Field(None, description="What its device is called for good: a GPU's UUID, or cpu.")
    place: str | None = Field(None, description="What people call its device on that host, such as gpu:1.")
    utilisation: int | None = Field(None, description="Percent of the last moments in which its device computed.")
    temperature: int | None = Field(None, description="Degrees Celsius of its device.")
    watts: float | None = Field(None, description="Power that its device draws.")
    unfit: Literal["gone", "memory", "fault", "runners", "held"] | None = Field(
        None,
        description="Why its device takes no jobs: it does not answer, its memory or the device had an error, "
        "processes on it died again and again, or a dead one still holds it.",
    )
    job: str | None = Field(None, description="Id of the job it runs.")
    started_at: datetime
    heartbeat_at: datetime


class QueueLength(Answer):
    """A lane's queue."""

    name: str
    lane: str
    device_kind: str
    queued: int
    running: int
    workers: int
    paused: bool = Field(False, description="Whether none of its workers takes new jobs.")


class Token(Answer):
    """A token; the secret itself is shown once, when it is made."""

    id: str
    object: Literal["token"] = "token"
    name: str
    scope: Literal["read", "submit", "admin"]
    secret: str | None = Field(None, description="Shown once. Keep it; it cannot be read again.")
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None


class Index(Answer):
    """Where to go from here."""

    name: str
    version: str
    links: dict[str, str]
