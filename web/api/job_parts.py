"""What belongs to a job: its events, curves, log, samples and files."""

from collections.abc import Iterator, Sequence
from typing import Literal, get_args

from flask import Response, request
from pydantic import Field

from jobs import errors, tables
from jobs.repository import Page
from web import context, schemas
from web.api import parsing, shapes
from web.api.jobs import LOOK_AGAIN, wait_for
from web.api.render import answer, download, listing, tagged, whole
from web.api.routing import Reply, operation, prefers
from web.api.streams import open_stream
from web.problems import RangeNotSatisfiable, TooManyStreams

PLAIN, STREAM = "text/plain", "text/event-stream"
MOST_POINTS, MOST_NAMES = 10_000, 64
LOG_ROWS = 1_000
FOUND = (errors.JobNotFound, parsing.InvalidQuery)


Level = Literal["info", "warning", "error"]
LEVELS: tuple[str, ...] = get_args(Level)


class EventQuery(parsing.Query):
    """Which events."""

    after: parsing.WholeNumber = Field(
        0, ge=0, le=2**31 - 1, description="Only events after this seq; Last-Event-ID says the same for streams."
    )
    limit: parsing.WholeNumber = Field(100, ge=1, description="Events of a page; more than 100 is read as 100.")


class MetricQuery(parsing.Query):
    """Which part of the curves."""

    after: parsing.WholeNumber = Field(-1, ge=-1, le=2**31 - 1, description="Only steps after this one.")
    names: parsing.Text | None = Field(None, max_length=2_000, description="Only these figures, separated by commas.")
    max_points: parsing.WholeNumber = Field(
        1_000, ge=2, description="Points after thinning; peaks and dips are kept. More than 10000 is read as 10000."
    )


class LogQuery(parsing.Query):
    """Which lines of the log."""

    after: parsing.WholeNumber = Field(0, ge=0, le=2**31 - 1, description="Only lines after this seq.")
    level: Level = Field("info", description="Only lines of this level or a worse one.")
    q: parsing.Text | None = Field(None, max_length=200, description="Only lines that contain this text.")
    limit: parsing.WholeNumber = Field(100, ge=1, description="Lines of a page; more than 100 is read as 100.")


class ArtifactQuery(parsing.Page):
    """Which files."""

    role: schemas.Role | None = Field(None, description="Only files of this role.")


@operation(
    method="GET",
    path="/jobs/{job_id}/events",
    tag="jobs",
    query=EventQuery,
    headers=("Last-Event-ID", "If-None-Match", "Prefer"),
    replies={
        200: Reply(
            "Events in order, or a stream of them.",
            schemas.Listing[schemas.Event],
            media=(STREAM,),
            headers={"Retry-After": "Seconds after which to ask again; present when there may be more to come."},
        )
    },
    errors=(*FOUND, TooManyStreams),
)
def list_events(job_id: str, query: EventQuery) -> Response:
    """Read what happened to a job, in order.

    With `Prefer: wait=25` the reply waits until there is an event after `after`, or the job has ended.
    With `Accept: text/event-stream` the reply is a stream with the events `state, phase, checkpoint,
    sample, log, end`, each with its seq as id, and `progress` and `metric` between them. A stream
    closes after 25 seconds; an EventSource then goes on where it was by itself.
    """
    row = context.repository().job(job_id)
    if prefers(STREAM):
        return open_stream(row, _resume_after(query))
    limit = min(query.limit, parsing.LARGEST_LIMIT)
    if row.last_seq <= query.after:
        row, _ = wait_for(row, lambda seen: seen.last_seq > query.after or seen.final)
    rows = context.repository().events(job_id, query.after, limit + 1)
    shown = [shapes.event(found) for found in rows[:limit]]
    cursor = str(shown[-1].seq) if len(rows) > limit else None
    body = schemas.Listing[schemas.Event](data=shown, has_more=cursor is not None, next_cursor=cursor)
    reply = tagged(answer(body))
    if row.status not in tables.FINAL:
        reply.headers["Retry-After"] = LOOK_AGAIN
    return reply


def _resume_after(query: EventQuery) -> int:
    sent = request.headers.get("Last-Event-ID", "")
    if "after" not in query.model_fields_set and sent.isascii() and sent.isdecimal():
        return min(int(sent[:10]), 2**31 - 1)
    return query.after


