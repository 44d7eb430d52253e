"""From decoded pixels to a dataset: hold-out split, duplicates, content hash, report and preview."""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from aigc_models.base import Fault, InputError, Run
from aigc_models.data.decoding import PIXELS, RESULT
from aigc_models.data.images import ImageSet, save_images
from aigc_models.data.sandbox import run_confined
from aigc_models.data.uploads import precheck
from aigc_models.dataset.params import DatasetImportImages
from aigc_models.pictures import save_grid

LEAST_IMAGES = 10
_FEW_IMAGES, _FEW_OF_CLASS = 100, 10
_PREVIEW_ROWS, _PREVIEW_COLUMNS, _PREVIEW_SIDE = 12, 10, 64


@dataclass(frozen=True, slots=True)
class Decoded:
    """All images of an upload, (N, H, W, C), and what was found beside them."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    parts: Sequence[str]
    found: Mapping[str, Any]

    @property
    def classes(self) -> list[str]:
        """Names of the classes in the order of their numbers."""
        return list(self.found["classes"])


def import_images(params: DatasetImportImages, run: Run) -> dict[str, float]:
    """Check an upload, and write ``dataset/`` and ``preview.png`` into the run's directory.

    Raises:
        InputError: The upload cannot be used.
    """
    run.phase("preparing")
    (upload,) = run.inputs["upload"].iterdir()
    precheck(upload, upload.name)
    work = run.out_dir / ".decoding"
    work.mkdir(parents=True, exist_ok=True)
    try:
        decoded = _decode(params, run, upload, work)
        run.phase("saving")
        images, report = build_dataset(decoded, params.test_percent)
        save_images(images, report, run.out_dir / "dataset")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _save_preview(images, run.out_dir / "preview.png")
    run.report(len(decoded.parts), len(decoded.parts))
    return {"train_images": float(len(images.train)), "test_images": float(len(images.test))}


def _decode(params: DatasetImportImages, run: Run, upload: Path, work: Path) -> Decoded:
    request = {
        "file": str(upload),
        "work": str(work),
        "image_size": params.image_size,
        "colour": params.colour,
        "class_names": [name.strip() for name in params.class_names.split(",") if name.strip()],
        "skip_broken": params.skip_broken,
    }
    run_confined("aigc_models.data.decoding", request, lambda done, total: run.report(done, total))
    found = json.loads((work / RESULT).read_text(encoding="utf-8"))
    if "faults" in found:
        raise InputError([Fault(**fault) for fault in found["faults"]])
    pixels: NDArray[np.uint8] = np.memmap(work / PIXELS, np.uint8, "r", shape=tuple(found["shape"]))
    if params.colour == "auto" and pixels.shape[3] == 3 and _is_grey(pixels):
        pixels = pixels[..., :1]  # colour files of grey pictures, as scanners write them
    labels = None if found["labels"] is None else np.array(found["labels"], np.int64)
    return Decoded(pixels, labels, found["parts"], found)


def _is_grey(pixels: NDArray[np.uint8]) -> bool:
    return all(bool(np.all(row[..., :1] == row)) for row in pixels)


def build_dataset(decoded: Decoded, test_percent: int) -> tuple[ImageSet, dict[str, Any]]:
    """Split into a training and a test part and report on both.

    Raises:
        InputError: There are too few images to learn from and to test on.
    """
    count = len(decoded.pixels)
    if count < LEAST_IMAGES:
        sentence = "Only {count} images were found. At least {least} are needed to learn from and to test on."
        raise InputError(Fault(sentence, {"count": count, "least": LEAST_IMAGES}, code="too-few-images"))
    digests = [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in decoded.pixels]
    content = _content_hash(decoded, digests, test_percent)
    is_test = split(decoded, digests, test_percent, int(content[:16], 16))
    images = ImageSet(
        train=_planes(decoded.pixels[~is_test]),
        train_labels=None if decoded.labels is None else torch.from_numpy(decoded.labels[~is_test]),
        test=_planes(decoded.pixels[is_test]),
        test_labels=None if decoded.labels is None else torch.from_numpy(decoded.labels[is_test]),
        classes=tuple(decoded.classes),
    )
    return images, _report(decoded, images, digests, is_test) | {"hash": content}


def _planes(pixels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))  # (N, C, H, W)


def _content_hash(decoded: Decoded, digests: Sequence[bytes], test_percent: int) -> str:
    labels = None if decoded.labels is None else decoded.labels.tolist()
    header = [decoded.pixels.shape, decoded.classes, labels, list(decoded.parts), test_percent]
    content = hashlib.sha256(json.dumps(header).encode())
    for digest in digests:
        content.update(digest)
    return content.hexdigest()


def split(decoded: Decoded, digests: Sequence[bytes], test_percent: int, seed: int) -> NDArray[np.bool_]:
    """Which images are for testing: the upload's own test part, else a share of each class.

    Copies of one image stay together, so that no test image was seen in training.
    """
    own = np.array([part == "test" for part in decoded.parts])
    if own.any() and not own.all():
        return own
    generator = np.random.default_rng(seed)
    labels = decoded.labels if decoded.labels is not None else np.zeros(len(digests), np.int64)
    chosen: set[bytes] = set()
    for label in np.unique(labels):
        unique = list(dict.fromkeys(digests[place] for place in np.flatnonzero(labels == label).tolist()))
        share = round(len(unique) * test_percent / 100)
        order: list[int] = generator.permutation(len(unique)).tolist()
        chosen.update(unique[place] for place in order[:share])
    is_test = np.array([digest in chosen for digest in digests])
    if not is_test.any() or is_test.all():  # classes too small for a share each, or all images alike
        is_test[:] = False
        is_test[generator.integers(len(digests))] = True
    return is_test


def _report(decoded: Decoded, images: ImageSet, digests: Sequence[bytes], is_test: NDArray[np.bool_]) -> dict[str, Any]:
    channels, height, width = images.shape
    classes = decoded.classes
    counts = [] if decoded.labels is None else np.bincount(decoded.labels, minlength=len(classes)).tolist()
    class_counts = dict(zip(classes, counts, strict=True))
    return {
        "kind": "images",
        "train": len(images.train),
        "test": len(images.test),
        "channels": channels,
        "height": height,
        "width": width,
        "classes": classes,
        "class_counts": class_counts,
        "duplicates": len(digests) - len(set(digests)),
        "source_sizes": decoded.found["sizes"],
        "warnings": [*decoded.found["warnings"], *_warnings(images, class_counts, digests, is_test)],
    }


def _warnings(
    images: ImageSet, class_counts: Mapping[str, int], digests: Sequence[bytes], is_test: NDArray[np.bool_]
) -> list[dict[str, Any]]:
    """Sentences with gaps about what a person should know, each with what fills them."""
    total = len(digests)
    tiny = [name for name, count in class_counts.items() if count < _FEW_OF_CLASS]
    blank = sum(int((part.flatten(1).amax(1) == part.flatten(1).amin(1)).sum()) for part in (images.train, images.test))
    copies = max(Counter(digests).values())
    train = {digest for digest, test in zip(digests, is_test.tolist(), strict=True) if not test}
    leaked = sum(test and digest in train for digest, test in zip(digests, is_test.tolist(), strict=True))
    found: list[tuple[bool, str, dict[str, Any]]] = [
        (total < _FEW_IMAGES, "There are only {count} images; results will be poor.", {"count": total}),
        (
            bool(tiny),
            "{count} classes have fewer than {least} images, such as {name}.",
            {"count": len(tiny), "least": _FEW_OF_CLASS, "name": tiny[0] if tiny else ""},
        ),
        (len(class_counts) == 1, "All images are of one class.", {}),
        (blank > 0, "{count} images are blank: all their pixels are equal.", {"count": blank}),
        (copies > 1, "{count} images are exact copies of others.", {"count": total - len(set(digests))}),
        (leaked > 0, "{count} test images are in the training part, too.", {"count": leaked}),
    ]
    return [{"message": message, "values": values} for applies, message, values in found if applies]


def _save_preview(images: ImageSet, path: Path) -> None:
    """A sheet of the first images, one row for each class."""
    if images.train_labels is None:
        sheet, names = images.train[: _PREVIEW_COLUMNS * 4], list[str]()
    else:
        shown = [label for label in range(len(images.classes)) if bool((images.train_labels == label).any())]
        shown = shown[:_PREVIEW_ROWS]
        sheet = torch.cat([_row(images.train[images.train_labels == label]) for label in shown])
        names = [images.classes[label] for label in shown]
    side = max(sheet.shape[-2:])
    if side > _PREVIEW_SIDE:
        factor = _PREVIEW_SIDE / side
        sheet = functional.interpolate(sheet.float(), scale_factor=factor, mode="area").round().to(torch.uint8)
    save_grid(sheet, path, _PREVIEW_COLUMNS, names)


def _row(images: Tensor) -> Tensor:
    row = images[:_PREVIEW_COLUMNS]
    missing = _PREVIEW_COLUMNS - len(row)
    return torch.cat([row, row.new_full((missing, *row.shape[1:]), 255)])
