"""Submitting, listing, looking at, waiting for, cancelling, retrying and deleting jobs over the API."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, text

from aigc_models import registry
from aigc_models.base import Fault
from jobs import tokens
from jobs.engine import Engine
from jobs.moment import Moment
from jobs.principal import Principal
from tests.web.acting import ActingWorker, ready_dataset, submit_training

PROBLEM = "application/problem+json"


@pytest.fixture
def dataset(client: FlaskClient, worker: ActingWorker) -> str:
    return ready_dataset(client, worker)


def pointers(body: Any) -> list[str]:
    return [error.get("pointer") for error in body["errors"]]


@pytest.mark.checklist(25)
def test_submit_is_accepted_with_its_address(client: FlaskClient, dataset: str) -> None:
    reply = submit_training(client, dataset, name="clothes")
    assert reply.status_code == 202
    assert reply.headers["Location"].endswith(f"/api/v1/jobs/{reply.get_json()['id']}")
    assert reply.headers["Retry-After"] == "1"
    assert reply.headers["X-Request-Id"]
    assert (reply.get_json()["state"], reply.get_json()["name"], reply.get_json()["dataset"]) == (
        "queued",
        "clothes",
        dataset,
    )
    default = registry.task("image_gan.train").model_fields["epochs"].default
    assert reply.get_json()["params"]["epochs"] == default
    assert reply.get_json()["queue"] == {"name": "training.cpu", "position": 1, "starts_in_seconds": None}


@pytest.mark.checklist(29, 31)
def test_submit_tells_every_fault_with_its_place_and_a_guess(client: FlaskClient, dataset: str) -> None:
    params = {"dataset": dataset, "epocs": 5, "epochs": 0, "batch_size": "8"}
    reply = client.post("/api/v1/jobs", json={"task": "image_gan.train", "params": params})
    assert (reply.status_code, reply.content_type, reply.get_json()["code"]) == (422, PROBLEM, "invalid-params")
    assert set(pointers(reply.get_json())) == {"#/params/epochs", "#/params/batch_size", "#/params/epocs"}
    said = {error["pointer"]: error["detail"] for error in reply.get_json()["errors"]}
    assert said["#/params/epocs"] == "There is no setting called epocs. Did you mean epochs?"
    assert said["#/params/epochs"] == "Epochs must be between 1 and 10000."
    assert client.get("/api/v1/jobs?task=image_gan.train").get_json()["data"] == []


def test_a_preset_lies_beneath_the_params(client: FlaskClient, dataset: str) -> None:
    reply = submit_training(client, dataset, preset="quick")
    quick = registry.task("image_gan.train").presets["quick"]
    assert {name: reply.get_json()["params"][name] for name in quick} == dict(quick)


@pytest.mark.checklist(29)
@pytest.mark.parametrize(
    ("data", "content_type", "status", "code"),
    [
        (b"{", "application/json", 400, "malformed-json"),
        (b'{"task": NaN}', "application/json", 400, "malformed-json"),
        (b"\xff\xfe", "application/json", 400, "malformed-json"),
        (b"[" * 5_000, "application/json", 400, "malformed-json"),
        (b"[]", "application/json", 422, "invalid-params"),
        (b"{}", "application/json", 422, "invalid-params"),
        (b'{"task": 5}', "application/json", 422, "invalid-params"),
        (b'{"task": "x.y"}', "application/json", 422, "unknown-task"),
        (b'{"task": "x.y", "lease_id": "z"}', "application/json", 422, "invalid-params"),
        (b'{"task": "image_gan.train", "preset": "fastest"}', "application/json", 422, "invalid-params"),
        (b'{"task": "image_gan.train"}', "text/plain", 415, "unsupported-media-type"),
        (b"a=1", "application/x-www-form-urlencoded", 415, "unsupported-media-type"),
        (b'{"task": "' + b"x" * 2**20 + b'"}', "application/json", 413, "body-too-large"),
    ],
)
def test_bodies_that_cannot_be_used(
    client: FlaskClient, data: bytes, content_type: str, status: int, code: str
) -> None:
    reply = client.post("/api/v1/jobs", data=data, content_type=content_type)
    assert (reply.status_code, reply.content_type, reply.get_json()["code"]) == (status, PROBLEM, code)
    assert {"type", "title", "status", "detail", "request_id", "help_url"} <= set(reply.get_json())


def test_imports_start_with_an_upload_only(client: FlaskClient) -> None:
    reply = client.post("/api/v1/jobs", json={"task": "dataset.import_images", "params": {}})
    assert reply.status_code == 422


def test_inputs_that_do_not_exist_or_do_not_fit(client: FlaskClient) -> None:
    missing = submit_training(client, "ds_" + "0" * 26)
    assert (missing.status_code, pointers(missing.get_json())) == (422, ["#/params/dataset"])
    body = {"task": "image_gan.train", "params": {"dataset": "mdl_" + "0" * 26}}
    assert client.post("/api/v1/jobs", json=body).status_code == 422


@pytest.mark.checklist(30)
def test_validate_only_creates_nothing(client: FlaskClient, dataset: str) -> None:
    body = {"task": "image_gan.train", "params": {"dataset": dataset, "epochs": 3}}
    reply = client.post("/api/v1/jobs?validate_only=true", json=body)
    assert (reply.status_code, reply.get_json()["object"], reply.get_json()["valid"]) == (200, "job_draft", True)
    assert reply.get_json()["params"]["epochs"] == 3
    refused = client.post("/api/v1/jobs?validate_only=true", json={**body, "params": {"epochs": 0}})
    assert refused.status_code == 422
    assert client.get("/api/v1/jobs?task=image_gan.train").get_json()["data"] == []


@pytest.mark.checklist(26)
def test_the_same_key_gives_the_same_job(app: Flask, client: FlaskClient, dataset: str) -> None:
    body = {"task": "image_gan.train", "params": {"dataset": dataset}}
    headers = {"Idempotency-Key": "once"}

    def post(_: int) -> Any:
        return app.test_client().post("/api/v1/jobs", json=body, headers=headers)

    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(post, range(20)))
    assert {reply.status_code for reply in replies} == {202}
    assert len({reply.get_json()["id"] for reply in replies}) == 1
    assert sum("Idempotent-Replayed" not in reply.headers for reply in replies) == 1
    assert {reply.headers.get("Idempotent-Replayed", "true") for reply in replies} == {"true"}
    other = client.post("/api/v1/jobs", json={**body, "name": "another"}, headers=headers)
    assert (other.status_code, other.get_json()["code"]) == (422, "idempotency-key-reused")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Idempotency-Key", "k" * 256),
        ("Cancel-After", "soon"),
        ("Cancel-After", "0s"),
        ("Cancel-After", "400d"),
    ],
)
def test_headers_that_cannot_be_used(client: FlaskClient, dataset: str, name: str, value: str) -> None:
    body = {"task": "image_gan.train", "params": {"dataset": dataset}}
    reply = client.post("/api/v1/jobs", json=body, headers={name: value})
    assert (reply.status_code, reply.content_type) == (400, PROBLEM)


def test_cancel_after_sets_the_deadline(client: FlaskClient, dataset: str) -> None:
    body = {"task": "image_gan.train", "params": {"dataset": dataset}}
    job = client.post("/api/v1/jobs", json=body, headers={"Cancel-After": "10m"}).get_json()
    assert job["expires_at"] > job["created_at"]


@pytest.mark.checklist(27)
def test_etag_changes_with_the_job(client: FlaskClient, dataset: str, worker: ActingWorker) -> None:
    job = submit_training(client, dataset).get_json()["id"]
    first = client.get(f"/api/v1/jobs/{job}")
    again = client.get(f"/api/v1/jobs/{job}", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert not first.headers["ETag"].startswith("W/")
    assert "no-cache" in first.headers["Cache-Control"]
    worker.train()
    changed = client.get(f"/api/v1/jobs/{job}", headers={"If-None-Match": first.headers["ETag"]})
    assert (changed.status_code, changed.get_json()["state"]) == (200, "succeeded")
    assert "Retry-After" not in changed.headers
    assert changed.get_json()["model"].startswith("mdl_")
    assert changed.get_json()["metrics"] == {"loss": 0.01}


@pytest.mark.checklist(30)
def test_waiting_ends_with_the_job(app: Flask, client: FlaskClient, dataset: str, worker: ActingWorker) -> None:
    body = {"task": "image_gan.train", "params": {"dataset": dataset}}

    def work() -> None:
        for _ in range(1_000):
            jobs = app.test_client().get("/api/v1/jobs?state=queued").get_json()["data"]
            if jobs:
                worker.train()
                return

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        reply = client.post("/api/v1/jobs", json=body, headers={"Prefer": "wait=20"})
        working.result()
    assert (reply.status_code, reply.get_json()["state"]) == (200, "succeeded")
    assert reply.headers["Preference-Applied"] == "wait=20"


@pytest.mark.checklist(30)
def test_waiting_gives_up_in_time(client: FlaskClient, dataset: str) -> None:
    body = {"task": "image_gan.train", "params": {"dataset": dataset}}
    reply = client.post("/api/v1/jobs", json=body, headers={"Prefer": "respond-async, wait=1"})
    assert (reply.status_code, reply.get_json()["state"]) == (202, "queued")
    assert "Preference-Applied" not in reply.headers
    same = client.get(f"/api/v1/jobs/{reply.get_json()['id']}", headers={"Prefer": "wait=0"})
    assert same.status_code == 200


def test_waiting_for_a_change(client: FlaskClient, dataset: str, worker: ActingWorker) -> None:
    job = submit_training(client, dataset).get_json()["id"]
    etag = client.get(f"/api/v1/jobs/{job}").headers["ETag"]
    with ThreadPoolExecutor(1) as pool:
        headers = {"If-None-Match": etag, "Prefer": "wait=20"}
        waiting = pool.submit(client.application.test_client().get, f"/api/v1/jobs/{job}", headers=headers)
        worker.take("training")
        changed = waiting.result()
    assert (changed.status_code, changed.get_json()["state"]) == (200, "running")
    unlike = client.get(f"/api/v1/jobs/{job}", headers={"If-None-Match": '""', "Prefer": "wait=20"})
    assert unlike.status_code == 200  # the empty tag is no version: there is nothing to wait for


def test_a_change_that_has_come_already_is_not_waited_for(
    client: FlaskClient, dataset: str, worker: ActingWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit_training(client, dataset).get_json()["id"]
    old = client.get(f"/api/v1/jobs/{job}").headers["ETag"]
    worker.take("training")
    monkeypatch.setattr("web.api.jobs.watch", lambda *_: pytest.fail("it waited"))
    changed = client.get(f"/api/v1/jobs/{job}", headers={"If-None-Match": old, "Prefer": "wait=20"})
    assert (changed.status_code, changed.get_json()["state"]) == (200, "running")


@pytest.mark.checklist(28)
def test_lists_are_walked_once_while_new_jobs_arrive(client: FlaskClient, dataset: str) -> None:
    made = [submit_training(client, dataset).get_json()["id"] for _ in range(7)]
    seen: list[str] = []
    address: str | None = "/api/v1/jobs?limit=3&task=image_gan.train"
    while address:
        page = client.get(address)
        seen += [job["id"] for job in page.get_json()["data"]]
        submit_training(client, dataset)
        link = page.headers.get("Link")
        assert page.get_json()["has_more"] == bool(link)
        address = link.partition(">")[0][1:] if link else None
    assert seen == made[::-1]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=-1", "limit=x", "limit=1_0", "limit=", "lmit=5", "state=done", "cursor=!!", "created_after=now",
     "created_after=2026-13-01T00:00:00Z", "limit=1&limit=2", "q=%00", "task=" + "x" * 200,
     "&".join(["id=job_1"] * 101)],
)  # fmt: skip
def test_query_parameters_that_cannot_be_used(client: FlaskClient, query: str) -> None:
    reply = client.get(f"/api/v1/jobs?{query}")
    assert (reply.status_code, reply.content_type) == (422, PROBLEM)
    assert len(reply.get_json()["errors"]) == 1


def test_all_faults_of_an_address_are_told(client: FlaskClient) -> None:
    reply = client.get("/api/v1/jobs?limt=5&limit=0&state=done")
    places = [error["where"]["query"] for error in reply.get_json()["errors"]]
    assert sorted(places) == ["limit", "limt", "state"]
    assert "Did you mean limit?" in reply.get_json()["errors"][0]["detail"]


def test_filters(client: FlaskClient, dataset: str, worker: ActingWorker) -> None:
    first = submit_training(client, dataset, name="winter coats").get_json()
    worker.train()
    second = submit_training(client, dataset, name="summer hats").get_json()

    def ids(query: str) -> list[str]:
        return [job["id"] for job in client.get(f"/api/v1/jobs?{query}").get_json()["data"]]

    assert ids("q=coats") == [first["id"]]
    assert ids("state=queued") == [second["id"]]
    assert ids("state=queued&state=succeeded&task=image_gan.train") == [second["id"], first["id"]]
    assert first["id"] in ids(f"dataset={dataset}")
    assert ids(f"created_before={first['created_at']}&task=image_gan.train") == []
    assert ids(f"created_after={first['created_at']}&task=image_gan.train") == [second["id"]]
    assert ids("limit=1000") == ids(f"limit={10**40}") == ids("limit=100")
    assert ids(f"id={first['id']}&id={second['id']}&id=job_{'0' * 26}") == [second["id"], first["id"]]
    assert ids(f"id={first['id']}&state=queued") == []
    assert ids("q=WINTER") == [first["id"]]
    assert ids("q=%25") == ids("q=_oat") == []


@pytest.mark.parametrize("job", ["job_" + "0" * 26, "nope", "job_%00", "..%2f..%2fetc%2fpasswd", "job_" + "z" * 26])
@pytest.mark.parametrize("part", ["", "/events", "/metrics", "/logs", "/samples", "/artifacts"])
def test_unknown_jobs(client: FlaskClient, job: str, part: str) -> None:
    reply = client.get(f"/api/v1/jobs/{job}{part}")
    assert (reply.status_code, reply.content_type) == (404, PROBLEM)
    assert reply.get_json()["code"] in ("job-not-found", "not-found")


@pytest.mark.checklist(32)
def test_cancel(client: FlaskClient, dataset: str, worker: ActingWorker) -> None:
    queued = submit_training(client, dataset).get_json()["id"]
    assert client.post(f"/api/v1/jobs/{queued}/cancel").status_code == 200
    again = client.post(f"/api/v1/jobs/{queued}/cancel")
    assert (again.status_code, again.get_json()["state"]) == (200, "cancelled")
    running = submit_training(client, dataset).get_json()["id"]
    lease = worker.take("training")
    asked = client.post(f"/api/v1/jobs/{running}/cancel")
    assert (asked.status_code, asked.get_json()["state"]) == (202, "cancelling")
    assert asked.get_json()["hint"] == "The worker is finishing the current step."
    lease.cancelled()
    assert client.get(f"/api/v1/jobs/{running}").get_json()["state"] == "cancelled"
    done = submit_training(client, dataset).get_json()["id"]
    worker.train()
    late = client.post(f"/api/v1/jobs/{done}/cancel")
    assert (late.status_code, late.get_json()["code"]) == (409, "job-already-finished")


def test_a_failed_job_says_why(client: FlaskClient, dataset: str, worker: ActingWorker) -> None:
    job = submit_training(client, dataset).get_json()["id"]
    worker.fail("training", "diverged", Fault("The loss became NaN at step {step}.", {"step": 120}))
    error = client.get(f"/api/v1/jobs/{job}").get_json()["error"]
    assert (error["code"], error["title"]) == ("diverged", "The training went wrong")
    assert error["detail"] == "The loss became NaN at step 120. Try a learning rate of 0.0005."
    assert error["suggestion"] == {"params": {"learning_rate": 0.0005}}
    assert error["help_url"] == "/docs/problems/diverged"
    assert error["retryable"] is False


def test_retry_makes_a_new_job(client: FlaskClient, dataset: str, worker: ActingWorker) -> None:
    job = submit_training(client, dataset, name="coats").get_json()
    early = client.post(f"/api/v1/jobs/{job['id']}/retry")
    assert (early.status_code, early.get_json()["code"]) == (409, "job-still-running")
    worker.fail("training", "diverged")
    again = client.post(f"/api/v1/jobs/{job['id']}/retry", json={"from": "checkpoint"})
    assert again.status_code == 202
    assert again.get_json()["id"] != job["id"]
    assert (again.get_json()["retried_from"], again.get_json()["params"]) == (job["id"], job["params"])
    assert again.headers["Location"].endswith(again.get_json()["id"])
    wrong = client.post(f"/api/v1/jobs/{job['id']}/retry", json={"from": "middle"})
    assert (wrong.status_code, pointers(wrong.get_json())) == (422, ["#/from"])


def test_delete(client: FlaskClient, dataset: str, worker: ActingWorker) -> None:
    job = submit_training(client, dataset).get_json()["id"]
    running = client.delete(f"/api/v1/jobs/{job}")
    assert (running.status_code, running.get_json()["code"]) == (409, "job-still-running")
    client.post(f"/api/v1/jobs/{job}/cancel")
    deleted = client.delete(f"/api/v1/jobs/{job}")
    assert (deleted.status_code, deleted.data) == (204, b"")
    assert client.get(f"/api/v1/jobs/{job}").status_code == 404
    assert client.delete(f"/api/v1/jobs/{job}").status_code == 404


def test_sentences_follow_the_language(client: FlaskClient) -> None:
    english = client.get("/api/v1/jobs/nope")
    assert english.headers["Content-Language"] == "en"
    chinese = client.get("/api/v1/jobs/nope", headers={"Accept-Language": "zh-CN,zh;q=0.9"})
    assert chinese.headers["Content-Language"] == "zh-CN"
    assert chinese.get_json()["code"] == english.get_json()["code"]
    assert "Accept-Language" in chinese.headers["Vary"]


def test_wrong_methods_and_media(client: FlaskClient) -> None:
    put = client.put("/api/v1/jobs", json={})
    assert (put.status_code, put.content_type) == (405, PROBLEM)
    assert {"GET", "POST"} <= set(put.headers["Allow"].split(", "))
    picky = client.get("/api/v1/jobs", headers={"Accept": "text/html"})
    assert (picky.status_code, picky.get_json()["code"]) == (406, "not-acceptable")


def test_a_database_outage_is_said_so(client: FlaskClient, engine: Engine) -> None:
    with engine.db.begin() as session:
        session.execute(text("ALTER TABLE job RENAME TO elsewhere"))
    reply = client.get("/api/v1/jobs")
    assert (reply.status_code, reply.get_json()["code"]) == (503, "unavailable")
    assert reply.headers["Retry-After"]
    assert "elsewhere" not in reply.text
    assert "sqlite" not in reply.text.lower()


def test_a_waiting_job_that_has_not_changed_costs_one_look(
    client: FlaskClient, worker: ActingWorker, engine: Engine
) -> None:
    """Where requests share what they read, whoever has a job's ETag is told by its version alone."""
    job = submit_training(client, ready_dataset(client, worker)).get_json()["id"]
    shared = client.application.extensions["aigc"]
    shared.moment.seconds, shared.told.seconds = 60.0, 60.0
    place = f"/api/v1/jobs/{job}"
    tag = client.get(place).headers["ETag"]
    seen: list[str] = []
    event.listen(engine.db.engine, "before_cursor_execute", lambda *told: seen.append(told[2]))
    reply = client.get(place, headers={"If-None-Match": tag})
    assert (reply.status_code, reply.headers["ETag"], reply.headers["Retry-After"]) == (304, tag, "1")
    assert len([statement for statement in seen if " job" in statement]) == 1
    assert client.get(place, headers={"If-None-Match": '"another"'}).status_code == 200
    assert client.patch(place, json={"name": "another name"}).status_code == 200
    assert client.get(place, headers={"If-None-Match": tag}).status_code == 200
    lease = worker.take("training")
    running = client.get(place, headers={"If-None-Match": tag})
    assert (running.status_code, running.get_json()["state"]) == (200, "running")
    assert lease.claim.job_id == job


