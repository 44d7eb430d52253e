"""The rows: one for each event whoever asks, in order, claimed once, tried for a day."""

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from jobs import lifecycle, retention
from jobs.engine import Engine
from jobs.errors import JobNotFound, NotFound
from jobs.lifecycle import Beat, Lease
from jobs.principal import Principal
from jobs.tables import WebhookDelivery
from jobs.webhooks import EVENT_KINDS, Webhook, deliveries
from jobs.webhooks.deliveries import Parcel
from jobs.webhooks.sending import ANSWERED_BADLY, IS_GONE, Outcome
from tests.conftest import Clock
from tests.jobs.acting import Actor

ALL = Webhook("https://a.example/in", EVENT_KINDS, "https://server.example")
GOOD, BAD, GONE = Outcome(200), Outcome(500, ANSWERED_BADLY), Outcome(410, IS_GONE)
DAY = 24 * 3_600

T = TypeVar("T")


def rows(engine: Engine, job_id: str) -> list[WebhookDelivery]:
    with engine.db.read() as session:
        wanted = select(WebhookDelivery).where(WebhookDelivery.job_id == job_id).order_by(WebhookDelivery.seq)
        return list(session.scalars(wanted))


def take(engine: Engine) -> Parcel | None:
    """Claim the next delivery that is due."""
    for due in deliveries.due(engine, 10):
        return deliveries.claim(engine, due)
    return None


def taken(engine: Engine) -> Parcel:
    parcel = take(engine)
    assert parcel is not None
    return parcel


def drain(engine: Engine) -> list[dict[str, Any]]:
    """Deliver everything that can be delivered; gives the bodies."""
    bodies = []
    while (parcel := take(engine)) is not None:
        assert deliveries.settle(engine, parcel, GOOD) == "delivered"
        bodies.append(json.loads(parcel.body))
    return bodies


def at_once(count: int, work: Callable[[], T]) -> list[T]:
    """Do the same in several threads that begin together."""
    barrier, found = threading.Barrier(count), list[T]()

    def run() -> None:
        barrier.wait()
        found.append(work())

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_a_whole_job_is_told(actor: Actor, engine: Engine) -> None:
    job = actor.train(webhook=ALL, name="mine")
    claim = actor.claim(expected=job.id)
    Lease(engine, claim).beat(Beat(phase="training", phases=["training"], lines=["one", "two"]))
    actor.finish(claim)
    deliveries.enqueue(engine)
    told = drain(engine)
    events = actor.events(job.id)
    assert [event["seq"] for body in told for event in body["events"]] == [event.seq for event in events]
    assert [body["kind"] for body in told] == ["state", "state", "phase", "log", "end"]
    assert [body["job"]["state"] for body in told] == ["queued", "running", "running", "running", "succeeded"]
    (first, *_, last) = told
    assert first["job"] == {"id": job.id, "name": "mine", "task": "image_vae.train", "state": "queued"}
    assert first["links"]["events"] == f"https://server.example/api/v1/jobs/{job.id}/events"
    assert {name: last[name] for name in ("seq", "kind", "at", "data")} == last["events"][0]
    assert told[3]["events"][1]["data"]["message"] == "two"
    assert {row.state for row in rows(engine, job.id)} == {"delivered"}


def test_only_what_was_asked_for(actor: Actor, engine: Engine) -> None:
    job, silent = actor.train(webhook=Webhook("https://a.example/in", ("end",))), actor.train(params={"seed": 9})
    assert deliveries.enqueue(engine) == 0
    assert actor.job(job.id).webhook_seq == 1
    actor.finish(actor.claim(expected=job.id))
    assert deliveries.enqueue(engine) == 1
    (row,) = rows(engine, job.id)
    assert row.seq == actor.events(job.id, "end")[0].seq
    assert (rows(engine, silent.id), actor.job(silent.id).webhook_seq) == ([], 0)
    assert deliveries.enqueue(engine) == 0


