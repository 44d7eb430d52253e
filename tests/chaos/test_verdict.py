"""The judge itself: each kind of broken promise, made by hand, is found, and found as what it is."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from jobs import maintenance
from jobs.engine import Engine
from jobs.lifecycle import Lease, request_cancel
from jobs.tables import Artifact, Attempt, Job
from tests.chaos import verdict
from tests.chaos.load import PRINCIPAL, STOPS, SUCCEEDS, Allowed
from tests.conftest import Clock
from tests.jobs.acting import Actor


@pytest.fixture
def actor(engine: Engine) -> Actor:
    return Actor(engine, PRINCIPAL)


@pytest.fixture
def job(actor: Actor) -> str:
    """A training that was saved once, given back, and has succeeded with its second attempt."""
    made = actor.train()
    first = Lease(actor.engine, actor.claim(expected=made.id))
    first.checkpoint(4, [actor.store("state.safetensors", b"state")])
    first.release("drain")
    actor.finish(actor.claim(expected=made.id))
    return made.id


def found(actor: Actor, accepted: dict[str, Allowed], due: datetime) -> set[str]:
    """Names of the promises that the judge finds broken."""
    findings = verdict.judge(actor.engine, verdict.Records.read(actor.engine), accepted, dict.fromkeys(accepted, due))
    return {name for name, count in findings.counts().items() if count}


def change(actor: Actor, table: Any, job: str, **values: object) -> None:
    """Write what the engine never writes."""
    key = table.id if table is Job else table.job_id
    with actor.engine.db.begin() as session:
        session.execute(update(table).where(key == job).values(**values))


def test_a_sound_run_is_good(actor: Actor, clock: Clock, job: str) -> None:
    assert found(actor, {job: SUCCEEDS}, clock()) == set()


def test_what_was_accepted_and_is_not_there(actor: Actor, clock: Clock, job: str) -> None:
    assert found(actor, {job: SUCCEEDS, "job_gone": SUCCEEDS}, clock()) == {"lost"}
    assert found(actor, {}, clock()) == {"unasked"}


def test_what_does_not_end_or_ends_too_late(actor: Actor, clock: Clock, job: str) -> None:
    waiting = actor.train().id
    assert found(actor, {job: SUCCEEDS, waiting: SUCCEEDS}, clock()) == {"stuck"}
    assert found(actor, {job: SUCCEEDS, waiting: SUCCEEDS}, clock() - timedelta(seconds=1)) == {"stuck", "late"}


def test_an_end_that_was_not_allowed(actor: Actor, clock: Clock, job: str) -> None:
    assert found(actor, {job: Allowed(("failed",), "poisoned")}, clock()) == {"wrong_status"}
    stopped = actor.train().id
    request_cancel(actor.engine, PRINCIPAL, stopped)
    assert found(actor, {job: SUCCEEDS, stopped: STOPS}, clock()) == set()
    assert found(actor, {job: SUCCEEDS, stopped: SUCCEEDS}, clock()) == {"wrong_status"}


@pytest.mark.parametrize(
    ("harm", "broken"),
    [
        (lambda actor, job: change(actor, Job, job, step=1, total=2), {"wrong_status"}),
        (lambda actor, job: change(actor, Attempt, job, outcome="succeeded"), {"finished_twice", "wrong_status"}),
        (lambda actor, job: change(actor, Attempt, job, resumed_step=None), {"resumed_too_early"}),
        (lambda actor, job: change(actor, Job, job, releases=0), {"too_many_runs"}),
        (lambda actor, job: change(actor, Job, job, worker_losses=1), {"too_many_runs"}),
        (lambda actor, job: change(actor, Artifact, job, size=1), {"bad_artifacts"}),
        (lambda actor, _: _files(actor, bytes.upper), {"bad_artifacts"}),
        (lambda actor, _: _files(actor, None), {"bad_artifacts"}),
    ],
)
def test_each_harm_has_its_name(
    actor: Actor, clock: Clock, job: str, harm: Callable[[Actor, str], None], broken: set[str]
) -> None:
    harm(actor, job)
    assert found(actor, {job: SUCCEEDS}, clock()) == broken


def _files(actor: Actor, content: Callable[[bytes], bytes] | None) -> None:
    """Change or remove every file of the store."""
    for path in actor.engine.settings.artifacts.rglob("*"):
        if path.is_file() and content is not None:
            path.write_bytes(content(path.read_bytes()))
        elif path.is_file():
            path.unlink()


def test_recovery_is_from_death_to_the_next_attempt(actor: Actor, clock: Clock) -> None:
    job = actor.train()
    lost = actor.claim(expected=job.id)
    died = clock().timestamp()
    clock.advance(33)
    maintenance.reap(actor.engine)
    clock.advance(2)
    again = actor.claim(expected=job.id)
    records = verdict.Records.read(actor.engine)
    deaths = [(lost.lease_id, died), (again.lease_id, died), ("unknown", died)]
    assert verdict.recoveries(records, deaths) == ([33], [35])


def test_percentiles() -> None:
    assert verdict.percentile([]) is None
    assert verdict.percentile([float(value) for value in range(200)]) == 198
    assert verdict.percentile([3.0]) == 3