def test_those_who_began_to_look_together_are_not_told_their_places_together(
    client: FlaskClient, worker: ActingWorker
) -> None:
    random.seed(1)
    seconds, dataset = [0.0], ready_dataset(client, worker)
    shared = client.application.extensions["aigc"]
    shared.told = Moment(60.0, lambda: seconds[0])
    keys = [("default", submit_training(client, dataset).get_json()["id"], "en") for _ in range(12)]
    for _, job, _ in keys:
        assert client.get(f"/api/v1/jobs/{job}").status_code == 200
    known = []
    for seconds[0] in (29.0, 45.0, 76.0):
        known.append(len([key for key in keys if shared.told.peek(key)]))
    assert known[0] == 12
    assert 0 < known[1] < 12
    assert known[2] == 0


@pytest.fixture
def polled(client: FlaskClient, worker: ActingWorker) -> tuple[str, str]:
    """A waiting job on a server whose requests share what they read; its address, and the ETag it had."""
    job = submit_training(client, ready_dataset(client, worker)).get_json()["id"]
    shared = client.application.extensions["aigc"]
    shared.moment.seconds, shared.told.seconds = 60.0, 60.0
    return f"/api/v1/jobs/{job}", client.get(f"/api/v1/jobs/{job}").headers["ETag"]


