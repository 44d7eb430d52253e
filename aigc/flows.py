"""What the client does in one or more requests, as flows that either transport can drive."""

import json
import math
import os
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from typing import Any, TypedDict

from aigc import sending
from aigc.address import plain
from aigc.errors import InvalidParams, WaitTimeout, job_failed
from aigc.records import FINAL_STATES, JobRecord
from aigc.wire import Call, Flow, Reply, Sleep, Upload, Wire, send

FIRST_LOOK = 0.05
SLOWEST_LOOK = 1.0
LONGEST_HOLD = 20.0
CHANGE_HOLD = 5.0  # what a job waits for may change without the job: never trust a look for longer
NOT_MODIFIED = 304
PAGE = 100
ANY = "*"
FETCHING = 330.0  # the server gives a fetched file five minutes to come, and waits for its check

Watch = Callable[[Mapping[str, Any]], None]


class About(TypedDict, total=False):
    """What may be said about a file: its licence, where it is from, and which kind of dataset it becomes."""

    licence: str
    notes: str
    kind: str


@dataclass(frozen=True, slots=True)
class DatasetFile:
    """A file to upload, with what should be known about it."""

    path: str | os.PathLike[str]
    name: str | None = None
    params: Mapping[str, Any] | None = None
    licence: str = ""
    notes: str = ""
    kind: str = ""
    tell: sending.Tell | None = None

    def about(self) -> dict[str, Any]:
        """What is said of a file that was sent before; what is empty is left out."""
        given = {"name": self.name, "licence": self.licence, "notes": self.notes, "kind": self.kind}
        params = {"params": plain(self.params)} if self.params else {}
        return {name: value for name, value in given.items() if value} | params

    def fields(self) -> dict[str, str]:
        """The form's fields; empty ones are not sent."""
        params = json.dumps(plain(self.params)) if self.params else ""
        given = {
            "name": self.name or "",
            "licence": self.licence,
            "notes": self.notes,
            "params": params,
            "kind": self.kind,
        }
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True, slots=True)
class DatasetAddress:
    """A file for the server to fetch, with what should be known about it."""

    url: str
    name: str | None = None
    licence: str = ""
    notes: str = ""
    kind: str = ""

    def body(self) -> dict[str, str]:
        """The request's body; what is empty is left out."""
        return {name: value for name, value in asdict(self).items() if value}


def sleep(seconds: float) -> Flow[None]:
    """Let time pass."""
    yield Sleep(seconds)


def new_key() -> dict[str, str]:
    """The header that makes a writing request safe to send again."""
    return {"Idempotency-Key": uuid.uuid4().hex}


