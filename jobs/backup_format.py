"""What a backup looks like, as a directory or as a tar file.

``manifest.json`` names the dump of the database, the list of the bytes that belong to it and their
sums; ``blobs/ab/cd/<sha256>`` are the bytes. The manifest is written last and at once, so that
where it is missing the backup is not complete. A directory can be backed up into again: bytes that
are there are not copied, and the backup of before stays whole until the new one is.
"""

import hashlib
import io
import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jobs.artifacts import CHUNK, SHA256, fsync_directory
from jobs.operating import Refused

FORMAT = 1
MANIFEST = "manifest.json"
PART = ".part"
BLOBS = "blobs"
DUMPS = ("database-", "blobs-")
SCRATCH = ".scratch"


class Piece(BaseModel):
    """A file of the backup other than bytes of the store."""

    model_config = ConfigDict(frozen=True)
    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")  # never a path
    size: int
    sha256: str


class Manifest(BaseModel):
    """What a backup holds."""

    model_config = ConfigDict(frozen=True)
    format: int = Field(ge=1)
    software: str
    created_at: str
    kind: Literal["sqlite", "postgresql"]
    revision: str
    epoch: str
    database: Piece
    blobs: Piece
    blob_count: int
    blob_bytes: int
    counts: dict[str, int]
    damaged: list[str]


class Target(Protocol):
    """Where a backup is written; ``scratch`` is a directory to be, on the same disk."""

    scratch: Path

    def has(self, name: str, size: int) -> bool:
        """Whether a file of that size is there already."""

    def add(self, name: str, stream: BinaryIO, size: int) -> str:
        """Copy so many bytes; gives their SHA-256. Raises ``EOFError`` when there are fewer."""

    def commit(self, manifest: Manifest) -> None:
        """Make it a complete backup."""


class Source(Protocol):
    """Where a backup is read."""

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Open a file. Raises ``FileNotFoundError``."""

    def size(self, name: str) -> int | None:
        """How large a file is, or None if there is none."""


class Summing:
    """A stream that sums up what is read through it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self.count = 0

    def read(self, size: int = -1) -> bytes:
        """Read, and add to the sum."""
        chunk = self._stream.read(size)
        self._digest.update(chunk)
        self.count += len(chunk)
        return chunk

    @property
    def sha256(self) -> str:
        """The sum of what was read."""
        return self._digest.hexdigest()


class DirectoryTarget:
    """A directory, new or with an earlier backup in it."""

    def __init__(self, root: Path) -> None:
        if root.is_dir() and any(root.iterdir()) and not _is_ours(root):
            raise Refused(f"The directory {root} holds other files. Choose a new one, or one with a backup in it.")
        self._root = root
        self.scratch = root / SCRATCH
        self._changed = {root, root / BLOBS}
        (root / BLOBS).mkdir(parents=True, exist_ok=True)

    def has(self, name: str, size: int) -> bool:
        """See :class:`Target`."""
        with suppress(FileNotFoundError):
            return (self._root / name).stat().st_size == size
        return False

    def add(self, name: str, stream: BinaryIO, size: int) -> str:
        """See :class:`Target`."""
        final = self._root / name
        final.parent.mkdir(parents=True, exist_ok=True)
        part = final.with_name(final.name + PART)
        summing = Summing(stream)
        try:
            with part.open("wb") as writing:
                shutil.copyfileobj(summing, writing, CHUNK)
                writing.flush()
                os.fsync(writing.fileno())
            if summing.count != size:
                raise EOFError(name)
            part.rename(final)
            self._changed |= {final.parent, final.parent.parent}
        finally:
            part.unlink(missing_ok=True)
        return summing.sha256

    def commit(self, manifest: Manifest) -> None:
        """See :class:`Target`. What only the backup of before needed is removed after that."""
        for directory in self._changed:
            fsync_directory(directory)
        draft = self._root / (MANIFEST + PART)
        with draft.open("w", encoding="utf-8") as writing:
            writing.write(manifest.model_dump_json(indent=2))
            writing.flush()
            os.fsync(writing.fileno())
        draft.rename(self._root / MANIFEST)
        fsync_directory(self._root)
        self._prune(manifest)

    def _prune(self, manifest: Manifest) -> None:
        with (self._root / manifest.blobs.file).open("rb") as listed:
            kept = {sha256 for sha256, _ in read_list(listed)}
        for path in self._root.glob("*"):
            if path.name.startswith(DUMPS) and path.name not in (manifest.database.file, manifest.blobs.file):
                path.unlink()
        for path in (self._root / BLOBS).glob("*/*/*"):
            if path.name not in kept:
                path.unlink()


