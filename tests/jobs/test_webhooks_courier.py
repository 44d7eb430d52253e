"""Deliveries by the real thing: threads, TLS, scheduler processes that are killed at the worst moment."""

import re
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from jobs.engine import Engine
from jobs.lifecycle import Beat, Lease
from jobs.tables import WebhookDelivery
from jobs.webhooks import EVENT_KINDS, Webhook, courier, deliveries, signing
from jobs.webhooks.courier import Courier
from jobs.webhooks.sending import INTERNET, Network
from tests.conftest import Clock
from tests.jobs.acting import Actor
from tests.jobs.receiving import Certificate, Got, Receiver, answering, in_turn, receiving
from tests.jobs.test_scheduler import QUICK, Scheduler, environment, real, schedulers, until

__all__ = ["environment", "real", "schedulers"]

ROOT = Path(__file__).parents[2]
SECONDS = 60.0
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def opened(actor: Actor, *urls: str) -> Actor:
    """The same with receivers that the operator has opened."""
    hosts = ",".join({url.split("/")[2].rpartition(":")[0] for url in urls})
    private = ",".join("/".join(url.split("/")[:3]) for url in urls)
    return actor.with_settings(webhook_hosts=hosts, webhook_allow_private=private)


def rows(engine: Engine, job_id: str) -> list[WebhookDelivery]:
    with engine.db.read() as session:
        wanted = select(WebhookDelivery).where(WebhookDelivery.job_id == job_id).order_by(WebhookDelivery.seq)
        return list(session.scalars(wanted))


def states(actor: Actor, job_id: str) -> list[str]:
    return [row.state for row in rows(actor.engine, job_id)]


def deliver(engine: Engine, network: Network = INTERNET) -> None:
    """Send everything that is due now."""
    sender = Courier(engine, network)
    while sender.tick():
        assert sender.rest(SECONDS)


@pytest.fixture(scope="module")
def is_genuine() -> Callable[..., bool]:
    """The function that the guide tells receivers to use."""
    guide = (ROOT / "docs" / "how-to" / "webhooks.md").read_text()
    snippet = next(block for block in re.findall(r"```python\n(.*?)```", guide, re.DOTALL) if "def is_genuine" in block)
    found: dict[str, Any] = {}
    exec(snippet, found)
    function: Callable[..., bool] = found["is_genuine"]
    return function


def test_a_receiver_can_check_what_it_gets(actor: Actor, is_genuine: Callable[..., bool]) -> None:
    with receiving(answering()) as receiver:
        actor = opened(actor, receiver.url())
        actor.train(webhook=Webhook(receiver.url()))
        deliver(actor.engine)
    (got,) = receiver.got
    (secret,) = signing.secrets(actor.engine.settings)
    moment = int(got.headers["webhook-timestamp"])
    assert is_genuine(got.headers, got.body, secret)
    assert not is_genuine(got.headers, got.body + b" ", secret)
    assert not is_genuine(got.headers, got.body, SECRET)
    assert not is_genuine({**got.headers, "webhook-id": "dlv_other"}, got.body, secret)
    old = signing.headers([secret], got.id, moment - 301, got.body)
    assert not is_genuine(old, got.body, secret)


