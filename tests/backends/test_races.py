"""The same moment for many: threads and processes that want the same row."""

import itertools
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import select, text

from jobs import claiming, graph, idempotency, maintenance, moves, picking
from jobs.claiming import WorkerIdentity, claim
from jobs.engine import Engine
from jobs.errors import JobAlreadyFinished, LeaseLost, NeededJobFailed
from jobs.lifecycle import Failure, Lease, request_cancel, request_pause
from jobs.moves import Move, apply, state_event
from jobs.principal import Principal
from jobs.repository import Repository
from jobs.submit import Submission, submit
from jobs.tables import Attempt, Job, JobEvent
from tests.conftest import Clock, RecordingDispatcher
from tests.jobs.acting import Actor

ROOT = Path(__file__).parents[2]
T = TypeVar("T")

CLAIM_ALL = """
import json, sys
from pathlib import Path
from jobs.artifacts import LocalStore
from jobs.claiming import WorkerIdentity, claim
from jobs.db import Database
from jobs.engine import Engine
from jobs.settings import Settings
from tests.conftest import Clock, RecordingDispatcher
settings = Settings()
engine = Engine(settings, Database(settings.sql_url, Clock()), LocalStore(Path("/nowhere")), RecordingDispatcher())
print("ready", flush=True)
sys.stdin.readline()
taken = []
while (found := claim(engine, WorkerIdentity(sys.argv[1], "training", "cpu"), frozenset(["x"]))) is not None:
    taken.append(found.job_id)
print(json.dumps(taken))
"""


@pytest.fixture
def actor(engine: Engine, principal: Principal) -> Actor:
    return Actor(engine, principal)


def together(calls: Sequence[Callable[[], T]]) -> list[T | Exception]:
    """Make all calls at the same moment; their results, or what they raised, in order."""
    start = threading.Barrier(len(calls))
    results: list[T | Exception] = [RuntimeError("never ran")] * len(calls)

    def run(place: int) -> None:
        start.wait()
        try:
            results[place] = calls[place]()
        except Exception as error:  # noqa: BLE001 - handed to the test
            results[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_processes_claim_every_job_once(actor: Actor) -> None:
    jobs = {actor.train().id for _ in range(40)}
    environment = {
        **os.environ,
        "AIGC_DATABASE_URL": actor.engine.settings.database_url,
        "AIGC_HOME": str(actor.engine.settings.home),
    }
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIM_ALL, f"wrk_{number}"],
            env=environment,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    taken = Counter(job for worker in workers for job in json.loads(worker.communicate(timeout=120)[0]))
    assert set(taken) == jobs
    assert set(taken.values()) == {1}
    with actor.engine.db.read() as session:
        assert set(session.scalars(select(Attempt.number).where(Attempt.job_id.in_(jobs)))) == {1}


def test_threads_claim_every_job_once(actor: Actor) -> None:
    jobs = {actor.train().id for _ in range(12)}
    claims = together([actor.try_claim] * 16)
    taken = [found.job_id for found in claims if found is not None and not isinstance(found, Exception)]
    assert not [found for found in claims if isinstance(found, Exception)]
    assert len(taken) == len(set(taken))
    while (left := actor.try_claim()) is not None:  # who met a locked row may have left one behind
        taken.append(left.job_id)
    assert sorted(taken) == sorted(jobs)


