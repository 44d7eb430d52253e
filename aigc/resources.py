"""What :class:`aigc.Client` hands out: jobs, datasets, models and files that can be acted on."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from aigc import flows, notebook
from aigc.records import ArtifactRecord, Curves, DatasetRecord, Event, JobRecord, ModelRecord, TaskRecord
from aigc.transport import Transport
from aigc.wire import Call, Flow

T = TypeVar("T")
R = TypeVar("R")


class Listing(list[R]):
    """A list that a notebook shows as a table."""

    def _repr_html_(self) -> str:
        head = ("id", "name", "state")
        rows = [[getattr(item, field, "") for field in head] for item in self]
        return notebook.table(f"{len(self)} found", head, rows)


class Api:
    """Runs flows for the objects below."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.wire = flows.Wire(transport.connection.patience, transport.cache)

    def run(self, flow: Flow[T]) -> T:
        """Drive a flow to its result."""
        return self.transport.run(flow)

    def json(self, call: Call) -> Any:
        """Send a request and give its parsed body."""
        return self.run(self.wire.json(call))


class Artifact(ArtifactRecord):
    """One stored file of a job; pictures show themselves in a notebook."""

    def __init__(self, raw: Mapping[str, Any], api: Api) -> None:
        super().__init__(raw)
        self._api = api

    def save(self, to: str | os.PathLike[str]) -> Path:
        """Download it to a path (into it, where that is a folder)."""
        path = Path(to)
        target = path / flows.safe_name(self.name).name if path.is_dir() else path
        return self._api.run(flows.content(self._api.wire, self.raw, target))

    def read(self) -> bytes:
        """Its bytes."""
        with tempfile.TemporaryDirectory(prefix="aigc-") as folder:
            return self.save(Path(folder) / "content").read_bytes()

    def image(self) -> Any:
        """It as a PIL image (Pillow must be installed)."""
        import io

        from PIL import Image  # optional

        return Image.open(io.BytesIO(self.read()))

    def _repr_png_(self) -> bytes | None:
        return self.read() if self.media_type == "image/png" else None


class Job(JobRecord):
    """One submission. It shows what was last seen; :meth:`refresh` and :meth:`wait` look again."""

    def __init__(self, raw: Mapping[str, Any], api: Api) -> None:
        super().__init__(raw)
        self._api = api

    def refresh(self) -> Self:
        """Look again."""
        self.raw = self._api.json(Call("GET", f"jobs/{self.id}"))
        return self

    def wait(self, *, timeout: float | None = None, progress: bool = False, check: bool = True) -> Self:
        """Wait until it has ended; with ``check``, raise where it did not succeed.

        Raises:
            JobFailed: It failed, expired or was cancelled.
            WaitTimeout: It has not ended within ``timeout`` seconds; it goes on.
        """
        if progress:
            from aigc.progress import follow_on_screen  # rich is slow to import

            with follow_on_screen() as show:
                self.raw = self._api.run(flows.wait(self._api.wire, self.id, timeout, show))
        else:
            self.raw = self._api.run(flows.wait(self._api.wire, self.id, timeout, None))
        if check:
            flows.succeeded(self.raw, self._api.transport.connection.url)
        return self

    def result(self, timeout: float | None = None) -> Listing[Artifact]:
        """Wait until it has succeeded and give its result files."""
        self.wait(timeout=timeout)
        return self.artifacts(role="output")

    def follow(self, timeout: float | None = None) -> "Following":
        """This job at every look until it has ended: ``for now in job.follow(): print(now.progress)``."""
        return Following(self, timeout)

    def events(self, after: int = 0) -> Iterator[Event]:
        """What happened to it after an event, in order, until it has ended; waits for what is still to come."""
        history = flows.History(self._api.wire, self.id, after)
        while not history.ended:
            yield from map(Event.of, self._api.run(history.next()))

    def deliveries(self, limit: int | None = None) -> list[dict[str, Any]]:
        """What was sent, or is to be sent, to its webhook; the newest first."""
        return self._api.run(flows.pages(self._api.wire, f"jobs/{self.id}/deliveries", {}, limit))

    def cancel(self) -> Self:
        """Ask it to stop; a queued job stops at once."""
        self.raw = self._api.json(Call("POST", f"jobs/{self.id}/cancel"))
        return self

    def pause(self) -> Self:
        """Hold it until it is resumed; what runs is held at its next checkpoint."""
        self.raw = self._api.json(Call("POST", f"jobs/{self.id}/pause"))
        return self

    def resume(self) -> Self:
        """Let it go on; what is not paused is left as it is."""
        self.raw = self._api.json(Call("POST", f"jobs/{self.id}/resume"))
        return self

    def retry(self, *, from_checkpoint: bool = False) -> "Job":
        """Submit it again as a new job, from the start or from its last checkpoint; it must have ended."""
        body = {"from": "checkpoint"} if from_checkpoint else {}
        return Job(self._api.run(flows.again(self._api.wire, self.id, "retry", body)), self._api)

    def duplicate(self, params: Any = None, /, *, name: str | None = None, **settings: Any) -> "Job":
        """Submit its settings as a new job, whatever its state; those that are given differ."""
        body = {"params": flows.settings_of(params, settings), "name": name}
        return Job(self._api.run(flows.again(self._api.wire, self.id, "duplicate", body)), self._api)

    def delete(self) -> None:
        """Delete it and its files; it must have ended."""
        self._api.json(Call("DELETE", f"jobs/{self.id}"))

    def samples(self) -> Listing[Artifact]:
        """What it showed while it ran, oldest first."""
        return self._files(f"jobs/{self.id}/samples", {})

    def artifacts(self, role: str | None = None) -> Listing[Artifact]:
        """Its files, all or those of one role (output, sample, checkpoint)."""
        return self._files(f"jobs/{self.id}/artifacts", {"role": role})

    def metrics(self, names: list[str] | None = None, max_points: int = 1000) -> Curves:
        """The figures it reported, by step."""
        return Curves(self._api.run(flows.curves(self._api.wire, self.id, names, max_points)))

    def logs(self) -> str:
        """Its log as text."""
        return str(self._api.json(Call("GET", f"jobs/{self.id}/logs", headers={"Accept": "text/plain"})))

    def download(self, folder: str | os.PathLike[str] = ".", pattern: str = "*") -> list[Path]:
        """Save its result files (those whose name fits the pattern) into a folder."""
        return self._api.run(flows.download(self._api.wire, self.id, Path(folder), pattern))

    def _files(self, path: str, query: Mapping[str, Any]) -> Listing[Artifact]:
        found = self._api.run(flows.pages(self._api.wire, path, query, None))
        return Listing(Artifact(raw, self._api) for raw in found)


