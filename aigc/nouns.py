"""What hangs on :class:`aigc.Client`: its jobs, datasets, models and tasks."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Unpack

from aigc import flows
from aigc.library import Dataset, Model, Queue, Worker
from aigc.records import Record, TaskRecord
from aigc.resources import Api, Job, Listing
from aigc.sending import Tell
from aigc.uploading import telling
from aigc.wire import Call


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

    def delete(self, job_id: str) -> None:
        """Delete a job that has ended, and its files."""
        self._api.json(Call("DELETE", f"jobs/{job_id}"))

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
        self,
        path: str | os.PathLike[str],
        name: str | None = None,
        *,
        params: Mapping[str, Any] | None = None,
        progress: bool | Tell = False,
        **about: Unpack[flows.About],
    ) -> Dataset:
        """Upload a file and wait until it has been checked; ``params`` are settings of the import.

        Further keywords are ``licence``, ``notes``, and ``kind``: what it is to become (images, table,
        interactions, text, event_log, language_model); left out, its content decides. A file above 8 MB is sent in
        pieces, so that a lost connection costs one of them. With ``progress`` a bar shows how far it is; a function is
        told the bytes that have arrived, and of how many.

        Raises:
            InvalidParams: The data cannot be used; every flaw names its place.
        """
        with telling(progress, Path(path).name) as tell:
            return self._add(flows.DatasetFile(path, name, params=params, tell=tell, **about))

    def fetch(self, url: str, name: str | None = None, **about: Unpack[flows.About]) -> Dataset:
        """Have the server fetch a file from an address, and wait until it has been checked.

        Raises:
            InvalidParams: The operator does not allow it, the file did not come, or it cannot be used.
        """
        return self._add(flows.DatasetAddress(url, name, **about))

    def of_dialogues(self, job: str | Job, name: str = "") -> Dataset:
        """Make a dataset of the dialogues that a job simulated, and wait until it has been checked."""
        job_id = job if isinstance(job, str) else job.id
        raw = self._api.run(flows.dialogues_dataset(self._api.wire, job_id, name, 600))
        return Dataset(raw, self._api)

    def starter(self, name: str) -> Dataset:
        """Register a data set that comes with the product; the same one again is the same dataset."""
        return self._add(name)

    def get(self, dataset_id: str) -> Dataset:
        """One dataset by its id, or by its name: the newest version that is ready."""
        return Dataset(self._api.json(Call("GET", f"datasets/{dataset_id}")), self._api)

    def list(self, *, limit: int | None = 20, **filters: Any) -> Listing[Dataset]:
        """The newest datasets; ``limit=None`` gives all."""
        found = self._api.run(flows.pages(self._api.wire, "datasets", filters, limit))
        return Listing(Dataset(raw, self._api) for raw in found)

    def delete(self, dataset_id: str) -> None:
        """Delete a dataset and its files; no job and no model may use it."""
        self._api.json(Call("DELETE", f"datasets/{dataset_id}"))

    def _add(self, what: flows.DatasetFile | flows.DatasetAddress | str) -> Dataset:
        return Dataset(self._api.run(flows.add_dataset(self._api.wire, what, timeout=600)), self._api)


class Models:
    """``client.models``."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def get(self, model_id: str) -> Model:
        """One model version by its id, as ``name@production``, or by its name: the newest version."""
        return Model(self._api.json(Call("GET", f"models/{model_id}")), self._api)

    def list(self, *, limit: int | None = 20, **filters: Any) -> Listing[Model]:
        """The newest model versions; ``limit=None`` gives all."""
        found = self._api.run(flows.pages(self._api.wire, "models", filters, limit))
        return Listing(Model(raw, self._api) for raw in found)

    def generate(self, model: Model | str, params: Any = None, /, *, name: str | None = None, **settings: Any) -> Job:
        """Submit a generation with a model version, given as such or as :meth:`get` takes it."""
        body = {"params": flows.settings_of(params, settings), "name": name}
        model_id = model if isinstance(model, str) else model.id
        return Job(self._api.run(flows.use(self._api.wire, model_id, "generate", body)), self._api)

    def recommend(self, model: Model | str, params: Any = None, /, *, name: str | None = None, **settings: Any) -> Job:
        """Ask a model version (as in :meth:`get`) for lists; the job has them as ``recommendations()``."""
        body = {"params": flows.settings_of(params, settings), "name": name}
        model_id = model if isinstance(model, str) else model.id
        return Job(self._api.run(flows.use(self._api.wire, model_id, "recommend", body)), self._api)

    def reply(self, model: Model | str, params: Any = None, /, *, name: str | None = None, **settings: Any) -> Job:
        """Ask an assistant, with ``question=...``; the job's ``reply()`` is what it says."""
        body = {"params": flows.settings_of(params, settings), "name": name}
        model_id = model if isinstance(model, str) else model.id
        return Job(self._api.run(flows.use(self._api.wire, model_id, "reply", body)), self._api)

    def delete(self, model_id: str) -> None:
        """Delete a model version, with the job that trained it and its files; no job may use it."""
        self._api.json(Call("DELETE", f"models/{model_id}"))


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


class Workers:
    """``client.workers``: who works, and who takes no new jobs."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def list(self) -> Listing[Worker]:
        """The workers and schedulers that are alive."""
        found = (self._api.json(Call("GET", "workers")))["data"]
        return Listing(Worker(raw, self._api) for raw in found)

    def pause(self, worker_id: str) -> Worker:
        """Let a worker take no new jobs; what it runs goes on."""
        return Worker(self._api.json(Call("POST", f"workers/{worker_id}/pause")), self._api)

    def resume(self, worker_id: str) -> Worker:
        """End a worker's own pause."""
        return Worker(self._api.json(Call("POST", f"workers/{worker_id}/resume")), self._api)

    def pauses(self) -> Listing[Record]:
        """Everything that takes no new jobs, also workers that do not run at this moment."""
        return Listing(Record(raw) for raw in (self._api.json(Call("GET", "pauses")))["data"])

    def end_pause(self, pause_id: str) -> None:
        """End a pause, also one of a worker that does not run at this moment."""
        self._api.json(Call("DELETE", f"pauses/{pause_id}"))


class Queues:
    """``client.queues``: how much waits, and for whom."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def list(self) -> Listing[Queue]:
        """The queues, each with how many jobs wait and run, and its workers."""
        return Listing(Queue(raw, self._api) for raw in (self._api.json(Call("GET", "queues")))["data"])

    def pause(self, name: str) -> Queue:
        """Let every worker of a queue, such as ``training.gpu``, take no new jobs; what runs goes on."""
        return Queue(self._api.json(Call("POST", f"queues/{name}/pause")), self._api)

    def resume(self, name: str) -> Queue:
        """End the pause of a whole queue."""
        return Queue(self._api.json(Call("POST", f"queues/{name}/resume")), self._api)
