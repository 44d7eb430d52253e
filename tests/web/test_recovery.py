"""What users see of recovery: hints while a job waits, advice when it has failed, limits, full disks."""

from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from aigc_models.base import Fault
from jobs import workers
from jobs.engine import Engine
from jobs.lifecycle import Failure
from tests.web.acting import ActingWorker, ready_dataset, submit_training
from tests.web.reading import read
from web import create_app

FORM = "/jobs/new/image_gan.train"


@pytest.fixture
def dataset(client: FlaskClient, worker: ActingWorker) -> str:
    return ready_dataset(client, worker)


def training(client: FlaskClient, dataset: str, **params: object) -> str:
    wanted = {"dataset": dataset, **params}
    return str(submit_training(client, dataset, params=wanted).get_json()["id"])


def test_a_job_that_ran_out_of_memory_can_be_duplicated_with_the_batch_size_to_try(
    client: FlaskClient, dataset: str, worker: ActingWorker
) -> None:
    job = training(client, dataset, batch_size=256, epochs=7)
    worker.fail("training", "out_of_memory")
    page = read(client, f"/jobs/{job}")
    assert "The device ran out of memory at batch size 256. Try 128." in page.text
    assert "Duplicate with batch size 128" in page.text
    address = next(link for link in page.links if "batch_size=128" in link)
    form = read(client, address)
    assert (form.fields["batch_size"], form.fields["epochs"], form.fields["dataset"]) == ("128", "7", dataset)
    made = client.post(FORM, data=form.fields)
    params = client.get("/api/v1" + made.location).get_json()["params"]
    assert (params["batch_size"], params["epochs"]) == (128, 7)
    assert "以批大小 128 复制" in read(client, f"/jobs/{job}?lang=zh").text


def test_the_api_carries_the_suggestion_as_data(client: FlaskClient, dataset: str, worker: ActingWorker) -> None:
    job = training(client, dataset, batch_size=256)
    worker.fail("training", "out_of_memory")
    error = client.get(f"/api/v1/jobs/{job}").get_json()["error"]
    assert (error["code"], error["suggestion"]) == ("out-of-memory", {"params": {"batch_size": 128}})
    assert error["errors"][0]["pointer"] == "#/batch_size"
    other = training(client, dataset)
    worker.fail("training", "internal")
    assert client.get(f"/api/v1/jobs/{other}").get_json()["error"]["suggestion"] is None
    assert "Duplicate with" not in read(client, f"/jobs/{other}").text


@pytest.mark.parametrize(
    ("code", "hint", "adjustments", "said"),
    [
        (
            "out_of_memory",
            "The device ran out of memory. The next attempt starts soon and computes each batch in 2 parts.",
            {"micro_batches": 2},
            "Since the device ran out of memory, 2 times fewer items are computed at once.",
        ),
        (
            "diverged",
            "The loss became NaN. The next attempt starts soon with the learning rate halved.",
            {"learning_rate_factor": 0.5},
            "Since the loss became NaN, the learning rate is half of what is set.",
        ),
        ("disk_full", "The disk is full. The job goes on by itself when there is room.", {}, ""),
        ("internal", "The last attempt failed. The next one starts by itself soon.", {}, ""),
    ],
)
def test_a_job_that_waits_for_its_next_attempt_says_why(
    client: FlaskClient, dataset: str, worker: ActingWorker, code: str, hint: str, adjustments: object, said: str
) -> None:
    id_ = training(client, dataset)
    worker.take("training").fail(Failure(code))
    job = client.get(f"/api/v1/jobs/{id_}").get_json()
    assert (job["state"], job["hint"], job["adjustments"]) == ("waiting_retry", hint, adjustments)
    page = read(client, f"/jobs/{id_}")
    assert hint in page.text
    assert said in page.text


def test_a_time_limit_is_kept_shown_and_part_of_the_request(
    client: FlaskClient, dataset: str, worker: ActingWorker
) -> None:
    body = {"task": "image_gan.train", "params": {"dataset": dataset}, "time_limit": 5400}
    key = {"Idempotency-Key": "one"}
    job = client.post("/api/v1/jobs", json=body, headers=key).get_json()
    assert job["time_limit"] == 5400
    assert client.post("/api/v1/jobs", json=body, headers=key).get_json()["id"] == job["id"]
    other = client.post("/api/v1/jobs", json=body | {"time_limit": 60}, headers=key)
    assert (other.status_code, other.get_json()["code"]) == (422, "idempotency-key-reused")
    assert "90 min" in read(client, f"/jobs/{job['id']}").text
    fault = Fault("The job has run for its time limit of {limit}.", {"limit": "90 min"}, code="timeout")
    worker.fail("training", "timeout", fault)
    again = client.post(f"/api/v1/jobs/{job['id']}/retry").get_json()
    assert again["time_limit"] == 5400


@pytest.mark.parametrize("limit", [0, -1, "2h", 1.5, 10**9])
def test_a_limit_that_is_none_is_refused(client: FlaskClient, dataset: str, limit: object) -> None:
    reply = submit_training(client, dataset, time_limit=limit)
    assert reply.status_code == 422
    assert [error["pointer"] for error in reply.get_json()["errors"]] == ["#/time_limit"]


def test_a_limit_can_be_typed_into_the_form(client: FlaskClient, dataset: str) -> None:
    typed = read(client, f"{FORM}?dataset={dataset}").fields | {"_time_limit": " 90m ", "_preset": "quick"}
    made = client.post(FORM, data=typed)
    job = client.get("/api/v1" + made.location).get_json()
    assert job["time_limit"] == 5400
    assert read(client, f"{FORM}?from={job['id']}").fields["_time_limit"] == "90 min"
    for wrong, sentence in (
        ("soon", "soon is no time. Write 90m, 2h or 1d."),
        ("0s", "The time limit must be between 1 second and 365 days."),
    ):
        refused = client.post(FORM, data=typed | {"_time_limit": wrong})
        assert refused.status_code == 422
        assert sentence in refused.text
        assert 'href="#f-time_limit"' in refused.text
        assert f'value="{wrong}"' in refused.text
    checked = client.post(FORM, data=typed | {"_time_limit": "soon", "_action": "check"})
    assert checked.status_code == 422


def test_full_disks_are_told_on_the_page_of_workers(
    client: FlaskClient, dataset: str, worker: ActingWorker, engine: Engine
) -> None:
    assert "is full" not in read(client, "/workers").text
    training(client, dataset)
    worker.take("training").fail(Failure("disk_full"))
    assert "1 job waits for room on a disk" in read(client, "/workers").text
    strict = engine.settings.model_copy(update={"min_free_disk": 100 * 10**6})
    workers.beat(engine, worker.id, free_disk=3 * 10**6)
    app = create_app(strict, replace(engine, settings=strict))
    page = read(app.test_client(), "/workers")
    assert page.has("div", role="alert")
    assert "3 MB is free there, 100 MB is needed." in page.text
    assert client.get("/api/v1/workers").get_json()["data"][0]["free_disk"] == 3 * 10**6
