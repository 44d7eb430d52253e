"""What :class:`aigc.AsyncClient` hands out: the same as :mod:`aigc.resources`, awaited."""

import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from aigc import downloads, flows, notebook
from aigc.errors import ApiError, WaitTimeout
from aigc.recommended import Recommendations, Recommended
from aigc.records import ArtifactRecord, Curves, Event, JobRecord, LogLine, advanced
from aigc.replied import Reply
from aigc.resources import Listing
from aigc.speech import speaking
from aigc.streaming import NO_STREAM_LEFT, Stream
from aigc.transport import AsyncTransport
from aigc.wire import Call, ConnectionLost, Flow, Wire

T = TypeVar("T")


class AsyncApi:
    """Runs flows for the objects below."""

    def __init__(self, transport: AsyncTransport) -> None:
        self.transport = transport
        self.wire = Wire(transport.connection.patience, transport.cache)

    async def run(self, flow: Flow[T]) -> T:
        """Drive a flow to its result."""
        return await self.transport.run(flow)

    async def json(self, call: Call) -> Any:
        """Send a request and give its parsed body."""
        return await self.run(self.wire.json(call))

    def succeeded(self, job: Mapping[str, Any]) -> None:
        """Raise what a job that did not succeed stands for."""
        connection = self.transport.connection
        with speaking(connection.language):
            flows.succeeded(job, connection.url)


class AsyncArtifact(ArtifactRecord):
    """One stored file of a job."""

    def __init__(self, raw: Mapping[str, Any], api: AsyncApi) -> None:
        super().__init__(raw)
        self._api = api

    async def save(self, to: str | os.PathLike[str]) -> Path:
        """Download it to a path (into it, where that is a folder)."""
        path = Path(to)
        target = path / downloads.safe_name(self.name).name if path.is_dir() else path
        return await self._api.run(downloads.content(self._api.wire, self.raw, target))

    async def read(self) -> bytes:
        """Its bytes."""
        with tempfile.TemporaryDirectory(prefix="aigc-") as folder:
            return (await self.save(Path(folder) / "content")).read_bytes()

    async def image(self) -> Any:
        """It as a PIL image (Pillow must be installed)."""
        return notebook.image(await self.read(), self.raw)

    async def shown(self) -> Any:
        """What it holds: a picture as PIL image where Pillow is installed, a text as str, else this file itself."""
        if notebook.reads(self.media_type):
            return notebook.content(await self.read(), self.raw)
        return self


