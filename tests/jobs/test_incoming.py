"""Uploads in pieces: whatever breaks, the bytes that have come are the file's first bytes, and the rest follows."""

import errno
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs import collector, incoming
from jobs.engine import Engine
from jobs.errors import FileTooLarge, NotFound, StorageFull, UploadIncomplete, UploadMoved, UploadOverrun
from jobs.incoming import Incoming
from jobs.principal import Principal
from jobs.settings import Settings
from tests.conftest import Clock

ADA = Principal("acme", "ada")
BYTES = os.urandom(5_000)


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, min_free_disk=0, max_upload=10_000)


def reading(*pieces: bytes) -> Callable[[int], bytes]:
    left = [*pieces, b""]
    return lambda _size: left.pop(0)


def data(settings: Settings, upload: Incoming) -> bytes:
    return (settings.staging / "uploads" / f"{upload.id}.part").read_bytes()


def test_it_goes_on_where_the_connection_broke(here: Settings) -> None:
    upload = incoming.begin(here, ADA, "../Pictures.zip", len(BYTES))
    assert (upload.filename, upload.offset) == ("Pictures.zip", 0)

    def broken(_size: int) -> bytes:
        if incoming.find(here, ADA, upload.id).offset:
            raise ConnectionResetError
        return BYTES[:1_500]

    with pytest.raises(ConnectionResetError):
        incoming.append(here, upload, 0, broken)
    upload = incoming.find(here, ADA, upload.id)
    assert upload.offset == 1_500
    with pytest.raises(UploadIncomplete), incoming.whole(here, ADA, upload.id):
        pass
    upload = incoming.append(here, upload, 1_500, reading(BYTES[1_500:4_000], BYTES[4_000:]))
    with incoming.whole(here, ADA, upload.id) as (known, path):
        assert (known.offset, path.read_bytes()) == (len(BYTES), BYTES)


def test_a_piece_that_begins_elsewhere_adds_nothing(here: Settings) -> None:
    upload = incoming.begin(here, ADA, "a.zip", len(BYTES))
    incoming.append(here, upload, 0, reading(BYTES[:100]))
    for offset in (0, 99, 101):
        with pytest.raises(UploadMoved, match="at byte 100"):
            incoming.append(here, upload, offset, reading(b"other"))
    assert data(here, upload) == BYTES[:100]


def test_a_connection_that_comes_back_to_life_writes_over_nothing(here: Settings) -> None:
    """The client gave it up and sent the piece again by a new one."""
    upload = incoming.begin(here, ADA, "a.zip", len(BYTES))

    def revived(_size: int) -> bytes:
        incoming.append(here, upload, 1_000, reading(BYTES[1_000:]))
        return b"late"

    first = iter((lambda _size: BYTES[:1_000], revived))
    with pytest.raises(UploadMoved):
        incoming.append(here, upload, 0, lambda size: next(first)(size))
    assert data(here, upload) == BYTES


def test_no_more_than_announced(here: Settings) -> None:
    upload = incoming.begin(here, ADA, "a.zip", 10)
    with pytest.raises(UploadOverrun):
        incoming.append(here, upload, 0, reading(b"12345", b"678901"))
    assert data(here, upload) == b"12345"
    with pytest.raises(FileTooLarge):
        incoming.begin(here, ADA, "a.zip", 10_001)


def test_a_full_disk_keeps_what_has_come(here: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StorageFull):
        incoming.begin(here.model_copy(update={"min_free_disk": 2**60}), ADA, "a.zip", 1)
    upload = incoming.begin(here, ADA, "a.zip", len(BYTES))
    write, room = os.pwrite, [2_000]

    def full(file: int, some: memoryview, offset: int) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = write(file, some[: room[0]], offset)
        room[0] -= written
        return written

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(StorageFull):
        incoming.append(here, upload, 0, reading(BYTES))
    assert incoming.find(here, ADA, upload.id).offset == 2_000
    room[0] = 2**20
    incoming.append(here, upload, 2_000, reading(BYTES[2_000:]))
    assert data(here, upload) == BYTES


@pytest.mark.parametrize("who", [Principal("acme", "eve"), Principal("other", "ada")])
def test_nobody_elses(here: Settings, who: Principal) -> None:
    upload = incoming.begin(here, ADA, "a.zip", 10)
    with pytest.raises(NotFound):
        incoming.find(here, who, upload.id)
    with pytest.raises(NotFound), incoming.whole(here, who, upload.id):
        pass


@pytest.mark.parametrize(
    "id_", ["../../aigc", "upl_/../../../etc/passwd", "", "upl_" + "0" * 26, "upl_" + "0" * 26 + "\n"]
)
def test_what_is_no_upload(here: Settings, id_: str) -> None:
    with pytest.raises(NotFound):
        incoming.find(here, ADA, id_)
    with pytest.raises(NotFound), incoming.whole(here, ADA, id_):
        pass


def test_what_became_a_dataset_is_remembered_and_takes_no_room(here: Settings) -> None:
    upload = incoming.begin(here, ADA, "a.zip", 3)
    upload = incoming.append(here, upload, 0, reading(b"abc"))
    incoming.became(here, upload, "ds_1")
    found = incoming.find(here, ADA, upload.id)
    assert (found.dataset, found.offset) == ("ds_1", 3)
    with pytest.raises(UploadMoved):
        incoming.append(here, found, 3, reading(b"d"))
    assert [path.suffix for path in (here.staging / "uploads").iterdir()] == [".json"]
    incoming.remove(here, found)
    assert not list((here.staging / "uploads").iterdir())


def test_the_collector_removes_what_nobody_goes_on_with(engine: Engine, clock: Clock) -> None:
    here, old = engine.settings, datetime.now(UTC) - timedelta(days=2)
    left, slow = (incoming.begin(here, ADA, "a.zip", 10) for _ in range(2))
    for path in (here.staging / "uploads").iterdir():
        os.utime(path, (old.timestamp(), old.timestamp()))
    assert incoming.find(here, ADA, left.id).expires_at < datetime.now(UTC)
    incoming.append(here, slow, 0, reading(b"still coming"[:5]))
    clock.now = datetime.now(UTC)
    assert collector.collect_staging(engine) == 2
    with pytest.raises(NotFound):
        incoming.find(here, ADA, left.id)
    assert incoming.find(here, ADA, slow.id).offset == 5
