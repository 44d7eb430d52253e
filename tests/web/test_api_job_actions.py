"""What can be asked of jobs over the API: wait for others, pause, resume, retry, duplicate."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from jobs import workers
from jobs.engine import Engine
from tests.web.acting import ActingWorker, ready_dataset, submit_training

GENERATE = "image_gan.generate"


@pytest.fixture
def dataset(client: FlaskClient, worker: ActingWorker) -> str:
    return ready_dataset(client, worker)


def post(client: FlaskClient, path: str, **body: Any) -> tuple[int, Any]:
    reply = client.post(f"/api/v1{path}", json=body) if body else client.post(f"/api/v1{path}")
    return reply.status_code, reply.get_json()


def get(client: FlaskClient, job: str) -> Any:
    return client.get(f"/api/v1/jobs/{job}").get_json()


def training(client: FlaskClient, dataset: str, **more: object) -> str:
    return str(submit_training(client, dataset, **more).get_json()["id"])


def test_a_job_waits_for_another(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    first = training(client, dataset, name="the first")
    status, second = post(client, "/jobs", task="image_gan.train", params={"dataset": dataset}, after=[first])
    assert (status, second["state"], second["hint"]) == (202, "blocked", "Waiting for the first.")
    assert second["snapshot"]["after"] == [first]
    assert second["queue"] == {"name": "training.cpu", "position": None, "starts_in_seconds": None}
    listed = client.get("/api/v1/jobs?state=blocked").get_json()["data"]
    assert [(job["id"], job["hint"]) for job in listed] == [(second["id"], "Waiting for the first.")]
    worker.train()
    assert get(client, second["id"])["state"] == "queued"


def test_a_generation_with_its_training(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    first = training(client, dataset)
    status, second = post(client, "/jobs", task=GENERATE, params={"model": first})
    assert (status, second["state"], second["params"]["model"]) == (202, "blocked", first)
    worker.train()
    job, model = get(client, second["id"]), get(client, first)["model"]
    assert (job["state"], job["params"]["model"]) == ("queued", model)
    used = job["snapshot"]["inputs"]["model"]
    assert (used["id"], used["version"], len(used["sha256"])) == (model, 1, 64)


def test_a_job_is_cancelled_with_what_it_waits_for(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    first = training(client, dataset, name="the first")
    second = post(client, "/jobs", task=GENERATE, params={"model": first})[1]["id"]
    worker.fail("training", "diverged")
    job = get(client, second)
    assert job["state"] == "cancelled"
    assert job["hint"] == "Cancelled because the job it waited for, the first, ended as failed."
    refused = post(client, "/jobs", task=GENERATE, params={"model": first})
    assert (refused[0], refused[1]["code"]) == (409, "needed-job-failed")
    assert refused[1]["detail"].startswith("The job the first has failed, so nothing can wait for it.")
    assert [error["pointer"] for error in refused[1]["errors"]] == ["#/params/model"]
    body = {"task": "image_gan.train", "params": {"dataset": dataset}, "after": [first]}
    assert [error["pointer"] for error in post(client, "/jobs", **body)[1]["errors"]] == ["#/after/0"]
    assert (
        client.post("/api/v1/jobs", json=body, headers={"Accept-Language": "zh"})
        .get_json()["detail"]
        .startswith("任务 the first 已经失败")
    )


@pytest.mark.parametrize("after", ["job_1", ["nonsense"], ["job_" + "0" * 26], [5], ["job_" + "0" * 26] * 33])
def test_what_cannot_be_waited_for(client: FlaskClient, dataset: str, after: object) -> None:
    status, body = post(client, "/jobs", task="image_gan.train", params={"dataset": dataset}, after=after)
    assert (status, body["code"]) == (422, "invalid-params")
    assert all(error["pointer"].startswith("#/after") for error in body["errors"])


def test_what_is_waited_for_stays(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    first, other = training(client, dataset), training(client, dataset)
    post(client, "/jobs", task="image_gan.train", params={"dataset": dataset}, after=[first, other])
    worker.train()
    reply = client.delete(f"/api/v1/jobs/{first}")
    assert (reply.status_code, reply.get_json()["code"]) == (409, "job-needed")


def test_pause_and_resume_a_job_that_waits(client: FlaskClient, dataset: str) -> None:
    job = training(client, dataset)
    held = post(client, f"/jobs/{job}/pause")
    assert (held[0], held[1]["state"]) == (200, "paused")
    assert post(client, f"/jobs/{job}/pause") == held
    gone_on = post(client, f"/jobs/{job}/resume")
    assert (gone_on[0], gone_on[1]["state"]) == (200, "queued")
    assert post(client, f"/jobs/{job}/resume") == gone_on


def test_pause_and_resume_a_job_that_runs(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    job = training(client, dataset)
    lease = worker.take("training")
    assert [post(client, f"/jobs/{job}/resume")[1]["state"], post(client, f"/jobs/{job}/pause")[1]["state"]] == [
        "running",
        "pausing",
    ]
    assert (post(client, f"/jobs/{job}/pause")[0], post(client, f"/jobs/{job}/resume")[1]["code"]) == (
        202,
        "job-pausing",
    )
    lease.checkpoint(7, worker.keep({"state.safetensors": b"state"}))
    lease.paused()
    assert post(client, f"/jobs/{job}/resume")[1]["state"] == "queued"
    assert worker.take("training").claim.resumed_step == 7


def test_refusals_say_why(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    done = training(client, dataset)
    worker.train()
    for what, end in (("pause", "so it cannot be paused."), ("resume", "so it cannot go on. Retry it instead.")):
        status, body = post(client, f"/jobs/{done}/{what}")
        assert (status, body["code"]) == (409, "job-already-finished")
        assert body["detail"] == f"The job has already succeeded, {end}"
        assert post(client, f"/jobs/job_{'0' * 26}/{what}")[0] == 404
    stopping = training(client, dataset)
    worker.take("training")
    post(client, f"/jobs/{stopping}/cancel")
    for what in ("pause", "resume"):
        status, body = post(client, f"/jobs/{stopping}/{what}")
        assert (status, body["code"]) == (409, "job-cancelling")
    assert post(client, f"/jobs/{stopping}/retry")[1]["code"] == "job-still-running"


def test_a_duplicate_differs_in_what_is_said(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    job = training(client, dataset, name="first")
    worker.take("training")
    same = client.post(f"/api/v1/jobs/{job}/duplicate", headers={"Idempotency-Key": "k1"}).get_json()
    assert (same["name"], same["params"], same["retried_from"]) == ("first", get(client, job)["params"], None)
    again = client.post(f"/api/v1/jobs/{job}/duplicate", headers={"Idempotency-Key": "k1"})
    assert (again.get_json()["id"], again.headers["Idempotent-Replayed"]) == (same["id"], "true")
    other = post(client, f"/jobs/{job}/duplicate", params={"epochs": 3}, name="second")[1]
    assert (other["name"], other["params"]["epochs"], other["params"]["dataset"]) == ("second", 3, dataset)
    status, refused = post(client, f"/jobs/{job}/duplicate", params={"epochs": 0})
    assert (status, [error["pointer"] for error in refused["errors"]]) == (422, ["#/params/epochs"])


def test_an_import_is_not_duplicated(client: FlaskClient, dataset: str) -> None:
    job = client.get(f"/api/v1/datasets/{dataset}").get_json()["job"]
    assert post(client, f"/jobs/{job}/duplicate")[1]["code"] == "needs-upload"


def test_the_snapshot_names_preset_and_content(client: FlaskClient, dataset: str) -> None:
    job = get(client, training(client, dataset, preset="quick"))
    used = job["snapshot"]["inputs"]["dataset"]
    assert (job["snapshot"]["preset"], job["snapshot"]["code_version"]) == ("quick", workers.code_version())
    assert (used["id"], used["name"], used["version"], len(used["sha256"])) == (dataset, "digits", 1, 64)


def test_a_queued_job_says_when_it_starts(
    client: FlaskClient, engine: Engine, worker: ActingWorker, dataset: str
) -> None:
    for _ in range(3):
        training(client, dataset)
        worker.train()
    running, waiting = training(client, dataset), training(client, dataset)
    worker.take("training")
    reply = client.get(f"/api/v1/jobs/{waiting}")
    queue = reply.get_json()["queue"]
    assert queue["position"] == 1
    assert 0 <= queue["starts_in_seconds"]["low"] < queue["starts_in_seconds"]["high"] <= 60
    assert get(client, running)["queue"]["starts_in_seconds"] is None
    assert client.get(f"/api/v1/jobs/{waiting}", headers={"If-None-Match": reply.headers["ETag"]}).status_code == 304
