"""Polls that are answered before Flask: the same words, the same grounds, the same answer."""

from collections.abc import Callable, Iterator

import pytest
from flask import Flask, request, request_started
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from jobs import tokens
from jobs.engine import Engine
from jobs.principal import Principal
from tests.web.acting import ActingWorker, ready_dataset, submit_training

Poll = Callable[..., TestResponse]


@pytest.fixture
def reached(app: Flask) -> Iterator[list[str]]:
    """The paths of the requests that Flask was asked."""
    paths: list[str] = []

    def noted(_sender: Flask) -> None:
        paths.append(request.path)

    with request_started.connected_to(noted, app):
        yield paths


@pytest.fixture
def place(client: FlaskClient, worker: ActingWorker) -> str:
    """The address of a waiting job on a server whose requests share what they read."""
    job = submit_training(client, ready_dataset(client, worker)).get_json()["id"]
    shared = client.application.extensions["aigc"]
    shared.moment.seconds, shared.told.seconds = 60.0, 60.0
    return f"/api/v1/jobs/{job}"


@pytest.fixture
def poll(client: FlaskClient, place: str) -> Poll:
    """Asks whether the job is as it was; asked twice already, so that nothing but the grounds decides."""
    known = {"If-None-Match": client.get(place).headers["ETag"]}

    def ask(**headers: str) -> TestResponse:
        return client.get(place, headers=known | {name.replace("_", "-"): value for name, value in headers.items()})

    assert [ask().status_code, ask().status_code] == [304, 304]
    return ask


def heads(reply: TestResponse) -> dict[str, str]:
    """All headers but the request's own name."""
    return {name: value for name, value in reply.headers if name != "X-Request-Id"}


def test_the_same_words_are_answered_the_same_before_flask(client: FlaskClient, place: str, reached: list[str]) -> None:
    known = {"If-None-Match": client.get(place).headers["ETag"]}
    reached.clear()
    first, *others = [client.get(place, headers=known) for _ in range(4)]
    assert reached == [place]
    for reply in others:
        assert (reply.status, reply.data, heads(reply)) == (first.status, b"", heads(first))
    assert len({reply.headers["X-Request-Id"] for reply in (first, *others)}) == 4


def test_a_request_keeps_its_own_name(poll: Poll, reached: list[str]) -> None:
    assert poll(X_Request_Id="mine.1").headers["X-Request-Id"] == "mine.1"
    assert poll(X_Request_Id="<script>").headers["X-Request-Id"] not in ("mine.1", "<script>")
    assert reached == []


@pytest.mark.parametrize(
    "word",
    [
        {"If_None_Match": '"another"'},
        {"Host": "elsewhere.example"},
        {"Accept": "text/html"},
        {"Accept_Language": "zh-CN"},
        {"Authorization": "Bearer wrong"},
        {"Origin": "http://elsewhere.example"},
    ],
    ids=lambda word: next(iter(word)),
)
def test_another_word_is_another_question(poll: Poll, reached: list[str], word: dict[str, str]) -> None:
    poll(**word)
    assert len(reached) == 1


def test_a_question_with_a_body_a_cookie_or_another_method_is_another(
    client: FlaskClient, place: str, poll: Poll, reached: list[str]
) -> None:
    known = {"If-None-Match": poll().headers["ETag"]}
    client.head(place, headers=known)
    client.get(place, headers=known, data=b"{}")
    client.set_cookie("any", "other")
    client.get(place, headers=known)
    assert reached == [place] * 3


def test_a_reply_that_sets_a_cookie_is_not_repeated(client: FlaskClient, place: str, reached: list[str]) -> None:
    client.get(f"{place}?lang=zh-CN")
    tag = client.get(place).headers["ETag"]
    reached.clear()
    for _ in range(3):
        client.get(f"{place}?lang=zh-CN", headers={"If-None-Match": tag})
    assert len(reached) == 3


def test_a_changed_job_is_told_at_once(client: FlaskClient, place: str, poll: Poll) -> None:
    assert client.patch(place, json={"name": "another name"}).status_code == 200
    assert (poll().status_code, poll().get_json()["name"]) == (200, "another name")


def test_a_place_that_was_told_long_ago_is_looked_up(client: FlaskClient, poll: Poll, reached: list[str]) -> None:
    shared = client.application.extensions["aigc"]
    shared.told.seconds = 0.0
    assert poll().status_code == 304
    assert len(reached) == 1


def test_a_revoked_token_is_refused_by_the_next_poll(
    client: FlaskClient, place: str, engine: Engine, reached: list[str]
) -> None:
    owner = Principal("default", "ann", "admin")
    token, secret = tokens.create(engine, owner, name="poll")
    mine = {"Authorization": f"Bearer {secret}"}
    mine["If-None-Match"] = client.get(place, headers=mine).headers["ETag"]
    reached.clear()
    assert [client.get(place, headers=mine).status_code for _ in range(3)] == [304, 304, 304]
    assert reached == [place]
    tokens.revoke(engine, owner, token.id)
    assert client.get(place, headers=mine).status_code == 401


def test_a_server_that_asks_for_a_token_now_does_so_of_polls_too(
    client: FlaskClient, poll: Poll, engine: Engine
) -> None:
    tokens.create(engine, Principal("default", "ann", "admin"), name="first")
    client.application.extensions["aigc_guard"].checked_at = float("-inf")  # it looks every two seconds
    assert poll().status_code == 401
