"""What hangs on :class:`aigc.AsyncClient`: the same as :mod:`aigc.nouns`, awaited."""

import os
from collections.abc import Mapping
from typing import Any, Unpack

from aigc import flows
from aigc.async_resources import AsyncApi, AsyncDataset, AsyncJob, AsyncModel
from aigc.records import TaskRecord
from aigc.resources import Listing
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
        **about: Unpack[flows.About],
    ) -> AsyncDataset:
        """Upload a file and wait until it has been checked; ``params`` are settings of the import.

        Further keywords are ``licence``, ``notes``, and ``kind``: what it is to become (images, table,
        interactions); left out, its content decides.

        Raises:
            InvalidParams: The data cannot be used; every flaw names its place.
        """
        return await self._add(flows.DatasetFile(path, name, params, **about))

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

    async def delete(self, dataset_id: str) -> None:
        """Delete a dataset and its files; no job and no model may use it."""
        await self._api.json(Call("DELETE", f"datasets/{dataset_id}"))

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
        return AsyncJob(await self._api.run(flows.use(self._api.wire, model_id, "generate", body)), self._api)

    async def recommend(
        self, model: AsyncModel | str, params: Any = None, /, *, name: str | None = None, **settings: Any
    ) -> AsyncJob:
        """Ask a model version for recommendations; the job's ``recommendations()`` are the lists."""
        body = {"params": flows.settings_of(params, settings), "name": name}
        model_id = model if isinstance(model, str) else model.id
        return AsyncJob(await self._api.run(flows.use(self._api.wire, model_id, "recommend", body)), self._api)

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
