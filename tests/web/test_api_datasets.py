"""Uploading datasets: what is taken, what is refused and with which words, and what happens to them later."""

import io
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from aigc_models.base import Fault
from jobs.engine import Engine
from jobs.settings import Settings
from tests.web.acting import PNG, REPORT, ActingWorker, picture_zip, ready_dataset, submit_training, upload
from web import create_app

PROBLEM = "application/problem+json"


def test_upload_is_checked_by_a_job(client: FlaskClient, worker: ActingWorker) -> None:
    made = upload(client, picture_zip(), name="My digits", licence="CC0", notes="by hand")
    assert made.status_code == 202
    assert made.headers["Location"].endswith(made.get_json()["id"])
    assert (made.get_json()["state"], made.get_json()["licence"], made.get_json()["notes"]) == (
        "checking",
        "CC0",
        "by hand",
    )
    assert made.get_json()["source"]["filename"] == "pictures.zip"
    worker.check_dataset()
    ready = client.get(made.headers["Location"])
    assert (ready.get_json()["state"], ready.get_json()["report"]) == ("ready", REPORT)
    assert client.get(f"/api/v1/datasets/{made.get_json()['id']}/report").get_json() == REPORT
    preview = client.get(f"/api/v1/datasets/{made.get_json()['id']}/preview")
    assert (preview.data, preview.content_type) == (PNG, "image/png")


def test_upload_waits_for_the_check(app: Flask, worker: ActingWorker) -> None:
    def work() -> None:
        for _ in range(1_000):
            if app.test_client().get("/api/v1/jobs?state=queued").get_json()["data"]:
                worker.check_dataset()
                return

    form = {"file": (io.BytesIO(picture_zip()), "pictures.zip")}
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        reply = app.test_client().post("/api/v1/datasets", data=form)
        working.result()
    assert (reply.status_code, reply.get_json()["state"], reply.get_json()["name"]) == (201, "ready", "pictures")
    assert reply.headers["Preference-Applied"] == "wait=20"


@pytest.mark.checklist(16)
def test_a_refused_file_lists_its_faults(app: Flask, client: FlaskClient, worker: ActingWorker) -> None:
    fault = Fault("The image {file} is cut off.", {"file": "a.png"}, where={"file": "a.png"}, code="broken-image")

    def work() -> None:
        for _ in range(1_000):
            if app.test_client().get("/api/v1/jobs?state=queued").get_json()["data"]:
                worker.fail("generation", "invalid_data", fault)
                return

    form = {"file": (io.BytesIO(picture_zip()), "pictures.zip")}
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        reply = client.post("/api/v1/datasets", data=form)
        working.result()
    assert (reply.status_code, reply.content_type, reply.get_json()["code"]) == (422, PROBLEM, "invalid-data")
    assert reply.get_json()["errors"] == [
        {"detail": "The image a.png is cut off.", "where": {"file": "a.png"}, "code": "broken-image"}
    ]
    refused = client.get(f"/api/v1/datasets/{reply.get_json()['dataset']}").get_json()
    assert (refused["state"], refused["error"]["code"]) == ("refused", "invalid-data")
    assert submit_training(client, refused["id"]).get_json()["code"] == "dataset-not-ready"


def traversal() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../../evil.png", PNG)
    return packed.getvalue()


def bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("big.png", b"\0" * (64 * 2**20))
    return packed.getvalue()


@pytest.mark.parametrize(
    ("data", "filename", "status", "code"),
    [
        (b"", "empty.zip", 422, "dataset-empty"),
        (b"%PDF-1.7", "report.pdf", 415, "unsupported-file"),
        (b"\x7fELF\x02\x01\x01\0", "../../etc/passwd", 415, "unsupported-file"),
        (traversal(), "evil.zip", 422, "unsafe-archive"),
        (bomb(), "bomb.zip", 422, "archive-bomb"),
    ],
)
def test_files_that_are_refused_at_once(
    client: FlaskClient, settings: Settings, data: bytes, filename: str, status: int, code: str
) -> None:
    reply = upload(client, data, filename)
    assert (reply.status_code, reply.content_type, reply.get_json()["code"]) == (status, PROBLEM, code)
    assert "{" not in reply.get_json()["detail"]
    assert client.get("/api/v1/datasets").get_json()["data"] == []
    assert client.get("/api/v1/jobs").get_json()["data"] == []
    reply.close()
    assert not list((settings.staging / "uploads").glob("*"))


@pytest.mark.parametrize("size", [2**16 + 1, 2**16 + 2**20 + 1])
def test_uploads_are_bounded(settings: Settings, engine: Engine, size: int) -> None:
    small = settings.model_copy(update={"max_upload": 2**16})
    client = create_app(small, replace(engine, settings=small)).test_client()
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\n' + b"x" * size + b"\r\n--x--"
    reply = client.post("/api/v1/datasets", data=form, content_type="multipart/form-data; boundary=x")
    assert (reply.status_code, reply.get_json()["code"]) == (413, "file-too-large")
    assert "66 KB" in reply.get_json()["detail"]
    assert not list((settings.staging / "uploads").glob("*"))


