"""Images that come as PNG, JPEG, WebP, GIF or BMP files: where they lie, and how each is decoded.

Headers are checked before a pixel is decoded; Pillow's own limit starts at 89 megapixels with
a warning, which is no limit.
"""

import io
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from aigc_models.data import image_metadata
from aigc_models.data.archives import is_clutter, name_encoding
from aigc_models.data.reading import (
    BEAT_EVERY,
    MAX_PIXELS,
    MIN_SIDE,
    Beat,
    Contents,
    Faults,
    Part,
    Pixels,
    Target,
    natural,
    refuse,
)
from aigc_models.data.uploads import IMAGE_SUFFIXES

MAX_FILE = 256 * 2**20
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM")
_GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L"})
_OTHER_IMAGES = frozenset({".tif", ".tiff", ".heic", ".heif", ".avif", ".svg", ".psd", ".jp2", ".dcm", ".jxl"})
_PARTS: dict[str, Part] = {
    "train": "train", "training": "train", "val": "train", "valid": "train", "validation": "train",
    "test": "test", "testing": "test",
}  # fmt: skip
_UNREADABLE = (
    OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, OverflowError, RuntimeError,
    ZeroDivisionError, zlib.error, zipfile.BadZipFile, NotImplementedError, UnidentifiedImageError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Member:
    """One image file of an archive: its entry, its true name, its part and class."""

    info: zipfile.ZipInfo
    name: str
    part: Part
    label: str


class FileSource:
    """Image files in a ZIP, in folders named after classes or not."""

    def __init__(self, archive: zipfile.ZipFile, faults: Faults, beat: Beat) -> None:
        self._archive, self._beat = archive, beat
        members, ignored = _members(archive)
        self._members, self.contents = self._look(members, faults)
        if ignored:
            sentence = "{count} files are no images and were left out, such as {file}."
            self.contents.warn(sentence, count=len(ignored), file=ignored[0])

    def _look(self, members: Sequence[Member], faults: Faults) -> tuple[list[Member], Contents]:
        """What the headers say: the members that can be read, and what is known of them."""
        seen = Contents([], None, [], Counter(), grey=True)
        good: list[Member] = []
        animated = 0
        for index, member in enumerate(members):
            if index % BEAT_EVERY == 0:
                self._beat(0, len(members))
            try:
                _check_entry(member)
                image = _open(self._archive.read(member.info))
                size = _upright_size(image)
            except _Refused as refusal:
                faults.add(refusal.message, member.name, refusal.code, **refusal.values)
                continue
            except (*_UNREADABLE, MemoryError):
                faults.add(_BROKEN, member.name)
                continue
            _note(seen, image, size)
            animated += bool(getattr(image, "is_animated", False))
            good.append(member)
        if animated:
            seen.warn("{count} images are animated; the first frame was taken.", count=animated)
        _name(seen, good)
        return good, seen

    def rows(self, target: Target, faults: Faults) -> Iterator[Pixels | None]:
        """Every image, decoded, upright, without transparency, at the target's size."""
        for member in self._members:
            try:
                yield decode(self._archive.read(member.info), target)
            except (*_UNREADABLE, MemoryError):
                faults.add(_BROKEN, member.name)
                yield None


def _note(seen: Contents, image: Image.Image, size: tuple[int, int]) -> None:
    seen.sizes[size] += 1
    seen.formats[image.format or "?"] += 1
    grey = image.mode in _GREY_MODES
    seen.grey = seen.grey and grey
    seen.colours["transparency" if image.has_transparency_data else "grey" if grey else "colour"] += 1
    seen.metadata.update(image_metadata.look(image))


def _name(seen: Contents, members: Sequence[Member]) -> None:
    """Number the classes that the folders name."""
    labels = [member.label for member in members]
    seen.names = [member.name for member in members]
    seen.parts = [member.part for member in members]
    if any(labels):
        seen.classes = sorted(set(labels), key=natural)
        numbers = {name: index for index, name in enumerate(seen.classes)}
        seen.labels = np.array([numbers[label] for label in labels], np.int64)


_BROKEN = "The image {file} is cut off or damaged. Replace it or leave it out."


class _Refused(Exception):
    def __init__(self, message: str, code: str = "broken-image", **values: int) -> None:
        self.message, self.code, self.values = message, code, values


def _check_entry(member: Member) -> None:
    if PurePosixPath(member.name).suffix.lower() in _OTHER_IMAGES:
        raise _Refused(
            "The image {file} is of a kind that cannot be read. Save it as PNG or JPEG.", code="unsupported-file"
        )
    if member.info.file_size > MAX_FILE:
        sentence = "The image {file} has {size} MiB. The limit is {limit} MiB; make it smaller."
        size, limit = member.info.file_size // 2**20, MAX_FILE // 2**20
        raise _Refused(sentence, code="image-too-large", size=size, limit=limit)


def decode(data: bytes, target: Target) -> Pixels:
    """Decode one image file to (H, W, C).

    Raises one of Pillow's many errors when the file is damaged.
    """
    image = _open(data)
    if image.format == "JPEG":  # let the decoder leave out detail that resizing would lose
        side = 2 * max(target.height, target.width)
        image.draft(None, (side, side))
    return fit(ImageOps.exif_transpose(image), target)


def fit(image: Image.Image, target: Target) -> Pixels:
    """Flatten colours and transparency, crop the centre to the target's shape, and resize."""
    image = _flatten(image, grey=target.channels == 1)
    if image.size != (target.width, target.height):
        image = ImageOps.fit(image, (target.width, target.height), Image.Resampling.LANCZOS)
    return np.asarray(image, np.uint8).reshape(target.height, target.width, target.channels)


def _flatten(image: Image.Image, *, grey: bool) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits a pixel
        levels = np.asarray(image).astype(np.int64).clip(0, 65535)
        image = Image.fromarray(((levels + 128) // 257).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, "white")
        paper.alpha_composite(image)
        image = paper.convert("RGB")
    return image.convert("L" if grey else "RGB")


def _open(data: bytes) -> Image.Image:
    if not data:
        raise _Refused("The image {file} is empty (0 bytes). Replace it or leave it out.")
    if not data.startswith(_MAGIC) and not (data[:4] == b"RIFF" and data[8:12] == b"WEBP"):
        raise _Refused("The file {file} is no image, although its name says so. Save it as PNG or JPEG.")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError:
        sentence = "The image {file} has more than {limit} megapixels. Make it smaller."
        raise _Refused(sentence, code="image-too-large", limit=MAX_PIXELS // 10**6) from None
    width, height = image.size
    if width * height > MAX_PIXELS:
        sentence = "The image {file} has {width} x {height} pixels. The limit is {limit} megapixels; make it smaller."
        raise _Refused(sentence, code="image-too-large", width=width, height=height, limit=MAX_PIXELS // 10**6)
    if min(width, height) < MIN_SIDE:
        sentence = "The image {file} has {width} x {height} pixels. The least is {limit} x {limit}."
        raise _Refused(sentence, code="image-too-small", width=width, height=height, limit=MIN_SIDE)
    return image


def _upright_size(image: Image.Image) -> tuple[int, int]:
    turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    width, height = image.size
    return (height, width) if turned else (width, height)


def _members(archive: zipfile.ZipFile) -> tuple[list[Member], list[str]]:
    """Image files in natural order with part and class from their folders, and names of other files."""
    images: list[tuple[zipfile.ZipInfo, PurePosixPath]] = []
    ignored: list[str] = []
    infos = archive.infolist()
    for info, name in zip(infos, true_names(infos), strict=True):
        if info.is_dir() or is_clutter(name):
            continue
        path = PurePosixPath(name)
        suffix = path.suffix.lower()
        if suffix in IMAGE_SUFFIXES or suffix in _OTHER_IMAGES or (not suffix and _is_image(archive, info)):
            images.append((info, path))
        else:
            ignored.append(name)
    images.sort(key=lambda pair: natural(str(pair[1])))
    folders = _strip_top([path.parent.parts for _, path in images])
    parts = _parts(folders)
    inner = _strip_top([folder[1:] if part else folder for folder, part in zip(folders, parts, strict=True)])
    _check_mixed(inner, [path for _, path in images])
    members = [
        Member(info, str(path), part, folder[0] if folder else "")
        for (info, path), part, folder in zip(images, parts, inner, strict=True)
    ]
    return members, ignored


def true_names(infos: Sequence[zipfile.ZipInfo]) -> list[str]:
    """Names of all entries, where :mod:`zipfile` may have taken other encodings for code page 437.

    One archive has one encoding, so a name that fits UTF-8 by chance does not mislead.
    """
    raw = [None if info.flag_bits & 0x800 else info.orig_filename.encode("cp437") for info in infos]
    encoding = name_encoding(name for name in raw if name is not None)
    names = [
        info.filename if name is None else name.decode(encoding, "replace")
        for info, name in zip(infos, raw, strict=True)
    ]
    return [name.replace("\\", "/") for name in names]


def _is_image(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    with archive.open(info) as stream:
        head = stream.read(12)
    return head.startswith(_MAGIC[:4]) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def _strip_top(folders: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Leave out folders that hold everything: they say nothing about classes."""
    while folders and folders[0] and len({folder[:1] for folder in folders}) == 1:
        folders = [folder[1:] for folder in folders]
    return folders


def _parts(folders: list[tuple[str, ...]]) -> list[Part]:
    """The part each folder names, if all do: one folder called "test" among others may be a class."""
    parts: list[Part] = [_PARTS.get(folder[0].lower(), "") if folder else "" for folder in folders]
    return parts if all(parts) else [""] * len(parts)


def _check_mixed(folders: list[tuple[str, ...]], paths: list[PurePosixPath]) -> None:
    outside = [path for folder, path in zip(folders, paths, strict=True) if not folder]
    if outside and len(outside) < len(paths):
        sentence = (
            "{count} images lie outside the class folders, such as {file}. Move each into the folder of its class."
        )
        raise refuse(sentence, "mixed-folders", count=len(outside), file=str(outside[0]))
