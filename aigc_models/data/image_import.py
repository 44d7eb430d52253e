"""From decoded pixels to a dataset: hold-out split, content hash and report."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aigc_models.base import Fault, InputError, Run
from aigc_models.data import image_checks, image_kinds, image_samples, kinds
from aigc_models.data.decoding import PIXELS, RESULT
from aigc_models.data.images import ImageSet, save_images
from aigc_models.data.sandbox import run_confined
from aigc_models.dataset.params import DatasetImportImages

LEAST_IMAGES = 10


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
    """Check an upload, and write ``dataset/``, ``preview.png`` and ``samples/`` into the run's directory.

    Raises:
        InputError: The upload cannot be used.
    """
    run.phase("preparing")
    (upload,) = run.inputs["upload"].iterdir()
    kinds.precheck(upload, upload.name, kinds.IMAGES.name)
    work = run.out_dir / ".decoding"
    work.mkdir(parents=True, exist_ok=True)
    try:
        decoded = _decode(params, run, upload, work)
        run.phase("saving")
        images, report = build_dataset(decoded, params.test_percent)
        report |= image_samples.save(images, run.out_dir)
        save_images(images, report, run.out_dir / "dataset")
    finally:
        shutil.rmtree(work, ignore_errors=True)
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
    checked = image_checks.check(decoded.pixels, digests, is_test)
    found, classes = decoded.found, decoded.classes
    class_counts = _class_counts(decoded.labels, classes)
    tested = None if decoded.labels is None else decoded.labels[is_test]
    return {
        "kind": "images",
        "train": len(images.train),
        "test": len(images.test),
        "channels": channels,
        "height": height,
        "width": width,
        "classes": classes,
        "class_counts": class_counts,
        "class_test_counts": _class_counts(tested, classes),
        "duplicates": checked.duplicates,
        "unreadable": found["unreadable"],
        "blank": len(checked.blank),
        "near_blank": len(checked.near_blank),
        "examples": checked.examples(found["names"]),
        "source_sizes": found["sizes"],
        "source_formats": found["formats"],
        "source_colours": found["colours"],
        "metadata": {kind: found["metadata"].get(kind, 0) for kind in image_kinds.KINDS},
        "warnings": [*found["warnings"], *checked.warnings(class_counts)],
    }


def _class_counts(labels: NDArray[np.int64] | None, classes: Sequence[str]) -> dict[str, int]:
    counts = [] if labels is None else np.bincount(labels, minlength=len(classes)).tolist()
    return dict(zip(classes, counts, strict=True))
