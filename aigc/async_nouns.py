"""What hangs on :class:`aigc.AsyncClient`: the same as :mod:`aigc.nouns`, awaited."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Unpack

from aigc import flows
from aigc.async_library import AsyncDataset, AsyncModel, AsyncQueue, AsyncWorker
from aigc.async_resources import AsyncApi, AsyncJob
from aigc.records import Record, TaskRecord
from aigc.resources import Listing
from aigc.sending import Tell
from aigc.uploading import telling
from aigc.wire import Call


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

    async def delete(self, job_id: str) -> None:
        """Delete a job that has ended, and its files."""
        await self._api.json(Call("DELETE", f"jobs/{job_id}"))

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
        self,
        path: str | os.PathLike[str],
        name: str | None = None,
        *,
        params: Mapping[str, Any] | None = None,
        progress: bool | Tell = False,
        **about: Unpack[flows.About],
    ) -> AsyncDataset:
        """Upload a file and wait until it has been checked; ``params`` are settings of the import.

        Further keywords are ``licence``, ``notes``, and ``kind``: what it is to become (images, table,
        interactions, text, event_log, language_model); left out, its content decides. A file above 8 MB is sent in
        pieces, so that a lost connection costs one of them. With ``progress`` a bar shows how far it is; a function is
        told the bytes that have arrived, and of how many.

        Raises:
            InvalidParams: The data cannot be used; every flaw names its place.
        """
        with telling(progress, Path(path).name) as tell:
            return await self._add(flows.DatasetFile(path, name, params=params, tell=tell, **about))

    async def fetch(self, url: str, name: str | None = None, **about: Unpack[flows.About]) -> AsyncDataset:
        """Have the server fetch a file from an address, and wait until it has been checked.

        Raises:
            InvalidParams: The operator does not allow it, the file did not come, or it cannot be used.
        """
        return await self._add(flows.DatasetAddress(url, name, **about))

    async def of_dialogues(self, job: str | AsyncJob, name: str = "") -> AsyncDataset:
        """Make a dataset of the dialogues that a job simulated, and wait until it has been checked."""
        job_id = job if isinstance(job, str) else job.id
        raw = await self._api.run(flows.dialogues_dataset(self._api.wire, job_id, name, 600))
        return AsyncDataset(raw, self._api)

    async def starter(self, name: str) -> AsyncDataset:
        """Register a data set that comes with the product; the same one again is the same dataset."""
        return await self._add(name)

    async def get(self, dataset_id: str) -> AsyncDataset:
        """One dataset by its id, or by its name: the newest version that is ready."""
        return AsyncDataset(await self._api.json(Call("GET", f"datasets/{dataset_id}")), self._api)

    async def list(self, *, limit: int | None = 20, **filters: Any) -> Listing[AsyncDataset]:
        """The newest datasets; ``limit=None`` gives all."""
        found = await self._api.run(flows.pages(self._api.wire, "datasets", filters, limit))
        return Listing(AsyncDataset(raw, self._api) for raw in found)

    async def delete(self, dataset_id: str) -> None:
        """Delete a dataset and its files; no job and no model may use it."""
        await self._api.json(Call("DELETE", f"datasets/{dataset_id}"))

    async def _add(self, what: flows.DatasetFile | flows.DatasetAddress | str) -> AsyncDataset:
        return AsyncDataset(await self._api.run(flows.add_dataset(self._api.wire, what, timeout=600)), self._api)


class AsyncModels:
    """``client.models``."""

    def __init__(self, api: AsyncApi) -> None:
        self._api = api

    async def get(self, model_id: str) -> AsyncModel:
        """One model version by its id, as ``name@production``, or by its name: the newest version."""
        return AsyncModel(await self._api.json(Call("GET", f"models/{model_id}")), self._api)

    async def list(self, *, limit: int | None = 20, **filters: Any) -> Listing[AsyncModel]:
        """The newest model versions; ``limit=None`` gives all."""
        found = await self._api.run(flows.pages(self._api.wire, "models", filters, limit))
        return Listing(AsyncModel(raw, self._api) for raw in found)

    async def generate(
        self, model: AsyncModel | str, params: Any = None, /, *, name: str | None = None, **settings: Any
    ) -> AsyncJob:
        """Submit a generation with a model version, given as such or as :meth:`get` takes it."""
        body = {"params": flows.settings_of(params, settings), "name": name}
        model_id = model if isinstance(model, str) else model.id
        return AsyncJob(await self._api.run(flows.use(self._api.wire, model_id, "generate", body)), self._api)

    async def recommend(
        self, model: AsyncModel | str, params: Any = None, /, *, name: str | None = None, **settings: Any
    ) -> AsyncJob:
        """Ask a model version (as in :meth:`get`) for lists; the job has them as ``recommendations()``."""
        body = {"params": flows.settings_of(params, settings), "name": name}
        model_id = model if isinstance(model, str) else model.id
        return AsyncJob(await self._api.run(flows.use(self._api.wire, model_id, "recommend", body)), self._api)

    async def reply(
        self, model: AsyncModel | str, params: Any = None, /, *, name: str | None = None, **settings: Any
    ) -> AsyncJob:
        """Ask an assistant, with ``question=...``; the job's ``reply()`` is what it says."""
        body = {"params": flows.settings_of(params, settings), "name": name}
        model_id = model if isinstance(model, str) else model.id
        return AsyncJob(await self._api.run(flows.use(self._api.wire, model_id, "reply", body)), self._api)

    async def delete(self, model_id: str) -> None:
        """Delete a model version, with the job that trained it and its files; no job may use it."""
        await self._api.json(Call("DELETE", f"models/{model_id}"))


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


