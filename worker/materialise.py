"""Inputs from the store into local directories, once each: verified, whole or not there at all."""

import hashlib
import os
import re
import shutil
import uuid
from pathlib import Path, PurePosixPath

from jobs.artifacts import ArtifactStore
from jobs.claiming import FileSet, StoredFile

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}")


class DamagedFile(Exception):
    """A file in the store is missing, or not what the database says it is."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)


class InputCache:
    """Directories by the key of the file set they hold. A set never changes, so a directory that is there is right.

    Args:
        root: Where they lie; best on the store's file system, where a file costs a hard link.
        store: Where the bytes come from.
    """

    def __init__(self, root: Path, store: ArtifactStore) -> None:
        self._root = root
        self._store = store

    def holds(self, files: FileSet) -> bool:
        """Whether the files are here, so that :meth:`directory` costs nothing."""
        return (self._root / files.key).is_dir()

    def directory(self, files: FileSet) -> Path:
        """The directory with these files, made now if need be.

        Raises:
            DamagedFile: A file's bytes are not those that were stored.
        """
        if not _KEY.fullmatch(files.key):
            raise ValueError(f"{files.key!r} cannot name a directory")
        final = self._root / files.key
        if not final.is_dir():
            self._root.mkdir(parents=True, exist_ok=True)
            fresh = self._root / f".{files.key}.{uuid.uuid4().hex}"
            try:
                place(files, fresh, self._store)
                _publish(fresh, final)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
        os.utime(final)  # what was used last is cleaned up last
        return final


def place(files: FileSet, directory: Path, store: ArtifactStore) -> None:
    """Put every file of a set into a new directory and check it.

    Raises:
        DamagedFile: A file is missing in the store, or its bytes are not those that were stored.
    """
    directory.mkdir(parents=True)
    for file in files.files:
        target = directory / _safe(file.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        _fetch(file, target, store)
        if target.stat().st_size != file.size or _sha256(target) != file.sha256:
            raise DamagedFile(file.name)


def _publish(fresh: Path, final: Path) -> None:
    try:
        fresh.rename(final)  # atomic
    except OSError:
        if not final.is_dir():  # else another slot was faster
            raise


def _fetch(file: StoredFile, target: Path, store: ArtifactStore) -> None:
    local = store.local_path(file.sha256)
    try:
        if local is None:
            store.download(file.sha256, target)
        else:
            _link(local, target)
    except FileNotFoundError as error:
        raise DamagedFile(file.name) from error


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


def _safe(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError(f"{name!r} leaves its directory")
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
