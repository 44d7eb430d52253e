from collections.abc import Mapping
from pathlib import Path

import pytest

from jobs.artifacts import LocalStore
from jobs.claiming import FileSet, StoredFile
from worker.materialise import DamagedFile, InputCache, place


class Elsewhere(LocalStore):
    """A store that is not on this machine."""

    def local_path(self, sha256: str) -> None:
        return None


@pytest.fixture(params=[LocalStore, Elsewhere])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> LocalStore:
    made: LocalStore = request.param(tmp_path / "store")
    return made


def keep(store: LocalStore, tmp_path: Path, content: Mapping[str, bytes], key: str = "ds_1") -> FileSet:
    """Store files as one set."""
    files = []
    for name, data in content.items():
        source = tmp_path / "source"
        source.write_bytes(data)
        sha256, size = store.put(source)
        files.append(StoredFile(name, sha256, size))
    return FileSet(key, files)


def test_a_set_becomes_a_directory_once(store: LocalStore, tmp_path: Path) -> None:
    files = keep(store, tmp_path, {"images.safetensors": b"images", "more/report.json": b"{}"})
    cache = InputCache(tmp_path / "cache", store)
    directory = cache.directory(files)
    assert directory.name == "ds_1"
    assert (directory / "images.safetensors").read_bytes() == b"images"
    assert (directory / "more" / "report.json").read_bytes() == b"{}"
    made = (directory / "images.safetensors").stat().st_ino
    assert cache.directory(files) == directory
    assert (directory / "images.safetensors").stat().st_ino == made
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["ds_1"]


def test_a_local_store_costs_a_link(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    files = keep(store, tmp_path, {"a": b"a" * 1000})
    directory = InputCache(tmp_path / "cache", store).directory(files)
    path = store.local_path(files.files[0].sha256)
    assert path is not None
    assert (directory / "a").samefile(path)


def test_damaged_bytes_leave_nothing(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    files = keep(store, tmp_path, {"good": b"good", "bad": b"bad"})
    path = store.local_path(files.files[1].sha256)
    assert path is not None
    path.write_bytes(b"bed")
    with pytest.raises(DamagedFile, match="bad"):
        InputCache(tmp_path / "cache", store).directory(files)
    assert list((tmp_path / "cache").iterdir()) == []


def test_missing_bytes_are_named(store: LocalStore, tmp_path: Path) -> None:
    files = FileSet("mdl_1", [StoredFile("weights", "0" * 64, 3)])
    with pytest.raises(DamagedFile, match="weights"):
        place(files, tmp_path / "resume", store)


@pytest.mark.parametrize("name", ["../out", "/etc/passwd", "a/../../out", ""])
def test_no_name_leaves_the_directory(tmp_path: Path, name: str) -> None:
    store = LocalStore(tmp_path / "store")
    stored = keep(store, tmp_path, {"x": b"x"}).files[0]
    files = FileSet("ds_2", [StoredFile(name, stored.sha256, stored.size)])
    with pytest.raises(ValueError, match="leaves its directory"):
        InputCache(tmp_path / "cache", store).directory(files)


@pytest.mark.parametrize("key", ["", "..", "a/b", ".hidden"])
def test_no_key_leaves_the_cache(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="cannot name a directory"):
        InputCache(tmp_path / "cache", LocalStore(tmp_path / "store")).directory(FileSet(key, []))