class AsyncSamples:
    """What a job showed while it ran, oldest first: ``await (await job.samples())[-1]`` is the newest.

    A picture is a PIL image where Pillow is installed (its ``info`` says step, name and id) and else the
    file. Each is fetched when it is awaited; ``async for`` gives one after the other.

    Attributes:
        files: The samples as files, with their steps, sizes and hashes; nothing is fetched for them.
    """

    def __init__(self, files: Listing[AsyncArtifact]) -> None:
        self.files = files

    @property
    def steps(self) -> list[int | None]:
        """The steps the samples were made at."""
        return [file.step for file in self.files]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Awaitable[Any]:
        return self.files[index].shown()

    async def __aiter__(self) -> AsyncIterator[Any]:
        for file in self.files:
            yield await file.shown()

    def __repr__(self) -> str:
        return f"<Samples at steps {', '.join(str(step) for step in self.steps)}>"

    def _repr_html_(self) -> str:
        return notebook.gallery(f"{len(self)} samples", [(file.raw, b"") for file in self.files])


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
            self._api.succeeded(self.raw)
        return self

    async def result(self, timeout: float | None = None) -> Listing[AsyncArtifact]:
        """Wait until it has succeeded and give its result files."""
        await self.wait(timeout=timeout)
        return await self.artifacts(role="output")

    def follow(
        self, timeout: float | None = None, *, interval: float | None = None, stream: bool = False
    ) -> "AsyncFollowing":
        """This job at every look until it has ended: ``async for now in job.follow(): print(now.progress)``.

        The server tells every change at once; with ``interval`` it is asked that often (seconds) instead,
        with ``stream`` it sends the changes over one connection that is kept open.
        """
        return AsyncFollowing(self, timeout, interval, stream)

    async def events(self, after: int = 0) -> AsyncIterator[Event]:
        """What happened to it after an event, in order, until it has ended; waits for what is still to come."""
        history = flows.History(self._api.wire, self.id, after)
        while not history.ended:
            for raw in await self._api.run(history.next()):
                yield Event.of(raw)

    async def stream(self, after: int = 0) -> AsyncIterator[Event]:
        """The same as :meth:`events`, live, over a connection that is kept open, with progress and metrics between.

        Events of the kinds ``progress`` and ``metric`` have the number of the event before them. A connection
        that ends or breaks is opened again and goes on after the last event (``Last-Event-ID``); where the
        server has no stream left, it is asked instead.
        """
        stream = Stream(self.id, self._api.wire.patience, after)
        while not stream.ended:
            pause = 0.0
            try:
                async for line in self._api.transport.lines(stream.call()):
                    event = stream.read(line)
                    if event is not None:
                        yield event
            except (ConnectionLost, ApiError) as error:
                if isinstance(error, ApiError) and error.code == NO_STREAM_LEFT:
                    async for event in self.events(stream.after):
                        yield event
                    return
                pause = stream.failed(error)
            if pause:
                await self._api.run(flows.sleep(pause))
            elif not stream.ended and not stream.news and (await self.refresh()).is_final:
                return  # nothing came, and nothing will

    async def deliveries(self, limit: int | None = None) -> list[dict[str, Any]]:
        """What was sent, or is to be sent, to its webhook; the newest first."""
        return await self._api.run(flows.pages(self._api.wire, f"jobs/{self.id}/deliveries", {}, limit))

    async def redeliver(self, delivery_id: str) -> dict[str, Any]:
        """Send something to its webhook once more; gives the delivery."""
        delivery: dict[str, Any] = await self._api.json(Call("POST", f"jobs/{self.id}/deliveries/{delivery_id}/retry"))
        return delivery

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

    async def update(
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
        self.raw = await self._api.run(flows.change(self._api.wire, f"jobs/{self.id}", changes, seen))
        return self

    async def delete(self) -> None:
        """Delete it and its files; it must have ended."""
        await self._api.json(Call("DELETE", f"jobs/{self.id}"))

    async def samples(self) -> AsyncSamples:
        """What it showed while it ran, oldest first: ``await (await job.samples())[-1]`` is the newest."""
        return AsyncSamples(await self._files(f"jobs/{self.id}/samples", {}))

    async def artifacts(self, role: str | None = None) -> Listing[AsyncArtifact]:
        """Its files, all or those of one role (output, sample, checkpoint)."""
        return await self._files(f"jobs/{self.id}/artifacts", {"role": role})

    async def recommendations(self, user: str | None = None) -> Recommendations:
        """What it recommends: at most the first 200 lists, or the list of one user."""
        path, query = f"jobs/{self.id}/recommendations", {"user": user}
        return Recommendations(map(Recommended, await self._api.run(flows.pages(self._api.wire, path, query, None))))

    async def reply(self) -> Reply:
        """What an assistant said, each sentence with its source."""
        return Reply(await self._api.json(Call("GET", f"jobs/{self.id}/reply")))

    async def judge(self, verdict: str, better: str = "") -> None:
        """Say what you think of a reply, ``up`` or ``down``, and what would have been better."""
        body = {"verdict": verdict, "better": better}
        await self._api.json(Call("PUT", f"jobs/{self.id}/feedback", json=body))

    async def metrics(self, names: list[str] | None = None, max_points: int = 1000) -> Curves:
        """The figures it reported, by step."""
        return Curves(await self._api.run(flows.curves(self._api.wire, self.id, names, max_points)))

    async def logs(self, *, level: str | None = None, search: str | None = None) -> str:
        """Its log as text: all of it, or the lines of a level or that hold a text."""
        return await self._api.run(flows.log_text(self._api.wire, self.id, {"level": level, "q": search}))

    async def log_lines(self, after: int = 0, *, level: str | None = None, search: str | None = None) -> list[LogLine]:
        """The lines of its log after an event, each with time and level."""
        found = await self._api.run(flows.log_lines(self._api.wire, self.id, after, {"level": level, "q": search}))
        return [LogLine.of(raw) for raw in found]

    async def download(self, folder: str | os.PathLike[str] = ".", pattern: str = "*") -> list[Path]:
        """Save its result files (those whose name fits the pattern) into a folder."""
        return await self._api.run(downloads.download(self._api.wire, self.id, Path(folder), pattern))

    async def _files(self, path: str, query: Mapping[str, Any]) -> Listing[AsyncArtifact]:
        found = await self._api.run(flows.pages(self._api.wire, path, query, None))
        return Listing(AsyncArtifact(raw, self._api) for raw in found)


class AsyncFollowing:
    """A job seen again and again until it has ended; a context manager, too, where that reads better."""

    def __init__(
        self, job: AsyncJob, timeout: float | None, interval: float | None = None, stream: bool = False
    ) -> None:
        self._job, self._timeout, self._stream = job, timeout, stream
        self._looks = flows.Looks(job._api.wire, job.id, timeout, interval=interval)

    async def __aiter__(self) -> AsyncIterator[AsyncJob]:
        if self._stream:
            async for now in self._streamed():
                yield now
            return
        while not self._looks.ended:
            self._job.raw = await self._job._api.run(self._looks.next())
            yield self._job

    async def _streamed(self) -> AsyncIterator[AsyncJob]:
        started = time.monotonic()
        yield await self._job.refresh()
        async for event in self._job.stream():
            now = advanced(self._job.raw, event)
            if now is None:
                await self._job.refresh()
            else:
                self._job.raw = now
            yield self._job
            if self._timeout is not None and time.monotonic() - started > self._timeout and not self._job.is_final:
                raise WaitTimeout(self._job.id, self._timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is held open."""