class Following:
    """A job seen again and again until it has ended; a context manager, too, where that reads better."""

    def __init__(self, job: Job, timeout: float | None) -> None:
        self._job = job
        self._looks = flows.Looks(job._api.wire, job.id, timeout)

    def __iter__(self) -> Iterator[Job]:
        while not self._looks.ended:
            self._job.raw = self._job._api.run(self._looks.next())
            yield self._job

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held open."""


class Dataset(DatasetRecord):
    """One version of an input."""

    def __init__(self, raw: Mapping[str, Any], api: Api) -> None:
        super().__init__(raw)
        self._api = api

    def refresh(self) -> Self:
        """Look again."""
        self.raw = self._api.json(Call("GET", f"datasets/{self.id}"))
        return self

    def preview(self) -> notebook.Picture:
        """A picture of some of the data, shown by a notebook."""
        with tempfile.TemporaryDirectory(prefix="aigc-") as folder:
            file = {"name": "preview", "content": f"/api/v1/datasets/{self.id}/preview"}
            return notebook.Picture(self._api.run(flows.content(self._api.wire, file, Path(folder) / "p")).read_bytes())


class Model(ModelRecord):
    """One registered result of a training."""

    def __init__(self, raw: Mapping[str, Any], api: Api) -> None:
        super().__init__(raw)
        self._api = api

    def generate(self, **settings: Any) -> Job:
        """Submit a generation with this model."""
        return Models(self._api).generate(self, **settings)

    def download(self, folder: str | os.PathLike[str] = ".") -> list[Path]:
        """Save its files (weights, configuration) into a folder."""
        return self._api.run(flows.save_all(self._api.wire, self.raw.get("files") or [], Path(folder)))


class Jobs:
    """``client.jobs``."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def submit(
        self, task: str, params: Any = None, /, *, preset: str | None = None, name: str | None = None, **more: Any
    ) -> Job:
        """Submit a job; settings come from ``params`` (mapping, dataclass) and from keywords.

        A setting that takes a model may name the training that makes it. Three keywords are no settings:
        ``after`` are jobs that must succeed first; ``webhook`` is an address, or
        ``{"url": ..., "events": ["state", "end"]}``; ``time_limit`` is how many seconds it may run.

        Raises:
            InvalidParams: A setting cannot be used; all flaws are listed.
        """
        body = flows.submission(task, params, more) | {"preset": preset, "name": name}
        return Job(self._api.run(flows.submit(self._api.wire, body)), self._api)

    def check(
        self, task: str, params: Any = None, /, *, preset: str | None = None, **settings: Any
    ) -> Mapping[str, Any]:
        """Have settings checked; nothing is made. Raises what :meth:`submit` would raise."""
        body = {"task": task, "params": flows.settings_of(params, settings), "preset": preset}
        return self._api.run(flows.submit(self._api.wire, body, check_only=True))

    def get(self, job_id: str) -> Job:
        """One job by its id."""
        return Job(self._api.json(Call("GET", f"jobs/{job_id}")), self._api)

    def list(self, *, limit: int | None = 20, **filters: Any) -> Listing[Job]:
        """The newest jobs; ``limit=None`` gives all. Filters: state, task, q, dataset, created_after, ..."""
        found = self._api.run(flows.pages(self._api.wire, "jobs", filters, limit))
        return Listing(Job(raw, self._api) for raw in found)

    def wait(self, job_id: str, *, timeout: float | None = None, progress: bool = False) -> Job:
        """Wait until a job has succeeded."""
        return self.get(job_id).wait(timeout=timeout, progress=progress)

    def cancel(self, job_id: str) -> Job:
        """Ask a job to stop."""
        return Job(self._api.json(Call("POST", f"jobs/{job_id}/cancel")), self._api)

    def pause(self, job_id: str) -> Job:
        """Hold a job until it is resumed."""
        return Job(self._api.json(Call("POST", f"jobs/{job_id}/pause")), self._api)

    def resume(self, job_id: str) -> Job:
        """Let a paused job go on."""
        return Job(self._api.json(Call("POST", f"jobs/{job_id}/resume")), self._api)

    def retry(self, job_id: str, *, from_checkpoint: bool = False) -> Job:
        """Submit a job again as a new one."""
        return self.get(job_id).retry(from_checkpoint=from_checkpoint)

    def duplicate(self, job_id: str, params: Any = None, /, *, name: str | None = None, **settings: Any) -> Job:
        """Submit a job's settings as a new one; those that are given differ."""
        return self.get(job_id).duplicate(params, name=name, **settings)


