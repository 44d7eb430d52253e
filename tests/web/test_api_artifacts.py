"""Bytes of stored files: checksums, ranges, names, and what browsers may do with them."""

import hashlib

import pytest
from flask.testing import FlaskClient

from jobs.engine import Engine
from tests.web.acting import PNG, ActingWorker, ready_dataset, submit_training


@pytest.fixture
def files(client: FlaskClient, worker: ActingWorker) -> dict[str, str]:
    """Ids of a training's files by name."""
    job = submit_training(client, ready_dataset(client, worker)).get_json()["id"]
    worker.train()
    listed = client.get(f"/api/v1/jobs/{job}/artifacts?role=output").get_json()["data"]
    return {file["name"]: file["id"] for file in listed}


def content(files: dict[str, str], name: str) -> str:
    return f"/api/v1/artifacts/{files[name]}/content"


@pytest.mark.checklist(34)
def test_whole_file_with_its_checksum(client: FlaskClient, files: dict[str, str]) -> None:
    reply = client.get(content(files, "model/weights.safetensors"))
    assert reply.data == b"w" * 1000
    assert reply.headers["ETag"] == f'"{hashlib.sha256(reply.data).hexdigest()}"'
    assert reply.headers["Accept-Ranges"] == "bytes"
    assert reply.headers["Content-Length"] == "1000"
    assert reply.headers["Content-Disposition"] == "attachment; filename=weights.safetensors"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in reply.headers["Content-Security-Policy"]


def test_only_pictures_open_in_the_browser(client: FlaskClient, files: dict[str, str]) -> None:
    assert client.get(content(files, "samples.png")).headers["Content-Disposition"].startswith("inline")
    assert client.get(content(files, "report.json")).headers["Content-Disposition"].startswith("attachment")


@pytest.mark.checklist(34)
@pytest.mark.parametrize(
    ("asked", "status", "size", "range_"),
    [
        ("bytes=0-9", 206, 10, "bytes 0-9/1000"),
        ("bytes=990-", 206, 10, "bytes 990-999/1000"),
        ("bytes=-5", 206, 5, "bytes 995-999/1000"),
        ("bytes=5000-", 416, None, "bytes */1000"),
    ],
)
def test_ranges(
    client: FlaskClient, files: dict[str, str], asked: str, status: int, size: int | None, range_: str
) -> None:
    reply = client.get(content(files, "model/weights.safetensors"), headers={"Range": asked})
    assert (reply.status_code, reply.headers["Content-Range"]) == (status, range_)
    if size is not None:
        assert reply.data == b"w" * size
    else:
        assert reply.content_type == "application/problem+json"


def test_known_bytes_are_not_sent_again(client: FlaskClient, files: dict[str, str]) -> None:
    etag = client.get(content(files, "samples.png")).headers["ETag"]
    reply = client.get(content(files, "samples.png"), headers={"If-None-Match": etag})
    assert (reply.status_code, reply.data) == (304, b"")


@pytest.mark.checklist(34)
def test_another_type_than_asked_for(client: FlaskClient, files: dict[str, str]) -> None:
    reply = client.get(content(files, "samples.png"), headers={"Accept": "application/json"})
    assert (reply.status_code, reply.get_json()["code"]) == (406, "not-acceptable")
    assert client.get(content(files, "samples.png"), headers={"Accept": "image/*"}).data == PNG


def test_description(client: FlaskClient, files: dict[str, str]) -> None:
    found = client.get(f"/api/v1/artifacts/{files['samples.png']}").get_json()
    assert (found["name"], found["media_type"], found["size"]) == ("samples.png", "image/png", len(PNG))
    assert client.get(found["links"]["content"]).data == PNG


def test_unknown_and_vanished_files(client: FlaskClient, files: dict[str, str], engine: Engine) -> None:
    assert client.get(f"/api/v1/artifacts/art_{'0' * 26}/content").status_code == 404
    assert client.get("/api/v1/artifacts/..%2fsecret/content").status_code == 404
    engine.store.delete(hashlib.sha256(b"w" * 1000).hexdigest())
    reply = client.get(content(files, "model/weights.safetensors"))
    assert (reply.status_code, reply.get_json()["code"]) == (404, "not-found")