def test_failures_are_written_down_and_the_address_is_not_logged(
    actor: Actor, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with receiving(in_turn(answering(500), answering(302), answering(204))) as receiver:
        actor = opened(actor, receiver.url())
        job = actor.train(webhook=Webhook(receiver.url(path="/secret-path?token=secret-token")))
        for status in (500, 302, 204):
            deliver(actor.engine)
            (row,) = rows(actor.engine, job.id)
            assert row.http_status == status
            clock.now = row.next_at
    assert (row.state, row.attempts, row.error) == ("delivered", 3, None)
    assert len({(got.id, got.body) for got in receiver.got}) == 1
    assert "127.0.0.1" in caplog.text
    assert "secret" not in caplog.text


def test_a_list_that_was_shortened_since_counts(actor: Actor) -> None:
    with receiving(answering()) as receiver:
        job = opened(actor, receiver.url()).train(webhook=Webhook(receiver.url()))
        deliver(actor.engine)
    (row,) = rows(actor.engine, job.id)
    assert (row.state, row.error) == ("pending", courier.NOT_ALLOWED)
    assert receiver.connections == []


def test_a_receiver_that_hangs_delays_no_other(actor: Actor) -> None:
    with receiving() as silent, receiving(answering()) as quick:
        actor = opened(actor, silent.url(), quick.url("localhost"))
        network = Network(resolve=lambda *_: ["127.0.0.1"])
        stuck = [actor.train(webhook=Webhook(silent.url()), params={"seed": seed}) for seed in range(4)]
        other = [actor.train(webhook=Webhook(quick.url("localhost")), params={"seed": seed}) for seed in range(4)]
        sender = Courier(actor.engine, network)
        until(lambda: sender.tick() or all(states(actor, job.id) == ["delivered"] for job in other))
        until(lambda: not sender.tick() and all(states(actor, job.id) == ["delivered"] for job in other))
        assert [states(actor, job.id) for job in stuck] == [["pending"]] * 4
        assert len(silent.got) <= courier.THREADS_PER_HOST
        silent.ended.set()
        assert sender.rest(SECONDS)


def test_a_try_that_could_not_be_written_down_is_repeated(actor: Actor, clock: Clock) -> None:
    """As when the scheduler or the database dies in between: the claim runs out."""
    with receiving(answering()) as receiver:
        actor = opened(actor, receiver.url())
        job = actor.train(webhook=Webhook(receiver.url()))
        sender = Courier(actor.engine)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(deliveries, "settle", lambda *_: 1 / 0)
            assert sender.tick() == 1
            assert sender.rest(SECONDS)
        assert states(actor, job.id) == ["pending"]
        clock.advance(31)
        deliver(actor.engine)
    assert states(actor, job.id) == ["delivered"]
    first, again = receiver.got
    assert (first.id, first.body) == (again.id, again.body)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate.make(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def secure(certificate: Certificate) -> Iterator[tuple[Receiver, list[Callable[[Got, socket.socket], None]]]]:
    """A receiver with TLS whose next behaviours can be set; it obliges when there are none."""
    plays: list[Callable[[Got, socket.socket], None]] = []

    def play(got: Got, link: socket.socket) -> None:
        (plays.pop(0) if plays else answering())(got, link)

    with receiving(play, certificate) as receiver:
        yield receiver, plays


@pytest.fixture
def allowing(environment: dict[str, str], certificate: Certificate, secure: tuple[Receiver, object]) -> dict[str, str]:
    """Opens the receiver for the schedulers of this test; they share the dictionary."""
    authority = f"127.0.0.1:{secure[0].port}"
    environment |= {"AIGC_WEBHOOK_HOSTS": "127.0.0.1", "AIGC_WEBHOOK_ALLOW_PRIVATE": authority}
    environment |= {"AIGC_WEBHOOK_SECRET": SECRET, "SSL_CERT_FILE": str(certificate.chain)}
    return environment


@pytest.mark.usefixtures("allowing")
def test_schedulers_tell_a_whole_job_once_in_order(
    real: Actor,
    schedulers: Callable[..., list[Scheduler]],
    secure: tuple[Receiver, list[Callable[[Got, socket.socket], None]]],
    is_genuine: Callable[..., bool],
) -> None:
    receiver, _ = secure
    schedulers(count=2)
    job = real.train(webhook=Webhook(receiver.url(), EVENT_KINDS))
    claim = real.claim(expected=job.id)
    lease = Lease(real.engine, claim)
    for step in range(5):
        lease.beat(Beat(phases=["training"], lines=[f"line {step}.{part}" for part in range(30)]))
    real.finish(claim)
    until(lambda: receiver.got and receiver.got[-1].json["kind"] == "end")
    assert all(is_genuine(got.headers, got.body, SECRET) for got in receiver.got)
    told = [event["seq"] for got in receiver.got for event in got.json["events"]]
    assert told == list(range(1, real.job(job.id).last_seq + 1))
    assert len({got.id for got in receiver.got}) == len(receiver.got)


@pytest.mark.usefixtures("allowing")
def test_a_scheduler_killed_between_sending_and_writing_it_down(
    real: Actor,
    schedulers: Callable[..., list[Scheduler]],
    secure: tuple[Receiver, list[Callable[[Got, socket.socket], None]]],
) -> None:
    receiver, plays = secure
    arrived = threading.Event()

    def never_answers(_got: Got, _link: socket.socket) -> None:
        arrived.set()
        receiver.ended.wait()

    plays.append(never_answers)
    (doomed,) = schedulers()
    job = real.train(webhook=Webhook(receiver.url()))
    assert arrived.wait(SECONDS)
    doomed.end(signal.SIGKILL)
    (row,) = rows(real.engine, job.id)
    assert (row.state, row.attempts) == ("pending", 1)
    with real.engine.db.begin() as session:  # the half minute that its claim holds
        session.execute(update(WebhookDelivery).values(next_at=row.next_at - timedelta(seconds=30)))
    schedulers()
    until(lambda: states(real, job.id) == ["delivered"])
    first, again = receiver.got
    assert (first.id, first.body) == (again.id, again.body)


@pytest.mark.usefixtures("allowing")
def test_a_receiver_that_was_away_misses_nothing(
    real: Actor,
    schedulers: Callable[..., list[Scheduler]],
    secure: tuple[Receiver, list[Callable[[Got, socket.socket], None]]],
) -> None:
    receiver, plays = secure
    plays += [answering(503), answering(502)]
    job = real.train(webhook=Webhook(receiver.url()))
    (scheduler,) = schedulers()
    until(lambda: [row.http_status for row in rows(real.engine, job.id)] == [503])
    assert scheduler.end(signal.SIGTERM)[0] == 0
    real.finish(real.claim(expected=job.id))
    with real.engine.db.begin() as session:  # the seconds until the next tries
        session.execute(update(WebhookDelivery).values(next_at=WebhookDelivery.created_at))
    schedulers()
    until(lambda: [row.http_status for row in rows(real.engine, job.id)][:1] == [502])
    with real.engine.db.begin() as session:
        session.execute(
            update(WebhookDelivery)
            .where(WebhookDelivery.state == "pending", WebhookDelivery.attempts == 2)
            .values(next_at=WebhookDelivery.created_at)
        )
    until(lambda: states(real, job.id) == ["delivered"] * 3)
    assert [got.json["data"]["status"] for got in receiver.got] == ["queued"] * 3 + ["running", "succeeded"]


def test_it_stops_without_waiting_for_receivers_for_long(actor: Actor) -> None:
    with receiving() as silent:
        actor = opened(actor, silent.url())
        actor.train(webhook=Webhook(silent.url()))
        sender = Courier(replace(actor.engine, settings=actor.engine.settings.model_copy(update=QUICK)))
        sender.start()
        until(lambda: silent.got)
        assert not sender.stop(0.01)
        silent.ended.set()
        assert sender.stop(SECONDS)
