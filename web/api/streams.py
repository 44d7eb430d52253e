"""Server-sent events for programs: one thread per stream, so their number and length are bounded."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from flask import Response, stream_with_context

from jobs import tables
from web import context
from web.api import shapes
from web.context import Process
from web.problems import TooManyStreams
from web.waiting import Seen, look

LENGTH = 25.0
PAUSE = 0.25
KEEP_ALIVE = 10.0
ROWS = 500
HEAD = "retry: 1000\n\n"
# Readers that split text as Unicode does would take these for the end of a line; JSON may spell them out.
LINE_ENDS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}


def open_stream(row: tables.Job, after: int) -> Response:
    """Answer with the events of a job as they come.

    Raises:
        TooManyStreams: Half of the server's threads hold streams already.
    """
    shared = context.process()
    if not shared.streams.take():
        raise TooManyStreams(size=shared.streams.size)
    stream = Stream(shared, row.id, after)
    reply = Response(stream_with_context(stream.lines()), content_type="text/event-stream; charset=utf-8")
    # also when the client leaves before the first line was asked for, where a generator's finally never runs
    reply.call_on_close(shared.streams.give)
    reply.headers["Cache-Control"] = "no-store"
    reply.headers["X-Accel-Buffering"] = "no"
    return reply


@dataclass
class Stream:
    """One reader's place in the events of a job."""

    shared: Process
    job_id: str
    after: int
    seen: Seen | None = None
    step: int = -1
    last_line: float = field(default_factory=time.monotonic)

    def lines(self) -> Iterator[str]:
        """The stream's text, until the job ends, the time is over, or the server stops."""
        closes = time.monotonic() + LENGTH
        yield HEAD
        while time.monotonic() < closes and not self.shared.stopping():
            now = look(self.shared.engine, self.job_id)
            if now is None:
                return
            if now != self.seen:
                self.seen = now
                yield from self._news()
                if now.final:
                    return
            elif time.monotonic() - self.last_line > KEEP_ALIVE:
                yield self._written(": waiting\n\n")
            time.sleep(PAUSE)

    def _news(self) -> Iterator[str]:
        job = context.repository().job(self.job_id)
        yield self._event("progress", shapes.progress(job).model_dump(mode="json"))
        if job.step != self.step and job.metrics:
            self.step = job.step
            yield self._event("metric", {"step": job.step, "values": job.metrics})
        more = True
        while more:
            rows = context.repository().events(self.job_id, self.after, ROWS)
            for row in rows:
                self.after = row.seq
                yield self._event(row.kind, shapes.event(row).model_dump(mode="json"), row.seq)
            more = len(rows) == ROWS

    def _event(self, name: str, data: object, seq: int | None = None) -> str:
        head = f"id: {seq}\n" if seq is not None else ""
        text = json.dumps(data, ensure_ascii=False).translate(LINE_ENDS)
        return self._written(f"{head}event: {name}\ndata: {text}\n\n")

    def _written(self, text: str) -> str:
        self.last_line = time.monotonic()
        return text
