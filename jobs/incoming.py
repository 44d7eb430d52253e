"""Uploads that arrive in pieces: how much of one has come is the length of its file, so it goes on from there.

Two files below the staging directory belong to each: the bytes, and what is known about them. A piece is
added under a lock, and only at the end: whatever connection it came by, no byte lies in the wrong place.
The collector removes both when nothing was added for a day.
"""

import errno
import fcntl
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

from jobs.artifacts import CHUNK, in_words
from jobs.collector import ORPHAN_AGE, UPLOADS
from jobs.errors import FileTooLarge, NotFound, StorageFull, UploadIncomplete, UploadMoved, UploadOverrun
from jobs.ids import new_id
from jobs.naming import file_name
from jobs.principal import Principal
from jobs.settings import Settings

LIFETIME: timedelta = ORPHAN_AGE
ID = re.compile(r"upl_[0-9a-v]{26}")


@dataclass(frozen=True, slots=True)
class Incoming:
    """One upload as it is now.

    Attributes:
        id: Its id.
        tenant: Whose it is.
        owner: Who began it.
        filename: What the file is called at its sender's.
        length: How many bytes it will have.
        offset: How many have come.
        expires_at: When it is given up unless more comes.
        dataset: What was made of it.
    """

    id: str
    tenant: str
    owner: str
    filename: str
    length: int
    offset: int
    expires_at: datetime
    dataset: str | None = None


def begin(settings: Settings, principal: Principal, filename: str, length: int) -> Incoming:
    """Make room for an upload.

    Raises:
        FileTooLarge: It is to be larger than the operator allows.
        StorageFull: There would be too little free after it.
    """
    if length > settings.max_upload:
        raise FileTooLarge(limit=in_words(settings.max_upload))
    check_room(settings, length)
    who, until = (principal.tenant_id, principal.owner), datetime.now(UTC) + LIFETIME
    made = Incoming(new_id("upl"), *who, file_name(filename), length, 0, until)
    data, about = _files(settings, made.id)
    data.touch(mode=0o600)
    with about.open("x", encoding="utf-8") as file:
        _write(file, made)
    return made


def find(settings: Settings, principal: Principal, upload_id: str) -> Incoming:
    """An upload of the caller's. Raises :class:`NotFound`."""
    data, about = _files(settings, upload_id)
    try:
        known = json.loads(about.read_text(encoding="utf-8"))
        state = (about if known["dataset"] else data).stat()
        offset = known["length"] if known["dataset"] else state.st_size
    except (FileNotFoundError, ValueError):
        raise NotFound(kind="upload", id=upload_id) from None
    if (known["tenant"], known["owner"]) != (principal.tenant_id, principal.owner):
        raise NotFound(kind="upload", id=upload_id)
    return Incoming(**known, offset=offset, expires_at=datetime.fromtimestamp(state.st_mtime, UTC) + LIFETIME)


def append(settings: Settings, known: Incoming, offset: int, read: Callable[[int], bytes]) -> Incoming:
    """Add what can be read to an upload. What came before a fault stays: the upload goes on after it.

    Raises:
        UploadMoved: The upload is not, or not any more, at that offset.
        UploadOverrun: More comes than was announced.
        StorageFull: The disk is full.
    """
    data, about = _files(settings, known.id)
    try:
        file = data.open("r+b", buffering=0)
    except FileNotFoundError:
        raise UploadMoved(offset=known.offset, sent=offset) from None  # a dataset has been made of it
    with file:
        _check_end(file, offset)
        while chunk := read(CHUNK):
            if offset + len(chunk) > known.length:
                raise UploadOverrun(length=known.length)
            with _locked(file):
                _check_end(file, offset)
                offset += _add(settings, file, offset, chunk)
            with suppress(FileNotFoundError):  # called off meanwhile
                os.utime(about)
        os.fsync(file.fileno())
    return replace(known, offset=offset, expires_at=datetime.now(UTC) + LIFETIME)


def remove(settings: Settings, known: Incoming) -> None:
    """Forget an upload."""
    for path in _files(settings, known.id):
        path.unlink(missing_ok=True)


@contextmanager
def whole(settings: Settings, principal: Principal, upload_id: str) -> Iterator[tuple[Incoming, Path]]:
    """An upload of which all has come, with the file of its bytes; one at a time makes something of it.

    Raises:
        NotFound: There is no such upload.
        UploadIncomplete: Some of it has not come yet.
    """
    _, about = _files(settings, upload_id)
    try:
        file = about.open("r", encoding="utf-8")
    except FileNotFoundError:
        raise NotFound(kind="upload", id=upload_id) from None
    with file, _locked(file):
        found = find(settings, principal, upload_id)
        if found.offset < found.length:
            raise UploadIncomplete(offset=found.offset, length=found.length)
        yield found, _files(settings, upload_id)[0]


def became(settings: Settings, known: Incoming, dataset_id: str) -> None:
    """Note what was made of an upload, for whoever asks again, and give its room back."""
    data, about = _files(settings, known.id)
    with about.open("r+", encoding="utf-8") as file:
        _write(file, replace(known, dataset=dataset_id))
    data.unlink(missing_ok=True)


def check_room(settings: Settings, expected: int) -> Path:
    """The directory where uploads are received.

    Raises:
        StorageFull: What is expected would leave too little free there.
    """
    directory = settings.staging / UPLOADS
    directory.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(directory).free - expected < settings.min_free_disk:
        raise full(settings)
    return directory


def full(settings: Settings) -> StorageFull:
    """What is told when the disk is full."""
    return StorageFull(free=in_words(shutil.disk_usage(settings.home).free), needed=in_words(settings.min_free_disk))


def _files(settings: Settings, upload_id: str) -> tuple[Path, Path]:
    if not ID.fullmatch(upload_id):  # what is no id of ours must not become a path
        raise NotFound(kind="upload", id=upload_id[:100])
    directory = settings.staging / UPLOADS
    return directory / f"{upload_id}.part", directory / f"{upload_id}.json"


def _write(file: IO[str], known: Incoming) -> None:
    kept = {name: value for name, value in asdict(known).items() if name not in ("offset", "expires_at")}
    file.write(json.dumps(kept))
    file.truncate()


def _check_end(file: IO[bytes], offset: int) -> None:
    end = os.fstat(file.fileno()).st_size
    if end != offset:
        raise UploadMoved(offset=end, sent=offset)


def _add(settings: Settings, file: IO[bytes], offset: int, chunk: bytes) -> int:
    left = memoryview(chunk)
    while left:
        try:
            written = os.pwrite(file.fileno(), left, offset)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise full(settings) from None
            raise
        offset, left = offset + written, left[written:]
    return len(chunk)


@contextmanager
def _locked(file: IO[bytes] | IO[str]) -> Iterator[None]:
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)