@operation(
    method="GET",
    path="/jobs/{job_id}/metrics",
    tag="jobs",
    query=MetricQuery,
    headers=("If-None-Match",),
    replies={200: Reply("Figures by step.", schemas.Listing[schemas.Point])},
    errors=FOUND,
)
def list_metrics(job_id: str, query: MetricQuery) -> Response:
    """Read the figures a job reported, by step, thinned to at most max_points.

    Where there are more, the steps are cut into stretches of equally many; of each those steps are kept
    at which a figure is lowest and highest, so that peaks and dips stay, and so do the first and the last step.
    """
    names = [name.strip() for name in query.names.split(",") if name.strip()][:MOST_NAMES] if query.names else None
    context.repository().job(job_id)
    points = context.repository().metrics(job_id, query.after, names, min(query.max_points, MOST_POINTS))
    return whole([shapes.point(point) for point in points], schemas.Point)


@operation(
    method="GET",
    path="/jobs/{job_id}/logs",
    tag="jobs",
    query=LogQuery,
    headers=("If-None-Match", "Range"),
    replies={
        200: Reply("Lines of the log, or all of it as text.", schemas.Listing[schemas.LogLine], media=(PLAIN,)),
        206: Reply("A part of the text.", media=(PLAIN,)),
    },
    errors=(*FOUND, RangeNotSatisfiable),
)
def list_logs(job_id: str, query: LogQuery) -> Response:
    """Read a job's log; with `Accept: text/plain` all of it, as a download.

    The text can be read in parts with `Range`: lines are only ever added at its end, so what was cut off goes on.
    """
    context.repository().job(job_id)
    lines = _matching(_log_events(job_id, query.after), query)
    if prefers(PLAIN):
        text = (f"{line.at.isoformat()} {line.level:7} {line.message}\n".encode() for line in lines)
        return download(text, f"{job_id}.log", f"{PLAIN}; charset=utf-8")
    limit = min(query.limit, parsing.LARGEST_LIMIT)
    shown = [line for _, line in zip(range(limit + 1), lines, strict=False)]
    cursor = str(shown[limit - 1].seq) if len(shown) > limit else None
    body = schemas.Listing[schemas.LogLine](data=shown[:limit], has_more=cursor is not None, next_cursor=cursor)
    return tagged(answer(body))


def _log_events(job_id: str, after: int) -> Iterator[tables.JobEvent]:
    while True:
        rows = context.repository().events(job_id, after, LOG_ROWS)
        yield from (row for row in rows if row.kind == "log")
        if len(rows) < LOG_ROWS:
            return
        after = rows[-1].seq


def _matching(rows: Iterator[tables.JobEvent], query: LogQuery) -> Iterator[schemas.LogLine]:
    for row in rows:
        line = shapes.log_line(row)
        if line.level in LEVELS[: LEVELS.index(query.level)]:
            continue
        if query.q and query.q.casefold() not in line.message.casefold():
            continue
        yield line


@operation(
    method="GET",
    path="/jobs/{job_id}/samples",
    tag="jobs",
    query=parsing.Page,
    headers=("If-None-Match",),
    replies={200: Reply("Samples made while the job ran, by step.", schemas.Listing[schemas.Artifact])},
    errors=FOUND,
)
def list_samples(job_id: str, query: parsing.Page) -> Response:
    """List the samples a job made on its way."""
    return _files(job_id, "sample", query)


@operation(
    method="GET",
    path="/jobs/{job_id}/artifacts",
    tag="jobs",
    query=ArtifactQuery,
    headers=("If-None-Match",),
    replies={200: Reply("Files.", schemas.Listing[schemas.Artifact])},
    errors=FOUND,
)
def list_artifacts(job_id: str, query: ArtifactQuery) -> Response:
    """List the files of a job, with size, SHA-256 and media type."""
    return _files(job_id, query.role, query)


def _files(job_id: str, role: str | None, query: parsing.Page) -> Response:
    context.repository().job(job_id)
    files = sorted(context.repository().artifacts(job_id, role=role), key=lambda file: file.id)
    start = next((place for place, file in enumerate(files) if file.id > (query.cursor or "")), len(files))
    rows: Sequence[tables.Artifact] = files[start : start + query.rows]
    more = start + query.rows < len(files)
    return listing(Page(list(rows), rows[-1].id if more else None), schemas.Artifact, shapes.artifact)


VIEWS = (list_events, list_metrics, list_logs, list_samples, list_artifacts)