class AsyncWorkers:
    """``client.workers``: who works, and who takes no new jobs."""

    def __init__(self, api: AsyncApi) -> None:
        self._api = api

    async def list(self) -> Listing[AsyncWorker]:
        """The workers and schedulers that are alive."""
        found = (await self._api.json(Call("GET", "workers")))["data"]
        return Listing(AsyncWorker(raw, self._api) for raw in found)

    async def pause(self, worker_id: str) -> AsyncWorker:
        """Let a worker take no new jobs; what it runs goes on."""
        return AsyncWorker(await self._api.json(Call("POST", f"workers/{worker_id}/pause")), self._api)

    async def resume(self, worker_id: str) -> AsyncWorker:
        """End a worker's own pause."""
        return AsyncWorker(await self._api.json(Call("POST", f"workers/{worker_id}/resume")), self._api)

    async def pauses(self) -> Listing[Record]:
        """Everything that takes no new jobs, also workers that do not run at this moment."""
        return Listing(Record(raw) for raw in (await self._api.json(Call("GET", "pauses")))["data"])

    async def end_pause(self, pause_id: str) -> None:
        """End a pause, also one of a worker that does not run at this moment."""
        await self._api.json(Call("DELETE", f"pauses/{pause_id}"))


class AsyncQueues:
    """``client.queues``: how much waits, and for whom."""

    def __init__(self, api: AsyncApi) -> None:
        self._api = api

    async def list(self) -> Listing[AsyncQueue]:
        """The queues, each with how many jobs wait and run, and its workers."""
        return Listing(AsyncQueue(raw, self._api) for raw in (await self._api.json(Call("GET", "queues")))["data"])

    async def pause(self, name: str) -> AsyncQueue:
        """Let every worker of a queue, such as ``training.gpu``, take no new jobs; what runs goes on."""
        return AsyncQueue(await self._api.json(Call("POST", f"queues/{name}/pause")), self._api)

    async def resume(self, name: str) -> AsyncQueue:
        """End the pause of a whole queue."""
        return AsyncQueue(await self._api.json(Call("POST", f"queues/{name}/resume")), self._api)
