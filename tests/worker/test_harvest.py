from pathlib import Path

from jobs.artifacts import LocalStore, NewFile
from jobs.errors import BlobMissing
from tests.worker.test_heart import PlainLease
from worker.harvest import Harvest
from worker.heart import Heart


def harvest_into(store: LocalStore) -> Harvest:
    lease = PlainLease()
    return Harvest(store, lease, Heart(lease, 1.0, 10.0, lambda _: None))


def test_only_what_was_made_is_taken(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "model").mkdir(parents=True)
    (out / "model" / "weights.safetensors").write_bytes(b"weights")
    (out / "samples.png").write_bytes(b"png")
    (out / "passwords").symlink_to("/etc/passwd")
    (out / "etc").symlink_to("/etc")
    store = LocalStore(tmp_path / "store")
    files = harvest_into(store).outputs(out)
    assert [file.name for file in files] == ["samples.png", "model/weights.safetensors"]
    assert files[0].media_type == "image/png"
    assert all(store.exists(file.sha256) for file in files)


def test_bytes_that_the_collector_took_are_put_again(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "samples.png").write_bytes(b"png")
    store = LocalStore(tmp_path / "store")
    written: list[list[NewFile]] = []

    def write(files: list[NewFile]) -> None:
        if not written:
            store.delete(files[0].sha256)
        written.append(files)
        if not store.exists(files[0].sha256):
            raise BlobMissing(files[0].sha256)

    harvest_into(store).store(out, write)
    assert len(written) == 2
    assert store.exists(written[1][0].sha256)
