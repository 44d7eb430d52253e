"""A backup while everything runs, and back: whole, incremental, never half, on both databases."""

import errno
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs import backup_format, dumping
from jobs.artifacts import LocalStore
from jobs.backup import backup, main
from jobs.backup_format import MANIFEST
from jobs.db import Database
from jobs.engine import Engine
from jobs.operating import Refused
from jobs.repository import Repository
from jobs.restore import restore
from jobs.storage_lock import keeping
from jobs.verify import verify
from tests import servers
from tests.jobs.acting import Actor

ROOT = Path(__file__).parents[2]


@pytest.fixture
def empty(engine: Engine, home: Path, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Another installation of the same kind, with nothing in it, not even tables."""
    other = home.parent / f"{home.name}-other"
    url = f"sqlite:///{other / 'aigc.db'}"
    if not engine.db.is_sqlite:
        server: servers.Postgres = request.getfixturevalue("postgres")
        url = server.url(server.copy_of("template0"))
    settings = engine.settings.model_copy(update={"home": other, "database_url": url})
    made = Engine(settings, Database(url), LocalStore(settings.artifacts), engine.dispatcher)
    yield made
    made.db.dispose()
    shutil.rmtree(other, ignore_errors=True)


@pytest.fixture(params=["directory", "tar"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / "backups" / ("state.tar" if request.param == "tar" else "state")


def test_everything_comes_back(actor: Actor, empty: Engine, principal: Any, place: Path) -> None:
    model = actor.model()
    dataset = actor.dataset()
    manifest = backup(actor.engine, place)
    assert manifest.counts == {"jobs": 2, "datasets": 1, "model_versions": 1, "files": 5}
    assert (manifest.blob_count, manifest.damaged) == (5, [])
    restored, queued = restore(empty, place)
    assert (restored, queued) == (manifest, 0)
    found = Repository(empty, principal)
    assert [version.id for version in found.models().items] == [model]
    assert [made.id for made in found.datasets().items] == [dataset.id]
    assert verify(empty, deep=True).sound
    for file in found.artifacts(dataset.job_id):
        with empty.store.open(file.sha256) as stream:
            assert hashlib.sha256(stream.read()).hexdigest() == file.sha256
    again = Actor(empty, principal)
    again.finish(again.claim(expected=again.submit("image_vae.train", {"dataset": dataset.id}).id))


def test_a_backup_is_one_moment_while_jobs_flow(actor: Actor, empty: Engine, tmp_path: Path) -> None:
    stop = threading.Event()

    def flow() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            job = actor.train()
            lease = actor.lease()
            lease.checkpoint(1, [actor.store("state", f"state {number}".encode())])
            lease.succeed({"loss": 1.0}, [actor.store("model/weights", f"weights {number}".encode())])
            assert lease.claim.job_id == job.id

    actor.dataset()
    worker = threading.Thread(target=flow)
    worker.start()
    try:
        made = [backup(actor.engine, tmp_path / "state") for _ in range(4)]
    finally:
        stop.set()
        worker.join()
    assert not any(manifest.damaged for manifest in made)
    restore(empty, tmp_path / "state")
    report = verify(empty, deep=True)
    assert [finding for finding in report.findings if finding.wrong] == []
    assert report.contents == made[-1].blob_count


def test_only_what_is_new_is_copied_and_what_is_gone_is_dropped(actor: Actor, tmp_path: Path) -> None:
    actor.train()
    lease = actor.lease()
    old, new = actor.store("state", b"old"), actor.store("state", b"new")
    lease.checkpoint(1, [old])
    backup(actor.engine, tmp_path / "state")
    kept = next((tmp_path / "state" / "blobs").glob("*/*/*"))
    written = kept.stat().st_ino
    lease.checkpoint(2, [new])
    manifest = backup(actor.engine, tmp_path / "state")
    assert kept.name == old.sha256 or kept.stat().st_ino == written
    names = {path.name for path in (tmp_path / "state" / "blobs").glob("*/*/*")}
    assert new.sha256 in names
    assert old.sha256 not in names
    assert {path.name for path in (tmp_path / "state").iterdir()} == {
        "blobs", MANIFEST, manifest.database.file, manifest.blobs.file,
    }  # fmt: skip


@pytest.mark.parametrize("cut", ["first", "second"])
def test_a_backup_that_is_killed_is_never_half_of_one(
    actor: Actor, empty: Engine, tmp_path: Path, database_url: str, cut: str
) -> None:
    """The first is refused as incomplete; a second one that is cut off leaves the first whole."""
    target = tmp_path / "state"
    actor.model()
    if cut == "second":
        first = backup(actor.engine, target)
    actor.model()
    script = """
import os, signal, sys
from pathlib import Path
from jobs import backup_format, backup
def commit(*_):
    os.kill(os.getpid(), signal.SIGKILL)
backup_format.DirectoryTarget.commit = commit
backup.main([sys.argv[1]])
"""
    environment = {**os.environ, "AIGC_HOME": str(actor.engine.settings.home), "AIGC_DATABASE_URL": database_url}
    command = [sys.executable, "-c", script, str(target)]
    assert subprocess.run(command, cwd=ROOT, env=environment).returncode == -signal.SIGKILL
    if cut == "first":
        with pytest.raises(Refused, match=r"is not complete: it has no manifest\.json"):
            restore(empty, target)
        assert backup(actor.engine, target).counts["model_versions"] == 2  # and can be finished
    else:
        assert restore(empty, target)[0] == first
    with keeping(actor.engine.db, patience=0):
        pass  # the killed one holds nothing up


@pytest.mark.parametrize("broken", ["cut", "missing member", "text"])
def test_a_damaged_tar_is_refused(actor: Actor, empty: Engine, tmp_path: Path, broken: str) -> None:
    path = tmp_path / "state.tar"
    actor.model()
    backup(actor.engine, path)
    if broken == "cut":
        os.truncate(path, path.stat().st_size // 2)
    elif broken == "text":
        path.write_text("not a tar file at all")
    else:
        with tarfile.open(path) as whole, tarfile.open(tmp_path / "less.tar", "w") as less:
            for member in whole:
                if member.name != MANIFEST:
                    less.addfile(member, whole.extractfile(member))
        path = tmp_path / "less.tar"
    with pytest.raises(Refused, match=r"is not complete|is no whole tar file"):
        restore(empty, path)


def test_a_failed_tar_leaves_no_file(actor: Actor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    actor.model()

    def full(*_: Any) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(backup_format.TarTarget, "add", full)
    with pytest.raises(Refused, match=r"The disk of .*state\.tar is full\. Make room there"):
        backup(actor.engine, tmp_path / "state.tar")
    assert list(tmp_path.iterdir()) == []


def test_what_the_store_lost_before_is_told_and_the_rest_is_kept(
    actor: Actor, empty: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    actor.model()
    lost, cut, rotten = (actor.store("x", content) for content in (b"weights", b"png", b"bytes"))
    actor.engine.store.delete(lost.sha256)
    for file, content in ((cut, b"p"), (rotten, b"BYTES")):
        path = actor.engine.store.local_path(file.sha256)
        assert path is not None
        path.write_bytes(content)
    monkeypatch.setenv("AIGC_HOME", str(actor.engine.settings.home))
    monkeypatch.setenv("AIGC_DATABASE_URL", actor.engine.settings.database_url)
    assert main([str(tmp_path / "state")]) == 1
    told = capsys.readouterr()
    assert "3 contents were missing or damaged in the store before the backup" in told.err
    assert "aigc verify --deep" in told.err
    manifest, _ = restore(empty, tmp_path / "state")
    assert set(manifest.damaged) == {lost.sha256, cut.sha256, rotten.sha256}
    assert {finding.check for finding in verify(empty, deep=True).findings} == {"missing"}


class TestPlace:
    def test_inside_of_what_is_backed_up(self, actor: Actor) -> None:
        home = actor.engine.settings.home
        for inside in (home, home / "backups", home / "state.tar"):
            with pytest.raises(Refused, match=r"lies inside .* Choose a place outside of it"):
                backup(actor.engine, inside)

    def test_a_directory_with_other_files(self, actor: Actor, tmp_path: Path) -> None:
        (tmp_path / "photo.jpg").touch()
        with pytest.raises(Refused, match="holds other files"):
            backup(actor.engine, tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]

    def test_a_file(self, actor: Actor, tmp_path: Path) -> None:
        (tmp_path / "photo.jpg").touch()
        with pytest.raises(Refused, match=r"is a file\. Choose a directory"):
            backup(actor.engine, tmp_path / "photo.jpg")

    def test_too_small(self, actor: Actor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        actor.model()
        usage = shutil.disk_usage(tmp_path)
        monkeypatch.setattr("jobs.backup.shutil.disk_usage", lambda _: usage._replace(free=5))
        with pytest.raises(Refused, match="has only 5 bytes left"):
            backup(actor.engine, tmp_path / "state")

    def test_while_another_backup_is_on(self, actor: Actor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("jobs.backup.keeping", lambda database: keeping(database, patience=0))
        with keeping(actor.engine.db), pytest.raises(Refused, match="Another backup, a restore"):
            backup(actor.engine, tmp_path / "state")


def test_without_the_programs_of_postgresql_it_says_what_to_install(
    actor: Actor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if actor.engine.db.is_sqlite:
        backup(actor.engine, tmp_path / "state")  # which needs none
        return
    glob: Callable[..., Any] = Path.glob
    monkeypatch.setattr(Path, "glob", lambda path, what: [] if "postgresql" in str(path) else glob(path, what))
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Refused, match=r"The program pg_dump of PostgreSQL \d+ or newer is needed.*apt install"):
        backup(actor.engine, tmp_path / "state")


def test_what_a_newer_pg_dump_sets_is_left_out_of_the_top_alone() -> None:
    lines = [b"-- comment\n", b"SET a = 0;\n", b"SET b = 0;\n", b"CREATE TABLE x ();\n", b"COPY x FROM stdin;\n"]
    kept = dumping._without_unknown_settings([*lines, b"SET b = a row\n"], {"a"})
    assert list(kept) == [lines[0], lines[1], *lines[3:], b"SET b = a row\n"]