def test_log_lines_go_together(actor: Actor, engine: Engine) -> None:
    job = actor.train(webhook=Webhook("https://a.example/in", ("log", "end")))
    lease = Lease(engine, actor.claim(expected=job.id))
    lines = [f"line {number}" for number in range(250)]
    lease.beat(Beat(lines=lines))
    deliveries.enqueue(engine)
    lease.beat(Beat(lines=["x" * 4_000] * 40))
    deliveries.enqueue(engine)
    told = drain(engine)
    said = [event["data"]["message"] for body in told for event in body["events"]]
    assert said == [*lines, *["x" * 4_000] * 40]
    assert [len(body["events"]) for body in told][:3] == [100, 100, 50]
    assert max(len(json.dumps(body)) for body in told) < 2 * deliveries.MOST_TEXT


def test_a_receiver_that_does_not_keep_up_holds_back_its_own_job_only(actor: Actor, engine: Engine) -> None:
    slow = actor.train(webhook=ALL)
    lease = Lease(engine, actor.claim(expected=slow.id))
    for _ in range(12):
        lease.beat(Beat(phases=["training"] * 60))
    assert deliveries.enqueue(engine) == deliveries.EVENTS
    other = actor.train(webhook=ALL, params={"seed": 9})
    assert deliveries.enqueue(engine) == 1
    assert actor.job(slow.id).webhook_seq == deliveries.EVENTS
    told = drain(engine)
    assert deliveries.enqueue(engine) > 0
    told += drain(engine)
    assert [body["seq"] for body in told if body["job"]["id"] == slow.id] == list(range(1, 12 * 60 + 3))
    assert [body["seq"] for body in told if body["job"]["id"] == other.id] == [1]


def test_events_that_waited_longer_than_a_day_get_one_try(actor: Actor, engine: Engine, clock: Clock) -> None:
    job = actor.train(webhook=ALL)
    clock.advance(deliveries.LIFETIME.total_seconds())
    deliveries.enqueue(engine)
    assert rows(engine, job.id)[0].created_at == actor.events(job.id)[0].at
    assert deliveries.settle(engine, taken(engine), BAD) == "failed"


def test_a_later_event_waits_for_the_earlier_one(actor: Actor, engine: Engine, clock: Clock) -> None:
    job = actor.train(webhook=ALL)
    actor.claim(expected=job.id)
    deliveries.enqueue(engine)
    first = taken(engine)
    assert take(engine) is None
    assert deliveries.settle(engine, first, BAD) == "pending"
    assert take(engine) is None
    clock.advance(7)
    again = taken(engine)
    assert (again.id, again.body, again.attempt) == (first.id, first.body, 2)
    assert deliveries.settle(engine, again, GOOD) == "delivered"
    assert json.loads(taken(engine).body)["data"]["status"] == "running"


def test_a_claim_of_a_dead_scheduler_runs_out(actor: Actor, engine: Engine, clock: Clock) -> None:
    actor.train(webhook=ALL)
    deliveries.enqueue(engine)
    lost = taken(engine)
    clock.advance(29)
    assert take(engine) is None
    clock.advance(2)
    again = taken(engine)
    assert (again.id, again.body) == (lost.id, lost.body)
    assert deliveries.settle(engine, lost, BAD) is None
    assert deliveries.settle(engine, again, GOOD) == "delivered"
    assert deliveries.settle(engine, again, BAD) is None
    assert (rows(engine, lost.job_id)[0].state, rows(engine, lost.job_id)[0].attempts) == ("delivered", 2)


def test_the_body_of_a_repeat_is_the_same_whatever_came_after(actor: Actor, engine: Engine, clock: Clock) -> None:
    job = actor.train(webhook=ALL)
    lease = Lease(engine, actor.claim(expected=job.id))
    lease.beat(Beat(lines=["one"]))
    deliveries.enqueue(engine)
    for _ in range(2):
        deliveries.settle(engine, taken(engine), GOOD)
    before = taken(engine)
    lease.beat(Beat(lines=["two"]))
    deliveries.enqueue(engine)
    clock.advance(31)
    assert taken(engine).body == before.body


