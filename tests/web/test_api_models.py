"""Model versions, tasks, workers and queues over the API."""

import pytest
from flask.testing import FlaskClient

from aigc_models import registry
from tests.web.acting import ActingWorker, picture_zip, ready_dataset, submit_training, upload


@pytest.fixture
def model(client: FlaskClient, worker: ActingWorker) -> str:
    job = submit_training(client, ready_dataset(client, worker), name="coats").get_json()["id"]
    worker.train()
    made: str = client.get(f"/api/v1/jobs/{job}").get_json()["model"]
    return made


def test_a_model_has_figures_files_and_lineage(client: FlaskClient, model: str) -> None:
    found = client.get(f"/api/v1/models/{model}")
    assert (found.get_json()["name"], found.get_json()["version"], found.get_json()["family"]) == (
        "coats",
        1,
        "image_gan",
    )
    assert {file["name"] for file in found.get_json()["files"]} == {"weights.safetensors", "config.json"}
    assert found.get_json()["size"] == 1002
    assert found.get_json()["metrics"] == {"loss": 0.01}
    assert client.get(found.get_json()["files"][0]["content"]).status_code == 200
    same = client.get(f"/api/v1/models/{model}", headers={"If-None-Match": found.headers["ETag"]})
    assert same.status_code == 304
    assert [row["id"] for row in client.get("/api/v1/models?family=image_gan").get_json()["data"]] == [model]
    assert client.get("/api/v1/models?family=image_vae").get_json()["data"] == []
    assert client.get(f"/api/v1/models/mdl_{'0' * 26}").status_code == 404


def test_generating_is_a_job_with_the_model_in_its_place(client: FlaskClient, model: str) -> None:
    reply = client.post(f"/api/v1/models/{model}/generate", json={"params": {"count": 16}})
    assert (reply.status_code, reply.get_json()["task"]) == (202, "image_gan.generate")
    assert (reply.get_json()["params"]["model"], reply.get_json()["params"]["count"]) == (model, 16)
    refused = client.post(f"/api/v1/models/{model}/generate", json={"params": {"count": 0, "cuont": 1}})
    assert refused.status_code == 422
    assert {error["pointer"] for error in refused.get_json()["errors"]} == {"#/params/count", "#/params/cuont"}
    draft = client.post(f"/api/v1/models/{model}/generate?validate_only=true", json={})
    assert (draft.status_code, draft.get_json()["object"]) == (200, "job_draft")
    assert client.post(f"/api/v1/models/mdl_{'0' * 26}/generate", json={}).status_code == 404


def test_generating_takes_all_that_a_submission_takes(client: FlaskClient, model: str) -> None:
    first = client.get(f"/api/v1/models/{model}").get_json()["job"]
    waited = submit_training(client, ready_input(client, first)).get_json()["id"]
    body = {"time_limit": 60, "after": [waited], "tags": ["draft"], "notes": "to look at", "name": "coats"}
    made = client.post(f"/api/v1/models/{model}/generate", json=body).get_json()
    assert (made["state"], made["time_limit"], made["tags"], made["notes"]) == ("blocked", 60, ["draft"], "to look at")
    assert made["snapshot"]["after"] == [waited]
    wrong = client.post(f"/api/v1/models/{model}/generate?validate_only=true", json={"tags": ["a,b"], "name": "\x07"})
    assert [error["pointer"] for error in wrong.get_json()["errors"]] == ["#/name", "#/tags/0"]


def test_a_name_means_the_newest_version(client: FlaskClient, worker: ActingWorker, model: str) -> None:
    dataset = client.get(f"/api/v1/models/{model}").get_json()["dataset"]
    name = client.get(f"/api/v1/datasets/{dataset}").get_json()["name"]
    again = client.post(
        "/api/v1/jobs", json={"task": "image_gan.train", "name": "coats", "params": {"dataset": name}}
    ).get_json()
    assert (again["params"]["dataset"], again["dataset"]) == (dataset, dataset)
    worker.train()
    newest = client.get(f"/api/v1/jobs/{again['id']}").get_json()["model"]
    assert client.get("/api/v1/models/coats").get_json()["id"] == newest != model
    made = client.post("/api/v1/models/coats/generate", json={"params": {"count": 4}}).get_json()
    assert made["params"]["model"] == newest
    named = client.post("/api/v1/jobs", json={"task": "image_gan.generate", "params": {"model": "coats"}})
    assert named.get_json()["params"]["model"] == newest
    assert client.delete("/api/v1/models/coats").status_code == 404
    for missing in ("/models/boots", "/models/boots%00", "/datasets/boots"):
        assert client.get(f"/api/v1{missing}").status_code == 404


def test_a_name_of_a_dataset_means_its_newest_version_that_is_ready(
    client: FlaskClient, worker: ActingWorker, model: str
) -> None:
    ready = client.get(f"/api/v1/models/{model}").get_json()["dataset"]
    name = client.get(f"/api/v1/datasets/{ready}").get_json()["name"]
    newer = upload(client, picture_zip(2), name=name).get_json()
    assert (newer["name"], newer["version"], newer["state"]) == (name, 2, "checking")
    assert client.get(f"/api/v1/datasets/{name}").get_json()["id"] == ready


def ready_input(client: FlaskClient, job: str) -> str:
    """The dataset that a job read."""
    found: str = client.get(f"/api/v1/jobs/{job}").get_json()["dataset"]
    return found


def test_a_used_model_stays(client: FlaskClient, model: str) -> None:
    job = client.post(f"/api/v1/models/{model}/generate", json={}).get_json()["id"]
    used = client.delete(f"/api/v1/models/{model}")
    assert (used.status_code, used.get_json()["code"]) == (409, "model-in-use")
    client.post(f"/api/v1/jobs/{job}/cancel")
    client.delete(f"/api/v1/jobs/{job}")
    assert client.delete(f"/api/v1/models/{model}").status_code == 204
    assert client.get(f"/api/v1/models/{model}").status_code == 404


def test_tasks_carry_their_schema(client: FlaskClient) -> None:
    tasks = client.get("/api/v1/tasks").get_json()["data"]
    assert [task["task"] for task in tasks] == list(registry.tasks())
    one = client.get("/api/v1/tasks/image_gan.train")
    assert one.get_json()["schema"]["$schema"].endswith("2020-12/schema")
    assert one.get_json()["schema"]["properties"]["epochs"]["minimum"] == 1
    assert set(one.get_json()["presets"]) == {"quick", "balanced", "best"}
    assert (
        client.get("/api/v1/tasks/image_gan.train", headers={"If-None-Match": one.headers["ETag"]}).status_code == 304
    )
    assert client.get("/api/v1/tasks/image_gan.fly").status_code == 404


def test_workers_and_queues(client: FlaskClient, worker: ActingWorker) -> None:
    job = submit_training(client, ready_dataset(client, worker)).get_json()["id"]
    queue = {row["name"]: row for row in client.get("/api/v1/queues").get_json()["data"]}["training.cpu"]
    assert (queue["queued"], queue["workers"]) == (1, 1)
    worker.take("training")
    (seen,) = client.get("/api/v1/workers").get_json()["data"]
    assert (seen["id"], seen["lane"], seen["job"]) == (worker.id, "training", job)


def test_the_index_leads_everywhere(client: FlaskClient) -> None:
    links = client.get("/api/v1/").get_json()["links"]
    for name in ("jobs", "datasets", "models", "tasks", "workers", "queues", "tokens", "openapi"):
        assert client.get(links[name]).status_code == 200, name
