"""Files in a bucket: through the server with ranges, or by a link to the store; and what is told when it is away."""

import base64
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from flask.testing import FlaskClient

from jobs import alive, doctor, workers
from jobs.engine import Engine
from jobs.object_store import ObjectStore
from jobs.settings import Settings
from tests.objects import ObjectServer
from tests.web.acting import ActingWorker, ready_dataset, submit_training
from web import create_app


def kept_there(engine: Engine, object_server: ObjectServer, home: Path, **more: object) -> Engine:
    """The same engine with its files in a bucket."""
    settings = object_server.settings(home, database_url=engine.settings.database_url, **more)
    return replace(engine, settings=settings, store=ObjectStore(settings, patience=0.2))


@pytest.fixture
def there(engine: Engine, object_server: ObjectServer) -> Engine:
    return kept_there(engine, object_server, engine.settings.home)


def trained(engine: Engine) -> tuple[FlaskClient, list[dict[str, str]]]:
    """A client of an application on that engine, and the files of a training that has ended."""
    client, worker = create_app(engine.settings, engine).test_client(), ActingWorker(engine)
    job = submit_training(client, ready_dataset(client, worker)).get_json()["id"]
    worker.train()
    files = client.get(f"/api/v1/jobs/{job}/artifacts?role=output").get_json()["data"]
    return client, sorted(files, key=lambda file: file["media_type"] == "image/png")


def test_files_come_through_the_server_with_ranges(there: Engine) -> None:
    client, (file, *_) = trained(there)
    whole = client.get(f"/api/v1/artifacts/{file['id']}/content")
    assert (whole.status_code, len(whole.data)) == (200, int(file["size"]))
    assert whole.headers["ETag"] == f'"{file["sha256"]}"'
    part = client.get(f"/api/v1/artifacts/{file['id']}/content", headers={"Range": "bytes=1-3"})
    assert (part.status_code, part.data) == (206, whole.data[1:4])
    assert part.headers["Content-Range"] == f"bytes 1-3/{file['size']}"
    known = {"If-None-Match": f'"{file["sha256"]}"'}
    assert client.get(f"/api/v1/artifacts/{file['id']}/content", headers=known).status_code == 304


def test_a_link_keeps_what_was_promised(engine: Engine, object_server: ObjectServer) -> None:
    linked = kept_there(engine, object_server, engine.settings.home, store_link_seconds=60)
    client, (file, *rest) = trained(linked)
    place = f"/api/v1/artifacts/{file['id']}/content"
    sent = client.get(place, headers={"Range": "bytes=1-3"})
    assert (sent.status_code, sent.headers["ETag"]) == (307, f'"{file["sha256"]}"')
    assert sent.headers["Cache-Control"] == "no-store"
    digest = base64.b64encode(bytes.fromhex(file["sha256"])).decode()
    assert sent.headers["Repr-Digest"] == f"sha-256=:{digest}:"
    reply = httpx.get(sent.headers["Location"], headers={"Range": "bytes=1-3"})
    assert (reply.status_code, len(reply.content)) == (206, 3)
    assert file["name"].rpartition("/")[2] in reply.headers["Content-Disposition"]
    assert client.get(place, headers={"If-None-Match": f'"{file["sha256"]}"'}).status_code == 304
    picture = next(one for one in (file, *rest) if one["media_type"] == "image/png")
    assert client.get(f"/api/v1/artifacts/{picture['id']}/content").status_code == 200  # pages show it


def test_a_store_that_is_away_is_told_in_a_sentence(there: Engine) -> None:
    client, (file, *_) = trained(there)
    gone = there.settings.model_copy(update={"store_endpoint": "http://127.0.0.1:1"})
    broken = replace(there, settings=gone, store=ObjectStore(gone, patience=0.2))
    away = create_app(gone, broken).test_client()
    reply = away.get(f"/api/v1/artifacts/{file['id']}/content")
    assert (reply.status_code, reply.get_json()["code"]) == (503, "store-unavailable")
    assert "127.0.0.1:1" in reply.get_json()["detail"]
    assert away.get("/docs/problems/store-unavailable").status_code == 200
    ready = away.get("/readyz")
    assert (ready.status_code, ready.get_json()["parts"]["storage"]) == (503, "down")
    assert client.get("/readyz").get_json()["parts"]["storage"] == "ok"
    told = doctor.store(broken)
    assert (told.ok, "does not answer" in told.detail) == (False, True)
    assert doctor.store(there).ok
    missing = there.settings.model_copy(update={"store_url": "s3://no-such-bucket"})
    told = doctor.store(replace(there, settings=missing, store=ObjectStore(missing, patience=0.2)))
    assert "AIGC_STORE_URL" in told.fix


class TestAlive:
    @pytest.fixture(autouse=True)
    def here(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIGC_DATABASE_URL", settings.sql_url)

    def test_it_looks_for_a_process_of_this_host(self, engine: Engine) -> None:
        assert alive.main(["scheduler"]) == 1
        node = workers.register(engine, "scheduler", None, None, None)
        assert alive.main(["scheduler"]) == 0
        assert alive.main(["worker"]) == 1
        workers.leave(engine, node)
        assert alive.main(["scheduler"]) == 1

    def test_a_database_that_is_away_is_no_life(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIGC_DATABASE_URL", "sqlite:////nowhere/at/all.db")
        assert alive.main(["worker"]) == 1
