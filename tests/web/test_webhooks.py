"""Webhooks at the API, on a job's page, in the client and the command: asked for, refused, looked up, repeated."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from jobs import tokens
from jobs.engine import Engine
from jobs.principal import Principal
from jobs.settings import Settings
from jobs.tables import Job, WebhookDelivery
from jobs.webhooks import deliveries
from jobs.webhooks.sending import ANSWERED_BADLY, IS_GONE, Outcome
from tests.web.acting import ActingWorker, ready_dataset, submit_training
from tests.web.reading import read
from web import create_app

URL = "https://hooks.example.org/in?token=secret"
SHOWN = "https://hooks.example.org/in?…"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"webhook_hosts": "hooks.example.org"})


@pytest.fixture
def dataset(client: FlaskClient, worker: ActingWorker) -> str:
    return ready_dataset(client, worker)


@pytest.fixture
def told(client: FlaskClient, engine: Engine, dataset: str) -> Callable[[Outcome], str]:
    """A training whose first delivery came to something; gives the training's id."""

    def make(outcome: Outcome) -> str:
        job = submit_training(client, dataset, webhook={"url": URL}).get_json()["id"]
        deliveries.enqueue(engine)
        (due,) = deliveries.due(engine, 10)
        parcel = deliveries.claim(engine, due)
        assert parcel is not None
        deliveries.settle(engine, parcel, outcome)
        return str(job)

    return make


def listed(client: FlaskClient, job: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = client.get(f"/api/v1/jobs/{job}/deliveries").get_json()["data"]
    return found


def test_a_submission_with_a_webhook(client: FlaskClient, engine: Engine, dataset: str) -> None:
    made = submit_training(client, dataset, webhook={"url": URL, "events": ["end", "state", "end"]})
    assert made.status_code == 202
    assert made.get_json()["webhook"] == {"url": SHOWN, "events": ["state", "end"]}
    with engine.db.read() as session:
        stored = session.get_one(Job, made.get_json()["id"]).webhook
    assert stored == {"url": URL, "events": ["state", "end"], "server": "http://localhost"}
    plain = submit_training(client, dataset, name="plain").get_json()
    assert plain["webhook"] is None
    assert listed(client, plain["id"]) == []


def test_webhooks_are_off_by_default(engine: Engine, settings: Settings, dataset: str) -> None:
    off = settings.model_copy(update={"webhook_hosts": ""})
    client = create_app(off, replace(engine, settings=off)).test_client()
    for language, sentence in (("en", "Webhooks are switched off on this server"), ("zh", "此服务器已关闭 Webhook")):
        body = {"task": "image_gan.train", "params": {"dataset": dataset}, "webhook": {"url": URL}}
        reply = client.post("/api/v1/jobs", json=body, headers={"Accept-Language": language})
        (error,) = reply.get_json()["errors"]
        assert (reply.status_code, error["code"], error["pointer"]) == (422, "webhooks-off", "#/webhook/url")
        assert sentence in error["detail"]
        assert "AIGC_WEBHOOK_HOSTS" in error["detail"]
    assert len(client.get("/api/v1/jobs?state=queued").get_json()["data"]) == 0


@pytest.mark.parametrize(
    "webhook",
    [
        {"url": "http://hooks.example.org/"},
        {"url": "https://other.example.org/"},
        {"url": "https://user:password@hooks.example.org/"},
        {"url": "https://hooks.example.org/", "events": ["everything"]},
        {"url": "https://hooks.example.org/", "events": []},
        {"url": "https://hooks.example.org/", "secret": "mine"},
        {"url": ""},
        {},
        "https://hooks.example.org/",
    ],
)
def test_webhooks_that_are_refused(client: FlaskClient, dataset: str, webhook: object) -> None:
    reply = submit_training(client, dataset, webhook=webhook)
    assert reply.status_code == 422
    assert reply.get_json()["errors"][0]["pointer"].startswith("#/webhook")


def test_generations_have_them_too(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    submit_training(client, dataset)
    worker.train()
    model = client.get("/api/v1/models").get_json()["data"][0]["id"]
    made = client.post(f"/api/v1/models/{model}/generate", json={"params": {"count": 1}, "webhook": {"url": URL}})
    assert made.get_json()["webhook"]["url"] == SHOWN


def test_a_retry_tells_the_same_receiver(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    made = submit_training(client, dataset, webhook={"url": URL, "events": ["log"]}).get_json()
    worker.fail("training", "diverged")
    again = client.post(f"/api/v1/jobs/{made['id']}/retry").get_json()
    assert again["webhook"] == made["webhook"]
    page = read(client, f"/jobs/{made['id']}")
    form = client.post(f"/jobs/{made['id']}/retry", data={"csrf_token": page.fields["csrf_token"]})
    third = client.get(f"/api/v1/jobs/{form.headers['Location'].rpartition('/')[2]}").get_json()
    assert (third["retried_from"], third["webhook"]) == (made["id"], made["webhook"])


def test_the_same_key_with_another_webhook_is_another_request(client: FlaskClient, dataset: str) -> None:
    def send(**more: object) -> int:
        body = {"task": "image_gan.train", "params": {"dataset": dataset}, **more}
        return client.post("/api/v1/jobs", json=body, headers={"Idempotency-Key": "k"}).status_code

    assert [send(webhook={"url": URL}), send(webhook={"url": URL}), send()] == [202, 202, 422]


def test_the_log_of_deliveries(client: FlaskClient, told: Callable[[Outcome], str]) -> None:
    job = told(Outcome(503, ANSWERED_BADLY))
    (row,) = listed(client, job)
    assert (row["seq"], row["state"], row["attempts"], row["http_status"]) == (1, "pending", 1, 503)
    assert row["error"] == ANSWERED_BADLY
    assert str(row["next_at"]) > str(row["created_at"])
    chinese = client.get(f"/api/v1/jobs/{job}/deliveries", headers={"Accept-Language": "zh"}).get_json()["data"]
    assert chinese[0]["error"] == "接收方应答了错误。"
    links = client.get(f"/api/v1/jobs/{job}").get_json()["links"]
    assert links["deliveries"].endswith(f"/api/v1/jobs/{job}/deliveries")
    assert URL not in client.get(f"/api/v1/jobs/{job}/deliveries").text + client.get(f"/api/v1/jobs/{job}").text


def test_a_delivery_is_sent_again(client: FlaskClient, engine: Engine, told: Callable[[Outcome], str]) -> None:
    job = told(Outcome(410, IS_GONE))
    (row,) = listed(client, job)
    assert (row["state"], row["next_at"]) == ("failed", None)
    assert deliveries.due(engine, 10) == []
    retry = str(row["links"]["retry"])  # type: ignore[index]  # it is an object
    again = client.post(retry)
    assert (again.status_code, again.get_json()["state"], again.get_json()["id"]) == (202, "pending", row["id"])
    assert [due.id for due in deliveries.due(engine, 10)] == [row["id"]]
    assert client.post(f"/api/v1/jobs/{job}/deliveries/dlv_{'0' * 26}/retry").status_code == 404
    assert client.post(f"/api/v1/jobs/{job}/deliveries/nothing/retry").status_code == 404
    assert client.post(f"/api/v1/jobs/job_{'0' * 26}/deliveries/{row['id']}/retry").status_code == 404
    assert client.get(f"/api/v1/jobs/job_{'0' * 26}/deliveries").status_code == 404


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["Webhook", "Receiver", "Given up", "Send now", IS_GONE]),
        ("zh", ["Webhook", "接收方", "已放弃", "立即发送", "接收方应答其已不存在（410），此投递不再重试。"]),
    ],
)
def test_the_section_on_the_page(
    client: FlaskClient, told: Callable[[Outcome], str], language: str, words: list[str]
) -> None:
    job = told(Outcome(410, IS_GONE))
    page = read(client, f"/jobs/{job}?lang={language}")
    assert [word for word in words if word not in " ".join(page.texts)] == []
    assert "secret" not in page.html


