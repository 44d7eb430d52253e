"""Uploads in pieces over the API, by tus 1.0, and the datasets that are made of them."""

import base64
import gzip
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from jobs.engine import Engine
from jobs.settings import Settings
from tests.web.acting import ActingWorker, picture_zip
from tests.web.reading import Page, read, send
from tests.web.serving import new_home, serve
from web import create_app

PACKED = gzip.compress(b"a,b\n1,2\n" * 90, mtime=0)  # the same in every process, as it is in tests' names
TUS = {"Tus-Resumable": "1.0.0"}
PIECE = {"Content-Type": "application/offset+octet-stream"}
AT_ONCE = {"Prefer": "wait=0"}
UPLOADS = "/api/v1/uploads"


def begin(client: FlaskClient, length: int, filename: str = "pictures.zip") -> str:
    headers = {**TUS, "Upload-Length": str(length), "Upload-Metadata": f"filename {coded(filename)},more"}
    reply = client.post(UPLOADS, headers=headers)
    assert (reply.status_code, reply.headers["Upload-Offset"]) == (201, "0"), reply.text
    return urlsplit(reply.headers["Location"]).path


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def add(client: FlaskClient, place: str, offset: int, data: bytes, **more: str) -> TestResponse:
    return client.patch(place, data=data, headers={**TUS, **PIECE, "Upload-Offset": str(offset), **more})


def whole(client: FlaskClient, data: bytes, filename: str = "pictures.zip") -> str:
    place = begin(client, len(data), filename)
    assert add(client, place, 0, data).status_code == 204
    return place


def code(reply: TestResponse) -> tuple[int, str]:
    return reply.status_code, reply.get_json()["code"]


def test_a_dataset_comes_of_the_pieces(client: FlaskClient, settings: Settings, worker: ActingWorker) -> None:
    data = picture_zip()
    place = begin(client, len(data), "图片 1.zip")
    first = add(client, place, 0, data[:100])
    assert (first.status_code, first.headers["Upload-Offset"], first.data) == (204, "100", b"")
    head = client.head(place, headers=TUS)
    assert (head.headers["Upload-Offset"], head.headers["Upload-Length"]) == ("100", str(len(data)))
    assert (head.headers["Cache-Control"], head.headers["Tus-Resumable"]) == ("no-store", "1.0.0")
    assert head.headers["Upload-Expires"].endswith("GMT")
    assert code(client.post(f"{place}/dataset", json={})) == (409, "upload-incomplete")
    assert add(client, place, 100, data[100:]).headers["Upload-Offset"] == str(len(data))
    said = {"name": "My digits", "licence": "CC0", "notes": "by hand", "params": {"color": "rgb"}}
    refused = client.post(f"{place}/dataset", json=said)
    assert [error["pointer"] for error in refused.get_json()["errors"]] == ["#/params/color"]
    made = client.post(f"{place}/dataset", json={**said, "params": {}}, headers=AT_ONCE)
    assert made.status_code == 202, made.text
    assert (made.get_json()["licence"], made.get_json()["source"]["size"]) == ("CC0", len(data))
    assert made.get_json()["source"]["filename"] == "图片 1.zip"
    again = client.post(f"{place}/dataset", headers=AT_ONCE)
    assert again.get_json()["id"] == made.get_json()["id"]
    assert client.get(place).get_json()["dataset"] == made.get_json()["id"]
    assert not list((settings.staging / "uploads").glob("*.part"))
    worker.check_dataset()
    assert client.get(made.headers["Location"]).get_json()["state"] == "ready"


def test_pieces_that_do_not_fit(client: FlaskClient) -> None:
    place = begin(client, 10)
    assert code(add(client, place, 5, b"x")) == (409, "upload-moved")
    assert code(add(client, place, 0, b"x" * 11)) == (413, "upload-overrun")
    assert code(add(client, place, 0, b"x", **{"Content-Type": "text/plain"})) == (415, "unsupported-media-type")
    assert code(add(client, place, 0, b"x", **{"Upload-Offset": "-1"})) == (400, "bad-request")
    assert code(add(client, place, 0, b"x", **{"Tus-Resumable": "0.2.2"})) == (412, "other-tus-version")
    assert add(client, place, 0, b"x", **{"Content-Type": "application/octet-stream"}).status_code == 204


