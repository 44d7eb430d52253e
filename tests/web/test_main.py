"""``python -m web`` as a process: starting, refusing to start, streaming, waiting, stopping."""

import hashlib
import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from jobs import tokens
from jobs.artifacts import LocalStore
from jobs.db import Database
from jobs.engine import Engine
from jobs.lifecycle import Beat
from jobs.principal import Principal
from jobs.settings import Settings
from tests.web.acting import ActingWorker, picture_zip
from tests.web.conftest import NotedDispatcher
from tests.web.serving import ROOT, Server, environment, new_home, serve

STREAM = {"Accept": "text/event-stream"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Path:
    return new_home(tmp_path_factory.mktemp("server"), empty_database)


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Server]:
    with serve(home, AIGC_MAX_UPLOAD=str(2**20)) as started:
        yield started


@pytest.fixture
def engine(home: Path) -> Iterator[Engine]:
    """The same database and store as the server's, as the worker sees them."""
    settings = Settings(home=home, min_free_disk=0)
    database = Database(settings.sql_url)
    yield Engine(settings, database, LocalStore(settings.artifacts), NotedDispatcher())
    database.dispose()


@pytest.fixture
def http_client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client


def new_job(client: httpx.Client, worker: ActingWorker) -> str:
    """Submit a training on a dataset made for it; gives the job's id."""
    files = {"file": ("pictures.zip", picture_zip())}
    dataset = client.post("/api/v1/datasets", files=files, headers={"Prefer": "wait=0"}).json()["id"]
    worker.check_dataset()
    body = {"task": "image_gan.train", "params": {"dataset": dataset}}
    made = client.post("/api/v1/jobs", json=body)
    assert made.status_code == 202  # though no broker runs
    job: str = made.json()["id"]
    return job


def test_a_proxy_tells_that_the_reader_came_over_tls(http_client: httpx.Client) -> None:
    for scheme, secure in (("https", True), ("http", False)):
        reply = http_client.get("/docs?lang=zh", headers={"X-Forwarded-Proto": scheme})
        assert ("Secure" in reply.headers["Set-Cookie"]) is secure


