"""What a runner makes, into the store and then into the database: results, samples, checkpoints."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from jobs.artifacts import ArtifactStore, NewFile, media_type
from jobs.errors import BlobMissing
from jobs.lifecycle import Lease
from worker.heart import Heart

LARGE = 16 * 2**20


class Harvest:
    """Stores the files of one attempt. Bytes are put first, rows follow: a row never names what is not there.

    Args:
        store: For the bytes.
        lease: For the rows.
        heart: What it still has to tell goes before a checkpoint, so that a resumed curve has no gap.
    """

    def __init__(self, store: ArtifactStore, lease: Lease, heart: Heart) -> None:
        self._store = store
        self._lease = lease
        self._heart = heart

    def outputs(self, directory: Path) -> list[NewFile]:
        """Store everything in a directory, under names relative to it."""
        return [self._put(path, path.relative_to(directory).as_posix()) for path in _files(directory)]

    def outputs_of_all(self, directories: Sequence[Path]) -> list[list[NewFile]]:
        """The same for several directories, stored together."""
        found = [(place, path) for place, directory in enumerate(directories) for path in _files(directory)]
        stored = self._store.put_all([path for _, path in found])
        made: list[list[NewFile]] = [[] for _ in directories]
        for (place, path), (sha256, size) in zip(found, stored, strict=True):
            name = path.relative_to(directories[place]).as_posix()
            made[place].append(NewFile(name=name, sha256=sha256, size=size, media_type=media_type(name)))
        return made

    def is_large(self, directory: Path) -> bool:
        """Whether storing what lies there may take long."""
        return sum(path.stat().st_size for path in _files(directory)) > LARGE

    def checkpoint(self, step: int, directory: Path) -> None:
        """Store a checkpoint and record it; it replaces the one before."""
        self._heart.flush()
        self.store(directory, lambda files: self._lease.checkpoint(step, files))
        shutil.rmtree(directory, ignore_errors=True)

    def sample(self, name: str, step: int, path: Path) -> None:
        """Store a preview made at a step."""
        try:
            file = self._put(path, f"{name}{path.suffix}")
            self._heart.persist(lambda: self._lease.sample(step, file))
        except BlobMissing:
            again = self._put(path, f"{name}{path.suffix}")
            self._heart.persist(lambda: self._lease.sample(step, again))
        path.unlink(missing_ok=True)

    def store(self, directory: Path, write: Callable[[list[NewFile]], None]) -> None:
        """Store everything in a directory and write its rows; twice, where the collector came between.

        Raises:
            LeaseLost: The attempt no longer holds its job.
        """
        files = self.outputs(directory)
        try:
            self._heart.persist(lambda: write(files))
        except BlobMissing:
            again = self.outputs(directory)
            self._heart.persist(lambda: write(again))

    def _put(self, path: Path, name: str) -> NewFile:
        sha256, size = self._store.put(path)
        return NewFile(name=name, sha256=sha256, size=size, media_type=media_type(name))


def _files(directory: Path) -> Iterator[Path]:
    """Regular files below a directory in a fixed order; links are not followed, wherever they point."""
    for parent, directories, names in os.walk(directory):
        directories.sort()
        for name in sorted(names):
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink():
                yield path