def test_eight_tries_in_a_day_then_the_next_event(actor: Actor, engine: Engine, clock: Clock) -> None:
    job = actor.train(webhook=ALL)
    actor.claim(expected=job.id)
    deliveries.enqueue(engine)
    began, states, pauses = clock.now, [], []
    while True:
        parcel = taken(engine)
        if parcel.id != rows(engine, job.id)[0].id:
            break
        states.append(deliveries.settle(engine, parcel, BAD))
        row = rows(engine, job.id)[0]
        if row.state == "pending":
            pauses.append((row.next_at - clock.now).total_seconds())
            clock.now = row.next_at
    assert states == ["pending"] * 7 + ["failed"]
    usual = deliveries.PAUSES
    assert all(0.9 * ours <= pause <= 1.1 * ours for ours, pause in zip(usual, pauses, strict=True))
    assert 0.8 * DAY < (clock.now - began).total_seconds() < deliveries.LIFETIME.total_seconds()
    row = rows(engine, job.id)[0]
    assert (row.attempts, row.http_status, row.error) == (8, 500, ANSWERED_BADLY)
    assert row.finished_at == clock.now
    # the other events are as old; each gets what is left of the day, not a day of its own
    clock.now = max(clock.now, row.created_at + deliveries.LIFETIME)
    assert deliveries.settle(engine, parcel, BAD) == "failed"


def test_a_receiver_that_is_gone_is_left_alone(actor: Actor, engine: Engine) -> None:
    actor.train(webhook=ALL)
    deliveries.enqueue(engine)
    assert deliveries.settle(engine, taken(engine), GONE) == "failed"
    assert take(engine) is None


def test_many_schedulers_make_each_delivery_once_and_claim_it_once(actor: Actor, engine: Engine) -> None:
    made = [actor.train(webhook=ALL, params={"seed": seed}) for seed in range(12)]
    for _ in made:
        actor.claim()
    assert sum(at_once(4, lambda: deliveries.enqueue(engine))) == 2 * len(made)
    assert [len(rows(engine, job.id)) for job in made] == [2] * len(made)
    wanted = deliveries.due(engine, 100)
    assert len(wanted) == len(made)

    def claim_all() -> list[str]:
        claimed = [deliveries.claim(engine, due) for due in wanted]
        return [parcel.id for parcel in claimed if parcel is not None]

    ids = [id_ for found in at_once(4, claim_all) for id_ in found]
    assert sorted(ids) == sorted(due.id for due in wanted)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rounds=st.lists(
        st.tuples(st.integers(0, 130), st.booleans(), st.booleans(), st.integers(0, 3)), min_size=1, max_size=6
    ),
    wanted=st.sets(st.sampled_from(EVENT_KINDS), min_size=1),
)
def test_what_is_delivered_is_the_history(
    actor: Actor, engine: Engine, rounds: Sequence[tuple[int, bool, bool, int]], wanted: set[str]
) -> None:
    """However events, schedulers and tries fall: all wanted events, once each, in order."""
    kinds = tuple(kind for kind in EVENT_KINDS if kind in wanted)
    job = actor.train(webhook=Webhook("https://a.example/in", kinds))
    claim = actor.claim(expected=job.id)
    lease, told = Lease(engine, claim), list[dict[str, Any]]()
    for lines, phase, told_meanwhile, some in rounds:
        lease.beat(Beat(lines=["line"] * lines, phases=["training"] if phase else []))
        if told_meanwhile:
            deliveries.enqueue(engine)
        for _ in range(some):
            if (parcel := take(engine)) is not None:
                deliveries.settle(engine, parcel, GOOD)
                told.append(json.loads(parcel.body))
    actor.finish(claim)
    while actor.job(job.id).webhook_seq < actor.job(job.id).last_seq:
        deliveries.enqueue(engine)
    told += drain(engine)
    events = [event for event in actor.events(job.id) if event.kind in wanted]
    found = [(event["seq"], event["kind"], event["data"]) for body in told for event in body["events"]]
    assert found == [(event.seq, event.kind, event.data) for event in events]


