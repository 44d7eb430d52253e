"""Pictures that show what is in a dataset: one sheet of everything, and a strip of images for each class."""

from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from aigc_models.data import image_metadata
from aigc_models.data.images import ImageSet
from aigc_models.pictures import save_grid

PREVIEW = "preview.png"
SAMPLES = "samples"
STRIP = 8
MOST_STRIPS = 30
_UNLABELLED = 24
_ROWS, _COLUMNS, _SIDE = 12, 10, 64


def save(images: ImageSet, directory: Path) -> dict[str, Any]:
    """Write the pictures; gives what the report says of them.

    That is ``samples`` (file, class, how many images it shows) and ``pictures_with_metadata``, which
    is looked up in the files that were written: pixels come through, what was said of them does not.
    """
    _save_preview(images, directory / PREVIEW)
    samples = [
        {"file": _save_strip(strip, directory, place), "class": name, "count": len(strip)}
        for place, (name, strip) in enumerate(_strips(images))
    ]
    written = [directory / PREVIEW, *(directory / str(sample["file"]) for sample in samples)]
    return {"samples": samples, "pictures_with_metadata": sum(map(_has_metadata, written))}


def _strips(images: ImageSet) -> list[tuple[str, Tensor]]:
    if images.train_labels is None:
        return [("", images.train[:_UNLABELLED])]
    by_class = [(name, images.train[images.train_labels == label]) for label, name in enumerate(images.classes)]
    return [(name, own[:STRIP]) for name, own in by_class if len(own)][:MOST_STRIPS]


def _save_strip(strip: Tensor, directory: Path, place: int) -> str:
    name = f"{SAMPLES}/{place:02d}.png"
    save_grid(_small(strip), directory / name, min(STRIP, len(strip)))
    return name


def _has_metadata(path: Path) -> bool:
    with Image.open(path) as picture:
        return bool(image_metadata.look(picture))


def _save_preview(images: ImageSet, path: Path) -> None:
    """A sheet of the first images, one row for each class."""
    if images.train_labels is None:
        sheet, names = images.train[: _COLUMNS * 4], list[str]()
    else:
        shown = [label for label in range(len(images.classes)) if bool((images.train_labels == label).any())]
        shown = shown[:_ROWS]
        sheet = torch.cat([_row(images.train[images.train_labels == label]) for label in shown])
        names = [images.classes[label] for label in shown]
    save_grid(_small(sheet), path, _COLUMNS, names)


def _row(images: Tensor) -> Tensor:
    row = images[:_COLUMNS]
    missing = _COLUMNS - len(row)
    return torch.cat([row, row.new_full((missing, *row.shape[1:]), 255)])


def _small(images: Tensor) -> Tensor:
    side = max(images.shape[-2:])
    if side <= _SIDE:
        return images
    return functional.interpolate(images.float(), scale_factor=_SIDE / side, mode="area").round().to(torch.uint8)
