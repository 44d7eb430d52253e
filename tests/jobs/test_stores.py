"""What every store must do, a directory and a bucket alike; and what only a bucket can get wrong."""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import obstore
import pytest
from pydantic import ValidationError

from jobs import backup, collector, presigned, restore, verify
from jobs.artifacts import ArtifactStore
from jobs.db import Database
from jobs.engine import Engine, open_store
from jobs.errors import StoreMisconfigured, StoreUnavailable
from jobs.object_store import PART, ObjectStore
from jobs.settings import Settings
from tests import objects
from tests.conftest import Clock, RecordingDispatcher
from tests.jobs.acting import Actor
from tests.objects import ObjectServer

ROOT = Path(__file__).parents[2]
NOTHING = "0" * 64


@pytest.fixture
def server(object_server: ObjectServer) -> ObjectServer:
    return object_server


@pytest.fixture
def database_url(home: Path, sqlite_template: Path) -> str:
    """One kind is enough: no store knows the database."""
    shutil.copyfile(sqlite_template, home / "aigc.db")
    return f"sqlite:///{home / 'aigc.db'}"


@pytest.fixture(params=["directory", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Where files are kept."""
    if request.param == "directory":
        return Settings(home=tmp_path / "home", min_free_disk=0)
    server: ObjectServer = request.getfixturevalue("server")
    return server.settings(tmp_path / "home", store_url=f"s3://{objects.BUCKET}/{tmp_path.name}")


@pytest.fixture
def store(place: Settings) -> ArtifactStore:
    return open_store(place)


@pytest.fixture
def bucket(server: ObjectServer, tmp_path: Path) -> ObjectStore:
    return ObjectStore(server.settings(tmp_path, store_url=f"s3://{objects.BUCKET}/{tmp_path.name}"), patience=0.3)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(os.urandom(2**20 + 17))
    return path


@pytest.mark.parametrize("count", [3, 40])
def test_several_files_are_stored_at_once(store: ArtifactStore, place: Settings, tmp_path: Path, count: int) -> None:
    contents = [os.urandom(number * 100) for number in range(count)]
    contents[1] = contents[-1]  # the same bytes twice are one file
    paths = [tmp_path / f"file-{number}" for number in range(count)]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    known = store.put(paths[0])
    found = store.put_all(paths)
    assert found[0] == known
    assert found == [(hashlib.sha256(content).hexdigest(), len(content)) for content in contents]
    for (sha256, size), content in zip(found, contents, strict=True):
        assert store.size(sha256) == size
        with store.open(sha256) as stream:
            assert stream.read() == content
    assert {stored.sha256 for stored in store.listing()} == {sha256 for sha256, _ in found}
    assert not list(place.artifacts.glob("**/.incoming/*"))


def test_bytes_come_back_as_they_were_put(store: ArtifactStore, source: Path, tmp_path: Path) -> None:
    content = source.read_bytes()
    sha256, size = store.put(source)
    assert (sha256, size) == (hashlib.sha256(content).hexdigest(), len(content))
    assert store.put(source) == (sha256, size)
    assert store.receive(io.BytesIO(content), 3) == (sha256, size)
    assert (store.exists(sha256), store.size(sha256)) == (True, size)
    with store.open(sha256) as stream:
        assert stream.read(5) == content[:5]
        assert stream.seek(2**20) == 2**20
        assert stream.read() == content[2**20 :]
        assert stream.seek(-4, io.SEEK_END) == size - 4
        assert stream.read(10) == content[-4:]
        assert stream.read(10) == b""
    store.download(sha256, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == content
    assert [(one.sha256, one.size) for one in store.listing()] == [(sha256, size)]
    assert all(datetime.now(UTC) - one.modified < timedelta(minutes=5) for one in store.listing())


def test_what_is_not_there(store: ArtifactStore, tmp_path: Path) -> None:
    assert (store.exists(NOTHING), store.size(NOTHING), list(store.listing())) == (False, None, [])
    assert store.sizes([NOTHING, "1" * 64]) == {NOTHING: None, "1" * 64: None}
    store.delete(NOTHING)
    for call in (lambda: store.open(NOTHING), lambda: store.download(NOTHING, tmp_path / "x")):
        with pytest.raises(FileNotFoundError):
            call()


def test_many_write_the_same_bytes_and_several_are_looked_up_at_once(store: ArtifactStore, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(name.encode() * 1000)
    start, found = threading.Barrier(6), set[tuple[str, int]]()

    def put(name: str) -> None:
        start.wait()
        found.add(store.put(tmp_path / name))

    threads = [threading.Thread(target=put, args=(name,)) for name in "ababab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert store.sizes([sha256 for sha256, _ in found]) == dict(found)
    for sha256, _ in found:
        store.delete(sha256)
    assert list(store.listing()) == []


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "A" * 64, "a" * 63 + "/"])
def test_only_a_sha256_names_a_file(store: ArtifactStore, name: str) -> None:
    for call in (store.open, store.exists, store.size, store.delete, store.local_path):
        with pytest.raises(ValueError, match="not a SHA-256"):
            call(name)


def test_it_can_be_used(store: ArtifactStore) -> None:
    store.check()


def test_garbage_goes_and_what_is_named_stays(store: ArtifactStore, engine: Engine, clock: Clock, actor: Actor) -> None:
    kept = Actor(Engine(engine.settings, engine.db, store, engine.dispatcher), actor.principal)
    dataset = kept.dataset()
    orphan = kept.store("orphan", b"nobody names this")
    clock.now = datetime.now(UTC) + timedelta(hours=25)  # both stores tell the time of the machine
    assert collector.collect_orphans(kept.engine).files == 1
    assert not store.exists(orphan.sha256)
    assert store.exists(dataset.source_sha256)
    assert verify.verify(kept.engine, deep=True).sound


def test_a_backup_is_restored_into_the_other_kind_of_store(
    place: Settings, store: ArtifactStore, server: ObjectServer, engine: Engine, actor: Actor, tmp_path: Path
) -> None:
    """What one keeps the other takes: a backup is the way from a directory to a bucket, and back."""
    kept = Actor(Engine(engine.settings, engine.db, store, engine.dispatcher), actor.principal)
    dataset = kept.dataset()
    backup.backup(kept.engine, tmp_path / "backup")
    if place.store_url:
        settings = Settings(home=tmp_path / "new", min_free_disk=0)
    else:
        settings = server.settings(tmp_path / "new", store_url=f"s3://{objects.BUCKET}/{tmp_path.name}-new")
    other = open_store(settings)
    new = Engine(settings, Database(settings.sql_url), other, RecordingDispatcher())
    restore.restore(new, tmp_path / "backup")
    new.db.dispose()
    with other.open(dataset.source_sha256) as stream, store.open(dataset.source_sha256) as original:
        assert stream.read() == original.read()
    assert {one.sha256 for one in other.listing()} == {one.sha256 for one in store.listing()}


class TestBucket:
    def test_large_files_go_in_parts(self, bucket: ObjectStore, server: ObjectServer, tmp_path: Path) -> None:
        (tmp_path / "large").write_bytes(os.urandom(PART + 11))
        sha256, _ = bucket.put(tmp_path / "large")
        head = httpx.head(f"{server.url}/{objects.BUCKET}/{tmp_path.name}/sha256/{sha256[:2]}/{sha256[2:4]}/{sha256}")
        assert head.headers["ETag"].endswith('-2"')  # of two parts
        bucket.download(sha256, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == (tmp_path / "large").read_bytes()

    def test_a_damaged_object_is_mended_by_the_next_put(self, bucket: ObjectStore, source: Path) -> None:
        sha256, size = bucket.put(source)
        obstore.put(bucket._store, bucket._key(sha256), b"short")
        assert bucket.size(sha256) == 5
        assert bucket.put(source) == (sha256, size)
        assert bucket.size(sha256) == size

    def test_faults_say_what_to_do(self, bucket: ObjectStore, server: ObjectServer, source: Path) -> None:
        elsewhere = ObjectStore(server.settings(source.parent, store_url="s3://no-such-bucket"), patience=0.2)
        nowhere = ObjectStore(server.settings(source.parent, store_endpoint="http://127.0.0.1:1"), patience=0.2)
        for broken, kind, words in (
            (elsewhere, StoreMisconfigured, "no bucket called no-such-bucket"),
            (nowhere, StoreUnavailable, r"127\.0\.0\.1:1 does not answer"),
        ):
            calls: tuple[Callable[[], object], ...] = (
                broken.check, lambda one=broken: one.size(NOTHING), lambda one=broken: one.put(source),  # type: ignore[misc]
            )  # fmt: skip
            for call in calls:
                with pytest.raises(kind, match=words) as caught:
                    call()
                assert type(caught.value) is kind

    def test_refused_keys_are_told_from_a_store_that_is_away(self, bucket: ObjectStore, source: Path) -> None:
        from obstore import exceptions

        for raised, kind in (
            (exceptions.PermissionDeniedError("403"), StoreMisconfigured),
            (exceptions.UnauthenticatedError("401"), StoreMisconfigured),
            (exceptions.GenericError("<Code>InvalidAccessKeyId</Code>"), StoreMisconfigured),
            (exceptions.GenericError("connection reset"), StoreUnavailable),
        ):
            with pytest.raises(StoreUnavailable) as caught, bucket._told():
                raise raised
            assert type(caught.value) is kind

    def test_a_store_that_comes_back_is_waited_for(self, server: ObjectServer, source: Path, tmp_path: Path) -> None:
        away = ObjectServer()
        away.start()
        patient = ObjectStore(away.settings(tmp_path), patience=60)
        away.stop()
        putting = threading.Thread(target=patient.put, args=(source,))
        putting.start()
        away.again()
        try:
            putting.join(60)
            assert not putting.is_alive()
            assert patient.exists(hashlib.sha256(source.read_bytes()).hexdigest())
        finally:
            away.stop()

    def test_a_link_gives_a_range_under_a_name_and_ends(
        self, server: ObjectServer, source: Path, tmp_path: Path
    ) -> None:
        store = ObjectStore(server.settings(tmp_path, store_link_seconds=60))
        sha256, _ = store.put(source)
        link = store.link(sha256, "Модель 1.bin", "text/plain")
        assert link is not None
        reply = httpx.get(link, headers={"Range": "bytes=5-9"})
        assert (reply.status_code, reply.content) == (206, source.read_bytes()[5:10])
        assert reply.headers["Content-Type"].startswith("text/plain")
        assert reply.headers["Content-Disposition"].endswith("%D0%9C%D0%BE%D0%B4%D0%B5%D0%BB%D1%8C%201.bin")
        assert ObjectStore(server.settings(tmp_path)).link(sha256, "a", "text/plain") is None

    def test_links_are_signed_as_amazons_own_client_signs_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from botocore import auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        monkeypatch.setattr(auth, "get_current_datetime", lambda *_, **__: now.replace(tzinfo=None))
        said = {"response-content-disposition": presigned.attachment("a b;ü.bin"), "response-content-type": "text/csv"}
        mine = presigned.Signer("https://s3.example.org:9000", "eu-central-1", "AKID", "very secret").link(
            "files/aigc/sha256/ab", said, timedelta(minutes=5), now
        )
        asked = AWSRequest("GET", "https://s3.example.org:9000/files/aigc/sha256/ab", params=said)
        auth.S3SigV4QueryAuth(Credentials("AKID", "very secret"), "s3", "eu-central-1", expires=300).add_auth(asked)
        assert httpx.URL(mine).params["X-Amz-Signature"] == httpx.URL(asked.url).params["X-Amz-Signature"]

    def test_a_child_forked_after_use_is_refused_instead_of_hanging(self, server: ObjectServer, tmp_path: Path) -> None:
        script = """
import os, sys
from pathlib import Path
from jobs.object_store import ObjectStore
from jobs.settings import Settings
store = ObjectStore(Settings(home=Path(sys.argv[1])))
store.check()
if os.fork() == 0:
    try:
        store.check()
    except RuntimeError as error:
        print(error)
    sys.exit(0)
os.wait()
"""
        settings = server.settings(tmp_path)
        environment = {
            "AIGC_STORE_URL": settings.store_url, "AIGC_STORE_ENDPOINT": settings.store_endpoint,
            "AIGC_STORE_KEY_ID": "key", "AIGC_STORE_SECRET": "secret", "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        }  # fmt: skip
        command = [sys.executable, "-c", script, str(tmp_path)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, env=environment)
        assert done.stdout.startswith("the artifact store was used before this process was forked")


@pytest.mark.parametrize("url", ["http://bucket", "s3://", "s3://Bucket", "s3://bucket/../other", "s3://b"])
def test_what_names_no_bucket_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValidationError, match="s3://bucket"):
        Settings(store_url=url)
