"""Files by the SHA-256 of their bytes: written once, never changed, never torn."""

import ctypes
import errno
import hashlib
import os
import re
import shutil
import sys
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from jobs.errors import StorageFull, StoreUnavailable

CHUNK = 2**20
# From so many files on, one wait for the whole file system replaces those for each file and its directories.
MANY, LARGE = 8, 64 * 2**20
INCOMING = ".incoming"
SHA256 = re.compile(r"[0-9a-f]{64}")
MEDIA_TYPES = {
    ".csv": "text/csv",
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".wav": "audio/wav",
    ".webp": "image/webp",
    ".zip": "application/zip",
}


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file whose bytes are in the store already, on its way to become an artifact."""

    name: str
    sha256: str
    size: int
    media_type: str


@dataclass(frozen=True, slots=True)
class Stored:
    """What a listing says of one file."""

    sha256: str
    size: int
    modified: datetime


class ArtifactStore(Protocol):
    """Where bytes are kept. A name in it is the SHA-256 of what it names."""

    def put(self, path: Path) -> tuple[str, int]:
        """Store a copy of a file and give its SHA-256 and size. Raises :class:`StorageFull`."""

    def put_all(self, paths: Sequence[Path]) -> list[tuple[str, int]]:
        """The same for several, in less time."""

    def receive(self, stream: BinaryIO, size: int) -> tuple[str, int]:
        """Store what a stream gives, about so many bytes; else like :meth:`put`."""

    def open(self, sha256: str) -> BinaryIO:
        """Open for reading (seekable). Raises ``FileNotFoundError``."""

    def local_path(self, sha256: str) -> Path | None:
        """Where the bytes lie on this machine, or None if they are elsewhere. Never write there."""

    def download(self, sha256: str, to: Path) -> None:
        """Copy to a local file. Raises ``FileNotFoundError``."""

    def exists(self, sha256: str) -> bool:
        """Whether the bytes are there."""

    def size(self, sha256: str) -> int | None:
        """How many bytes are there, or None if none are."""

    def sizes(self, names: Iterable[str]) -> Mapping[str, int | None]:
        """The same for several."""

    def delete(self, sha256: str) -> None:
        """Remove the bytes; it is no fault when they are gone already."""

    def listing(self) -> Iterator[Stored]:
        """Everything the store holds, in no order."""

    def sweep(self, older_than: datetime) -> int:
        """Remove what unfinished writes left behind; gives their number."""

    def check(self) -> None:
        """See that it can be used. Raises :class:`StoreUnavailable` with what to do."""

    def link(self, sha256: str, name: str, media_type: str) -> str | None:
        """An address from which anybody can read it for some minutes, saved under a name; None where there is none."""


def media_type(name: str) -> str:
    """The media type by the name's ending; what is unknown is just bytes."""
    return MEDIA_TYPES.get(PurePosixPath(name).suffix.lower(), "application/octet-stream")


class _ForkGuard:
    """obstore's threads do not survive a fork, and its next call would hang for ever: fail loudly instead."""

    def __init__(self) -> None:
        self.used = self.forked = False
        os.register_at_fork(after_in_child=self._in_child)

    def _in_child(self) -> None:
        self.forked = self.used

    def check(self) -> None:
        """Note a use, or refuse it in a child that was forked after one."""
        if self.forked:
            raise RuntimeError("the artifact store was used before this process was forked; fork first, then use it")
        self.used = True


guard = _ForkGuard()


