"""What the server answers with, as typed read-only views; unknown fields are kept in ``raw``."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Any

from aigc import notebook

FINAL_STATES = frozenset({"succeeded", "failed", "cancelled"})


class Record:
    """A view on one JSON object; ``raw`` is the object as it came."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw

    @property
    def id(self) -> str:
        """The id, with its prefix."""
        return str(self.raw["id"])

    @property
    def name(self) -> str:
        """What it is called."""
        return str(self.raw.get("name") or "")

    @property
    def etag(self) -> str:
        """The tag it had when it was read by itself; empty for one from a list."""
        return str(getattr(self.raw, "etag", ""))

    @property
    def created_at(self) -> datetime | None:
        """When it was made (UTC)."""
        return moment(self.raw.get("created_at"))

    @property
    def web_url(self) -> str:
        """Address of its page."""
        return str(self.raw.get("links", {}).get("web") or "")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Record) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is; ``percent`` is None until the number of steps is known."""

    step: int = 0
    total: int = 0
    percent: float | None = None
    phase: str = ""
    eta_seconds: float | None = None
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job; ``seq`` counts from 1 without gaps, so it says where to go on.

    Attributes:
        kind: state, phase, checkpoint, sample, log or end.
    """

    seq: int
    kind: str
    at: datetime
    data: Mapping[str, Any]

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> "Event":
        """From the server's JSON."""
        return cls(int(raw["seq"]), str(raw["kind"]), datetime.fromisoformat(raw["at"]), raw["data"])


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a job's log; ``seq`` is its number among the job's events."""

    seq: int
    at: datetime
    level: str
    message: str

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> "LogLine":
        """From the server's JSON."""
        return cls(int(raw["seq"]), datetime.fromisoformat(raw["at"]), str(raw["level"]), str(raw["message"]))

    def __str__(self) -> str:
        return f"{self.at.isoformat()} {self.level:7} {self.message}"


def advanced(job: Mapping[str, Any], event: Event) -> Mapping[str, Any] | None:
    """A job after something that was streamed, where that says it all; None where it must be looked at again."""
    if event.kind == "progress":
        return {**job, "progress": event.data}
    if event.kind == "metric":
        return {**job, "metrics": {**(job.get("metrics") or {}), **event.data["values"]}}
    return job if event.kind in ("log", "sample", "checkpoint") else None


class JobRecord(Record):
    """One submission: what was asked for, how far it is, what came of it."""

    @property
    def task(self) -> str:
        """The task, such as ``image_gan.train``."""
        return str(self.raw["task"])

    @property
    def state(self) -> str:
        """Where it stands: queued, running, succeeded, ..."""
        return str(self.raw["state"])

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in FINAL_STATES

    @property
    def params(self) -> Mapping[str, Any]:
        """Its settings, defaults filled in."""
        return self.raw.get("params") or {}

    @property
    def progress(self) -> Progress:
        """How far it is."""
        known = self.raw.get("progress") or {}
        return Progress(**{name: known[name] for name in Progress.__slots__ if known.get(name) is not None})

    @property
    def last_metrics(self) -> Mapping[str, float]:
        """The figures last reported; of a finished job, its results."""
        return self.raw.get("metrics") or {}

    @property
    def error(self) -> Mapping[str, Any] | None:
        """Why it failed: code, title, detail, help_url."""
        return self.raw.get("error")

    @property
    def model(self) -> str | None:
        """Id of the model version it made."""
        return self.raw.get("model")

    @property
    def dataset(self) -> str | None:
        """Id of the dataset it made or reads."""
        return self.raw.get("dataset")

    @property
    def started_at(self) -> datetime | None:
        """When it began to run (UTC)."""
        return moment(self.raw.get("started_at"))

    @property
    def tags(self) -> list[str]:
        """The words that it is found by."""
        return list(self.raw.get("tags") or [])

    @property
    def notes(self) -> str:
        """What people should know about it."""
        return str(self.raw.get("notes") or "")

    @property
    def finished_at(self) -> datetime | None:
        """When it ended (UTC)."""
        return moment(self.raw.get("finished_at"))

    def __repr__(self) -> str:
        percent = self.progress.percent
        far = f" {percent:.0f} %" if percent is not None and not self.is_final else ""
        return f"<Job {self.id} {self.task} {self.state}{far}>"

    def _repr_html_(self) -> str:
        return notebook.job_card(self.raw)


class DatasetRecord(Record):
    """One version of an input."""

    @property
    def kind(self) -> str:
        """What it holds, such as ``images``."""
        return str(self.raw.get("kind") or "")

    @property
    def version(self) -> int:
        """Number among the datasets of the same name."""
        return int(self.raw.get("version") or 1)

    @property
    def state(self) -> str:
        """Whether it can be used: checking, ready or refused."""
        return str(self.raw["state"])

    @property
    def report(self) -> Mapping[str, Any]:
        """What the check found: counts, sizes, classes, warnings."""
        return self.raw.get("report") or {}

    @property
    def licence(self) -> str:
        """Under what terms it may be used."""
        return str(self.raw.get("licence") or "")

    @property
    def notes(self) -> str:
        """Where it is from, what to know."""
        return str(self.raw.get("notes") or "")

    @property
    def job(self) -> str | None:
        """Id of the job that checks it."""
        return self.raw.get("job")

    def __repr__(self) -> str:
        return f"<Dataset {self.id} {self.name} v{self.version} {self.state}>"

    def _repr_html_(self) -> str:
        return notebook.facts(f"Dataset {self.name} v{self.version}", {"state": self.state, **self.report})


