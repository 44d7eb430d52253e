"""Cards, archives, aliases, users and pauses through the API."""

import io
import json
import zipfile

import pytest
import yaml
from flask.testing import FlaskClient

from jobs import workers
from jobs.claiming import WorkerIdentity, claim
from jobs.engine import Engine
from jobs.workers import DeviceState
from tests.web.acting import ActingWorker, picture_zip, ready_dataset, submit_training, upload

API = "/api/v1"


@pytest.fixture
def dataset(client: FlaskClient, worker: ActingWorker) -> str:
    return ready_dataset(client, worker)


@pytest.fixture
def models(client: FlaskClient, worker: ActingWorker, dataset: str) -> list[str]:
    """Two versions of one name, the older one first."""
    for _ in range(2):
        submit_training(client, dataset, name="shirts")
        worker.train()
    return [row["id"] for row in client.get(f"{API}/models").get_json()["data"]][::-1]


def test_licence_and_notes_can_be_changed(client: FlaskClient, dataset: str) -> None:
    reply = client.patch(f"{API}/datasets/{dataset}", json={"licence": "CC0", "notes": "by hand"})
    assert (reply.status_code, reply.get_json()["licence"], reply.get_json()["notes"]) == (200, "CC0", "by hand")
    client.patch(f"{API}/datasets/{dataset}", json={"notes": ""})
    row = client.get(f"{API}/datasets/{dataset}").get_json()
    assert (row["licence"], row["notes"]) == ("CC0", "")
    for wrong in ({"name": "other"}, {"licence": "x" * 121}, {"notes": "a\0b"}, {"licence": 5}):
        assert client.patch(f"{API}/datasets/{dataset}", json=wrong).status_code == 422, wrong