def test_many_that_are_free_at_once_look_only_a_few_times(actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    """On SQLite all find the same job first; they must not run after one another from job to job."""
    owners = [actor.as_owner(f"owner-{number}") for number in range(4)]
    actor.dataset()
    for owner in owners * 6:
        owner.submit("dataset.import_images", {})
    pick, looks, same = picking.pick, itertools.count(), threading.Barrier(16)

    def looking(*arguments: Any) -> Any:
        found = pick(*arguments)
        if next(looks) < 16 and actor.engine.db.is_sqlite:  # PostgreSQL lets one look at a time
            same.wait(60)
        return found

    monkeypatch.setattr(claiming, "pick", looking)
    monkeypatch.setattr(actor.engine.db, "_clock", None)  # turns are told apart by a clock that goes
    claims = together([lambda: actor.try_claim("generation")] * 16)
    assert [found for found in claims if isinstance(found, Exception)] == []
    taken = [found for found in claims if isinstance(found, claiming.Claim)]
    assert len({found.job_id for found in taken}) == len(taken) == 16
    assert next(looks) <= (16 + 15 if actor.engine.db.is_sqlite else 16)
    if not actor.engine.db.is_sqlite:
        served = Counter(actor.job(found.job_id).owner for found in taken)
        assert set(served.values()) == {4}  # turns are exact under the lane's lock


def test_one_key_from_twenty_clients_makes_one_job(actor: Actor, dispatcher: RecordingDispatcher) -> None:
    submission = Submission("image_vae.train", {"dataset": actor.dataset().id}, idempotency_key="k1")
    dispatcher.announced.clear()
    results = together([lambda: submit(actor.engine, actor.principal, submission)] * 20)
    assert not [result for result in results if isinstance(result, Exception)]
    submitted = [result for result in results if not isinstance(result, Exception)]
    assert len({result.job.id for result in submitted}) == 1
    assert Counter(result.replayed for result in submitted) == {True: 19, False: 1}
    assert dispatcher.announced == ["training.cpu"]
    with actor.engine.db.read() as session:
        assert len(session.scalars(select(Job.id).where(Job.family == "image_vae")).all()) == 1


def test_models_of_one_name_that_are_ready_at_once_are_numbered(actor: Actor) -> None:
    for _ in range(6):
        actor.train(name="clothes")
    files = [actor.store("model/weights.safetensors", b"weights")]
    leases = [actor.lease() for _ in range(6)]
    results = together([lambda lease=lease: lease.succeed({}, files) for lease in leases])  # type: ignore[misc]
    assert results == [None] * 6
    versions = Repository(actor.engine, actor.principal).models().items
    assert sorted(version.number for version in versions) == [1, 2, 3, 4, 5, 6]


def test_uploads_of_one_name_at_once_are_numbered(actor: Actor) -> None:
    path = actor.engine.settings.home / "photos.zip"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"content")
    from jobs import uploads

    upload = uploads.Upload(path, "photos.zip")
    results = together([lambda: uploads.receive(actor.engine, actor.principal, upload)] * 6)
    assert not [result for result in results if isinstance(result, Exception)]
    datasets = Repository(actor.engine, actor.principal).datasets().items
    assert sorted(dataset.number for dataset in datasets) == [1, 2, 3, 4, 5, 6]


def test_an_owner_never_has_more_running_than_may(actor: Actor) -> None:
    actor.dataset()
    bounded = actor.with_settings(max_running_per_owner=3)
    for _ in range(10):
        bounded.train()
    for _ in range(5):
        claimed = together([bounded.try_claim] * 8)
        assert not [one for one in claimed if isinstance(one, Exception)]
        held = [one for one in claimed if one is not None]
        assert len(held) == 3
        for one in held:
            Lease(bounded.engine, one).release("drain")  # type: ignore[arg-type]


def test_two_needs_that_end_at_once_let_a_job_go_once(actor: Actor) -> None:
    files = [actor.store("model/weights.safetensors", b"weights")]
    for _ in range(6):
        needs = {actor.train().id, actor.train().id}
        job = actor.train(after=sorted(needs))
        leases = [actor.lease(), actor.lease()]
        assert {lease.claim.job_id for lease in leases} == needs
        assert together([partial(lease.succeed, {}, files) for lease in leases]) == [None, None]
        assert actor.job(job.id).status == "queued"
        assert [event.data["status"] for event in actor.events(job.id)] == ["blocked", "queued"]
        actor.finish(actor.claim(expected=job.id))


def test_of_two_ends_the_later_one_sees_both(actor: Actor) -> None:
    """On PostgreSQL the second waits for the first, or each would think that the other need still runs."""
    if actor.engine.db.is_sqlite:
        return  # one writer at a time
    first, second = actor.train(), actor.train()
    job = actor.train(after=[first.id, second.id])
    leases = {lease.claim.job_id: lease for lease in (actor.lease(), actor.lease())}
    files = [actor.store("model/weights.safetensors", b"weights")]
    other = threading.Thread(target=leases[second.id].succeed, args=({}, files))
    with actor.engine.db.begin() as session:
        now = actor.engine.db.now(session)
        assert apply(session, first.id, Move("running", "succeeded", events=[state_event("succeeded")]), now)
        assert graph.settle(session, [first.id], now) == []
        other.start()
        _until_it_waits(other, actor)
    other.join()
    assert actor.job(job.id).status == "queued"


def _until_it_waits(other: threading.Thread, actor: Actor) -> None:
    """Return when a thread waits for a lock of PostgreSQL, or has come through without."""
    waits = text("select count(*) from pg_stat_activity where wait_event_type = 'Lock'")
    while other.is_alive():
        with actor.engine.db.read() as looking:
            if looking.scalar(waits):
                break