class ModelRecord(Record):
    """One registered result of a training."""

    @property
    def family(self) -> str:
        """The kind of model, such as ``image_gan``."""
        return str(self.raw.get("family") or "")

    @property
    def version(self) -> int:
        """Number among the versions of the same name."""
        return int(self.raw.get("version") or 1)

    @property
    def metrics(self) -> Mapping[str, float]:
        """The figures of its training."""
        return self.raw.get("metrics") or {}

    @property
    def aliases(self) -> list[str]:
        """What it is the current version for: production, staging."""
        return list(self.raw.get("aliases") or [])

    @property
    def card(self) -> Mapping[str, str]:
        """What people wrote about it: intended_use, limits, licence, notes."""
        return self.raw.get("card") or {}

    @property
    def job(self) -> str | None:
        """Id of the training that made it."""
        return self.raw.get("job")

    @property
    def dataset(self) -> str | None:
        """Id of the dataset it learned from."""
        return self.raw.get("dataset")

    def __repr__(self) -> str:
        return f"<Model {self.id} {self.name} v{self.version} {self.family}>"

    def _repr_html_(self) -> str:
        return notebook.facts(f"Model {self.name} v{self.version}", {"family": self.family, **self.metrics})


class ArtifactRecord(Record):
    """One stored file of a job."""

    @property
    def role(self) -> str:
        """What it is to the job: output, sample, checkpoint or upload."""
        return str(self.raw.get("role") or "")

    @property
    def step(self) -> int | None:
        """The step a sample was made at."""
        return self.raw.get("step")

    @property
    def size(self) -> int:
        """Bytes."""
        return int(self.raw.get("size") or 0)

    @property
    def sha256(self) -> str:
        """SHA-256 of its bytes."""
        return str(self.raw.get("sha256") or "")

    @property
    def media_type(self) -> str:
        """Its media type, such as ``image/png``."""
        return str(self.raw.get("media_type") or "")

    def __repr__(self) -> str:
        return f"<Artifact {self.id} {self.name} {self.size} bytes>"


class TaskRecord(Record):
    """One operation of a family: its settings as JSON Schema, its presets."""

    @property
    def id(self) -> str:
        """The task's name."""
        return self.task

    @property
    def task(self) -> str:
        """The task's name, such as ``image_gan.train``."""
        return str(self.raw["task"])

    @property
    def summary(self) -> str:
        """One sentence on what it does."""
        return str(self.raw.get("summary") or "")

    @property
    def presets(self) -> Mapping[str, Mapping[str, Any]]:
        """Named settings."""
        return self.raw.get("presets") or {}

    @property
    def fields(self) -> Mapping[str, Mapping[str, Any]]:
        """The JSON Schema of every setting, in the order of the form."""
        return (self.raw.get("schema") or {}).get("properties") or {}

    @property
    def metrics(self) -> Mapping[str, Mapping[str, Any]]:
        """What the figures of its jobs mean: title, better, description, baseline."""
        return self.raw.get("metrics") or {}

    @property
    def required(self) -> list[str]:
        """The settings without a default."""
        return list((self.raw.get("schema") or {}).get("required") or [])

    def inputs(self, kind: str) -> list[str]:
        """The settings that name a ``dataset`` or a ``model``."""
        return [name for name, field in self.fields.items() if field.get("x-input") == kind]

    def kind_of(self, field: str) -> str:
        """What a setting of :meth:`inputs` takes: the kind of the dataset, or the family of the model version."""
        return str(self.fields[field].get("x-kind") or "")

    def __repr__(self) -> str:
        return f"<Task {self.task}>"

    def _repr_html_(self) -> str:
        rows = [(name, field.get("default", ""), field.get("description", "")) for name, field in self.fields.items()]
        return notebook.table(self.task, ("setting", "default", "what it does"), rows)


class Curves:
    """The figures a job reported, by step."""

    def __init__(self, points: list[tuple[int, Mapping[str, float]]]) -> None:
        self.points = points

    @property
    def names(self) -> list[str]:
        """The figures' names, in order of first report."""
        return list(dict.fromkeys(name for _, values in self.points for name in values))

    def __getitem__(self, name: str) -> list[tuple[int, float]]:
        return [(step, values[name]) for step, values in self.points if name in values]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.points)

    def to_pandas(self) -> Any:
        """A pandas DataFrame with one row per step (pandas must be installed)."""
        pandas = import_module("pandas")  # optional, and slow to import
        return pandas.DataFrame([dict(values) for _, values in self.points], index=[step for step, _ in self.points])

    def __repr__(self) -> str:
        return f"<Curves {', '.join(self.names)}: {len(self)} points>"

    def _repr_html_(self) -> str:
        rows = [(step, *(values.get(name, "") for name in self.names)) for step, values in self.points[-20:]]
        return notebook.table("Figures, last 20 reports", ("step", *self.names), rows)


def moment(text: Any) -> datetime | None:
    """A time as the server writes it (RFC 3339), or None."""
    return datetime.fromisoformat(text) if isinstance(text, str) and text else None