def test_versions_are_listed_by_name(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    upload(client, picture_zip(4), name="digits")
    upload(client, picture_zip(5), name="scans")
    rows = client.get(f"{API}/datasets?name=digits").get_json()["data"]
    assert [row["version"] for row in rows] == [2, 1]
    assert rows[1]["id"] == dataset


def test_the_list_of_users_comes_with_the_refusal(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    empty = {"count": 0, "jobs": [], "models": [], "aliases": []}
    assert client.get(f"{API}/datasets/{dataset}/used-by").get_json() == empty
    job = submit_training(client, dataset).get_json()
    worker.train()
    used = client.get(f"{API}/datasets/{dataset}/used-by").get_json()
    assert (used["count"], used["jobs"]) == (1, [{"id": job["id"], "name": job["name"]}])
    assert len(used["models"]) == 1
    refused = client.delete(f"{API}/datasets/{dataset}")
    assert (refused.status_code, refused.get_json()["code"]) == (409, "dataset-in-use")
    assert refused.get_json()["used_by"] == used["jobs"]


def test_the_uploaded_file_can_be_deleted_alone(client: FlaskClient, dataset: str) -> None:
    assert client.delete(f"{API}/datasets/{dataset}/source").status_code == 204
    row = client.get(f"{API}/datasets/{dataset}").get_json()
    assert (row["state"], row["source"]["filename"]) == ("ready", "pictures.zip")
    assert row["source"]["deleted_at"] is not None
    files = client.get(f"{API}/jobs/{row['job']}/artifacts").get_json()["data"]
    assert "upload" not in {file["role"] for file in files}
    checking = upload(client, picture_zip(4), name="more").get_json()["id"]
    assert client.delete(f"{API}/datasets/{checking}/source").get_json()["code"] == "dataset-not-ready"


def test_an_alias_is_an_id(client: FlaskClient, worker: ActingWorker, models: list[str]) -> None:
    first, second = models
    made = client.post(f"{API}/models/{first}/promote", json={"alias": "production"})
    assert (made.status_code, made.get_json()["aliases"]) == (200, ["production"])
    assert client.get(f"{API}/models/shirts@production").get_json()["id"] == first
    job = client.post(f"{API}/models/shirts@production/generate", json={"params": {"count": 4}}).get_json()
    assert job["params"]["model"] == first
    body = {"task": "image_gan.generate", "params": {"model": "shirts@production"}}
    client.post(f"{API}/models/{second}/promote", json={"alias": "production", "replaces": first})
    assert client.post(f"{API}/jobs", json=body).get_json()["params"]["model"] == second
    assert client.get(f"{API}/models/shirts@staging").status_code == 404
    faulty = client.post(f"{API}/jobs", json={**body, "params": {"model": "shirts@staging"}})
    assert (faulty.status_code, faulty.get_json()["errors"][0]["pointer"]) == (422, "#/params/model")


def test_an_alias_moves_only_from_what_was_expected(client: FlaskClient, models: list[str]) -> None:
    first, second = models
    promote = f"{API}/models/{second}/promote"
    client.post(f"{API}/models/{first}/promote", json={"alias": "staging", "replaces": None})
    for stale in (None, second):
        refused = client.post(promote, json={"alias": "staging", "replaces": stale})
        assert (refused.status_code, refused.get_json()["code"]) == (409, "alias-moved")
    assert client.post(promote, json={"alias": "staging", "replaces": first}).status_code == 200
    assert client.post(promote, json={"alias": "best"}).status_code == 422
    assert client.delete(f"{API}/models/{first}/aliases/staging").status_code == 404
    assert client.delete(f"{API}/models/{second}/aliases/staging").status_code == 204


def test_what_an_alias_stands_for_is_kept(client: FlaskClient, models: list[str]) -> None:
    client.post(f"{API}/models/{models[0]}/promote", json={"alias": "staging"})
    assert client.get(f"{API}/models/{models[0]}/used-by").get_json()["aliases"] == ["staging"]
    for id_ in (models[0], "shirts@staging"):
        refused = client.delete(f"{API}/models/{id_}")
        assert (refused.status_code, refused.get_json()["code"]) == (409, "model-has-alias")


def test_a_card_is_written_and_taken_away(client: FlaskClient, models: list[str]) -> None:
    card = {"intended_use": "Drafts of *shirts*\nonly: |", "limits": "No faces", "licence": "CC BY: 4.0 # not"}
    reply = client.patch(f"{API}/models/{models[0]}", json=card)
    assert (reply.status_code, reply.get_json()["card"]) == (200, {**card, "notes": ""})
    taken = client.get(f"{API}/models/{models[0]}/card")
    assert taken.content_type == "text/markdown; charset=utf-8"
    assert "shirts-v1.md" in taken.headers["Content-Disposition"]
    _, header, body = taken.text.split("---\n", 2)
    facts = yaml.safe_load(header)
    assert (facts["name"], facts["version"], facts["id"]) == ("shirts", 1, models[0])
    assert (facts["license"], facts["metrics"]) == ("CC BY: 4.0 # not", {"loss": 0.01})
    assert facts["dataset"]["name"] == "digits"
    for heading in ("## Data", "## Intended use", "## Limits", "## Licence", "## How good it is"):
        assert heading in body
    assert "Drafts of *shirts*" in body
    again = client.get(f"{API}/models/{models[0]}/card", headers={"If-None-Match": taken.headers["ETag"]})
    assert again.status_code == 304
    unwritten = client.get(f"{API}/models/{models[1]}/card").text
    assert "Not written yet." in unwritten


def test_a_card_speaks_the_readers_language(client: FlaskClient, models: list[str]) -> None:
    text = client.get(f"{API}/models/{models[0]}/card", headers={"Accept-Language": "zh"}).text
    assert "## 数据" in text
    assert "## Data" not in text


def test_an_archive_holds_weights_card_settings_and_licence(client: FlaskClient, models: list[str]) -> None:
    client.patch(f"{API}/models/{models[0]}", json={"licence": "CC0"})
    reply = client.get(f"{API}/models/{models[0]}/archive")
    assert (reply.status_code, reply.content_type) == (200, "application/zip")
    assert "Content-Length" not in reply.headers, "a server would cut the archive there"
    with zipfile.ZipFile(io.BytesIO(reply.data)) as archive:
        assert archive.testzip() is None
        content = {name.removeprefix("shirts-v1/"): archive.read(name) for name in archive.namelist()}
    assert set(content) == {
        "README.md", "settings.json", "metrics.json", "LICENSE.txt", "model/weights.safetensors", "model/config.json",
    }  # fmt: skip
    assert content["model/weights.safetensors"] == b"w" * 1000
    assert content["LICENSE.txt"] == b"CC0\n"
    assert json.loads(content["settings.json"])["task"] == "image_gan.train"
    assert b"# shirts v1" in content["README.md"]
    assert client.get(f"{API}/models/{models[0]}/archive").data == reply.data
    again = client.get(f"{API}/models/{models[0]}/archive", headers={"If-None-Match": reply.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_an_archive_whose_bytes_are_gone_is_not_begun(client: FlaskClient, engine: Engine, models: list[str]) -> None:
    row = client.get(f"{API}/models/{models[0]}").get_json()
    engine.store.delete(row["files"][0]["sha256"])
    reply = client.get(f"{API}/models/{models[0]}/archive")
    assert (reply.status_code, reply.get_json()["code"]) == (404, "not-found")


def test_a_worker_is_paused_and_resumed(
    client: FlaskClient, worker: ActingWorker, engine: Engine, dataset: str
) -> None:
    workers.beat(engine, worker.id, device=DeviceState("cpu", 8 * 2**30, 2**30))
    submit_training(client, dataset)
    paused = client.post(f"{API}/workers/{worker.id}/pause")
    assert (paused.status_code, paused.get_json()["paused"]) == (200, "slot")
    assert (paused.get_json()["memory_total"], paused.get_json()["memory_free"]) == (8 * 2**30, 2**30)
    assert claim(engine, WorkerIdentity(worker.id, "training", "cpu")) is None
    (pause,) = client.get(f"{API}/pauses").get_json()["data"]
    assert (pause["queue"], pause["device"]) == ("training.cpu", "cpu")
    assert client.post(f"{API}/workers/{worker.id}/resume").get_json()["paused"] is None
    assert claim(engine, WorkerIdentity(worker.id, "training", "cpu")) is not None
    assert client.delete(f"{API}/pauses/{pause['id']}").status_code == 404
    assert client.post(f"{API}/workers/wrk_{'0' * 26}/pause").status_code == 404


def test_a_queue_is_paused_and_resumed(client: FlaskClient, worker: ActingWorker, engine: Engine, dataset: str) -> None:
    submit_training(client, dataset)
    paused = client.post(f"{API}/queues/training.cpu/pause")
    assert (paused.status_code, paused.get_json()["paused"], paused.get_json()["queued"]) == (200, True, 1)
    (seen,) = client.get(f"{API}/workers").get_json()["data"]
    assert seen["paused"] == "queue"
    assert claim(engine, WorkerIdentity(worker.id, "training", "cpu")) is None
    (waiting,) = client.get(f"{API}/jobs?state=queued").get_json()["data"]
    assert waiting["hint"] == "The workers of this queue are paused. Resume them on the page Workers."
    assert client.post(f"{API}/queues/training.cpu/resume").get_json()["paused"] is False
    assert client.post(f"{API}/queues/training.tpu/pause").status_code == 404


def test_only_administrators_pause(client: FlaskClient, worker: ActingWorker, engine: Engine) -> None:
    secret = client.post(f"{API}/tokens", json={"name": "ci", "scope": "submit"}).get_json()["secret"]
    headers = {"Authorization": f"Bearer {secret}"}
    reply = client.post(f"{API}/queues/training.cpu/pause", headers=headers)
    assert (reply.status_code, reply.get_json()["code"]) == (403, "scope-too-small")
    assert client.get(f"{API}/pauses", headers=headers).get_json()["data"] == []


def test_what_others_wrote_is_not_overwritten_unseen(client: FlaskClient, models: list[str], dataset: str) -> None:
    for place, mine, theirs in (
        (f"{API}/datasets/{dataset}", {"notes": "mine"}, {"licence": "theirs"}),
        (f"{API}/models/{models[0]}", {"limits": "mine"}, {"notes": "theirs"}),
    ):
        seen = client.get(place).headers["ETag"]
        assert seen.startswith('"'), "a strong tag"
        done = client.patch(place, json=mine, headers={"If-Match": seen})
        assert (done.status_code, done.headers["ETag"]) == (200, client.get(place).headers["ETag"])
        late = client.patch(place, json=theirs, headers={"If-Match": seen})
        assert (late.status_code, late.get_json()["code"]) == (412, "version-mismatch")
        assert "theirs" not in client.get(place).text
        weak = f"W/{done.headers['ETag']}"
        refused = [(tag, 412) for tag in (weak, '""', '"x", ""', '"other"')]
        for tag, status in (*refused, (f'"x", {done.headers["ETag"]}', 200), ("*", 200)):
            assert client.patch(place, json=theirs, headers={"If-Match": tag}).status_code == status, tag
        assert client.get(place, headers={"If-None-Match": client.get(place).headers["ETag"]}).status_code == 304


def test_an_alias_that_moved_is_no_reason_to_refuse_a_card(client: FlaskClient, models: list[str]) -> None:
    place = f"{API}/models/{models[0]}"
    seen = client.get(place).headers["ETag"]
    client.post(f"{place}/promote", json={"alias": "production"})
    assert client.get(place).headers["ETag"] != seen
    assert client.patch(place, json={"limits": "small"}, headers={"If-Match": seen}).status_code == 200
    late = client.patch(place, json={"limits": "x"}, headers={"If-Match": seen, "Accept-Language": "zh"})
    assert late.get_json()["detail"] == "模型版本在此期间已被更改。请重新读取，然后再次更改。"