@pytest.mark.parametrize("end", ["succeeds", "fails"])
def test_a_submission_and_the_end_of_what_it_waits_for_at_once(actor: Actor, end: str) -> None:
    files = [actor.store("model/weights.safetensors", b"weights")]
    for _ in range(6):
        training = actor.train()
        lease = actor.lease()
        act: Callable[[], object] = partial(lease.fail, Failure("invalid_data"))
        if end == "succeeds":
            act = partial(lease.succeed, {}, files)
        wish: Callable[[], object] = partial(actor.submit, "image_vae.generate", {"model": training.id})
        submitted, ended = together([wish, act])
        assert ended is None
        if isinstance(submitted, NeededJobFailed):
            assert end == "fails"
            continue
        assert isinstance(submitted, Job)
        row = actor.job(submitted.id)
        assert row.status == ("queued" if end == "succeeds" else "cancelled")
        if end == "succeeds":
            assert actor.claim("generation", row.id).inputs["model"].key == row.params["model"]


def test_two_clients_that_both_found_a_key_unused_make_one_job(actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the key's uniqueness in the database is left to tell them apart."""
    if actor.engine.db.is_sqlite:
        return  # one writer at a time: the second one finds the key
    submission = Submission("image_vae.train", {"dataset": actor.dataset().id}, idempotency_key="k1")
    both, looks = threading.Barrier(2), itertools.count()

    def look(*arguments: Any) -> Any:
        found = idempotency.recall(*arguments)
        if next(looks) < 2:
            both.wait(30)
        return found

    monkeypatch.setattr("jobs.submit.recall", look)
    results = together([lambda: submit(actor.engine, actor.principal, submission).job.id] * 2)
    assert not [result for result in results if isinstance(result, Exception)]
    assert len(set(results)) == 1


def test_a_cancel_and_a_claim_at_once(actor: Actor) -> None:
    for _ in range(6):
        job = actor.train()
        cancelled, claimed = together(
            [lambda: request_cancel(actor.engine, actor.principal, job.id), lambda: actor.try_claim()]  # noqa: B023
        )
        assert not isinstance(cancelled, Exception)
        assert not isinstance(claimed, Exception)
        row = actor.job(job.id)
        if claimed is None:
            assert (row.status, row.attempt) == ("cancelled", 0)
        else:
            assert row.status == "running"
            assert row.cancel_requested_at is not None
            Lease(actor.engine, claimed).cancelled()  # type: ignore[arg-type]
        assert len(actor.events(job.id, "end")) == 1


def test_a_success_and_a_cancel_at_once_end_once(actor: Actor) -> None:
    files = [actor.store("model/weights.safetensors", b"weights")]
    for _ in range(6):
        job = actor.train()
        lease = actor.lease()

        def stop(lease: Lease = lease) -> None:
            request_cancel(actor.engine, actor.principal, lease.claim.job_id)
            lease.cancelled()

        together([lambda: lease.succeed({}, files), stop])  # noqa: B023
        row = actor.job(job.id)
        made = Repository(actor.engine, actor.principal).models_made_by([job.id])
        assert row.status in ("succeeded", "cancelled")
        assert bool(made) == (row.status == "succeeded")
        assert len(actor.events(job.id, "end")) == 1


def test_a_late_success_and_the_reaper_at_once(actor: Actor, clock: Clock) -> None:
    files = [actor.store("model/weights.safetensors", b"weights")]
    for _ in range(6):
        job = actor.train()
        lease = actor.lease()
        clock.advance(31)
        succeeded, reaped = together([lambda: lease.succeed({}, files), lambda: maintenance.reap(actor.engine)])  # noqa: B023
        row = actor.job(job.id)
        if isinstance(succeeded, LeaseLost):
            assert (row.status, reaped) == ("queued", 1)
            request_cancel(actor.engine, actor.principal, job.id)
        else:
            assert (row.status, reaped, succeeded) == ("succeeded", 0, None)


def test_many_reapers_take_a_job_once(actor: Actor, clock: Clock) -> None:
    jobs = [actor.train() for _ in range(5)]
    for _ in jobs:
        actor.claim()
    clock.advance(31)
    reaped = together([lambda: maintenance.reap(actor.engine)] * 5)
    assert sum(count for count in reaped if isinstance(count, int)) == 5
    assert {actor.job(job.id).worker_losses for job in jobs} == {1}
    with actor.engine.db.read() as session:
        for job in jobs:
            seqs = session.scalars(select(JobEvent.seq).where(JobEvent.job_id == job.id).order_by(JobEvent.seq)).all()
            assert list(seqs) == list(range(1, len(seqs) + 1))


def test_a_cancel_in_the_middle_of_reaping_is_not_forgotten(
    actor: Actor, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A queued row with a request to cancel would be claimed by nobody, for ever."""
    if actor.engine.db.is_sqlite:
        return  # one writer at a time: nobody comes between
    job = actor.train()
    actor.claim()
    clock.advance(31)
    asking = threading.Thread(target=request_cancel, args=(actor.engine, actor.principal, job.id))

    def asked_after_the_first_look(*arguments: Any) -> Any:
        found = moves.apply(*arguments)
        if asking.ident is None:
            asking.start()
            _until_it_waits(asking, actor)
        return found

    monkeypatch.setattr(maintenance, "apply", asked_after_the_first_look)
    assert maintenance.reap(actor.engine) == 1
    asking.join()
    assert actor.job(job.id).status == "cancelled"


def test_a_row_that_somebody_holds_keeps_the_reaper_from_no_other(actor: Actor, clock: Clock) -> None:
    """Whoever holds it may be frozen for seconds."""
    if actor.engine.db.is_sqlite:
        return  # one lock for everything
    held, other = actor.train(), actor.train()
    for _ in range(2):
        actor.claim()
    clock.advance(31)
    with actor.engine.db.begin() as session:
        session.execute(select(Job.id).where(Job.id == held.id).with_for_update())
        assert maintenance.reap(actor.engine) == 1
        assert (actor.job(held.id).status, actor.job(other.id).status) == ("running", "queued")
    assert maintenance.reap(actor.engine) == 1


def test_a_beat_and_the_reaper_at_once(actor: Actor, clock: Clock) -> None:
    """Whoever comes first wins, and the other one knows it."""
    for _ in range(6):
        job = actor.train()
        lease = actor.lease()
        clock.advance(31)
        calls: list[Callable[[], object]] = [lease.beat, lambda: maintenance.reap(actor.engine)]
        beaten, reaped = together(calls)
        row = actor.job(job.id)
        if isinstance(beaten, LeaseLost):
            assert (row.status, reaped) == ("queued", 1)
            request_cancel(actor.engine, actor.principal, job.id)
        else:
            assert (row.status, reaped, row.lease_id) == ("running", 0, lease.claim.lease_id)
            request_cancel(actor.engine, actor.principal, job.id)
            lease.cancelled()


def test_two_schedulers_announce_and_reap_at_once(actor: Actor, clock: Clock, dispatcher: RecordingDispatcher) -> None:
    jobs = [actor.train() for _ in range(4)]
    lost = [actor.claim().job_id for _ in range(2)]
    dispatcher.announced.clear()
    clock.advance(31)
    both: list[Callable[[], int]] = [
        lambda: maintenance.redispatch(actor.engine),
        lambda: maintenance.reap(actor.engine),
    ] * 2
    assert not [result for result in together(both) if isinstance(result, Exception)]
    assert {actor.job(job.id).status for job in jobs} == {"queued"}
    assert [actor.job(job).worker_losses for job in lost] == [1, 1]
    # Surplus messages wake a worker that finds nothing; too few would let a job wait.
    assert len(dispatcher.announced) >= len(jobs)


def test_a_pause_and_a_cancel_at_once(actor: Actor) -> None:
    for _ in range(6):
        job = actor.train()
        lease = actor.lease()
        request_pause(actor.engine, actor.principal, job.id)
        asked, _ = together([lambda: request_cancel(actor.engine, actor.principal, job.id), lease.paused])  # noqa: B023
        assert not isinstance(asked, Exception)
        assert actor.job(job.id).status == "cancelled"
        assert len(actor.events(job.id, "end")) == 1


def test_a_reader_never_waits_for_a_writer(actor: Actor) -> None:
    job = actor.train()
    with actor.engine.db.begin() as session:
        session.get_one(Job, job.id).name = "uncommitted"
        session.flush()
        assert Repository(actor.engine, actor.principal).job(job.id).name == job.name


def test_who_meets_a_frozen_claim_takes_another_job(actor: Actor) -> None:
    """On PostgreSQL a worker that is frozen inside its claim holds up nobody."""
    if actor.engine.db.is_sqlite:
        return  # one writer at a time: a frozen one is a known limit of the embedded database
    first, second = actor.train(), actor.train()
    with actor.engine.db.begin() as frozen:
        frozen.scalar(select(Job.id).where(Job.id == first.id).with_for_update())
        other = claim(actor.engine, WorkerIdentity("wrk_two", "training", "cpu"))
        assert other is not None
        assert other.job_id == second.id
    with suppress(JobAlreadyFinished):
        request_cancel(actor.engine, actor.principal, first.id)