class Datasets:
    """``client.datasets``."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def upload(
        self, path: str | os.PathLike[str], name: str | None = None, *, licence: str = "", notes: str = ""
    ) -> Dataset:
        """Upload a file and wait until it has been checked.

        Raises:
            InvalidParams: The data cannot be used; every flaw names its place.
        """
        return self._add(flows.DatasetFile(path, name, licence, notes))

    def starter(self, name: str) -> Dataset:
        """Register a data set that comes with the product; the same one again is the same dataset."""
        return self._add(name)

    def get(self, dataset_id: str) -> Dataset:
        """One dataset by its id."""
        return Dataset(self._api.json(Call("GET", f"datasets/{dataset_id}")), self._api)

    def list(self, *, limit: int | None = 20, **filters: Any) -> Listing[Dataset]:
        """The newest datasets; ``limit=None`` gives all."""
        found = self._api.run(flows.pages(self._api.wire, "datasets", filters, limit))
        return Listing(Dataset(raw, self._api) for raw in found)

    def _add(self, what: flows.DatasetFile | str) -> Dataset:
        return Dataset(self._api.run(flows.add_dataset(self._api.wire, what, timeout=600)), self._api)


class Models:
    """``client.models``."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def get(self, model_id: str) -> Model:
        """One model version by its id."""
        return Model(self._api.json(Call("GET", f"models/{model_id}")), self._api)

    def list(self, *, limit: int | None = 20, **filters: Any) -> Listing[Model]:
        """The newest model versions; ``limit=None`` gives all."""
        found = self._api.run(flows.pages(self._api.wire, "models", filters, limit))
        return Listing(Model(raw, self._api) for raw in found)

    def generate(self, model: Model | str, params: Any = None, /, *, name: str | None = None, **settings: Any) -> Job:
        """Submit a generation with a model version."""
        body = {"params": flows.settings_of(params, settings), "name": name}
        model_id = model if isinstance(model, str) else model.id
        return Job(self._api.run(flows.generate(self._api.wire, model_id, body)), self._api)


class Tasks:
    """``client.tasks``: what the server can do. Iterating gives every task."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def list(self) -> Listing[TaskRecord]:
        """All tasks."""
        return Listing(TaskRecord(raw) for raw in self._api.json(Call("GET", "tasks"))["data"])

    def get(self, name: str) -> TaskRecord:
        """One task by its name."""
        return TaskRecord(self._api.json(Call("GET", f"tasks/{name}")))

    def __iter__(self) -> Iterator[TaskRecord]:
        return iter(self.list())
