"""What :class:`aigc.AsyncClient` hands out: the same as :mod:`aigc.resources`, awaited."""

import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from aigc import flows, notebook
from aigc.records import ArtifactRecord, Curves, DatasetRecord, Event, JobRecord, ModelRecord, TaskRecord
from aigc.resources import Listing
from aigc.transport import AsyncTransport
from aigc.wire import Call, Flow

T = TypeVar("T")


class AsyncApi:
    """Runs flows for the objects below."""

    def __init__(self, transport: AsyncTransport) -> None:
        self.transport = transport
        self.wire = flows.Wire(transport.connection.patience, transport.cache)

    async def run(self, flow: Flow[T]) -> T:
        """Drive a flow to its result."""
        return await self.transport.run(flow)

    async def json(self, call: Call) -> Any:
        """Send a request and give its parsed body."""
        return await self.run(self.wire.json(call))


class AsyncArtifact(ArtifactRecord):
    """One stored file of a job."""

    def __init__(self, raw: Mapping[str, Any], api: AsyncApi) -> None:
        super().__init__(raw)
        self._api = api

    async def save(self, to: str | os.PathLike[str]) -> Path:
        """Download it to a path (into it, where that is a folder)."""
        path = Path(to)
        target = path / flows.safe_name(self.name).name if path.is_dir() else path
        return await self._api.run(flows.content(self._api.wire, self.raw, target))

    async def read(self) -> bytes:
        """Its bytes."""
        with tempfile.TemporaryDirectory(prefix="aigc-") as folder:
            return (await self.save(Path(folder) / "content")).read_bytes()

    async def image(self) -> Any:
        """It as a PIL image (Pillow must be installed)."""
        import io

        from PIL import Image  # optional

        return Image.open(io.BytesIO(await self.read()))


class AsyncJob(JobRecord):
    """One submission. It shows what was last seen; :meth:`refresh` and :meth:`wait` look again."""

    def __init__(self, raw: Mapping[str, Any], api: AsyncApi) -> None:
        super().__init__(raw)
        self._api = api

    async def refresh(self) -> Self:
        """Look again."""
        self.raw = await self._api.json(Call("GET", f"jobs/{self.id}"))
        return self

    async def wait(self, *, timeout: float | None = None, progress: bool = False, check: bool = True) -> Self:
        """Wait until it has ended; with ``check``, raise where it did not succeed.

        Raises:
            JobFailed: It failed, expired or was cancelled.
            WaitTimeout: It has not ended within ``timeout`` seconds; it goes on.
        """
        if progress:
            from aigc.progress import follow_on_screen  # rich is slow to import

            with follow_on_screen() as show:
                self.raw = await self._api.run(flows.wait(self._api.wire, self.id, timeout, show))
        else:
            self.raw = await self._api.run(flows.wait(self._api.wire, self.id, timeout, None))
        if check:
            flows.succeeded(self.raw, self._api.transport.connection.url)
        return self

    async def result(self, timeout: float | None = None) -> Listing[AsyncArtifact]:
        """Wait until it has succeeded and give its result files."""
        await self.wait(timeout=timeout)
        return await self.artifacts(role="output")

    def follow(self, timeout: float | None = None) -> "AsyncFollowing":
        """This job at every look until it has ended: ``async for now in job.follow(): print(now.progress)``."""
        return AsyncFollowing(self, timeout)

    async def events(self, after: int = 0) -> AsyncIterator[Event]:
        """What happened to it after an event, in order, until it has ended; waits for what is still to come."""
        history = flows.History(self._api.wire, self.id, after)
        while not history.ended:
            for raw in await self._api.run(history.next()):
                yield Event.of(raw)

    async def deliveries(self, limit: int | None = None) -> list[dict[str, Any]]:
        """What was sent, or is to be sent, to its webhook; the newest first."""
        return await self._api.run(flows.pages(self._api.wire, f"jobs/{self.id}/deliveries", {}, limit))

    async def cancel(self) -> Self:
        """Ask it to stop; a queued job stops at once."""
        self.raw = await self._api.json(Call("POST", f"jobs/{self.id}/cancel"))
        return self

    async def pause(self) -> Self:
        """Hold it until it is resumed; what runs is held at its next checkpoint."""
        self.raw = await self._api.json(Call("POST", f"jobs/{self.id}/pause"))
        return self

    async def resume(self) -> Self:
        """Let it go on; what is not paused is left as it is."""
        self.raw = await self._api.json(Call("POST", f"jobs/{self.id}/resume"))
        return self

    async def retry(self, *, from_checkpoint: bool = False) -> "AsyncJob":
        """Submit it again as a new job, from the start or from its last checkpoint; it must have ended."""
        body = {"from": "checkpoint"} if from_checkpoint else {}
        return AsyncJob(await self._api.run(flows.again(self._api.wire, self.id, "retry", body)), self._api)

    async def duplicate(self, params: Any = None, /, *, name: str | None = None, **settings: Any) -> "AsyncJob":
        """Submit its settings as a new job, whatever its state; those that are given differ."""
        body = {"params": flows.settings_of(params, settings), "name": name}
        return AsyncJob(await self._api.run(flows.again(self._api.wire, self.id, "duplicate", body)), self._api)

    async def delete(self) -> None:
        """Delete it and its files; it must have ended."""
        await self._api.json(Call("DELETE", f"jobs/{self.id}"))

    async def samples(self) -> Listing[AsyncArtifact]:
        """What it showed while it ran, oldest first."""
        return await self._files(f"jobs/{self.id}/samples", {})

    async def artifacts(self, role: str | None = None) -> Listing[AsyncArtifact]:
        """Its files, all or those of one role (output, sample, checkpoint)."""
        return await self._files(f"jobs/{self.id}/artifacts", {"role": role})

    async def metrics(self, names: list[str] | None = None, max_points: int = 1000) -> Curves:
        """The figures it reported, by step."""
        return Curves(await self._api.run(flows.curves(self._api.wire, self.id, names, max_points)))

    async def logs(self) -> str:
        """Its log as text."""
        return str(await self._api.json(Call("GET", f"jobs/{self.id}/logs", headers={"Accept": "text/plain"})))

    async def download(self, folder: str | os.PathLike[str] = ".", pattern: str = "*") -> list[Path]:
        """Save its result files (those whose name fits the pattern) into a folder."""
        return await self._api.run(flows.download(self._api.wire, self.id, Path(folder), pattern))

    async def _files(self, path: str, query: Mapping[str, Any]) -> Listing[AsyncArtifact]:
        found = await self._api.run(flows.pages(self._api.wire, path, query, None))
        return Listing(AsyncArtifact(raw, self._api) for raw in found)