@pytest.mark.parametrize(
    ("headers", "status", "problem"),
    [
        ({}, 400, "bad-request"),
        ({"Upload-Length": "many"}, 400, "bad-request"),
        ({"Upload-Length": str(2**40)}, 413, "file-too-large"),
        ({"Upload-Length": "1", "Upload-Metadata": "filename !"}, 400, "bad-request"),
        ({"Upload-Length": "1", "Tus-Resumable": "2.0.0"}, 412, "other-tus-version"),
    ],
)
def test_what_cannot_be_begun(client: FlaskClient, headers: dict[str, str], status: int, problem: str) -> None:
    reply = client.post(UPLOADS, headers=headers)
    assert code(reply) == (status, problem)
    assert reply.headers["Tus-Version"] == "1.0.0"


@pytest.mark.parametrize(
    ("name", "kind", "head", "said"),
    [
        ("book.xlsx", "", b"PK\x03\x04" + bytes(60), "looks like an Excel file (.xlsx)"),
        ("paper.pdf", "", b"%PDF-1.7 " + b"x" * 60, "looks like a PDF document"),
        ("rows.csv", "images", b"a,b\n1,2\n3,4\n5,6\n", "cannot become a dataset of the kind Images"),
        ("rows.csv.gz", "images", PACKED, "cannot become a dataset of the kind Images"),
        ("tool.py", "", b"import os\n\nprint(os.getcwd())\n", "looks like the source of a program"),
        ("rows.csv", "sounds", b"a,b\n1,2\n3,4\n5,6\n", "no kind of dataset called sounds"),
    ],
)
def test_a_beginning_that_can_be_no_dataset_is_refused_before_the_rest_is_sent(
    client: FlaskClient, settings: Settings, name: str, kind: str, head: bytes, said: str
) -> None:
    told = {"filename": name.encode(), "kind": kind.encode(), "head": head}
    pairs = ",".join(f"{key} {base64.b64encode(value).decode()}" for key, value in told.items() if value)
    headers = {**TUS, "Upload-Length": "3000000", "Upload-Metadata": pairs}
    reply = client.post(UPLOADS, headers=headers)
    assert reply.status_code in (415, 422), reply.text
    assert said in reply.text
    assert not [path for path in settings.staging.rglob("*") if path.is_file()], "nothing was begun"


@pytest.mark.parametrize(
    ("name", "kind", "head"),
    [
        ("pictures.zip", "", b"PK\x03\x04" + bytes(60)),
        ("rows.csv.gz", "table", PACKED[:40]),
        ("tool.py", "text", b"import os\n\nprint(os.getcwd())\n"),
        ("rows.csv", "table", b"a,b"),
    ],
)
def test_a_beginning_that_may_become_one_is_let_in(client: FlaskClient, name: str, kind: str, head: bytes) -> None:
    told = {"filename": name.encode(), "kind": kind.encode(), "head": head}
    pairs = ",".join(f"{key} {base64.b64encode(value).decode()}" for key, value in told.items() if value)
    reply = client.post(UPLOADS, headers={**TUS, "Upload-Length": "3000000", "Upload-Metadata": pairs})
    assert reply.status_code == 201, reply.text


def test_the_protocol_is_told(client: FlaskClient, settings: Settings) -> None:
    told = client.options(UPLOADS).headers
    assert (told["Tus-Version"], told["Tus-Max-Size"]) == ("1.0.0", str(settings.max_upload))
    assert set(told["Tus-Extension"].split(",")) == {"creation", "expiration", "termination"}