def run(home: Path, *code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, *(code or ("-m", "web"))]
    env = environment(home, **variables)
    return subprocess.run(arguments, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_the_world_is_not_served_without_a_token(home: Path, host: str) -> None:
    done = run(home, AIGC_HOST=host)
    assert done.returncode == 78
    assert "aigc token create" in done.stderr
    assert "AIGC_TOKEN" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_world_is_served_with_a_token(home: Path) -> None:
    with serve(home, AIGC_HOST="0.0.0.0", AIGC_TOKEN="secret") as started:
        url = started.url.replace("0.0.0.0", "127.0.0.1")
        assert httpx.get(f"{url}/api/v1/jobs").status_code == 401
        assert httpx.get(f"{url}/api/v1/jobs", headers={"Authorization": "Bearer secret"}).status_code == 200
        assert started.stop() == 0


def test_a_kept_token_is_enough(tmp_path: Path, empty_database: Path) -> None:
    own = new_home(tmp_path, empty_database)
    settings = Settings(home=own)
    database = Database(settings.sql_url)
    engine = Engine(settings, database, LocalStore(settings.artifacts), NotedDispatcher())
    _, secret = tokens.create(engine, Principal("default", "ann"), name="ci")
    database.dispose()
    with serve(own, AIGC_HOST="0.0.0.0") as started:
        url = started.url.replace("0.0.0.0", "127.0.0.1")
        assert httpx.get(f"{url}/api/v1/jobs", headers={"Authorization": f"Bearer {secret}"}).status_code == 200


def test_the_web_works_without_the_workers_libraries(home: Path) -> None:
    code = """
import sys
for name in ("torch", "numpy", "pandas", "PIL", "matplotlib", "safetensors"):
    sys.modules[name] = None
from jobs.settings import Settings
from web import create_app
client = create_app(Settings()).test_client()
for path in ("/api/v1/tasks", "/openapi.json", "/api/v1/jobs", "/jobs", "/jobs/new/image_gan.train"):
    assert client.get(path).status_code == 200, path
assert not [name for name in sys.modules if name.split(".")[0] in ("celery", "kombu", "redis", "obstore")]
"""
    done = run(home, "-c", code)
    assert done.returncode == 0, done.stderr


def test_no_control_socket_is_left_behind(server: Server) -> None:
    links = [str(entry.readlink()) for entry in Path(f"/proc/{server.process.pid}/fd").iterdir()]
    assert len([link for link in links if link.startswith("socket:")]) == 1  # the one it listens on


@pytest.mark.checklist(33)
def test_events_stream_in_order_and_go_on_where_they_were(http_client: httpx.Client, engine: Engine) -> None:
    worker = ActingWorker(engine)
    job = new_job(http_client, worker)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(http_client.get, f"/api/v1/jobs/{job}/events", headers=STREAM)
        worker.train()
        text = reading.result().text
    ids = [int(line[4:]) for line in text.splitlines() if line.startswith("id: ")]
    assert ids == list(range(1, len(ids) + 1))
    rest = http_client.get(f"/api/v1/jobs/{job}/events", headers=STREAM | {"Last-Event-ID": "3"}).text
    assert [int(line[4:]) for line in rest.splitlines() if line.startswith("id: ")] == ids[3:]


@pytest.mark.checklist(33)
def test_streams_are_capped_and_others_still_served(server: Server, http_client: httpx.Client, engine: Engine) -> None:
    worker = ActingWorker(engine)
    job = new_job(http_client, worker)
    lease = worker.take("training")
    host, port = server.url.removeprefix("http://").split(":")
    held = [http.client.HTTPConnection(host, int(port), timeout=30) for _ in range(4)]  # half of 8 threads
    for connection in held:
        connection.request("GET", f"/api/v1/jobs/{job}/events", headers=STREAM)
        assert connection.getresponse().status == 200
    refused = http_client.get(f"/api/v1/jobs/{job}/events", headers=STREAM)
    assert (refused.status_code, refused.json()["code"]) == (503, "too-many-streams")
    assert int(refused.headers["Retry-After"]) > 0
    assert http_client.get("/healthz").status_code == 200
    assert http_client.get(f"/api/v1/jobs/{job}/events").status_code == 200
    for connection in held:
        connection.close()
    lease.beat(Beat(lines=["written into the closed streams, which ends them"]))
    deadline = time.monotonic() + 20
    while (reply := streamed_head(server, job)) != 200:
        assert time.monotonic() < deadline, reply
        lease.beat(Beat(lines=["again"]))
    lease.succeed({}, worker.keep({"model/weights.safetensors": b"w"}))


def streamed_head(server: Server, job: str) -> int:
    with httpx.stream("GET", f"{server.url}/api/v1/jobs/{job}/events", headers=STREAM) as reply:
        return reply.status_code


def test_waiting_for_the_end(http_client: httpx.Client, engine: Engine) -> None:
    worker = ActingWorker(engine)
    job = new_job(http_client, worker)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(http_client.get, f"/api/v1/jobs/{job}", headers={"Prefer": "wait=25"})
        worker.train()
        reply = waiting.result()
    assert (reply.json()["state"], reply.headers["Preference-Applied"]) == ("succeeded", "wait=25")


def test_too_large_an_upload_is_answered_though_unread(http_client: httpx.Client, home: Path) -> None:
    files = {"file": ("large.zip", b"x" * (64 * 2**20))}
    reply = http_client.post("/api/v1/datasets", files=files)
    assert (reply.status_code, reply.json()["code"]) == (413, "file-too-large")
    assert http_client.get("/healthz").status_code == 200
    assert not list((home / "staging" / "uploads").glob("*"))


def test_an_upload_of_unknown_length_is_capped_too(http_client: httpx.Client) -> None:
    def pieces() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\n'
        for _ in range(8):
            yield b"x" * 2**20

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    reply = http_client.post("/api/v1/datasets", content=pieces(), headers=headers)
    assert reply.status_code == 413


def test_ranges_of_a_large_file(http_client: httpx.Client, engine: Engine) -> None:
    worker = ActingWorker(engine)
    job = new_job(http_client, worker)
    data = os.urandom(3 * 2**20)
    worker.finish("training", {"model/weights.safetensors": data})
    (file,) = http_client.get(f"/api/v1/jobs/{job}/artifacts?role=output").json()["data"]
    whole = http_client.get(file["links"]["content"])
    assert hashlib.sha256(whole.content).hexdigest() == file["sha256"]
    part = http_client.get(file["links"]["content"], headers={"Range": "bytes=1048576-2097151"})
    assert (part.status_code, part.content) == (206, data[2**20 : 2 * 2**20])


@pytest.mark.checklist(33)
def test_stopping_ends_open_streams(tmp_path: Path, empty_database: Path) -> None:
    own = new_home(tmp_path, empty_database)
    settings = Settings(home=own, min_free_disk=0)
    database = Database(settings.sql_url)
    engine = Engine(settings, database, LocalStore(settings.artifacts), NotedDispatcher())
    with serve(own) as started, httpx.Client(base_url=started.url, timeout=30) as client:
        job = new_job(client, ActingWorker(engine))
        with client.stream("GET", f"/api/v1/jobs/{job}/events", headers=STREAM) as stream:
            lines = stream.iter_lines()
            assert next(lines) == "retry: 1000"
            assert started.stop(seconds=5) == 0
    database.dispose()


def test_the_server_ends_with_its_parent(tmp_path: Path, empty_database: Path) -> None:
    own = new_home(tmp_path, empty_database)
    code = """
import subprocess, sys
web = subprocess.Popen([sys.executable, "-m", "web"], stdout=subprocess.PIPE, text=True)
print(web.stdout.readline().split()[1], flush=True)
sys.stdin.read()
"""
    env = environment(own, AIGC_PARENT_DEATH="1")
    arguments = [sys.executable, "-c", code]
    with subprocess.Popen(
        arguments, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        url = parent.stdout.readline().strip()
        assert httpx.get(f"{url}/healthz").status_code == 200
        parent.kill()
    deadline = time.monotonic() + 20
    while answers(url):
        assert time.monotonic() < deadline


def answers(url: str) -> bool:
    try:
        httpx.get(f"{url}/healthz", timeout=1)
    except httpx.TransportError:
        return False
    return True
