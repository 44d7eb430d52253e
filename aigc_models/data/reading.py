"""What a reader of uploaded images finds, and what it may say while it reads. No torch here: a child runs this."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from aigc_models.base import Fault, InputError

MAX_PIXELS = 25_000_000
MAX_SIDE = 256
MIN_SIDE = 4
MAX_DECODED = 8 * 2**30
KEPT_FAULTS = 100

Part = Literal["", "train", "test"]
Pixels = NDArray[np.uint8]
Beat = Callable[[int, int], None]  # images done, of how many; called now and then
BEAT_EVERY = 256


@dataclass(frozen=True, slots=True)
class Target:
    """The size every image gets, in pixels, and its channels."""

    height: int
    width: int
    channels: int


@dataclass(slots=True)
class Faults:
    """The first faults found, and how many there were in all."""

    kept: list[Fault] = field(default_factory=list)
    count: int = 0

    def add(self, message: str, file: str, code: str = "broken-image", **values: Any) -> None:
        """Note what is wrong with one file."""
        self.count += 1
        if len(self.kept) < KEPT_FAULTS:
            self.kept.append(Fault(message, {"file": file, **values}, where={"file": file}, code=code))

    def refuse(self, total: int) -> None:
        """Raise what was found, if anything; a count comes first where not all faults are listed."""
        if self.count > len(self.kept):
            sentence = "{count} of {total} images cannot be used. The first {shown} are listed."
            values = {"count": self.count, "total": total, "shown": KEPT_FAULTS - 1}
            raise InputError([Fault(sentence, values, code="broken-image"), *self.kept])
        if self.kept:
            raise InputError(self.kept)


@dataclass(slots=True)
class Contents:
    """What an upload holds, known before any pixel is decoded.

    Attributes:
        classes: Names of the classes, in the order of their numbers; empty without labels.
        labels: Class number of every image, or None.
        parts: Which part the upload itself puts every image in; "" where it does not say.
        sizes: How many images there are of each (width, height).
        grey: Whether every image is stored without colour.
        names: Names of the files, in the order of the labels; empty where images come as arrays.
        formats: How many files there are of each kind, such as JPEG.
        colours: How many images are stored ``grey``, in ``colour`` or with ``transparency``.
        metadata: How many files carry which metadata, by :mod:`aigc_models.data.image_kinds`.
        warnings: Sentences with gaps and what fills them.
    """

    classes: list[str]
    labels: NDArray[np.int64] | None
    parts: list[Part]
    sizes: Counter[tuple[int, int]]
    grey: bool
    names: list[str] = field(default_factory=list)
    formats: Counter[str] = field(default_factory=Counter)
    colours: Counter[str] = field(default_factory=Counter)
    metadata: Counter[str] = field(default_factory=Counter)
    warnings: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def warn(self, message: str, **values: Any) -> None:
        """Note something a person should know although the upload is usable."""
        self.warnings.append((message, values))


class Source(Protocol):
    """An opened upload."""

    contents: Contents

    def rows(self, target: Target, faults: Faults) -> Iterator[Pixels | None]:
        """Every image in the order of the contents, (H, W, C); None for one that is broken."""


def refuse(message: str, code: str, **values: Any) -> InputError:
    """An :class:`InputError` with one fault about the upload as a whole."""
    where = {"file": values["file"]} if "file" in values else {}
    return InputError(Fault(message, values, where=where, code=code))


def natural(name: str) -> tuple[tuple[int, int | str], ...]:
    """Sort key that puts "10" after "9"."""
    parts: list[tuple[int, int | str]] = []
    digits = ""
    for letter in name + "\0":
        if letter.isascii() and letter.isdigit():
            digits += letter
            continue
        if digits:
            parts.append((0, int(digits)))
            digits = ""
        parts.append((1, letter))
    return tuple(parts)
