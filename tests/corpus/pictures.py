"""Small, honest image files and arrays for tests."""

import gzip
import io
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def pixels(seed: int, height: int = 12, width: int = 12, channels: int = 1) -> NDArray[np.uint8]:
    """Noise of one image, (H, W) or (H, W, C)."""
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def encode(image: Image.Image | NDArray[np.uint8], kind: str = "PNG", **options: Any) -> bytes:
    """An image file's bytes."""
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, kind, **options)
    return buffer.getvalue()


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A ZIP of files by name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def class_folders(classes: Mapping[str, int], **shape: int) -> dict[str, bytes]:
    """PNG files in one folder for each class."""
    return {
        f"{name}/{index}.png": encode(pixels(hash_of(name) + index, **shape))
        for name, count in classes.items()
        for index in range(count)
    }


def hash_of(name: str) -> int:
    """A number for a name, the same in every process."""
    total: int = sum(ord(letter) * 1009**place for place, letter in enumerate(name))
    return total % 2**30


def npz(**arrays: NDArray[Any]) -> bytes:
    """A compressed .npz file."""
    buffer = io.BytesIO()
    save: Any = np.savez_compressed
    save(buffer, **arrays)
    return buffer.getvalue()


def idx(array: NDArray[np.uint8], *, packed: bool = False) -> bytes:
    """An IDX file of unsigned bytes."""
    data = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()
    return gzip.compress(data) if packed else data
