"""The local store: never torn, never outside its directory, never hanging after a fork."""

import errno
import hashlib
import os
import subprocess
import sys
import threading
from collections import namedtuple
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobs.artifacts import LocalStore, in_words, media_type
from jobs.errors import StorageFull

ROOT = Path(__file__).parents[2]
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "artifacts")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(os.urandom(3 * 2**20 + 17))
    return path


def files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "artifacts").rglob("*") if path.is_file()]


def test_bytes_come_back_as_they_were_put(store: LocalStore, source: Path, tmp_path: Path) -> None:
    sha256, size = store.put(source)
    content = source.read_bytes()
    assert (sha256, size) == (hashlib.sha256(content).hexdigest(), len(content))
    assert store.exists(sha256)
    with store.open(sha256) as stream:
        stream.seek(2**20)
        assert stream.read() == content[2**20 :]
    store.download(sha256, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == content
    path = store.local_path(sha256)
    assert path is not None
    assert path.relative_to(tmp_path).parts == ("artifacts", "sha256", sha256[:2], sha256[2:4], sha256)
    assert source.exists()


def test_the_same_bytes_are_kept_once(store: LocalStore, source: Path, tmp_path: Path) -> None:
    assert store.put(source) == store.put(source)
    assert len(files(tmp_path)) == 1


def test_a_file_that_a_failing_disk_cut_is_mended_by_the_next_put(store: LocalStore, source: Path) -> None:
    sha256, size = store.put(source)
    path = store.local_path(sha256)
    assert path is not None
    os.truncate(path, 10)
    assert store.size(sha256) == 10
    assert store.put(source) == (sha256, size)
    assert path.read_bytes() == source.read_bytes()


def test_a_file_that_is_collected_while_it_is_put_again_is_there_afterwards(
    store: LocalStore, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256, _ = store.put(source)
    touch = os.utime

    def collected_first(path: Path) -> None:
        store.delete(sha256)
        touch(path)

    monkeypatch.setattr("os.utime", collected_first)
    store.put(source)
    assert store.exists(sha256)


def test_foreign_files_in_the_store_are_not_listed(store: LocalStore, source: Path, tmp_path: Path) -> None:
    sha256, _ = store.put(source)
    (tmp_path / "artifacts" / "sha256" / ("Z" * 64)).touch()
    assert [found.sha256 for found in store.listing()] == [sha256]


def test_many_writers_of_the_same_bytes(store: LocalStore, source: Path, tmp_path: Path) -> None:
    start = threading.Barrier(8)
    found: list[tuple[str, int]] = []

    def put() -> None:
        start.wait()
        found.append(store.put(source))

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 8
    assert len(files(tmp_path)) == 1


@pytest.mark.parametrize("when", ["os.fsync", "pathlib.Path.rename"])
def test_a_write_that_breaks_off_leaves_nothing(
    store: LocalStore, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    def power_cut(*_: Any) -> None:
        raise InterruptedError

    monkeypatch.setattr(when, power_cut)
    with pytest.raises(InterruptedError):
        store.put(source)
    monkeypatch.undo()
    assert files(tmp_path) == []
    assert store.exists(store.put(source)[0])


def test_a_process_killed_while_writing_leaves_no_torn_file(source: Path, tmp_path: Path) -> None:
    script = """
import os, signal, sys
from pathlib import Path
from jobs.artifacts import LocalStore
real = os.fsync
def fsync(handle):
    os.kill(os.getpid(), signal.SIGKILL)
os.fsync = fsync
LocalStore(Path(sys.argv[1])).put(Path(sys.argv[2]))
"""
    command = [sys.executable, "-c", script, str(tmp_path / "artifacts"), str(source)]
    assert subprocess.run(command, cwd=ROOT).returncode == -9
    store = LocalStore(tmp_path / "artifacts")
    (torn,) = files(tmp_path)
    assert torn.parent.name == ".incoming"
    assert list(store.listing()) == []
    assert store.sweep(datetime.now(UTC) + timedelta(seconds=1)) == 1
    assert files(tmp_path) == []


def test_the_file_is_on_disk_before_it_has_its_name(
    store: LocalStore, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def noted_fsync(handle: int) -> None:
        order.append("fsync")
        fsync(handle)

    def noted_rename(path: Path, target: Path) -> Path:
        order.append("rename")
        return rename(path, target)

    monkeypatch.setattr("os.fsync", noted_fsync)
    monkeypatch.setattr("pathlib.Path.rename", noted_rename)
    store.put(source)
    place = order.index("rename")
    assert "fsync" in order[:place]
    assert "fsync" in order[place:]


def test_a_full_disk_is_told_and_leaves_nothing(
    store: LocalStore, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageFull) as caught:
        store.put(source)
    cause = caught.value.__cause__
    assert isinstance(cause, OSError)
    assert cause.errno == errno.ENOSPC
    assert files(tmp_path) == []


def test_room_is_kept_free(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(10**9, 0, 4 * 10**6))
    assert LocalStore(tmp_path / "artifacts").put(source)
    with pytest.raises(StorageFull, match=r"only 4\.0 MB left"):
        LocalStore(tmp_path / "artifacts", min_free=10**6).put(source)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "", "A" * 64, "a" * 63, "a" * 63 + "/"])
def test_only_a_sha256_names_a_file(store: LocalStore, name: str, tmp_path: Path) -> None:
    for call in (store.open, store.exists, store.size, store.delete, store.local_path):
        with pytest.raises(ValueError, match="not a SHA-256"):
            call(name)
    with pytest.raises(ValueError, match="not a SHA-256"):
        store.download(name, tmp_path / "x")


def test_what_is_missing(store: LocalStore, tmp_path: Path) -> None:
    missing = "0" * 64
    assert not store.exists(missing)
    assert store.size(missing) is None
    store.delete(missing)
    with pytest.raises(FileNotFoundError):
        store.open(missing)
    with pytest.raises(FileNotFoundError):
        store.download(missing, tmp_path / "x")
    assert list(store.listing()) == []


def test_listing_and_deleting(store: LocalStore, source: Path, tmp_path: Path) -> None:
    sha256, size = store.put(source)
    (found,) = store.listing()
    assert (found.sha256, found.size) == (sha256, size)
    assert abs(found.modified - datetime.now(UTC)) < timedelta(hours=1)
    store.delete(sha256)
    assert not store.exists(sha256)
    assert list(store.listing()) == []


def test_a_child_forked_after_use_is_refused_instead_of_hanging(tmp_path: Path) -> None:
    script = """
import os, sys
from pathlib import Path
from jobs.artifacts import LocalStore
root = Path(sys.argv[1])
(root / "a").write_bytes(b"a")
used = sys.argv[2] == "used"
if used:
    list(LocalStore(root / "store").listing())
    LocalStore(root / "store").put(root / "a")
if os.fork() == 0:
    try:
        LocalStore(root / "store").put(root / "a")
        print("put")
    except RuntimeError as error:
        print(error)
    sys.exit(0)
os.wait()
"""
    said = {}
    for use in ("used", "fresh"):
        command = [sys.executable, "-c", script, str(tmp_path), use]
        said[use] = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    assert said["used"].startswith("the artifact store was used before this process was forked")
    assert said["fresh"] == "put"


def test_media_types_and_sizes_in_words() -> None:
    assert media_type("samples/grid.PNG") == "image/png"
    assert media_type("weights.safetensors") == "application/octet-stream"
    assert [in_words(size) for size in (0, 999, 1500, 15_000, 2 * 10**9, 10**16)] == [
        "0 bytes", "999 bytes", "1.5 KB", "15 KB", "2.0 GB", "10000 TB",
    ]  # fmt: skip
