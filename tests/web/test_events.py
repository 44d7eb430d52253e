"""One history, four ways to read it: pages, long polls, streams and the client give the same events, whatever happens.

The server is a real process; the worker writes to the same database from this one.
"""

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

import aigc
from aigc.wire import Patience
from jobs.artifacts import LocalStore
from jobs.db import Database
from jobs.engine import Engine
from jobs.lifecycle import Beat, Lease
from jobs.principal import Principal
from jobs.settings import Settings
from tests.jobs.acting import Actor
from tests.web.acting import ActingWorker, ready_dataset, submit_training
from tests.web.conftest import NotedDispatcher
from tests.web.serving import Server, serve
from web import context

SECONDS = 60.0
Events = list[dict[str, Any]]
T = TypeVar("T")


@dataclass
class Reader:
    """Reads a job's events in one way; it may stop in the middle and go on with another server."""

    way: str
    job: str
    cuts: Sequence[int] = (7,)
    read: Events = field(default_factory=list)

    @property
    def after(self) -> int:
        return self.read[-1]["seq"] if self.read else 0

    @property
    def ended(self) -> bool:
        return bool(self.read) and self.read[-1]["kind"] == "end"

    def go_on(self, server: str, most: float = float("inf")) -> "Reader":
        """Read until the end, or until so many events have been read."""
        with httpx.Client(base_url=f"{server}/api/v1", timeout=SECONDS) as http:
            turn = 0
            while not self.ended and len(self.read) < most:
                self.read += getattr(self, f"_{self.way}")(http, self.cuts[turn % len(self.cuts)])
                turn += 1
        return self

    def _pages(self, http: httpx.Client, cut: int) -> Events:
        found: Events = http.get(f"/jobs/{self.job}/events", params={"after": self.after, "limit": cut}).json()["data"]
        if not found:
            time.sleep(0.01)  # spare the machine; nothing depends on it
        return found

    def _long_polls(self, http: httpx.Client, cut: int) -> Events:
        query = {"after": self.after, "limit": cut}
        reply = http.get(f"/jobs/{self.job}/events", params=query, headers={"Prefer": "wait=25"})
        found: Events = reply.json()["data"]
        return found

    def _streams(self, http: httpx.Client, cut: int) -> Events:
        """As an EventSource does it: the id of the last event is sent after every break."""
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": str(self.after)} if self.after else {})
        found: Events = []
        with http.stream("GET", f"/jobs/{self.job}/events", headers=headers) as stream:
            for name, id_, data in _told(stream.iter_lines()):
                if id_ is not None:
                    assert (name, id_) == (data["kind"], data["seq"])
                    found.append(data)
                    if len(found) == cut:
                        break
        return found


def _told(lines: Iterator[str]) -> Iterator[tuple[str, int | None, Any]]:
    """The events of a stream: name, id if it has one, data."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line:
            fields[name] = value
        elif "data" in fields:
            yield fields["event"], int(fields["id"]) if "id" in fields else None, json.loads(fields["data"])
            fields = {}
        else:
            fields = {}


WAYS = ("pages", "long_polls", "streams")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Path:
    directory = tmp_path_factory.mktemp("home")
    shutil.copy(empty_database, directory / "aigc.db")
    return directory


@pytest.fixture(scope="module")
def actor(home: Path) -> Iterator[Actor]:
    """User and worker, in the server's database."""
    settings = Settings(home=home, min_free_disk=0)
    database = Database(settings.sql_url)
    engine = Engine(settings, database, LocalStore(settings.artifacts), NotedDispatcher())
    yield Actor(engine, Principal(settings.tenant, "ada"))
    database.dispose()


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Server]:
    with serve(home, AIGC_WEB_THREADS="32") as started:
        yield started


def truth(actor: Actor, job: str) -> Events:
    """What the database holds, as JSON reads it."""
    rows = actor.events(job)
    found = [(row.seq, row.kind, row.data) for row in rows]
    assert [seq for seq, _, _ in found] == list(range(1, len(found) + 1))
    return [{"seq": seq, "kind": kind, "data": data} for seq, kind, data in found]


def same(read: Events, told: Events) -> bool:
    return [{name: event[name] for name in ("seq", "kind", "data")} for event in read] == told


def started(work: Callable[[], T]) -> Callable[[], T]:
    """Begin in a thread; what comes back waits for its end."""
    found: list[T] = []
    thread = threading.Thread(target=lambda: found.append(work()), daemon=True)
    thread.start()

    def result() -> T:
        thread.join(SECONDS)
        assert found, "it did not come to an end"
        return found[0]

    return result