def settings_of(params: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    """All settings as JSON: from a mapping, a dataclass or a pydantic object, and from keywords."""
    if params is None:
        given: Mapping[str, Any] = {}
    elif hasattr(params, "model_dump"):
        given = params.model_dump(mode="json")
    elif is_dataclass(params) and not isinstance(params, type):
        given = asdict(params)
    else:
        given = params
    merged: dict[str, Any] = plain({**given, **settings})
    return merged


def submission(task: str, params: Any, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a submission: keywords are settings, but for those that say something of the job itself."""
    wishes = {name: read(keywords[name]) for name, read in _WISHES.items() if name in keywords}
    settings = {name: value for name, value in keywords.items() if name not in _WISHES}
    return {"task": task, "params": settings_of(params, settings)} | wishes


def submit(wire: Wire, body: Mapping[str, Any], *, check_only: bool = False) -> Flow[dict[str, Any]]:
    """Submit a job, or only have its settings checked."""
    query = (("validate_only", "true"),) if check_only else ()
    sent = {name: value for name, value in body.items() if value is not None}
    job: dict[str, Any] = yield from wire.json(Call("POST", "jobs", query, json=sent, headers=new_key()))
    return job


def ids(jobs: Iterable[JobRecord | str] | JobRecord) -> list[str] | None:
    """Ids of jobs that are given as such or as objects; None for none."""
    found = [job if isinstance(job, str) else job.id for job in ([jobs] if isinstance(jobs, str | JobRecord) else jobs)]
    return found or None


def again(wire: Wire, job_id: str, how: str, body: Mapping[str, Any]) -> Flow[dict[str, Any]]:
    """Submit a job's settings once more, by ``retry`` or ``duplicate``."""
    sent = {name: value for name, value in body.items() if value}
    job: dict[str, Any] = yield from wire.json(Call("POST", f"jobs/{job_id}/{how}", json=sent, headers=new_key()))
    return job


def change(wire: Wire, path: str, changes: Mapping[str, Any], seen: str) -> Flow[dict[str, Any]]:
    """Write parts of a thing anew, those that are not None; with an ETag, only if nobody else wrote since.

    Raises:
        Conflict: Somebody did.
    """
    sent = {name: value for name, value in changes.items() if value is not None}
    headers = {"If-Match": seen} if seen else {}
    thing: dict[str, Any] = yield from wire.json(Call("PATCH", path, json=sent, headers=headers))
    return thing


def promote(wire: Wire, model_id: str, alias: str, replaces: str | None) -> Flow[dict[str, Any]]:
    """Let an alias stand for a model version, if it stands for what it is to replace.

    Raises:
        Conflict: It stands for another one.
    """
    body = {"alias": alias} if replaces == ANY else {"alias": alias, "replaces": replaces}
    model: dict[str, Any] = yield from wire.json(Call("POST", f"models/{model_id}/promote", json=body))
    return model


def pages(wire: Wire, path: str, query: Mapping[str, Any], limit: int | None) -> Flow[list[dict[str, Any]]]:
    """The first ``limit`` things of a list (all of them where it is None), page by page."""
    found: list[dict[str, Any]] = []
    fixed = tuple(_query(query))
    cursor: str | None = None
    while limit is None or len(found) < limit:
        size = PAGE if limit is None else min(PAGE, limit - len(found))
        step = (("cursor", cursor),) if cursor else ()
        page = yield from wire.json(Call("GET", path, (*fixed, ("limit", str(size)), *step)))
        found += page["data"]
        cursor = page.get("next_cursor")
        if not page.get("has_more") or not cursor:
            break
    return found


def _query(query: Mapping[str, Any]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        several = value if isinstance(value, (list, tuple, set, frozenset)) else [value]
        pairs += [(name, str(item)) for item in several if item is not None]
    return pairs


@dataclass
class Looks:
    """Looking at a job until it has ended: the server holds its answers back until something has changed.

    A server that has no threads left for that answers at once; then it is asked once a second.

    Attributes:
        patient: Let it hold back its answers until the job has ended; for who needs only that.
        interval: Seconds between two looks, if it should not hold back its answers at all.
    """

    wire: Wire
    job_id: str
    timeout: float | None = None
    patient: bool = False
    interval: float | None = None
    ended: bool = False
    _started: float = field(default_factory=time.monotonic)
    _pause: float = 0.0
    _seen: Reply | None = None

    def next(self) -> Flow[dict[str, Any]]:
        """Wait for the time of the next look, and look.

        Raises:
            WaitTimeout: The job has not ended in time; it goes on.
        """
        if self._pause:
            left = self._left()
            if left <= 0:
                raise WaitTimeout(self.job_id, self.timeout or 0.0)
            yield Sleep(min(self._pause, left))
        asked = time.monotonic()
        reply: Reply = yield from send(self._call(), self.wire.patience, self.wire.cache)
        if self._seen is None or reply.status != NOT_MODIFIED:
            self._seen = reply
        job: dict[str, Any] = self._seen.body
        self.ended = job["state"] in FINAL_STATES
        if self.interval is not None:
            self._pause = self.interval
            return job
        held_back = time.monotonic() - asked > SLOWEST_LOOK
        self._pause = FIRST_LOOK if held_back else min(self._pause * 1.5, SLOWEST_LOOK) or FIRST_LOOK
        return job

    def _call(self) -> Call:
        tag = self._seen.headers.get("etag") if self._seen else None
        longest = LONGEST_HOLD if self.patient else CHANGE_HOLD if tag else 0.0
        if self.interval is not None:
            longest = 0.0
        hold = int(min(longest, self._left()))
        headers = {"Prefer": f"wait={hold}"} if hold >= 1 else {}
        if tag and hold and not self.patient:
            headers["If-None-Match"] = tag
        return Call("GET", f"jobs/{self.job_id}", headers=headers, wait=float(hold))

    def _left(self) -> float:
        return math.inf if self.timeout is None else self.timeout - (time.monotonic() - self._started)


@dataclass
class History:
    """Reading a job's events in order, to its end; the server holds its answers back until there is something.

    What is read is known by its number alone, so a connection or a server that went away costs nothing:
    the next request goes on after the last event that arrived.
    """

    wire: Wire
    job_id: str
    after: int = 0
    ended: bool = False
    _over: bool = False

    def next(self) -> Flow[list[dict[str, Any]]]:
        """The next events; none where the server's patience ended first."""
        query = (("after", str(self.after)), ("limit", str(PAGE)))
        headers = {"Prefer": f"wait={LONGEST_HOLD:.0f}"}
        call = Call("GET", f"jobs/{self.job_id}/events", query, headers=headers, wait=LONGEST_HOLD)
        asked = time.monotonic()
        found: list[dict[str, Any]] = (yield from self.wire.json(call))["data"]
        if found:
            self.after = found[-1]["seq"]
            self.ended = found[-1]["kind"] == "end"
            return found
        self.ended = self._over  # nothing came after the end was known
        if not self.ended:
            job = yield from self.wire.json(Call("GET", f"jobs/{self.job_id}"))
            self._over = job["state"] in FINAL_STATES
            if not self._over and time.monotonic() - asked < SLOWEST_LOOK:
                yield Sleep(SLOWEST_LOOK)  # the server has no threads left for waiting
        return found


def log_lines(wire: Wire, job_id: str, after: int, wanted: Mapping[str, Any]) -> Flow[list[dict[str, Any]]]:
    """The lines of a job's log after an event, all pages of them."""
    found: list[dict[str, Any]] = []
    while True:
        query = tuple(_query({"after": after, "limit": PAGE, **wanted}))
        page = yield from wire.json(Call("GET", f"jobs/{job_id}/logs", query))
        found += page["data"]
        if not page.get("has_more") or not page["data"]:
            return found
        after = page["data"][-1]["seq"]


def log_text(wire: Wire, job_id: str, wanted: Mapping[str, Any]) -> Flow[str]:
    """A job's log as text."""
    call = Call("GET", f"jobs/{job_id}/logs", tuple(_query(wanted)), headers={"Accept": "text/plain"})
    return str((yield from wire.json(call)))


def webhook(given: str | Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """A webhook as a submission holds it: an address alone means its usual events."""
    return {"url": given} if isinstance(given, str) else given


_WISHES: Mapping[str, Callable[[Any], Any]] = {"after": ids, "webhook": webhook, "time_limit": lambda given: given}


def wait(wire: Wire, job_id: str, timeout: float | None, watch: Watch | None) -> Flow[dict[str, Any]]:
    """Look at a job until it has ended; ``watch`` sees every look.

    Raises:
        WaitTimeout: It has not ended in time; it goes on.
    """
    looks = Looks(wire, job_id, timeout, patient=watch is None)
    while True:
        job = yield from looks.next()
        if watch is not None:
            watch(job)
        if looks.ended:
            return job


def succeeded(job: Mapping[str, Any], server: str = "") -> None:
    """Raise what a job that did not succeed stands for.

    Raises:
        JobFailed: It failed, expired or was cancelled.
    """
    if job["state"] != "succeeded":
        raise job_failed(job, server)


def add_dataset(wire: Wire, file: DatasetFile | DatasetAddress | str, timeout: float) -> Flow[dict[str, Any]]:
    """Upload a file, register a starter by name, or have a file fetched, and wait until it has been checked.

    Raises:
        InvalidParams: The data cannot be used; every flaw names its place.
    """
    headers = new_key() | {"Prefer": "wait=20"}
    if isinstance(file, DatasetAddress):
        call = Call("POST", "datasets", json=file.body(), headers=headers, wait=FETCHING)
    elif isinstance(file, str):
        call = Call("POST", "datasets", json={"starter": file}, headers=headers, wait=20)
    else:
        call = yield from _sent(wire, file, headers)
    return (yield from _checked(wire, call, timeout))


def revise_dataset(wire: Wire, dataset_id: str, params: Mapping[str, Any], timeout: float) -> Flow[dict[str, Any]]:
    """Have a dataset's uploaded file read again with other settings, as its next version, and wait for its check.

    Raises:
        InvalidParams: The data cannot be used so; every flaw names its place.
    """
    headers = new_key() | {"Prefer": "wait=20"}
    path, body = f"datasets/{dataset_id}/versions", {"params": plain(params)}
    return (yield from _checked(wire, Call("POST", path, json=body, headers=headers, wait=20), timeout))


def dialogues_dataset(wire: Wire, job_id: str, name: str, timeout: float) -> Flow[dict[str, Any]]:
    """Have a dataset made of the dialogues that a job simulated, and wait for its check."""
    call = Call("POST", f"jobs/{job_id}/dataset", json={"name": name}, headers={"Prefer": "wait=20"}, wait=20)
    return (yield from _checked(wire, call, timeout))


def _checked(wire: Wire, call: Call, timeout: float) -> Flow[dict[str, Any]]:
    dataset: dict[str, Any] = yield from wire.json(call)
    if dataset["state"] == "checking" and dataset.get("job"):
        job = yield from wait(wire, dataset["job"], timeout, None)
        if (job.get("error") or {}).get("code") == "invalid-data":
            raise InvalidParams(job_failed(job).problem)
        succeeded(job)
        dataset = yield from wire.json(Call("GET", f"datasets/{dataset['id']}"))
    return dataset


def _sent(wire: Wire, file: DatasetFile, headers: Mapping[str, str]) -> Flow[Call]:
    """The request that makes a dataset of a file; a large one has come in pieces before it."""
    path = Path(file.path).expanduser()
    size = path.stat().st_size
    if size > sending.PIECE:
        place = yield from sending.pieces(wire, path, file.tell, file.kind)
        return Call("POST", f"{place}/dataset", json=file.about(), headers=headers, wait=20)
    if file.tell is not None:
        file.tell(0, size)
    return Call("POST", "datasets", headers=headers, upload=Upload(path, file.fields()), wait=20)


def curves(
    wire: Wire, job_id: str, names: list[str] | None, max_points: int
) -> Flow[list[tuple[int, Mapping[str, float]]]]:
    """The figures a job reported, by step."""
    query = _query({"names": ",".join(names) if names else None, "max_points": max_points})
    body = yield from wire.json(Call("GET", f"jobs/{job_id}/metrics", tuple(query)))
    return [(int(point["step"]), dict(point["values"])) for point in body["data"]]


def use(wire: Wire, model_id: str, operation: str, body: Mapping[str, Any]) -> Flow[dict[str, Any]]:
    """Submit a job that uses a model version: ``generate``, ``recommend`` or ``reply``."""
    sent = {name: value for name, value in body.items() if value is not None}
    path = f"models/{model_id}/{operation}"
    job: dict[str, Any] = yield from wire.json(Call("POST", path, json=sent, headers=new_key()))
    return job
