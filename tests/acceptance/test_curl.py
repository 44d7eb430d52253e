"""The API as a program meets it: curl against a server process of its own."""

import hashlib
import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jobs import migrate
from jobs.artifacts import LocalStore
from jobs.db import Database
from jobs.engine import Engine
from jobs.settings import Settings
from tests.web.acting import ActingWorker, picture_zip
from tests.web.conftest import NotedDispatcher
from tests.web.serving import Server, serve

JOBS = "/api/v1/jobs"


@dataclass(frozen=True)
class Reply:
    """What curl printed."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Api:
    """A server, the worker behind it, and a dataset that is ready."""

    server: Server
    worker: ActingWorker
    dataset: str = ""

    def curl(self, path: str, *options: str) -> Reply:
        """Call curl as a person does."""
        command = ["curl", "--silent", "--show-error", "--include", "--max-time", "60", *options]
        done = subprocess.run([*command, self.server.url + path], capture_output=True, check=True)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        while head.startswith(b"HTTP/1.1 100"):
            head, _, body = body.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        return Reply(int(first.split()[1]), {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}, body)

    def post(self, path: str, body: object, *options: str) -> Reply:
        """Send JSON."""
        return self.curl(path, "-H", "Content-Type: application/json", "-d", json.dumps(body), *options)

    def training(self, **more: object) -> dict[str, object]:
        """The body of a submission."""
        return {"task": "image_gan.train", "params": {"dataset": self.dataset, "epochs": 3}, **more}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    home = tmp_path_factory.mktemp("api")
    settings = Settings(home=home, min_free_disk=0)
    database = Database(settings.sql_url)
    migrate.upgrade(database)
    engine = Engine(settings, database, LocalStore(settings.artifacts), NotedDispatcher())
    with serve(home) as server:
        bare = Api(server, ActingWorker(engine))
        pictures = home / "pictures.zip"
        pictures.write_bytes(picture_zip())
        made = bare.curl("/api/v1/datasets", "-F", f"file=@{pictures}", "-H", "Prefer: wait=0")
        bare.worker.check_dataset()
        yield Api(server, bare.worker, made.json["id"])
    database.dispose()


@pytest.mark.checklist(25)
def test_a_submission_is_accepted(api: Api) -> None:
    reply = api.post(JOBS, api.training())
    assert reply.status == 202
    assert reply.headers["location"].endswith(f"{JOBS}/{reply.json['id']}")
    assert int(reply.headers["retry-after"]) >= 1
    assert reply.headers["x-request-id"]
    named = api.post(JOBS, api.training(), "-H", "X-Request-Id: my-own.id-1")
    assert named.headers["x-request-id"] == "my-own.id-1"


@pytest.mark.checklist(26)
def test_twenty_at_once_with_one_key_make_one_job(api: Api) -> None:
    key = ("-H", "Idempotency-Key: twenty-at-once")
    with ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(lambda _: api.post(JOBS, api.training(), *key), range(20)))
    while busy := [reply for reply in replies if reply.status == 409]:  # the first one was still at work
        replies = [reply for reply in replies if reply.status != 409] + [
            api.post(JOBS, api.training(), *key) for _ in busy
        ]
    assert {reply.status for reply in replies} == {202}
    assert len({reply.json["id"] for reply in replies}) == 1
    assert sum(reply.headers.get("idempotent-replayed") == "true" for reply in replies) == 19
    other = api.post(JOBS, api.training(name="another"), *key)
    assert (other.status, other.json["code"]) == (422, "idempotency-key-reused")


@pytest.mark.checklist(27)
def test_an_unchanged_job_is_not_sent_again(api: Api) -> None:
    address = f"{JOBS}/{api.post(JOBS, api.training()).json['id']}"
    tag = api.curl(address).headers["etag"]
    same = api.curl(address, "-H", f"If-None-Match: {tag}")
    assert (same.status, same.body, same.headers["etag"]) == (304, b"", tag)
    assert api.curl(f"{address}/cancel", "-X", "POST").status == 200
    changed = api.curl(address, "-H", f"If-None-Match: {tag}")
    assert (changed.status, changed.json["state"]) == (200, "cancelled")
    assert changed.headers["etag"] != tag


@pytest.mark.checklist(28)
def test_all_jobs_are_walked_once_while_new_ones_arrive(api: Api) -> None:
    made = [api.post(JOBS, api.training(name="walked")).json["id"] for _ in range(8)]
    seen, address = list[str](), f"{JOBS}?limit=3&q=walked"
    while address:
        page = api.curl(address)
        seen += [job["id"] for job in page.json["data"]]
        api.post(JOBS, api.training(name="walked, too late"))
        link = page.headers.get("link", "")
        address = link.partition(">")[0].removeprefix("<").removeprefix(api.server.url) if "next" in link else ""
    assert seen == made[::-1]


FAULTS = [
    (400, ["-X", "POST", "-H", "Content-Type: application/json", "-d", "{", JOBS]),
    (404, ["/api/v1/nothing"]),
    (404, [f"{JOBS}/job_nope"]),
    (404, ["/api/v1/artifacts/art_nope/content"]),
    (405, ["-X", "PUT", JOBS]),
    (406, ["-H", "Accept: text/html", JOBS]),
    (415, ["-X", "POST", "-H", "Content-Type: text/plain", "-d", "x", JOBS]),
    (422, [f"{JOBS}?limit=0"]),
    (422, ["-X", "POST", "-H", "Content-Type: application/json", "-d", "{}", JOBS]),
    (400, ["-H", "Range: bytes=0-1", "-H", "Cancel-After: soon", "-H", "Content-Type: application/json",
           "-d", '{"task": "image_gan.train"}', JOBS]),
    (403, ["-X", "POST", "-H", "Origin: https://elsewhere.example", JOBS]),
    (403, ["-H", "Host: elsewhere.example", JOBS]),
]  # fmt: skip


@pytest.mark.checklist(29)
@pytest.mark.parametrize(("status", "arguments"), FAULTS, ids=lambda value: str(value)[-40:])
def test_every_error_is_a_problem_with_a_help_page(api: Api, status: int, arguments: list[str]) -> None:
    *options, path = arguments
    reply = api.curl(path, *options)
    assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json")
    assert {"type", "title", "status", "detail", "request_id"} <= set(reply.json)
    assert (reply.json["status"], reply.json["request_id"]) == (status, reply.headers["x-request-id"])
    assert api.curl(reply.json["type"]).status == 200


@pytest.mark.checklist(29, 31)
def test_all_faults_are_told_with_their_places(api: Api) -> None:
    params = {"dataset": api.dataset, "epocs": 5, "epochs": 0, "batch_size": "many"}
    reply = api.post(JOBS, {"task": "image_gan.train", "params": params})
    said = {error["pointer"]: error["detail"] for error in reply.json["errors"]}
    assert reply.status == 422
    assert set(said) == {"#/params/epochs", "#/params/batch_size", "#/params/epocs"}
    assert "Did you mean epochs?" in said["#/params/epocs"]


@pytest.mark.checklist(30)
def test_validating_and_waiting(api: Api) -> None:
    before = api.curl(f"{JOBS}?limit=100").json["data"]
    assert api.post(f"{JOBS}?validate_only=true", api.training()).status == 200
    assert api.curl(f"{JOBS}?limit=100").json["data"] == before
    waited = api.post(JOBS, api.training(), "-H", "Prefer: wait=1")
    assert (waited.status, waited.json["state"]) == (202, "queued")


@pytest.mark.checklist(32)
def test_cancelling_what_is_over(api: Api) -> None:
    job = api.post(JOBS, api.training()).json["id"]
    assert api.curl(f"{JOBS}/{job}/cancel", "-X", "POST").status == 200
    assert api.curl(f"{JOBS}/{job}/cancel", "-X", "POST").status == 200
    api.post(JOBS, api.training())
    done = api.worker.train()
    late = api.curl(f"{JOBS}/{done}/cancel", "-X", "POST")
    assert (late.status, late.json["code"]) == (409, "job-already-finished")


@pytest.mark.checklist(34)
def test_a_file_and_its_checksum(api: Api, tmp_path: Path) -> None:
    api.post(JOBS, api.training())
    done = api.worker.train()
    files = api.curl(f"{JOBS}/{done}/artifacts").json["data"]
    weights = next(file for file in files if file["name"] == "model/weights.safetensors")
    address = f"/api/v1/artifacts/{weights['id']}/content"
    whole = api.curl(address)
    assert whole.headers["etag"] == f'"{hashlib.sha256(whole.body).hexdigest()}"'
    part = api.curl(address, "-r", "10-19")
    assert (part.status, part.body) == (206, whole.body[10:20])
    assert api.curl(address, "-H", f"If-None-Match: {whole.headers['etag']}").status == 304
    assert api.curl(address, "-H", "Accept: application/json").status == 406