@examples(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    beats=st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=8),
    cuts=st.lists(st.integers(1, 30), min_size=1, max_size=4),
)
def test_all_ways_give_the_same_while_it_happens(
    actor: Actor, server: Server, beats: Sequence[tuple[int, bool]], cuts: Sequence[int]
) -> None:
    job = actor.train()
    readers = [started(lambda way=way: Reader(way, job.id, cuts).go_on(server.url).read) for way in WAYS]  # type: ignore[misc]
    client = started(lambda: _by_client(server.url, job.id))
    claim = actor.claim(expected=job.id)
    lease = Lease(actor.engine, claim)
    for step, (lines, phase) in enumerate(beats):
        text = [f'line {step}.{number} \u2028\u2029\x85\x0b\x1e naïve 图像 "quoted" \\ ' for number in range(lines)]
        lease.beat(Beat(phases=["training"] if phase else [], lines=text, step=step, points=[(step, {"loss": 1.0})]))
    actor.finish(claim)
    read, told = [reader() for reader in readers], truth(actor, job.id)
    assert all(same(events, told) for events in read)
    assert read[0] == read[1] == read[2]
    assert client() == [(event["seq"], event["kind"], event["data"]) for event in told]


def _by_client(url: str, job: str) -> list[tuple[int, str, Any]]:
    with aigc.Client(url, patience=Patience(base=0.01)) as client:
        return [(event.seq, event.kind, event.data) for event in client.jobs.get(job).events()]


@pytest.mark.parametrize("way", WAYS)
def test_a_reader_that_was_away_misses_nothing(actor: Actor, home: Path, way: str) -> None:
    """Its server stops, a second one takes its place, and meanwhile more happens than any buffer holds."""
    job = actor.train()
    claim = actor.claim(expected=job.id)
    lease = Lease(actor.engine, claim)
    reader = Reader(way, job.id, (5, 100, 3, 41))
    with serve(home) as first:
        lease.beat(Beat(lines=["early"] * 10))
        reader.go_on(first.url, most=5)
        waiting = started(lambda: _hold(first.url, job.id, 10_000))
        assert first.stop() == 0
        waiting()
    for number in range(30):
        lease.beat(Beat(lines=[f"away {number}"] * 40, phases=["training"]))
    with serve(home) as second:
        reader.go_on(second.url, most=600)
        actor.finish(claim)
        reader.go_on(second.url)
    told = truth(actor, job.id)
    assert len(told) > 1_024
    assert same(reader.read, told)


def _hold(url: str, job: str, after: int) -> object:
    """A long poll that its server's end breaks off or answers; both are right."""
    try:
        return httpx.get(
            f"{url}/api/v1/jobs/{job}/events?after={after}", headers={"Prefer": "wait=60"}, timeout=SECONDS
        )
    except httpx.TransportError as error:
        return error


@pytest.fixture
def job(client: FlaskClient, worker: ActingWorker) -> str:
    made: str = submit_training(client, ready_dataset(client, worker)).get_json()["id"]
    return made


def events(client: FlaskClient, job: str, after: int, wait: int = 60) -> tuple[Events, dict[str, str]]:
    reply = client.get(f"/api/v1/jobs/{job}/events?after={after}", headers={"Prefer": f"wait={wait}"})
    assert reply.status_code == 200
    return reply.get_json()["data"], dict(reply.headers)


def test_a_long_poll_waits_for_the_next_event(app: Flask, worker: ActingWorker, job: str) -> None:
    waiting = started(lambda: events(app.test_client(), job, after=1))
    lease = worker.take("training")
    assert [event["data"]["status"] for event in waiting()[0]] == ["running"]
    waiting = started(lambda: events(app.test_client(), job, after=2))
    lease.beat(Beat(lines=["one", "two"]))
    found, headers = waiting()
    assert [event["data"]["message"] for event in found] == ["one", "two"]
    assert headers["Retry-After"] == "1"


def test_a_long_poll_ends_with_the_job(client: FlaskClient, app: Flask, worker: ActingWorker, job: str) -> None:
    waiting = started(lambda: events(app.test_client(), job, after=10_000))
    client.post(f"/api/v1/jobs/{job}/cancel")
    assert waiting()[0] == []
    found, headers = events(client, job, after=2)
    assert found == []
    assert "Retry-After" not in headers
    assert events(client, job, after=1)[0][0]["kind"] == "end"


def test_without_a_free_thread_the_answer_comes_at_once(client: FlaskClient, app: Flask, job: str) -> None:
    with app.app_context():
        waits = context.process().waits
    assert [waits.take() for _ in range(waits.size)] == [True] * waits.size
    found, headers = events(client, job, after=1)
    assert (found, headers["Retry-After"]) == ([], "1")
    waits.give()
    with app.app_context():
        context.process().stopping = lambda: True
    assert events(client, job, after=1)[0] == []
    assert waits.take(), "the thread was not given back"


def test_a_deleted_job_ends_the_wait(client: FlaskClient, app: Flask, engine: Engine, job: str) -> None:
    def ask() -> int:
        headers = {"Prefer": "wait=60"}
        return app.test_client().get(f"/api/v1/jobs/{job}/events?after=10000", headers=headers).status_code

    waiting = started(ask)
    client.post(f"/api/v1/jobs/{job}/cancel")
    client.delete(f"/api/v1/jobs/{job}")
    assert waiting() in (200, 404)  # it may have seen the end just before
