"""Image datasets as families read them: all pixels in memory as bytes, split into a training and a test part."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

ARRAYS = "images.safetensors"
REPORT = "dataset.json"


@dataclass(frozen=True, slots=True)
class ImageSet:
    """Images and, where they have classes, the number of each one's class.

    Shape: ``train`` and ``test`` uint8 (N, C, H, W) with C 1 or 3; labels int64 (N,).
    """

    train: Tensor
    train_labels: Tensor | None
    test: Tensor
    test_labels: Tensor | None
    classes: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of every image."""
        channels, height, width = self.train.shape[1:]
        return channels, height, width


def load_images(directory: Path) -> ImageSet:
    """Read what an import wrote."""
    arrays = load_file(directory / ARRAYS)
    return ImageSet(
        train=arrays["train_images"],
        train_labels=arrays.get("train_labels"),
        test=arrays["test_images"],
        test_labels=arrays.get("test_labels"),
        classes=tuple(load_report(directory)["classes"]),
    )


def load_report(directory: Path) -> dict[str, Any]:
    """Read what the import found out: counts, classes, sizes, warnings, the hash of the content."""
    report: dict[str, Any] = json.loads((directory / REPORT).read_text(encoding="utf-8"))
    return report


def save_images(images: ImageSet, report: dict[str, Any], directory: Path) -> None:
    """Write a dataset's directory, to be read by :func:`load_images`."""
    directory.mkdir(parents=True, exist_ok=True)
    arrays = {"train_images": images.train, "test_images": images.test}
    if images.train_labels is not None and images.test_labels is not None:
        arrays |= {"train_labels": images.train_labels, "test_labels": images.test_labels}
    save_file(arrays, directory / ARRAYS)
    text = json.dumps(report, ensure_ascii=False, indent=1)
    (directory / REPORT).write_text(text, encoding="utf-8")