def test_a_full_disk_is_said_so(settings: Settings, engine: Engine) -> None:
    greedy = settings.model_copy(update={"min_free_disk": 2**60})
    full = create_app(greedy, replace(engine, settings=greedy)).test_client()
    assert code(full.post(UPLOADS, headers={"Upload-Length": "1"})) == (507, "storage-full")
    place = begin(create_app(settings, engine).test_client(), 1)
    assert code(add(full, place, 0, b"x")) == (507, "storage-full")


def test_an_upload_is_called_off(client: FlaskClient, settings: Settings) -> None:
    place = whole(client, b"123")
    assert client.delete(place, headers=TUS).status_code == 204
    for reply in (client.get(place), client.delete(place), client.post(f"{place}/dataset"), add(client, place, 3, b"")):
        assert code(reply) == (404, "not-found")
    assert not list((settings.staging / "uploads").iterdir())


@pytest.mark.parametrize(
    ("data", "filename", "problem"),
    [(b"", "a.zip", (422, "dataset-empty")), (b"%PDF-1.7", "a.pdf", (415, "unsupported-file"))],
)
def test_files_that_are_refused_as_whole_ones_are(
    client: FlaskClient, data: bytes, filename: str, problem: tuple[int, str]
) -> None:
    place = begin(client, len(data), filename)
    if data:
        add(client, place, 0, data)
    assert code(client.post(f"{place}/dataset", headers=AT_ONCE)) == problem
    assert client.get("/api/v1/datasets").get_json()["data"] == []


def test_two_who_finish_at_once_get_one_dataset(app: Flask, client: FlaskClient) -> None:
    place = whole(client, picture_zip())

    def finish(_number: int) -> Any:
        return app.test_client().post(f"{place}/dataset", headers=AT_ONCE).get_json()["id"]

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(finish, range(4)))) == 1


def test_a_connection_that_is_cut_leaves_a_beginning(tmp_path: Path, empty_database: Path) -> None:
    """Against a real server and through a real socket, as no client library sends half a body."""
    data = picture_zip(400)
    with serve(new_home(tmp_path, empty_database)) as server:
        headers = {"Upload-Length": str(len(data)), "Upload-Metadata": f"filename {coded('pictures.zip')}"}
        place = httpx.post(server.url + UPLOADS, headers=headers).headers["Location"]
        address = urlsplit(place)
        head = f"PATCH {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nUpload-Offset: 0\r\n"
        head += f"Content-Type: {PIECE['Content-Type']}\r\nContent-Length: {len(data)}\r\n\r\n"
        with socket.create_connection((address.hostname or "", address.port or 0)) as line:
            line.sendall(head.encode() + data[: len(data) // 2])
            line.shutdown(socket.SHUT_WR)
            while line.recv(4096):  # until the server has noticed
                pass
        offset = int(httpx.head(place).headers["Upload-Offset"])
        assert offset == len(data) // 2
        rest = {**PIECE, "Upload-Offset": str(offset)}
        assert httpx.patch(place, headers=rest, content=data[offset:]).status_code == 204
        made = httpx.post(f"{place}/dataset", headers=AT_ONCE)
        assert (made.status_code, made.json()["source"]["size"]) == (202, len(data))
        assert "unexpected fault" not in (server.home / "log").read_text()


def test_the_form_takes_what_came_in_pieces(client: FlaskClient) -> None:
    form = "/datasets/new"
    assert read(client, form).has("form", **{"data-pieces": UPLOADS, "data-piece": str(8 * 2**20)})
    upload = whole(client, picture_zip()).rpartition("/")[2]
    wrong = send(client, form, {"upload": upload, "name": "Shirts", "kind": "images", "image_size": "7"})
    assert wrong.status_code == 422
    sent = send(client, form, {"upload": upload, "name": "Shirts", "_base": ""})
    assert sent.status_code == 303, Page(sent.text).text
    assert client.get(f"/api/v1{sent.headers['Location']}").get_json()["name"] == "shirts"
    unknown = send(client, form, {"upload": "../../aigc.db"})
    assert unknown.status_code == 404
