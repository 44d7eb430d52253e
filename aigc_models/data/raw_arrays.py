"""Arrays of numbers in files, read row by row: NumPy's .npy and the IDX format of the MNIST family."""

import gzip
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from aigc_models.data.archives import MAX_UNPACKED
from aigc_models.data.reading import refuse
from aigc_models.data.uploads import idx_shape, is_idx

_CHUNK = 4 * 2**20
_DAMAGE = (EOFError, OSError, ValueError, zlib.error, zipfile.BadZipFile, NotImplementedError)


@dataclass(frozen=True, slots=True)
class RawArray:
    """An array in a file, not yet read.

    Attributes:
        name: What faults call it.
        shape: Its shape; the first axis counts rows.
        dtype: Its number type.
        fortran: Whether the first axis runs fastest in the file.
        open_data: Opens the file and moves to the first number.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    open_data: Callable[[], IO[bytes]]

    def chunks(self) -> Iterator[NDArray[Any]]:
        """Some rows at a time, in order.

        Raises:
            InputError: The file is shorter than its header promises, or damaged.
        """
        row_bytes = prod(self.shape[1:]) * self.dtype.itemsize
        step = self.shape[0] if self.fortran else max(1, _CHUNK // max(row_bytes, 1))
        try:
            with self.open_data() as stream:
                for start in range(0, self.shape[0], step):
                    count = min(step, self.shape[0] - start)
                    data = _read_exactly(stream, count * row_bytes)
                    rows = np.frombuffer(data, self.dtype)
                    order = "F" if self.fortran else "C"
                    yield rows.reshape((count, *self.shape[1:]), order=order)  # type: ignore[call-overload]
        except _DAMAGE:
            sentence = "The array {file} is cut off or damaged. Save it again."
            raise refuse(sentence, "truncated-file", file=self.name) from None

    def all(self) -> NDArray[Any]:
        """The whole array; for labels, which are small."""
        return np.concatenate(list(self.chunks())) if self.shape[0] else np.empty(self.shape, self.dtype)


def _read_exactly(stream: IO[bytes], size: int) -> bytes:
    parts = []
    while size > 0:
        part = stream.read(size)
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts) if len(parts) != 1 else parts[0]


def opener_of(file: Path) -> Callable[[], IO[bytes]]:
    """A function that opens a plain file."""
    return lambda: file.open("rb")


def open_npy(name: str, opener: Callable[[], IO[bytes]]) -> RawArray:
    """Read the header of a .npy file; arrays of Python objects are refused, nothing is unpickled."""
    try:
        with opener() as stream:
            version = np.lib.format.read_magic(stream)
            if version == (1, 0):
                shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
            else:
                shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
            offset = stream.tell()
    except _DAMAGE:
        raise refuse("The array {file} cannot be read. Save it again.", "truncated-file", file=name) from None
    if dtype.hasobject:
        sentence = "The array {file} holds Python objects, which are never loaded. Save it as plain numbers."
        raise refuse(sentence, "unsafe-archive", file=name)
    _check_size(name, prod(shape) * dtype.itemsize)
    return RawArray(name, shape, dtype, fortran, lambda: _skip(opener(), offset))


def open_idx(name: str, opener: Callable[[], IO[bytes]]) -> RawArray | None:
    """Read the header of an IDX file, gzipped or not; None when it is something else."""
    with opener() as stream:
        packed = stream.read(2) == b"\x1f\x8b"

    def unpacked() -> IO[bytes]:
        stream = opener()
        return gzip.GzipFile(fileobj=stream) if packed else stream  # type: ignore[return-value]

    try:
        with unpacked() as stream:
            head = stream.read(20)
    except _DAMAGE:
        return None
    if not is_idx(head):
        return None
    shape = idx_shape(head)
    _check_size(name, prod(shape))
    return RawArray(name, shape, np.dtype(np.uint8), False, lambda: _skip(unpacked(), 4 + 4 * len(shape)))


def _skip(stream: IO[bytes], offset: int) -> IO[bytes]:
    stream.read(offset)
    return stream


def _check_size(name: str, size: int) -> None:
    if size > MAX_UNPACKED:
        sentence = "The array {file} has {size} MiB. The limit is {limit} MiB; use fewer or smaller images."
        raise refuse(sentence, "archive-bomb", file=name, size=size // 2**20, limit=MAX_UNPACKED // 2**20)
