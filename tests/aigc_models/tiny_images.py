"""Tiny image sets and a run in a directory, for the tests of image families."""

from pathlib import Path

import torch

from aigc_models.data.images import ImageSet, save_images
from aigc_models.standalone import LocalRun


def tiny_set(channels: int = 1, side: int = 16, count: int = 24, labelled: bool = True) -> ImageSet:
    """Bright and dark squares with a little noise; two classes."""
    generator = torch.Generator().manual_seed(7)
    labels = torch.arange(count) % 2
    base = labels.view(-1, 1, 1, 1) * 120 + 60
    noise = torch.randint(0, 40, (count, channels, side, side), generator=generator)
    images = (base + noise).to(torch.uint8)
    split = count * 3 // 4
    names = ("dark", "light") if labelled else ()
    parts = (labels[:split], labels[split:]) if labelled else (None, None)
    return ImageSet(images[:split], parts[0], images[split:], parts[1], names)


def write_set(directory: Path, images: ImageSet) -> Path:
    """Write a set as an import would."""
    channels, height, width = images.shape
    report = {
        "kind": "images",
        "train": len(images.train),
        "test": len(images.test),
        "channels": channels,
        "height": height,
        "width": width,
        "classes": list(images.classes),
        "hash": "0" * 64,
    }
    save_images(images, report, directory)
    return directory


def run_in(directory: Path, **inputs: Path) -> LocalRun:
    """A run that writes below a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    return LocalRun(out_dir=directory, inputs=inputs)
