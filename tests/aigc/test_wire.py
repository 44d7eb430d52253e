import email.utils
import time
from collections.abc import Callable
from typing import Any

import pytest

from aigc.errors import ApiError, Conflict, NotFound, NotReachable, RateLimited, Unavailable
from aigc.wire import Call, ConnectionLost, Flow, Patience, Reply, ReplyCache, Sleep, retry_after, send

CALL = Call("GET", "jobs/x")
PATIENT = Patience(retries=3, base=0.25)


def drive(flow: Flow[Reply], answer: Callable[[Call], Reply | Exception]) -> tuple[Reply, list[float]]:
    """Drive a flow without network or clock; gives its result and the pauses it asked for."""
    pauses: list[float] = []
    try:
        effect: Any = next(flow)
        while True:
            if isinstance(effect, Sleep):
                pauses.append(effect.seconds)
                effect = flow.send(None)
                continue
            result = answer(effect)
            effect = flow.throw(result) if isinstance(result, Exception) else flow.send(result)
    except StopIteration as stop:
        return stop.value, pauses


def replies(*given: Reply | Exception) -> Callable[[Call], Reply | Exception]:
    left = list(given)
    return lambda _call: left.pop(0)


def reply(status: int, **headers: str) -> Reply:
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, {"status": status})


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_tries_again_when_the_server_is_busy(status: int) -> None:
    result, pauses = drive(send(CALL, PATIENT, ReplyCache()), replies(reply(status), reply(status), reply(200)))
    assert result.status == 200
    assert 0.125 <= pauses[0] <= 0.25
    assert 0.25 <= pauses[1] <= 0.5


def test_waits_as_long_as_the_server_asks() -> None:
    result, pauses = drive(send(CALL, PATIENT, ReplyCache()), replies(reply(429, retry_after="17"), reply(200)))
    assert (result.status, pauses) == (200, [17.0])


def test_does_not_wait_for_an_hour() -> None:
    with pytest.raises(RateLimited):
        drive(send(CALL, PATIENT, ReplyCache()), replies(reply(429, retry_after="3600")))


def test_a_request_with_the_same_key_in_flight_is_waited_for() -> None:
    result, pauses = drive(send(CALL, PATIENT, ReplyCache()), replies(reply(409, retry_after="1"), reply(202)))
    assert (result.status, pauses) == (202, [1.0])
    with pytest.raises(Conflict):
        drive(send(CALL, PATIENT, ReplyCache()), replies(reply(409)))


def test_gives_up_after_its_retries() -> None:
    with pytest.raises(Unavailable) as caught:
        drive(send(CALL, PATIENT, ReplyCache()), replies(*[reply(503)] * 4))
    assert caught.value.status == 503


def test_a_lost_connection_is_tried_again_and_then_told() -> None:
    lost = ConnectionLost("No server answers at http://127.0.0.1:1. Start one with: aigc up")
    result, pauses = drive(send(CALL, PATIENT, ReplyCache()), replies(lost, reply(200)))
    assert result.status == 200
    assert len(pauses) == 1
    with pytest.raises(NotReachable, match="aigc up"):
        drive(send(CALL, PATIENT, ReplyCache()), replies(*[lost] * 4))


@pytest.mark.parametrize("status", [400, 404, 422, 500])
def test_what_will_not_get_better_is_told_at_once(status: int) -> None:
    with pytest.raises(ApiError) as caught:
        drive(send(CALL, PATIENT, ReplyCache()), replies(reply(status)))
    assert caught.value.status == status
    assert isinstance(caught.value, NotFound) == (status == 404)


def test_an_unchanged_reply_is_not_sent_again() -> None:
    cache = ReplyCache()
    first, _ = drive(send(CALL, PATIENT, cache), replies(reply(200, etag='"7"')))
    seen: list[Call] = []

    def answer(call: Call) -> Reply:
        seen.append(call)
        return reply(304)

    second, _ = drive(send(CALL, PATIENT, cache), answer)
    assert second is first
    assert seen[0].headers["If-None-Match"] == '"7"'


def test_the_cache_forgets_the_oldest() -> None:
    cache = ReplyCache(size=2)
    calls = [Call("GET", f"jobs/{number}") for number in range(3)]
    for call in calls:
        cache.keep(call, reply(200, etag='"1"'))
    assert [cache.find(call) is not None for call in calls] == [False, True, True]
    cache.keep(Call("POST", "jobs"), reply(200, etag='"1"'))
    assert cache.find(Call("POST", "jobs")) is None


def test_retry_after_may_be_a_date() -> None:
    soon = email.utils.formatdate(time.time() + 30, usegmt=True)
    wish = retry_after({"retry-after": soon})
    assert wish is not None
    assert 0 < wish <= 31
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}) is None
