"""Datasets from an address: off until hosts are listed, guarded as webhooks are, no larger than uploads."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from jobs import fetching
from jobs.engine import Engine
from jobs.errors import FileTooLarge, InvalidParams
from jobs.settings import Settings
from jobs.webhooks.sending import Network
from tests.jobs.receiving import NAME, Certificate, Got, Play, receiving
from tests.web.acting import ActingWorker, picture_zip
from tests.web.reading import read
from web import create_app

ZIP = picture_zip()


def giving(content: bytes, head: str = "", length: int | None = None) -> Play:
    """Answer with a file."""

    def play(_got: Got, link: socket.socket) -> None:
        size = len(content) if length is None else length
        link.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n{head}\r\n".encode() + content)

    return play


def saying(text: str) -> Play:
    """Answer with these very bytes."""

    def play(_got: Got, link: socket.socket) -> None:
        link.sendall(text.encode())

    return play


def endless(_got: Got, link: socket.socket) -> None:
    link.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        link.sendall(b"10000\r\n" + b"x" * 2**16 + b"\r\n")


@pytest.fixture
def allowing(settings: Settings, engine: Engine) -> Callable[[int], FlaskClient]:
    """A server that may fetch from a port of this machine."""

    def make(port: int) -> FlaskClient:
        own = {"dataset_hosts": "127.0.0.1", "dataset_allow_private": f"http://127.0.0.1:{port}"}
        mine = settings.model_copy(update=own)
        return create_app(mine, replace(engine, settings=mine)).test_client()

    return make


def fetch(client: FlaskClient, url: str, **more: Any) -> TestResponse:
    return client.post("/api/v1/datasets", json={"url": url, **more}, headers={"Prefer": "wait=0"})


def fault(reply: TestResponse) -> tuple[int, str, str]:
    (found,) = reply.get_json()["errors"]
    assert found["pointer"] == "#/url"
    return reply.status_code, found["code"], found["detail"]


def test_it_is_off_until_a_host_is_listed(client: FlaskClient) -> None:
    status, code, detail = fault(fetch(client, "https://data.example.org/a.zip"))
    assert (status, code) == (422, "fetching-off")
    assert "AIGC_DATASET_HOSTS" in detail
    assert read(client, "/docs/problems/fetching-off").has("h1")


def test_a_file_becomes_a_dataset(allowing: Callable[[int], FlaskClient], worker: ActingWorker) -> None:
    with receiving(giving(ZIP, 'Content-Disposition: attachment; filename="../many shirts.zip"\r\n')) as host:
        client = allowing(host.port)
        reply = fetch(client, host.url(path="/files/x?token=secret"), name="shirts", licence="CC0")
        assert reply.status_code == 202
        made = reply.get_json()
        assert (made["name"], made["licence"], made["source"]["filename"]) == ("shirts", "CC0", "many shirts.zip")
        assert made["notes"] == host.url(path="/files/x"), "where it is from, without what may be secret"
        worker.check_dataset()
        assert client.get(f"/api/v1/datasets/{made['id']}").get_json()["state"] == "ready"
        (got,) = host.got
    assert got.line == "GET /files/x?token=secret HTTP/1.1"
    assert got.headers["host"] == f"127.0.0.1:{host.port}"
    assert "authorization" not in got.headers
    assert "cookie" not in got.headers


def test_without_a_name_the_address_names_it(allowing: Callable[[int], FlaskClient]) -> None:
    with receiving(giving(ZIP)) as host:
        made = fetch(allowing(host.port), host.url(path="/data/caf%C3%A9%20shirts.zip")).get_json()
    assert made["source"]["filename"] == "café shirts.zip"


@pytest.mark.parametrize(
    ("play", "said"),
    [
        (saying("HTTP/1.1 404 Not Found\r\n\r\n"), "answered 404 Not Found"),
        (saying("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n\r\n"), "answered 401 Unauthorized"),
        (saying("SSH-2.0-OpenSSH_9\r\n"), "is not HTTP"),
        (giving(ZIP[:100], length=len(ZIP)), "broke before all of the file had come"),
        (saying(""), "broke before all of the file had come"),
        (saying("HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest\r\n\r\n"), "may not be fetched from"),
        (saying("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/x\r\n\r\n"), "Plain http is only for hosts"),
        (saying("HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n"), "must read like https://name/path"),
        (saying("HTTP/1.1 302 Found\r\nLocation: /again\r\n\r\n"), "redirects again and again"),
    ],
)
def test_what_goes_wrong_is_told(allowing: Callable[[int], FlaskClient], play: Play, said: str) -> None:
    with receiving(play) as host:
        client = allowing(host.port)
        status, code, detail = fault(fetch(client, host.url(path="/a.zip")))
    assert status == 422
    assert code in ("fetch-failed", "invalid-url")
    assert said in detail
    assert client.get("/api/v1/datasets").get_json()["data"] == []


@pytest.mark.parametrize(
    "play", [giving(b"x", length=10**12), endless, giving(b"x" * (5 * 2**20))], ids=["announced", "endless", "sent"]
)
def test_more_than_an_upload_may_have_is_refused_while_it_comes(
    allowing: Callable[[int], FlaskClient], settings: Settings, play: Play
) -> None:
    with receiving(play) as host:
        reply = fetch(allowing(host.port), host.url())
    assert (reply.status_code, reply.get_json()["code"]) == (413, "file-too-large")
    assert list(settings.staging.rglob("upload-*")) == []


def test_what_is_no_dataset_is_told_as_for_an_upload(allowing: Callable[[int], FlaskClient]) -> None:
    with receiving(giving(b"%PDF-1.7 and so on")) as host:
        reply = fetch(allowing(host.port), host.url(path="/report.pdf"))
    assert (reply.status_code, reply.get_json()["code"]) == (415, "unsupported-file")


def test_the_body_names_one_source(client: FlaskClient) -> None:
    both = client.post("/api/v1/datasets", json={"url": "https://a.example/x", "starter": "fashion-mnist"})
    assert (both.status_code, both.get_json()["errors"][0]["code"]) == (422, "unknown-setting")
    assert client.post("/api/v1/datasets", json={"url": 5}).status_code == 422
    assert client.post("/api/v1/datasets", json={}).status_code == 422


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate.make(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def into(tmp_path: Path) -> Iterator[Callable[[int], Any]]:
    with (tmp_path / "file").open("w+b") as file:
        yield lambda _expected: file


def test_over_tls_by_name_and_once_looked_up(certificate: Certificate, into: Callable[[int], Any]) -> None:
    asked: list[str] = []

    def resolve(host: str, _port: int, _seconds: float) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    with receiving(giving(ZIP), certificate) as host:
        mine = Settings(dataset_hosts=f"{NAME}:{host.port}", dataset_allow_private=f"{NAME}:{host.port}")
        network = Network(resolve=resolve, tls=certificate.of_client)
        fetched = fetching.fetch(f"https://{NAME}:{host.port}/a.zip", mine, into, network)
        assert (fetched.filename, fetched.size, asked) == ("a.zip", len(ZIP), [NAME])
        with pytest.raises(InvalidParams) as refused:
            fetching.fetch(f"https://{NAME}:{host.port}/a.zip", mine, into, Network(resolve=resolve))
    assert "certificate" in refused.value.faults[0].message


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.5", "169.254.169.254", "::1", "fd00:ec2::254", "100.100.100.200"]
)
def test_a_listed_name_that_leads_inside_is_not_dialled(address: str, into: Callable[[int], Any]) -> None:
    def dial(*_: object) -> socket.socket:
        raise AssertionError("nothing may be dialled")

    network = Network(resolve=lambda *_: ["93.184.216.34", address], dial=dial)
    mine = Settings(dataset_hosts="data.example.org")
    with pytest.raises(InvalidParams) as refused:
        fetching.fetch("https://data.example.org/a.zip", mine, into, network)
    assert refused.value.faults[0].message == fetching.NOT_PUBLIC


@pytest.mark.parametrize(
    "url",
    [
        "http://data.example.org/a.zip", "https://other.example/a.zip", "https://data.example.org:22/a.zip",
        "https://user@data.example.org/a.zip", "https://data.example.org/#a", "ftp://data.example.org/a.zip",
        "https://2130706433/a.zip", "https://0x7f000001/", "https://data.example.org\\@evil.example/", "file:///etc/passwd",
        "https://data.example.org/\r\nHost: x", "", "https://[::1]/a.zip",
    ],
)  # fmt: skip
def test_addresses_that_are_not_taken(url: str, into: Callable[[int], Any]) -> None:
    with pytest.raises(InvalidParams) as refused:
        fetching.fetch(url, Settings(dataset_hosts="data.example.org"), into)
    (found,) = refused.value.faults
    assert (found.code, found.pointer) == ("invalid-url", "/url")
    assert "webhook" not in found.message.lower()


def test_a_host_that_says_nothing_is_given_up(into: Callable[[int], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "SECONDS", 0.3)
    with receiving() as host:
        mine = Settings(dataset_hosts="127.0.0.1", dataset_allow_private=f"http://127.0.0.1:{host.port}")
        with pytest.raises(InvalidParams) as refused:
            fetching.fetch(host.url(), mine, into)
    assert refused.value.faults[0].message == fetching.TOO_SLOW


def test_a_file_too_large_is_an_error_of_its_own(into: Callable[[int], Any]) -> None:
    with receiving(giving(b"x" * 2_000)) as host:
        mine = Settings(
            dataset_hosts="127.0.0.1", dataset_allow_private=f"http://127.0.0.1:{host.port}", max_upload=1_000
        )
        with pytest.raises(FileTooLarge):
            fetching.fetch(host.url(), mine, into)
