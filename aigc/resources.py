"""What :class:`aigc.Client` hands out: jobs, datasets, models and files that can be acted on."""

import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar, overload

from aigc import downloads, flows, notebook
from aigc.errors import ApiError, WaitTimeout
from aigc.recommended import Recommendations, Recommended
from aigc.records import ArtifactRecord, Curves, Event, JobRecord, LogLine, advanced
from aigc.replied import Reply
from aigc.speech import speaking
from aigc.streaming import NO_STREAM_LEFT, Stream
from aigc.transport import Transport
from aigc.wire import Call, ConnectionLost, Flow, Wire

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
        self.wire = Wire(transport.connection.patience, transport.cache)

    def run(self, flow: Flow[T]) -> T:
        """Drive a flow to its result."""
        return self.transport.run(flow)

    def json(self, call: Call) -> Any:
        """Send a request and give its parsed body."""
        return self.run(self.wire.json(call))

    def succeeded(self, job: Mapping[str, Any]) -> None:
        """Raise what a job that did not succeed stands for."""
        connection = self.transport.connection
        with speaking(connection.language):
            flows.succeeded(job, connection.url)


class Artifact(ArtifactRecord):
    """One stored file of a job; pictures show themselves in a notebook."""

    def __init__(self, raw: Mapping[str, Any], api: Api) -> None:
        super().__init__(raw)
        self._api = api

    def save(self, to: str | os.PathLike[str]) -> Path:
        """Download it to a path (into it, where that is a folder)."""
        path = Path(to)
        target = path / downloads.safe_name(self.name).name if path.is_dir() else path
        return self._api.run(downloads.content(self._api.wire, self.raw, target))

    def read(self) -> bytes:
        """Its bytes."""
        with tempfile.TemporaryDirectory(prefix="aigc-") as folder:
            return self.save(Path(folder) / "content").read_bytes()

    def image(self) -> Any:
        """It as a PIL image (Pillow must be installed)."""
        return notebook.image(self.read(), self.raw)

    def shown(self) -> Any:
        """What it holds: a picture as PIL image where Pillow is installed, a text as str, else this file itself."""
        if notebook.reads(self.media_type):
            return notebook.content(self.read(), self.raw)
        return self

    def _repr_png_(self) -> bytes | None:
        return self.read() if self.media_type == "image/png" else None