class AsyncFollowing:
    """A job seen again and again until it has ended; a context manager, too, where that reads better."""

    def __init__(self, job: AsyncJob, timeout: float | None) -> None:
        self._job = job
        self._looks = flows.Looks(job._api.wire, job.id, timeout)

    async def __aiter__(self) -> AsyncIterator[AsyncJob]:
        while not self._looks.ended:
            self._job.raw = await self._job._api.run(self._looks.next())
            yield self._job

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is held open."""


class AsyncDataset(DatasetRecord):
    """One version of an input."""

    def __init__(self, raw: Mapping[str, Any], api: AsyncApi) -> None:
        super().__init__(raw)
        self._api = api

    async def refresh(self) -> Self:
        """Look again."""
        self.raw = await self._api.json(Call("GET", f"datasets/{self.id}"))
        return self

    async def preview(self) -> notebook.Picture:
        """A picture of some of the data, shown by a notebook."""
        with tempfile.TemporaryDirectory(prefix="aigc-") as folder:
            file = {"name": "preview", "content": f"/api/v1/datasets/{self.id}/preview"}
            return notebook.Picture(
                (await self._api.run(flows.content(self._api.wire, file, Path(folder) / "p"))).read_bytes()
            )


class AsyncModel(ModelRecord):
    """One registered result of a training."""

    def __init__(self, raw: Mapping[str, Any], api: AsyncApi) -> None:
        super().__init__(raw)
        self._api = api

    async def generate(self, **settings: Any) -> AsyncJob:
        """Submit a generation with this model."""
        return await AsyncModels(self._api).generate(self, **settings)

    async def download(self, folder: str | os.PathLike[str] = ".") -> list[Path]:
        """Save its files (weights, configuration) into a folder."""
        return await self._api.run(flows.save_all(self._api.wire, self.raw.get("files") or [], Path(folder)))


class AsyncJobs:
    """``client.jobs``."""

    def __init__(self, api: AsyncApi) -> None:
        self._api = api

    async def submit(
        self, task: str, params: Any = None, /, *, preset: str | None = None, name: str | None = None, **more: Any
    ) -> AsyncJob:
        """Submit a job; settings come from ``params`` (mapping, dataclass) and from keywords.

        A setting that takes a model may name the training that makes it. Three keywords are no settings:
        ``after`` are jobs that must succeed first; ``webhook`` is an address, or
        ``{"url": ..., "events": ["state", "end"]}``; ``time_limit`` is how many seconds it may run.

        Raises:
            InvalidParams: A setting cannot be used; all flaws are listed.
        """
        body = flows.submission(task, params, more) | {"preset": preset, "name": name}
        return AsyncJob(await self._api.run(flows.submit(self._api.wire, body)), self._api)

    async def check(
        self, task: str, params: Any = None, /, *, preset: str | None = None, **settings: Any
    ) -> Mapping[str, Any]:
        """Have settings checked; nothing is made. Raises what :meth:`submit` would raise."""
        body = {"task": task, "params": flows.settings_of(params, settings), "preset": preset}
        return await self._api.run(flows.submit(self._api.wire, body, check_only=True))

    async def get(self, job_id: str) -> AsyncJob:
        """One job by its id."""
        return AsyncJob(await self._api.json(Call("GET", f"jobs/{job_id}")), self._api)

    async def list(self, *, limit: int | None = 20, **filters: Any) -> Listing[AsyncJob]:
        """The newest jobs; ``limit=None`` gives all. Filters: state, task, q, dataset, created_after, ..."""
        found = await self._api.run(flows.pages(self._api.wire, "jobs", filters, limit))
        return Listing(AsyncJob(raw, self._api) for raw in found)

    async def wait(self, job_id: str, *, timeout: float | None = None, progress: bool = False) -> AsyncJob:
        """Wait until a job has succeeded."""
        return await (await self.get(job_id)).wait(timeout=timeout, progress=progress)

    async def cancel(self, job_id: str) -> AsyncJob:
        """Ask a job to stop."""
        return AsyncJob(await self._api.json(Call("POST", f"jobs/{job_id}/cancel")), self._api)

    async def pause(self, job_id: str) -> AsyncJob:
        """Hold a job until it is resumed."""
        return AsyncJob(await self._api.json(Call("POST", f"jobs/{job_id}/pause")), self._api)

    async def resume(self, job_id: str) -> AsyncJob:
        """Let a paused job go on."""
        return AsyncJob(await self._api.json(Call("POST", f"jobs/{job_id}/resume")), self._api)

    async def retry(self, job_id: str, *, from_checkpoint: bool = False) -> AsyncJob:
        """Submit a job again as a new one."""
        return await (await self.get(job_id)).retry(from_checkpoint=from_checkpoint)

    async def duplicate(
        self, job_id: str, params: Any = None, /, *, name: str | None = None, **settings: Any
    ) -> AsyncJob:
        """Submit a job's settings as a new one; those that are given differ."""
        return await (await self.get(job_id)).duplicate(params, name=name, **settings)


