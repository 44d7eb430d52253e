"""Datasets, model versions, workers and queues as :class:`aigc.Client` hands them out."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from aigc import downloads, flows, notebook
from aigc.records import DatasetRecord, ModelRecord
from aigc.resources import Api, Job
from aigc.wire import Call
from aigc.workforce import QueueRecord, WorkerRecord


class Dataset(DatasetRecord):
    """One version of an input."""

    def __init__(self, raw: Mapping[str, Any], api: Api) -> None:
        super().__init__(raw)
        self._api = api

    def refresh(self) -> Self:
        """Look again."""
        self.raw = self._api.json(Call("GET", f"datasets/{self.id}"))
        return self

    def preview(self) -> notebook.Picture | notebook.FirstRows:
        """Some of the data, shown by a notebook: a picture, or of a table the first rows."""
        with tempfile.TemporaryDirectory(prefix="aigc-") as folder:
            file = {"name": "preview", "content": f"/api/v1/datasets/{self.id}/preview"}
            saved = self._api.run(downloads.content(self._api.wire, file, Path(folder) / "preview"))
            return notebook.look(saved.read_bytes())

    def revise(self, params: Any = None, /, **settings: Any) -> "Dataset":
        """Have its uploaded file read again with other settings of the import, as its next version.

        Raises:
            InvalidParams: The data cannot be used so; all flaws are listed.
        """
        wished = flows.settings_of(params, settings)
        return Dataset(self._api.run(flows.revise_dataset(self._api.wire, self.id, wished, 600)), self._api)

    def update(self, *, licence: str | None = None, notes: str | None = None, overwrite: bool = False) -> Self:
        """Write its licence or notes anew; what is left out stays. Its data never change.

        What somebody else wrote since it was read is kept, unless ``overwrite``. One from a list was not read alone.

        Raises:
            Conflict: Somebody else wrote in the meantime. :meth:`refresh`, then say it again.
        """
        changes, seen = {"licence": licence, "notes": notes}, "" if overwrite else self.etag
        self.raw = self._api.run(flows.change(self._api.wire, f"datasets/{self.id}", changes, seen))
        return self

    def users(self) -> Mapping[str, Any]:
        """What uses it and so keeps it from being deleted: jobs, models, and their number."""
        found: Mapping[str, Any] = self._api.json(Call("GET", f"datasets/{self.id}/used-by"))
        return found

    def drop_source(self) -> Self:
        """Delete the uploaded file with the metadata in it; the dataset stays."""
        self._api.json(Call("DELETE", f"datasets/{self.id}/source"))
        return self.refresh()

    def delete(self) -> None:
        """Delete it and its files; no job and no model may use it."""
        self._api.json(Call("DELETE", f"datasets/{self.id}"))


class Model(ModelRecord):
    """One registered result of a training."""

    def __init__(self, raw: Mapping[str, Any], api: Api) -> None:
        super().__init__(raw)
        self._api = api

    def refresh(self) -> Self:
        """Look again."""
        self.raw = self._api.json(Call("GET", f"models/{self.id}"))
        return self

    def generate(self, params: Any = None, /, *, name: str | None = None, **settings: Any) -> Job:
        """Submit a generation with this model."""
        body = {"params": flows.settings_of(params, settings), "name": name}
        return Job(self._api.run(flows.use(self._api.wire, self.id, "generate", body)), self._api)

    def recommend(self, params: Any = None, /, *, name: str | None = None, **settings: Any) -> Job:
        """Ask this model for recommendations; the job's :meth:`Job.recommendations` are the lists."""
        body = {"params": flows.settings_of(params, settings), "name": name}
        return Job(self._api.run(flows.use(self._api.wire, self.id, "recommend", body)), self._api)

    def reply(self, question: str, /, *, name: str | None = None, **settings: Any) -> Job:
        """Ask this assistant; the job's :meth:`Job.reply` is what it says."""
        body = {"params": {**settings, "question": question}, "name": name}
        return Job(self._api.run(flows.use(self._api.wire, self.id, "reply", body)), self._api)

    def download(self, folder: str | os.PathLike[str] = ".") -> list[Path]:
        """Save its files (weights, configuration) into a folder."""
        return self._api.run(downloads.save_all(self._api.wire, self.raw.get("files") or [], Path(folder)))

    def export(self, to: str | os.PathLike[str]) -> Path:
        """Save it as one ZIP: weights, card, settings, figures and licence."""
        return self._api.run(downloads.archive(self._api.wire, self.id, Path(to)))

    def card_text(self) -> str:
        """Its card as Markdown: data, intended use, limits, licence, figures."""
        return str(self._api.json(Call("GET", f"models/{self.id}/card", headers={"Accept": "text/markdown"})))

    def write_card(self, *, overwrite: bool = False, **parts: str | None) -> Self:
        """Write parts of its card anew: intended_use, limits, licence, notes. An empty text removes one.

        What somebody else wrote since it was read is kept, unless ``overwrite``. One from a list was not read alone.

        Raises:
            Conflict: Somebody else wrote in the meantime. :meth:`refresh`, then say it again.
        """
        seen = "" if overwrite else self.etag
        self.raw = self._api.run(flows.change(self._api.wire, f"models/{self.id}", parts, seen))
        return self

    def promote(self, alias: str, *, replaces: str | None = flows.ANY) -> Self:
        """Let ``production`` or ``staging`` stand for it instead of another version of its name.

        Args:
            alias: Which one.
            replaces: Id of the version it must stand for so far, None for none; usually whichever it is.

        Raises:
            Conflict: It stands for another one.
        """
        self.raw = self._api.run(flows.promote(self._api.wire, self.id, alias, replaces))
        return self

    def demote(self, alias: str) -> Self:
        """Take an alias from it."""
        self._api.json(Call("DELETE", f"models/{self.id}/aliases/{alias}"))
        return self.refresh()

    def users(self) -> Mapping[str, Any]:
        """What uses it and so keeps it from being deleted: jobs, aliases, and their number."""
        found: Mapping[str, Any] = self._api.json(Call("GET", f"models/{self.id}/used-by"))
        return found

    def delete(self) -> None:
        """Delete it, with the job that trained it and its files; no job may use it."""
        self._api.json(Call("DELETE", f"models/{self.id}"))


class Worker(WorkerRecord):
    """A live slot of a worker, or a scheduler."""

    def __init__(self, raw: Mapping[str, Any], api: Api) -> None:
        super().__init__(raw)
        self._api = api

    def pause(self) -> Self:
        """Let it take no new jobs, also after it starts again; what it runs goes on."""
        self.raw = self._api.json(Call("POST", f"workers/{self.id}/pause"))
        return self

    def resume(self) -> Self:
        """Let it take jobs again, unless its whole queue is paused."""
        self.raw = self._api.json(Call("POST", f"workers/{self.id}/resume"))
        return self


class Queue(QueueRecord):
    """The jobs that wait in a lane for a kind of device."""

    def __init__(self, raw: Mapping[str, Any], api: Api) -> None:
        super().__init__(raw)
        self._api = api

    def pause(self) -> Self:
        """Let none of its workers take new jobs; what runs goes on."""
        self.raw = self._api.json(Call("POST", f"queues/{self.name}/pause"))
        return self

    def resume(self) -> Self:
        """Let its workers take jobs again; those that were paused one by one stay so."""
        self.raw = self._api.json(Call("POST", f"queues/{self.name}/resume"))
        return self