class Samples(Sequence[Any]):
    """What a job showed while it ran, oldest first: ``job.samples()[-1]`` is the newest picture or text.

    A picture is a PIL image where Pillow is installed (its ``info`` says step, name and id) and else the
    file, which a notebook shows all the same. Each is fetched when it is first asked for.

    Attributes:
        files: The samples as files, with their steps, sizes and hashes; nothing is fetched for them.
    """

    def __init__(self, files: "Listing[Artifact]") -> None:
        self.files = files
        self._seen: dict[str, Any] = {}

    @property
    def steps(self) -> list[int | None]:
        """The steps the samples were made at."""
        return [file.step for file in self.files]

    def __len__(self) -> int:
        return len(self.files)

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self._at(file) for file in self.files[index]]
        return self._at(self.files[index])

    def _at(self, file: Artifact) -> Any:
        if file.id not in self._seen:
            self._seen[file.id] = file.shown()
        return self._seen[file.id]

    def __repr__(self) -> str:
        return f"<Samples at steps {', '.join(str(step) for step in self.steps)}>"

    def _repr_html_(self) -> str:
        newest = self.files[-notebook.SHOWN_SAMPLES :]
        pictures = [(file.raw, file.read() if notebook.is_picture(file.media_type) else b"") for file in newest]
        return notebook.gallery(f"{len(self)} samples", pictures)


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
            self._api.succeeded(self.raw)
        return self

    def result(self, timeout: float | None = None) -> Listing[Artifact]:
        """Wait until it has succeeded and give its result files."""
        self.wait(timeout=timeout)
        return self.artifacts(role="output")

    def follow(
        self, timeout: float | None = None, *, interval: float | None = None, stream: bool = False
    ) -> "Following":
        """This job at every look until it has ended: ``for now in job.follow(): print(now.progress)``.

        The server tells every change at once; with ``interval`` it is asked that often (seconds) instead,
        with ``stream`` it sends the changes over one connection that is kept open.
        """
        return Following(self, timeout, interval, stream)

    def events(self, after: int = 0) -> Iterator[Event]:
        """What happened to it after an event, in order, until it has ended; waits for what is still to come."""
        history = flows.History(self._api.wire, self.id, after)
        while not history.ended:
            yield from map(Event.of, self._api.run(history.next()))

    def stream(self, after: int = 0) -> Iterator[Event]:
        """The same as :meth:`events`, live, over a connection that is kept open, with progress and metrics between.

        Events of the kinds ``progress`` and ``metric`` have the number of the event before them. A connection
        that ends or breaks is opened again and goes on after the last event (``Last-Event-ID``); where the
        server has no stream left, it is asked instead.
        """
        stream = Stream(self.id, self._api.wire.patience, after)
        while not stream.ended:
            pause = 0.0
            try:
                for line in self._api.transport.lines(stream.call()):
                    event = stream.read(line)
                    if event is not None:
                        yield event
            except (ConnectionLost, ApiError) as error:
                if isinstance(error, ApiError) and error.code == NO_STREAM_LEFT:
                    yield from self.events(stream.after)
                    return
                pause = stream.failed(error)
            if pause:
                self._api.run(flows.sleep(pause))
            elif not stream.ended and not stream.news and self.refresh().is_final:
                return  # nothing came, and nothing will

    def deliveries(self, limit: int | None = None) -> list[dict[str, Any]]:
        """What was sent, or is to be sent, to its webhook; the newest first."""
        return self._api.run(flows.pages(self._api.wire, f"jobs/{self.id}/deliveries", {}, limit))

    def redeliver(self, delivery_id: str) -> dict[str, Any]:
        """Send something to its webhook once more; gives the delivery."""
        delivery: dict[str, Any] = self._api.json(Call("POST", f"jobs/{self.id}/deliveries/{delivery_id}/retry"))
        return delivery

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

    def update(
        self,
        *,
        name: str | None = None,
        tags: Sequence[str] | None = None,
        notes: str | None = None,
        overwrite: bool = False,
    ) -> Self:
        """Change its name, tags or notes, in any state; what is left out stays.

        What somebody else wrote since it was read is kept, unless ``overwrite``. One from a list was not read alone.

        Raises:
            Conflict: Somebody else wrote in the meantime. :meth:`refresh`, then say it again.
        """
        changes = {"name": name, "tags": list(tags) if tags is not None else None, "notes": notes}
        seen = "" if overwrite else self.etag
        self.raw = self._api.run(flows.change(self._api.wire, f"jobs/{self.id}", changes, seen))
        return self

    def delete(self) -> None:
        """Delete it and its files; it must have ended."""
        self._api.json(Call("DELETE", f"jobs/{self.id}"))

    def samples(self) -> Samples:
        """What it showed while it ran, oldest first: ``job.samples()[-1]`` is the newest, as picture or text."""
        return Samples(self._files(f"jobs/{self.id}/samples", {}))

    def artifacts(self, role: str | None = None) -> Listing[Artifact]:
        """Its files, all or those of one role (output, sample, checkpoint)."""
        return self._files(f"jobs/{self.id}/artifacts", {"role": role})

    def recommendations(self, user: str | None = None) -> Recommendations:
        """What it recommends: at most the first 200 lists, or the list of one user."""
        path, query = f"jobs/{self.id}/recommendations", {"user": user}
        return Recommendations(map(Recommended, self._api.run(flows.pages(self._api.wire, path, query, None))))

    def reply(self) -> Reply:
        """What an assistant said, each sentence with its source."""
        return Reply(self._api.json(Call("GET", f"jobs/{self.id}/reply")))

    def judge(self, verdict: str, better: str = "") -> None:
        """Say what you think of a reply, ``up`` or ``down``, and what would have been better."""
        body = {"verdict": verdict, "better": better}
        self._api.json(Call("PUT", f"jobs/{self.id}/feedback", json=body))

    def metrics(self, names: list[str] | None = None, max_points: int = 1000) -> Curves:
        """The figures it reported, by step."""
        return Curves(self._api.run(flows.curves(self._api.wire, self.id, names, max_points)))

    def logs(self, *, level: str | None = None, search: str | None = None) -> str:
        """Its log as text: all of it, or the lines of a level or that hold a text."""
        return self._api.run(flows.log_text(self._api.wire, self.id, {"level": level, "q": search}))

    def log_lines(self, after: int = 0, *, level: str | None = None, search: str | None = None) -> list[LogLine]:
        """The lines of its log after an event, each with time and level."""
        found = self._api.run(flows.log_lines(self._api.wire, self.id, after, {"level": level, "q": search}))
        return [LogLine.of(raw) for raw in found]

    def download(self, folder: str | os.PathLike[str] = ".", pattern: str = "*") -> list[Path]:
        """Save its result files (those whose name fits the pattern) into a folder."""
        return self._api.run(downloads.download(self._api.wire, self.id, Path(folder), pattern))

    def _files(self, path: str, query: Mapping[str, Any]) -> Listing[Artifact]:
        found = self._api.run(flows.pages(self._api.wire, path, query, None))
        return Listing(Artifact(raw, self._api) for raw in found)


class Following:
    """A job seen again and again until it has ended; a context manager, too, where that reads better."""

    def __init__(self, job: Job, timeout: float | None, interval: float | None = None, stream: bool = False) -> None:
        self._job, self._timeout, self._stream = job, timeout, stream
        self._looks = flows.Looks(job._api.wire, job.id, timeout, interval=interval)

    def __iter__(self) -> Iterator[Job]:
        if self._stream:
            yield from self._streamed()
            return
        while not self._looks.ended:
            self._job.raw = self._job._api.run(self._looks.next())
            yield self._job

    def _streamed(self) -> Iterator[Job]:
        started = time.monotonic()
        yield self._job.refresh()
        for event in self._job.stream():
            now = advanced(self._job.raw, event)
            if now is None:
                self._job.refresh()
            else:
                self._job.raw = now
            yield self._job
            if self._timeout is not None and time.monotonic() - started > self._timeout and not self._job.is_final:
                raise WaitTimeout(self._job.id, self._timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held open."""