def test_a_settled_delivery_can_be_sent_again(actor: Actor, engine: Engine, principal: Principal) -> None:
    job = actor.train(webhook=ALL)
    deliveries.enqueue(engine)
    first = taken(engine)
    deliveries.settle(engine, first, GONE)
    row = deliveries.retry(engine, principal, job.id, first.id)
    assert (row.state, row.attempts, row.finished_at) == ("pending", 0, None)
    again = taken(engine)
    assert (again.id, again.body, again.attempt) == (first.id, first.body, 1)
    deliveries.settle(engine, again, BAD)
    assert take(engine) is None
    assert deliveries.retry(engine, principal, job.id, first.id).attempts == 1
    assert taken(engine).attempt == 2


def test_deliveries_are_the_tenants_own(actor: Actor, engine: Engine, principal: Principal) -> None:
    job, other = actor.train(webhook=ALL), actor.train(webhook=ALL, params={"seed": 9})
    deliveries.enqueue(engine)
    page = deliveries.listing(engine, principal, job.id)
    assert [row.seq for row in page.items] == [1]
    stranger = Principal("other", "eve")
    with pytest.raises(JobNotFound):
        deliveries.listing(engine, stranger, job.id)
    with pytest.raises(JobNotFound):
        deliveries.retry(engine, stranger, job.id, page.items[0].id)
    with pytest.raises(NotFound):
        deliveries.retry(engine, principal, other.id, page.items[0].id)
    with pytest.raises(NotFound):
        deliveries.retry(engine, principal, job.id, "dlv_nothing")


def test_the_newest_come_first_page_by_page(actor: Actor, engine: Engine, principal: Principal) -> None:
    job = actor.train(webhook=ALL)
    lease = Lease(engine, actor.claim(expected=job.id))
    lease.beat(Beat(phases=["preparing", "training", "evaluating"]))
    deliveries.enqueue(engine)
    page = deliveries.listing(engine, principal, job.id, limit=3)
    rest = deliveries.listing(engine, principal, job.id, page.next_cursor, 3)
    assert [row.seq for row in [*page.items, *rest.items]] == [5, 4, 3, 2, 1]


def test_they_go_with_their_job(actor: Actor, engine: Engine, principal: Principal) -> None:
    job = actor.train(webhook=ALL)
    lifecycle.request_cancel(engine, principal, job.id)
    deliveries.enqueue(engine)
    assert len(rows(engine, job.id)) == 2
    parcel = taken(engine)
    lifecycle.delete_job(engine, principal, job.id)
    assert rows(engine, job.id) == []
    assert deliveries.settle(engine, parcel, GOOD) is None
    assert deliveries.due(engine, 10) == []


def test_what_retention_has_removed_cannot_be_sent_again(
    actor: Actor, engine: Engine, principal: Principal, clock: Clock
) -> None:
    job = actor.train(webhook=ALL)
    claim = actor.claim(expected=job.id)
    Lease(engine, claim).beat(Beat(lines=["one"]))
    actor.finish(claim)
    deliveries.enqueue(engine)
    drain(engine)
    clock.advance(2 * DAY)
    trimming = engine.settings.model_copy(update={"retain_events_days": 1})
    logged = next(row for row in rows(engine, job.id) if row.seq == actor.events(job.id, "log")[0].seq)
    with engine.db.begin() as session:  # it arrived later than the job ended, so it outlives its events
        session.get_one(WebhookDelivery, logged.id).finished_at = clock.now
    retention.apply(replace(engine, settings=trimming))
    assert (actor.events(job.id, "log"), [row.id for row in rows(engine, job.id)]) == ([], [logged.id])
    deliveries.retry(engine, principal, job.id, logged.id)
    assert take(engine) is None
    (row,) = rows(engine, job.id)
    assert (row.state, row.error) == ("failed", deliveries.TRIMMED)