class AsyncDatasets:
    """``client.datasets``."""

    def __init__(self, api: AsyncApi) -> None:
        self._api = api

    async def upload(
        self, path: str | os.PathLike[str], name: str | None = None, *, licence: str = "", notes: str = ""
    ) -> AsyncDataset:
        """Upload a file and wait until it has been checked.

        Raises:
            InvalidParams: The data cannot be used; every flaw names its place.
        """
        return await self._add(flows.DatasetFile(path, name, licence, notes))

    async def starter(self, name: str) -> AsyncDataset:
        """Register a data set that comes with the product; the same one again is the same dataset."""
        return await self._add(name)

    async def get(self, dataset_id: str) -> AsyncDataset:
        """One dataset by its id."""
        return AsyncDataset(await self._api.json(Call("GET", f"datasets/{dataset_id}")), self._api)

    async def list(self, *, limit: int | None = 20, **filters: Any) -> Listing[AsyncDataset]:
        """The newest datasets; ``limit=None`` gives all."""
        found = await self._api.run(flows.pages(self._api.wire, "datasets", filters, limit))
        return Listing(AsyncDataset(raw, self._api) for raw in found)

    async def _add(self, what: flows.DatasetFile | str) -> AsyncDataset:
        return AsyncDataset(await self._api.run(flows.add_dataset(self._api.wire, what, timeout=600)), self._api)


class AsyncModels:
    """``client.models``."""

    def __init__(self, api: AsyncApi) -> None:
        self._api = api

    async def get(self, model_id: str) -> AsyncModel:
        """One model version by its id."""
        return AsyncModel(await self._api.json(Call("GET", f"models/{model_id}")), self._api)

    async def list(self, *, limit: int | None = 20, **filters: Any) -> Listing[AsyncModel]:
        """The newest model versions; ``limit=None`` gives all."""
        found = await self._api.run(flows.pages(self._api.wire, "models", filters, limit))
        return Listing(AsyncModel(raw, self._api) for raw in found)

    async def generate(
        self, model: AsyncModel | str, params: Any = None, /, *, name: str | None = None, **settings: Any
    ) -> AsyncJob:
        """Submit a generation with a model version."""
        body = {"params": flows.settings_of(params, settings), "name": name}
        model_id = model if isinstance(model, str) else model.id
        return AsyncJob(await self._api.run(flows.generate(self._api.wire, model_id, body)), self._api)


class AsyncTasks:
    """``client.tasks``: what the server can do."""

    def __init__(self, api: AsyncApi) -> None:
        self._api = api

    async def list(self) -> Listing[TaskRecord]:
        """All tasks."""
        return Listing(TaskRecord(raw) for raw in (await self._api.json(Call("GET", "tasks")))["data"])

    async def get(self, name: str) -> TaskRecord:
        """One task by its name."""
        return TaskRecord(await self._api.json(Call("GET", f"tasks/{name}")))
