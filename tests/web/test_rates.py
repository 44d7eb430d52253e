"""Limits of submissions, uploads and failed sign-ins: counted by caller, told with Retry-After, off on loopback."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic import ValidationError
from werkzeug.test import TestResponse

from jobs import tokens
from jobs.engine import Engine
from jobs.principal import Principal
from jobs.settings import Settings
from tests.web.acting import ActingWorker, picture_zip, ready_dataset
from tests.web.reading import read, send
from web import create_app, rates

Made = Callable[..., FlaskClient]


@pytest.fixture
def limited(settings: Settings, engine: Engine) -> Made:
    """A server with limits."""

    def make(**own: Any) -> FlaskClient:
        return create_app(settings.model_copy(update=own), engine).test_client()

    return make


def submit(client: FlaskClient, dataset: str, **headers: str) -> TestResponse:
    body = {"task": "image_gan.train", "params": {"dataset": dataset, "epochs": 1}}
    return client.post("/api/v1/jobs", json=body, headers=headers)


def test_a_server_on_loopback_limits_nothing_unless_told(settings: Settings) -> None:
    assert rates.wanted(settings, "submissions") == ""
    world = settings.model_copy(update={"host": "0.0.0.0"})
    assert {kind: rates.wanted(world, kind) for kind in rates.ELSEWHERE} == rates.ELSEWHERE
    off = world.model_copy(update={"rate_uploads": "off"})
    assert rates.wanted(off, "uploads") == ""


@pytest.mark.parametrize("text", ["many", "0/minute", "5", "5/fortnight", "off,5/minute", "-1/day"])
def test_what_is_no_rate_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(ValidationError, match="such as 300/minute"):
        Settings(rate_submissions=text)


def test_submissions_are_counted_by_caller(limited: Made, engine: Engine, worker: ActingWorker) -> None:
    client = limited(rate_submissions="2/hour")
    dataset = ready_dataset(client, worker)
    owner = Principal("default", "operator")
    ann, ben = (f"Bearer {tokens.create(engine, owner, name)[1]}" for name in ("ann", "ben"))
    client = limited(rate_submissions="2/hour")  # the tokens close the server
    assert [submit(client, dataset, Authorization=ann).status_code for _ in range(3)] == [202, 202, 429]
    assert submit(client, dataset, Authorization=ben).status_code == 202
    assert client.get("/api/v1/jobs", headers={"Authorization": ann}).status_code == 200


def test_a_refusal_says_how_long_to_wait(limited: Made, worker: ActingWorker) -> None:
    client = limited(rate_submissions="3/day,5/hour")
    dataset = ready_dataset(client, worker)
    replies = [submit(client, dataset) for _ in range(8)]
    first = next(reply for reply in replies if reply.status_code == 429)
    problem = first.get_json()
    seconds = int(first.headers["Retry-After"])
    assert problem["code"] == "too-many-requests"
    assert problem["detail"] == f"Too many jobs at once. Try again in {seconds} s."
    assert 3600 < seconds <= 24 * 3600
    assert read(client, problem["help_url"]).has("h1")
    queued = client.get("/api/v1/jobs?state=queued").get_json()["data"]
    assert sum(reply.status_code == 202 for reply in replies) == len(queued) == 3
    told = submit(client, dataset, **{"Accept-Language": "zh-CN"})
    assert told.status_code == 429
    assert "秒后" in told.get_json()["detail"]


def test_checking_settings_is_not_counted(limited: Made, worker: ActingWorker) -> None:
    client = limited(rate_submissions="1/hour")
    dataset = ready_dataset(client, worker)
    body = {"task": "image_gan.train", "params": {"dataset": dataset}}
    for _ in range(3):
        assert client.post("/api/v1/jobs?validate_only=true", json=body).status_code == 200
    assert client.post("/api/v1/jobs", json=body).status_code == 202


def test_the_form_has_a_page_for_it(limited: Made, worker: ActingWorker) -> None:
    client = limited(rate_submissions="1/hour")
    dataset = ready_dataset(client, worker)
    assert submit(client, dataset).status_code == 202
    reply = send(client, "/jobs/new/image_gan.train", {"dataset": dataset}, form="/jobs/new/image_gan.train")
    assert reply.status_code == 429
    assert int(reply.headers["Retry-After"]) > 0
    assert "Too many jobs at once. Try again in" in reply.text
    assert "go back and send the form again" in reply.text


def test_uploads_are_limited_in_every_way_they_come(limited: Made) -> None:
    client = limited(rate_uploads="1/hour")
    file = (io.BytesIO(picture_zip()), "pictures.zip")
    assert client.post("/api/v1/datasets", data={"file": file}, headers={"Prefer": "wait=0"}).status_code == 202
    assert client.post("/api/v1/datasets", json={"starter": "fashion-mnist"}).status_code == 429
    begun = client.post("/api/v1/uploads", headers={"Upload-Length": "10"})
    assert begun.status_code == 429
    assert begun.get_json()["detail"].startswith("Too many uploads at once.")


def test_an_address_that_guesses_tokens_must_wait(limited: Made, engine: Engine) -> None:
    secret = tokens.create(engine, Principal("default", "operator"), "ann")[1]
    client = limited(rate_failed_logins="3/hour")

    def ask(token: str, address: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return client.get("/api/v1/jobs", headers=headers, environ_base={"REMOTE_ADDR": address}).status_code

    assert [ask(f"wrong {count}", "2001:db8::1") for count in range(4)] == [401, 401, 401, 429]
    assert ask(secret, "2001:db8::ffff") == 429, "another address of the same household"
    assert ask(secret, "2001:db8:0:1::1") == 200
    assert [ask(secret, "192.0.2.7") for _ in range(5)] == [200] * 5, "only failures count"


def test_the_sign_in_form_counts_with_the_api(limited: Made, engine: Engine) -> None:
    tokens.create(engine, Principal("default", "operator"), "ann")
    client = limited(rate_failed_logins="2/hour")
    assert client.get("/api/v1/jobs", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert send(client, "/login", {"token": "wrong"}, form="/login").status_code == 401
    reply = send(client, "/login", {"token": "wrong"}, form="/login")
    assert reply.status_code == 429
    assert "Too many failed sign-ins from this address." in reply.text