class TarTarget:
    """One file, which has its name only when it is complete."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(path.name + PART)
        self.scratch = path.with_name(f".{path.name}{SCRATCH}")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._part.open("wb")
        self._tar = tarfile.TarFile(fileobj=self._file, mode="w", format=tarfile.PAX_FORMAT)

    def has(self, name: str, size: int) -> bool:
        """See :class:`Target`."""
        return False

    def add(self, name: str, stream: BinaryIO, size: int) -> str:
        """See :class:`Target`."""
        summing = Summing(stream)
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = size, 0o600
        try:
            self._tar.addfile(entry, summing)
        except OSError as error:
            if str(error) == "unexpected end of data":
                raise EOFError(name) from error
            raise
        return summing.sha256

    def commit(self, manifest: Manifest) -> None:
        """See :class:`Target`."""
        content = manifest.model_dump_json(indent=2).encode()
        self.add(MANIFEST, io.BytesIO(content), len(content))
        self._tar.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._part.rename(self._path)
        fsync_directory(self._path.parent)

    def close(self) -> None:
        """Let go of the file; what is not complete is removed."""
        self._file.close()
        self._part.unlink(missing_ok=True)


class DirectorySource:
    """A backup in a directory."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        """See :class:`Source`."""
        return (self._root / name).open("rb")

    def size(self, name: str) -> int | None:
        """See :class:`Source`."""
        path = self._root / name
        return path.stat().st_size if path.is_file() else None


class TarSource:
    """A backup in a tar file; members are looked up by name, none is extracted to a path."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._members = {member.name: member for member in tar if member.isreg()}

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """See :class:`Source`."""
        if name not in self._members:
            raise FileNotFoundError(name)
        found = self._tar.extractfile(self._members[name])
        assert found is not None
        with found:
            yield found  # type: ignore[misc]  # reads as any other

    def size(self, name: str) -> int | None:
        """See :class:`Source`."""
        member = self._members.get(name)
        return member.size if member is not None else None


@contextmanager
def target(path: Path) -> Iterator[Target]:
    """The place to write to; what a tar file lacks to be complete is removed again."""
    if not is_tar(path):
        yield DirectoryTarget(path)
        return
    made = TarTarget(path)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def source(path: Path) -> Iterator[Source]:
    """The place to read from.

    Raises:
        Refused: There is no readable backup.
    """
    if path.is_dir():
        yield DirectorySource(path)
        return
    if not path.exists():
        raise Refused(f"There is no backup at {path}. Give the directory or the tar file that aigc backup wrote.")
    with ExitStack() as opened:
        file = opened.enter_context(path.open("rb"))
        try:
            reading = TarSource(opened.enter_context(tarfile.TarFile(fileobj=file)))
        except tarfile.TarError as error:
            raise Refused(f"The file {path} is no whole tar file ({error}). Use another backup.") from error
        yield reading


def read_manifest(reading: Source, path: Path) -> Manifest:
    """The manifest of a complete backup.

    Raises:
        Refused: It is missing, damaged or of a newer format.
    """
    try:
        with reading.open(MANIFEST) as stream:
            content = stream.read()
    except FileNotFoundError:
        raise Refused(
            f"The backup at {path} is not complete: it has no {MANIFEST}, so it was cut off, or this is something else."
            " Use another backup, or let aigc backup finish this one."
        ) from None
    try:
        found = Manifest.model_validate_json(content)
    except ValidationError:
        raise Refused(f"The {MANIFEST} of the backup at {path} is damaged. Use another backup.") from None
    if found.format > FORMAT:
        raise Refused(f"The backup at {path} was made by a newer version ({found.software}). Upgrade, then restore it.")
    return found


def read_list(stream: BinaryIO) -> Iterator[tuple[str, int]]:
    """SHA-256 and size of the bytes that belong to a backup."""
    for line in stream:
        sha256, _, size = line.decode("ascii").strip().partition(" ")
        if not SHA256.fullmatch(sha256):
            raise ValueError("not a list of bytes")
        yield sha256, int(size)


def blob_name(sha256: str) -> str:
    """Where bytes lie within a backup."""
    return f"{BLOBS}/{sha256[:2]}/{sha256[2:4]}/{sha256}"


def is_tar(path: Path) -> bool:
    """Whether a path names a tar file, there or to be."""
    return path.suffix == ".tar" and not path.is_dir()


def _is_ours(root: Path) -> bool:
    """Whether a directory holds a backup, or the beginning of one."""
    return all(
        path.name in (BLOBS, SCRATCH, MANIFEST, MANIFEST + PART) or path.name.startswith(DUMPS)
        for path in root.iterdir()
    )