def test_whoever_changed_a_job_sees_it_while_others_poll(client: FlaskClient, polled: tuple[str, str]) -> None:
    place, tag = polled
    done = threading.Event()

    def poll() -> list[int]:
        """What a program does that looks again and again: the versions it was told, in order."""
        mine, known, versions = client.application.test_client(), tag, list[int]()
        while not done.is_set():
            reply = mine.get(place, headers={"If-None-Match": known})
            assert reply.status_code in (200, 304)
            known = reply.headers["ETag"]
            versions.append(int(known.strip('"').partition("-")[0]))
        return versions

    with ThreadPoolExecutor(4) as pool:
        polls = [pool.submit(poll) for _ in range(4)]
        try:
            for number in range(12):
                assert client.patch(place, json={"name": f"name-{number}"}).status_code == 200
                seen = client.get(place, headers={"If-None-Match": tag})
                assert (seen.status_code, seen.get_json()["name"]) == (200, f"name-{number}")
                tag = seen.headers["ETag"]
            assert client.post(f"{place}/cancel").status_code == 200
            assert client.get(place, headers={"If-None-Match": tag}).get_json()["state"] == "cancelled"
        finally:
            done.set()
        for told in polls:
            versions = told.result()
            assert versions == sorted(versions)


def test_a_poll_tells_nobody_else_of_a_job(client: FlaskClient, polled: tuple[str, str], engine: Engine) -> None:
    place, tag = polled
    known = {"If-None-Match": tag}
    replies = {}
    for tenant in ("default", "other"):
        secret = tokens.create(engine, Principal(tenant, "ann"), name=tenant)[1]
        replies[tenant] = client.get(place, headers=known | {"Authorization": f"Bearer {secret}"})
    assert {tenant: reply.status_code for tenant, reply in replies.items()} == {"default": 304, "other": 404}


def test_a_poll_says_that_the_database_is_away(client: FlaskClient, polled: tuple[str, str], engine: Engine) -> None:
    place, tag = polled
    for now, then, status in (("job", "elsewhere", 503), ("elsewhere", "job", 304)):
        with engine.db.begin() as session:
            session.execute(text(f"ALTER TABLE {now} RENAME TO {then}"))
        assert client.get(place, headers={"If-None-Match": tag}).status_code == status