@pytest.mark.parametrize(
    ("form", "code", "pointer"),
    [
        ({"name": "x"}, "file-missing", "#/file"),
        ({"file": "text, not a file"}, "file-missing", "#/file"),
        ({"nmae": "x"}, "invalid-params", "#/nmae"),
        ({"name": "x" * 121}, "invalid-params", "#/name"),
        ({"params": '{"colour": "blue"}'}, "invalid-params", "#/params/colour"),
        ({"params": '{"color": "rgb"}'}, "invalid-params", "#/params/color"),
    ],
)
def test_forms_that_cannot_be_used(client: FlaskClient, form: dict[str, Any], code: str, pointer: str) -> None:
    if "file" not in form and code != "file-missing":
        form = {**form, "file": (io.BytesIO(picture_zip()), "pictures.zip")}
    reply = client.post("/api/v1/datasets", data=form, content_type="multipart/form-data")
    assert (reply.status_code, reply.get_json()["code"]) == (422, code)
    assert [error["pointer"] for error in reply.get_json()["errors"]] == [pointer]


def test_other_bodies(client: FlaskClient) -> None:
    assert client.post("/api/v1/datasets", data=b"x", content_type="application/zip").status_code == 415
    assert client.post("/api/v1/datasets", data=b"{", content_type="application/json").status_code == 400
    unknown = client.post("/api/v1/datasets", json={"starter": "imagenet"})
    assert (unknown.status_code, unknown.get_json()["errors"][0]["pointer"]) == (422, "#/starter")


def test_a_full_disk_is_said_so(settings: Settings, engine: Engine) -> None:
    greedy = settings.model_copy(update={"min_free_disk": 2**60})
    client = create_app(greedy, replace(engine, settings=greedy)).test_client()
    reply = upload(client, picture_zip())
    assert (reply.status_code, reply.get_json()["code"]) == (507, "storage-full")


def test_starters_are_imported_once(client: FlaskClient, worker: ActingWorker) -> None:
    headers = {"Prefer": "wait=0"}
    first = client.post("/api/v1/datasets", json={"starter": "fashion-mnist"}, headers=headers)
    assert (first.status_code, first.get_json()["licence"]) == (202, "MIT")
    worker.check_dataset()
    again = client.post("/api/v1/datasets", json={"starter": "fashion-mnist"})
    assert (again.status_code, again.get_json()["id"]) == (201, first.get_json()["id"])


def test_the_same_key_gives_the_same_dataset(client: FlaskClient) -> None:
    def send(data: bytes) -> Any:
        form = {"file": (io.BytesIO(data), "pictures.zip")}
        headers = {"Prefer": "wait=0", "Idempotency-Key": "once"}
        return client.post("/api/v1/datasets", data=form, headers=headers)

    first, again, other = send(picture_zip(3)), send(picture_zip(3)), send(picture_zip(4))
    assert first.get_json()["id"] == again.get_json()["id"]
    assert (other.status_code, other.get_json()["code"]) == (422, "idempotency-key-reused")


def test_lists_and_filters(client: FlaskClient, worker: ActingWorker) -> None:
    ready = ready_dataset(client, worker)
    checking = upload(client, picture_zip(4), name="more").get_json()["id"]

    def ids(query: str) -> list[str]:
        return [dataset["id"] for dataset in client.get(f"/api/v1/datasets?{query}").get_json()["data"]]

    assert ids("") == [checking, ready]
    assert ids("ready=true") == [ready]
    assert ids("kind=tables") == []
    assert client.get("/api/v1/datasets?ready=maybe").status_code == 422


def test_a_used_dataset_stays(client: FlaskClient, worker: ActingWorker) -> None:
    dataset = ready_dataset(client, worker)
    job = submit_training(client, dataset).get_json()["id"]
    used = client.delete(f"/api/v1/datasets/{dataset}")
    assert (used.status_code, used.get_json()["code"]) == (409, "dataset-in-use")
    assert used.get_json()["detail"] == "The dataset is used by 1 job or model. Delete that first."
    told = {
        "detail": "It is used by the job digits-image-gan. Delete that first.",
        "where": {"job": job},
        "code": "dataset-in-use",
    }
    assert used.get_json()["errors"] == [told]
    client.post(f"/api/v1/jobs/{job}/cancel")
    client.delete(f"/api/v1/jobs/{job}")
    assert client.delete(f"/api/v1/datasets/{dataset}").status_code == 204
    assert client.get(f"/api/v1/datasets/{dataset}").status_code == 404


@pytest.mark.parametrize("part", ["", "/report", "/preview"])
def test_unknown_datasets(client: FlaskClient, part: str) -> None:
    assert client.get(f"/api/v1/datasets/ds_{'0' * 26}{part}").status_code == 404
    assert client.get(f"/api/v1/datasets/nope{part}").status_code == 404


def test_preview_comes_with_the_check(client: FlaskClient) -> None:
    dataset = upload(client, picture_zip()).get_json()["id"]
    assert client.get(f"/api/v1/datasets/{dataset}/preview").status_code == 404