class LocalStore:
    """A directory: ``sha256/ab/cd/<sha256>``.

    Args:
        root: The directory; made when it is first written to.
        min_free: Bytes of the file system that are kept free.
    """

    def __init__(self, root: Path, min_free: int = 0) -> None:
        self._root = root / "sha256"
        self._min_free = min_free

    def put(self, path: Path) -> tuple[str, int]:
        """See :class:`ArtifactStore`."""
        with path.open("rb") as reading:
            return self.receive(reading, path.stat().st_size)

    def put_all(self, paths: Sequence[Path]) -> list[tuple[str, int]]:
        """See :class:`ArtifactStore`.

        Many small files are written, waited for together, renamed and waited for once more: no name is there before
        its bytes outlive a power cut, as with one file. What others write to the file system at the time is waited for,
        too; that takes less than four waits for each file.
        """
        total = sum(path.stat().st_size for path in paths)
        if len(paths) < MANY or total > LARGE or sys.platform != "linux":
            return [self.put(path) for path in paths]
        guard.check()
        incoming = self._root / INCOMING
        temporary = [incoming / uuid.uuid4().hex for _ in paths]
        try:
            incoming.mkdir(parents=True, exist_ok=True)
            self._check_room(total)
            found = [_copied(path, to) for path, to in zip(paths, temporary, strict=True)]
            sync_file_system(incoming)
            for to, (sha256, size) in zip(temporary, found, strict=True):
                self._place(to, sha256, size, durable=False)
            sync_file_system(incoming)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise self._full(total) from error
            raise
        finally:
            for to in temporary:
                to.unlink(missing_ok=True)
        return found

    def receive(self, stream: BinaryIO, size: int) -> tuple[str, int]:
        """See :class:`ArtifactStore`. Temporary file, fsync, rename, fsync of the directory."""
        guard.check()
        temporary = self._root / INCOMING / uuid.uuid4().hex
        try:
            temporary.parent.mkdir(parents=True, exist_ok=True)
            self._check_room(size)
            sha256, size = _copy(stream, temporary)
            self._place(temporary, sha256, size)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise self._full(size) from error
            raise
        finally:
            temporary.unlink(missing_ok=True)
        return sha256, size

    def open(self, sha256: str) -> BinaryIO:
        """See :class:`ArtifactStore`."""
        guard.check()
        return self._path(sha256).open("rb")

    def local_path(self, sha256: str) -> Path | None:
        """See :class:`ArtifactStore`."""
        return self._path(sha256)

    def download(self, sha256: str, to: Path) -> None:
        """See :class:`ArtifactStore`."""
        guard.check()
        shutil.copyfile(self._path(sha256), to)

    def exists(self, sha256: str) -> bool:
        """See :class:`ArtifactStore`."""
        return self._path(sha256).is_file()

    def size(self, sha256: str) -> int | None:
        """See :class:`ArtifactStore`."""
        try:
            return self._path(sha256).stat().st_size
        except FileNotFoundError:
            return None

    def sizes(self, names: Iterable[str]) -> Mapping[str, int | None]:
        """See :class:`ArtifactStore`."""
        return {name: self.size(name) for name in names}

    def delete(self, sha256: str) -> None:
        """See :class:`ArtifactStore`."""
        guard.check()
        self._path(sha256).unlink(missing_ok=True)

    def listing(self) -> Iterator[Stored]:
        """See :class:`ArtifactStore`."""
        import obstore  # four megabytes that only the scheduler needs
        import obstore.store

        guard.check()
        if not self._root.is_dir():
            return
        for batch in obstore.list(obstore.store.LocalStore(self._root)):
            for entry in batch:
                name = PurePosixPath(entry["path"]).name
                if SHA256.fullmatch(name):
                    yield Stored(name, entry["size"], entry["last_modified"])

    def sweep(self, older_than: datetime) -> int:
        """See :class:`ArtifactStore`."""
        removed = 0
        for left in (self._root / INCOMING).glob("*"):
            with suppress(FileNotFoundError):  # its writer may just have renamed it
                if left.stat().st_mtime < older_than.timestamp():
                    left.unlink()
                    removed += 1
        return removed

    def check(self) -> None:
        """See :class:`ArtifactStore`. A directory that is to be made is as good as one."""
        made = next(directory for directory in (self._root, *self._root.parents) if directory.exists())
        if not os.access(made, os.W_OK | os.X_OK):
            raise StoreUnavailable(place=str(self._root))

    def link(self, sha256: str, name: str, media_type: str) -> str | None:
        """See :class:`ArtifactStore`. No one but this program reads its directory."""
        return None

    def _path(self, sha256: str) -> Path:
        if not SHA256.fullmatch(sha256):
            raise ValueError("not a SHA-256")  # whatever comes in, no other file can be named
        return self._root / sha256[:2] / sha256[2:4] / sha256

    def _place(self, temporary: Path, sha256: str, size: int, durable: bool = True) -> None:
        final = self._path(sha256)
        with suppress(FileNotFoundError):  # the collector may remove it at any moment
            if final.stat().st_size == size:  # else a damaged disk cut it: these bytes mend it
                os.utime(final)  # the sweeper takes it for new
                return
        fresh = [directory for directory in (final.parent, final.parent.parent) if not directory.is_dir()]
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary.rename(final)
        for directory in () if not durable else {final.parent, *(made.parent for made in fresh)}:
            fsync_directory(directory)

    def _check_room(self, size: int) -> None:
        if self._free() < size + self._min_free:
            raise self._full(size) from OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _full(self, size: int) -> StorageFull:
        return StorageFull(free=in_words(self._free()), needed=in_words(size + self._min_free))

    def _free(self) -> int:
        """Free bytes where the store is, or will be once a disk has room for its directory."""
        made = next(directory for directory in (self._root, *self._root.parents) if directory.is_dir())
        return shutil.disk_usage(made).free


def in_words(size: int) -> str:
    """Bytes as people say them."""
    amount, unit = float(size), "bytes"
    for unit in ("bytes", "KB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "bytes" or amount >= 10 else f"{amount:.1f} {unit}"


def _copied(source: Path, target: Path) -> tuple[str, int]:
    """Copy a small file; its bytes are on their way to the disk."""
    content = source.read_bytes()
    with target.open("xb") as writing:
        writing.write(content)
    return hashlib.sha256(content).hexdigest(), len(content)


def sync_file_system(directory: Path) -> None:
    """Make all that was written to a directory's file system outlive a power cut, its names included (Linux)."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syncfs(handle) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(directory))
    finally:
        os.close(handle)


def _copy(source: BinaryIO, target: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with target.open("xb") as writing:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            writing.write(chunk)
        writing.flush()
        os.fsync(writing.fileno())
    return digest.hexdigest(), size


def fsync_directory(directory: Path) -> None:
    """Make what was renamed in a directory outlive a power cut."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
