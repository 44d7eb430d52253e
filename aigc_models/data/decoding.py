"""Reads an upload and writes its pixels as plain bytes; runs as a process of its own with limits.

``python -m aigc_models.data.decoding REQUEST`` where the request is JSON: ``file``, ``work``
(a directory for the results), ``image_size``, ``colour``, ``class_names``, ``skip_broken``.
It writes ``pixels.raw`` (N, H, W, C) and ``result.json``.
"""

import json
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np

from aigc_models.base import InputError
from aigc_models.data.archives import is_clutter
from aigc_models.data.image_arrays import ArraySource, class_names, find_blocks
from aigc_models.data.image_files import FileSource, true_names
from aigc_models.data.raw_arrays import RawArray, open_idx, open_npy, opener_of
from aigc_models.data.reading import (
    BEAT_EVERY,
    MAX_DECODED,
    MAX_SIDE,
    Beat,
    Contents,
    Faults,
    Pixels,
    Source,
    Target,
    refuse,
)
from aigc_models.data.sandbox import confine, extend_time
from aigc_models.data.uploads import IMAGE_SUFFIXES

PIXELS = "pixels.raw"
RESULT = "result.json"


def read_upload(request: dict[str, Any], beat: Beat) -> dict[str, Any]:
    """Decode everything to a file; returns what was found beside the pixels.

    Raises:
        InputError: The upload cannot be used; carries every fault found.
    """
    faults = Faults()
    source = open_source(Path(request["file"]), request["class_names"], faults, beat)
    contents = source.contents
    total = len(contents.parts)
    if not request["skip_broken"]:
        faults.refuse(total + faults.count)
    if not total:
        raise _nothing_left(faults)
    target = choose_target(contents, request["image_size"], request["colour"])
    if total * target.height * target.width * target.channels > MAX_DECODED:
        sentence = "The images would take {size} MiB in memory. The limit is {limit} MiB; choose a smaller image size."
        size = total * target.height * target.width * target.channels // 2**20
        raise refuse(sentence, "dataset-too-large", size=size, limit=MAX_DECODED // 2**20)
    with (Path(request["work"]) / PIXELS).open("wb") as stream:
        kept = list(_write_pixels(source.rows(target, faults), stream, lambda done: beat(done, total)))
    if not request["skip_broken"]:
        faults.refuse(total)
    if not kept:
        raise _nothing_left(faults)
    if faults.count:
        contents.warn("{count} images could not be read and were left out.", count=faults.count)
    return _describe(contents, kept, target) | {"unreadable": faults.count}


def _nothing_left(faults: Faults) -> InputError:
    return InputError(faults.kept) if faults.kept else refuse("The file holds no images.", "no-images")


def _write_pixels(rows: Iterable[Pixels | None], stream: IO[bytes], beat: Callable[[int], None]) -> Iterator[int]:
    for index, row in enumerate(rows):
        if row is not None:
            stream.write(np.ascontiguousarray(row).data)
            yield index
        if index % BEAT_EVERY == BEAT_EVERY - 1:
            beat(index + 1)


def _describe(contents: Contents, kept: list[int], target: Target) -> dict[str, Any]:
    labels = contents.labels
    return {
        "shape": [len(kept), target.height, target.width, target.channels],
        "classes": contents.classes,
        "labels": None if labels is None else labels[kept].tolist(),
        "parts": [contents.parts[index] for index in kept],
        "names": [contents.names[index] for index in kept] if contents.names else [],
        "formats": dict(contents.formats.most_common()),
        "colours": dict(contents.colours.most_common()),
        "metadata": dict(contents.metadata),
        "sizes": {f"{width}x{height}": count for (width, height), count in contents.sizes.most_common(20)},
        "warnings": [{"message": message, "values": values} for message, values in contents.warnings],
    }


def choose_target(contents: Contents, image_size: int | None, colour: str) -> Target:
    """The one size all images get: their own where it is the same and small, else the median side."""
    channels = 1 if colour == "grey" or (colour == "auto" and contents.grey) else 3
    if image_size is not None:
        return Target(image_size, image_size, channels)
    if len(contents.sizes) == 1:
        ((width, height),) = contents.sizes
        if max(width, height) <= MAX_SIDE:
            return Target(height, width, channels)
    sides = np.repeat([min(size) for size in contents.sizes], list(contents.sizes.values()))
    side = min(MAX_SIDE, int(np.median(sides)))
    return Target(side, side, channels)


def open_source(file: Path, names: list[str], faults: Faults, beat: Beat) -> Source:
    """Find out what kind of upload it is and look at its table of contents and headers."""
    with file.open("rb") as stream:
        head = stream.read(8)
    if head.startswith(b"PK"):
        return _open_archive(file, names, faults, beat)
    if head.startswith(b"\x93NUMPY"):
        array = open_npy("images", opener_of(file))
    else:
        idx = open_idx(file.name, opener_of(file))
        if idx is None:
            raise refuse("The file {file} is of no known kind.", "unsupported-file", file=file.name)
        array = idx
    if len(array.shape) < 3:
        sentence = "The file {file} holds labels only. Put it into one ZIP with the file of the images."
        raise refuse(sentence, "no-images", file=file.name)
    return ArraySource(find_blocks({"images": array}), names)


def _open_archive(file: Path, names: list[str], faults: Faults, beat: Beat) -> Source:
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        sentence = "The archive {file} is cut off or damaged. Upload it again."
        raise refuse(sentence, "truncated-file", file=file.name) from None
    infos = archive.infolist()
    entries = dict(zip(true_names(infos), infos, strict=True))
    entries = {name: info for name, info in entries.items() if not (info.is_dir() or is_clutter(name))}
    if not any(PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES for name in entries):
        arrays = _arrays(archive, entries.items())
        if arrays:
            return ArraySource(find_blocks(arrays), names or class_names(arrays))
    return FileSource(archive, faults, beat)


def _arrays(archive: zipfile.ZipFile, entries: Iterable[tuple[str, zipfile.ZipInfo]]) -> dict[str, RawArray]:
    found: dict[str, RawArray] = {}
    for name, info in entries:

        def opener(info: zipfile.ZipInfo = info) -> IO[bytes]:
            return archive.open(info)

        if name.endswith(".npy"):
            found[name.removesuffix(".npy")] = open_npy(name.removesuffix(".npy"), opener)
        else:
            array = open_idx(name, opener)
            if array is not None:
                found[PurePosixPath(name).name] = array
    return found


def _beat(done: int, total: int) -> None:
    extend_time()
    print(done, total, flush=True)


def main(request: dict[str, Any]) -> None:
    """Read an upload within limits and write the result, or the faults."""
    confine()
    warnings.simplefilter("ignore")
    try:
        result = read_upload(request, _beat)
    except InputError as error:
        result = {"faults": [asdict(fault) for fault in error.faults]}
    (Path(request["work"]) / RESULT).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
