"""Images that come as arrays: which arrays of an upload hold images and labels, and what their numbers mean."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aigc_models.data.image_files import fit
from aigc_models.data.raw_arrays import RawArray
from aigc_models.data.reading import MAX_PIXELS, MIN_SIDE, Contents, Faults, Part, Pixels, Target, natural, refuse

_IMAGES = ("x", "images", "image", "data", "arr_0")
_LABELS = ("y", "labels", "label", "targets", "arr_1")
_NAMES = ("class_names", "classes", "label_names")
_PARTS: Mapping[str, Part] = {"train": "train", "test": "test", "t10k": "test", "val": "train", "valid": "train"}


@dataclass(frozen=True, slots=True)
class Block:
    """An array of images, the labels that belong to it, and the part the upload puts it in."""

    part: Part
    images: RawArray
    labels: RawArray | None


class ArraySource:
    """Images in one or more arrays."""

    def __init__(self, blocks: Sequence[Block], classes: Sequence[str]) -> None:
        self._blocks = blocks
        self._layouts = [_layout(block.images) for block in blocks]
        self._levels = [_levels(block.images) for block in blocks]
        labels, names = _labels(blocks, classes)
        sizes: Counter[tuple[int, int]] = Counter()
        parts: list[Part] = []
        for block, (height, width, _, _) in zip(blocks, self._layouts, strict=True):
            sizes[width, height] += block.images.shape[0]
            parts += [block.part] * block.images.shape[0]
        grey = all(channels == 1 for _, _, channels, _ in self._layouts)
        self.contents = Contents(names, labels, parts, sizes, grey)
        for block, (_, _, channels, _) in zip(blocks, self._layouts, strict=True):
            self.contents.colours["grey" if channels == 1 else "colour"] += block.images.shape[0]

    def rows(self, target: Target, faults: Faults) -> Iterator[Pixels | None]:
        """Every image, scaled to whole numbers from 0 to 255."""
        for block, layout, levels in zip(self._blocks, self._layouts, self._levels, strict=True):
            height, width, channels, first = layout
            for chunk in block.images.chunks():
                rows = chunk.reshape(len(chunk), *((channels, height, width) if first else (height, width, channels)))
                pixels = _to_bytes(rows.transpose(0, 2, 3, 1) if first else rows, levels)
                for row in pixels:
                    yield _to_target(row, target)


def _to_target(row: Pixels, target: Target) -> Pixels:
    if row.shape == (target.height, target.width, target.channels):
        return row
    picture = Image.fromarray(row[:, :, 0] if row.shape[2] == 1 else np.ascontiguousarray(row))
    return fit(picture, target)


def find_blocks(arrays: Mapping[str, RawArray]) -> list[Block]:
    """Pair arrays of images with arrays of labels by their names.

    Raises:
        InputError: None of the names is known, or the largest array is the only candidate and no image.
    """
    images: dict[str, RawArray] = {}
    labels: dict[str, RawArray] = {}
    for name, array in arrays.items():
        part, role = _role(name, array)
        if role == "images":
            images[part] = array
        elif role == "labels":
            labels[part] = array
    if not images:
        found = ", ".join(f"{name} {array.shape}" for name, array in list(arrays.items())[:10])
        sentence = "No array of images was found. Name it x_train, images or x. The file has: {found}."
        raise refuse(sentence, "no-images", found=found)
    order = {"train": 0, "": 1, "val": 2, "valid": 3, "test": 4, "t10k": 5}
    parts = sorted(images, key=lambda part: order[part])
    return [Block(_PARTS.get(part, ""), images[part], labels.get(part)) for part in parts]


def class_names(arrays: Mapping[str, RawArray]) -> list[str]:
    """Names of classes that an upload itself carries, or none."""
    for name in _NAMES:
        array = arrays.get(name)
        if array is not None and array.dtype.kind == "U" and len(array.shape) == 1:
            return [str(value) for value in array.all()]
    return []


def _role(name: str, array: RawArray) -> tuple[str, str]:
    words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]
    joined = "_".join(words)
    part = next((word for word in words if word in _PARTS), "")
    rest = [word for word in words if word != part]
    dimensions = len(array.shape)
    if dimensions in (3, 4) and (joined in _IMAGES or (rest and rest[0] in _IMAGES)):
        return part, "images"
    if dimensions in (1, 2) and (joined in _LABELS or (rest and rest[0] in _LABELS)):
        return part, "labels"
    return part, ""


def _layout(array: RawArray) -> tuple[int, int, int, bool]:
    """Height, width, channels, and whether channels come before pixels."""
    shape = array.shape
    if len(shape) == 3:
        layout = (shape[1], shape[2], 1, False)
    elif len(shape) == 4 and shape[3] in (1, 3, 4):
        layout = (shape[1], shape[2], shape[3], False)
    elif len(shape) == 4 and shape[1] in (1, 3, 4):
        layout = (shape[2], shape[3], shape[1], True)
    else:
        sentence = (
            "The array {file} has the shape {shape}. Images need (count, height, width) or (count, height, width, 3)."
        )
        raise refuse(sentence, "wrong-shape", file=array.name, shape=str(shape))
    height, width = layout[:2]
    if min(height, width) < MIN_SIDE or height * width > MAX_PIXELS:
        sentence = "The images of {file} are {width} x {height} pixels. Use {least} pixels a side to {most} megapixels."
        values = {"width": width, "height": height, "least": MIN_SIDE, "most": MAX_PIXELS // 10**6}
        raise refuse(sentence, "wrong-size", file=array.name, **values)
    return layout


def _levels(array: RawArray) -> tuple[float, float]:
    """Which values stand for black and for white; needs one look at every number unless they are bytes."""
    if array.dtype == np.uint8:
        return 0.0, 255.0
    if array.dtype.kind not in "buif":
        sentence = "The array {file} has the type {dtype}. Images need numbers, best uint8 from 0 to 255."
        raise refuse(sentence, "wrong-type", file=array.name, dtype=str(array.dtype))
    if array.dtype.kind == "b":
        return 0.0, 1.0
    low, high = np.inf, -np.inf
    for chunk in array.chunks():
        low, high = min(low, float(chunk.min())), max(high, float(chunk.max()))
        if not (np.isfinite(low) and np.isfinite(high)):
            sentence = "The array {file} holds values that are no numbers (NaN or infinite). Replace them."
            raise refuse(sentence, "not-finite", file=array.name)
    floats = array.dtype.kind == "f"
    ranges = [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)] if floats else [(0.0, 255.0), (0.0, 65535.0)]
    for black, white in ranges:
        if low >= black and high <= white:
            return black, white
    sentence = "The values of {file} run from {low} to {high}. Use 0 to 255, 0 to 1, or -1 to 1."
    raise refuse(sentence, "wrong-range", file=array.name, low=f"{low:.4g}", high=f"{high:.4g}")


def _to_bytes(rows: NDArray[Any], levels: tuple[float, float]) -> Pixels:
    if rows.dtype == np.uint8:
        return rows
    black, white = levels
    scaled: NDArray[np.float32] = (rows.astype(np.float32) - black) * (255 / (white - black))
    return np.rint(scaled).astype(np.uint8)


def _labels(blocks: Sequence[Block], names: Sequence[str]) -> tuple[NDArray[np.int64] | None, list[str]]:
    """Class numbers from 0 without gaps, and the names of the classes in that order."""
    if all(block.labels is None for block in blocks):
        return None, []
    columns = [_column(block) for block in blocks]
    values = np.concatenate(columns)
    found = sorted(set(values.tolist()), key=lambda value: natural(str(value)))
    numbers = {value: index for index, value in enumerate(found)}
    labels = np.fromiter((numbers[value] for value in values.tolist()), np.int64, len(values))
    if names and values.dtype.kind in "iu":
        if min(found) < 0 or max(found) >= len(names):
            sentence = "The labels run from {low} to {high}, but {count} class names are given. Give one name for each."
            raise refuse(sentence, "class-names", low=min(found), high=max(found), count=len(names))
        return labels, [names[value] for value in found]
    return labels, [str(value) for value in found]


def _column(block: Block) -> NDArray[Any]:
    count = block.images.shape[0]
    if block.labels is None:
        sentence = "The array {file} has no labels, but another part has. Add labels to both or to neither."
        raise refuse(sentence, "labels-missing", file=block.images.name)
    labels = block.labels.all()
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    elif labels.ndim == 2:
        labels = labels.argmax(1)  # one column for each class
    if len(labels) != count:
        sentence = "{file} has {labels} labels for {count} images. Give one label for each image."
        raise refuse(sentence, "labels-count", file=block.labels.name, labels=len(labels), count=count)
    if labels.dtype.kind == "f" and np.all(labels == np.rint(labels)):
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "iubU":
        sentence = "The labels {file} have the type {dtype}. Use whole numbers or text."
        raise refuse(sentence, "wrong-type", file=block.labels.name, dtype=str(labels.dtype))
    return labels.astype(np.int64) if labels.dtype.kind in "iub" else labels