def test_the_page_shows_no_webhook_where_there_is_none(client: FlaskClient, dataset: str) -> None:
    job = submit_training(client, dataset).get_json()["id"]
    assert "webhook" not in read(client, f"/jobs/{job}").ids


def test_the_page_moves_with_the_deliveries_and_sends_again(
    client: FlaskClient, engine: Engine, told: Callable[[Outcome], str]
) -> None:
    job = told(Outcome(503, ANSWERED_BADLY))
    before = client.get(f"/jobs/{job}/live").headers["ETag"]
    assert client.get(f"/jobs/{job}/live", headers={"If-None-Match": before}).status_code == 304
    assert deliveries.due(engine, 10) == []
    (row,) = listed(client, job)
    token = read(client, f"/jobs/{job}").fields["csrf_token"]
    address = f"/jobs/{job}/deliveries/{row['id']}/retry"
    assert client.post(address).status_code == 400
    sent = client.post(address, data={"csrf_token": token})
    assert (sent.status_code, sent.headers["Location"]) == (303, f"/jobs/{job}#webhook")
    (due,) = deliveries.due(engine, 10)
    parcel = deliveries.claim(engine, due)
    assert parcel is not None
    deliveries.settle(engine, parcel, Outcome(200))
    assert client.get(f"/jobs/{job}/live", headers={"If-None-Match": before}).status_code == 200


def test_another_tenant_sees_nothing(app: Flask, engine: Engine, told: Callable[[Outcome], str]) -> None:
    job = told(Outcome(503, ANSWERED_BADLY))
    _, secret = tokens.create(engine, Principal("other", "eve"), "eve")
    stranger, headers = app.test_client(), {"Authorization": f"Bearer {secret}"}
    assert stranger.get(f"/api/v1/jobs/{job}/deliveries", headers=headers).status_code == 404
    with engine.db.read() as session:
        id_ = session.scalars(select(WebhookDelivery.id)).one()
    assert stranger.post(f"/api/v1/jobs/{job}/deliveries/{id_}/retry", headers=headers).status_code == 404
