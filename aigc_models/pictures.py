"""Pictures as results: labelled grids, ZIPs with a manifest, loss curves; Pillow and plain SVG only."""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

_GAP = 2
_MOST_LINES = 20
_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "wqy-zenhei.ttc",
    "DejaVuSans.ttf",
)


def to_bytes(images: Tensor) -> Tensor:
    """Images from [-1, 1] to whole numbers from 0 to 255; those that are already stay as they are."""
    if images.dtype == torch.uint8:
        return images
    return images.detach().float().add(1).mul(127.5).round_().clamp_(0, 255).to(torch.uint8)


def from_bytes(images: Tensor) -> Tensor:
    """Whole numbers from 0 to 255 to floats in [-1, 1]."""
    return images.float().div_(127.5).sub_(1)


def to_picture(image: Tensor) -> Image.Image:
    """One image (C, H, W), grey or RGB, as a Pillow image."""
    return _from_array(to_bytes(image).cpu().numpy())


def _from_array(array: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(array[0] if array.shape[0] == 1 else np.ascontiguousarray(array.transpose(1, 2, 0)))


def grid(images: Tensor, columns: int, rows_named: Sequence[str] = ()) -> Image.Image:
    """All images in one picture, row by row, enlarged to be seen, with a name before each row.

    Shape: images (N, C, H, W), bytes or floats in [-1, 1].
    """
    pixels = to_bytes(images).cpu().numpy()  # numpy from here on: torch would wake threads for so little
    scale = max(1, 56 // pixels.shape[-1])
    count, channels, height, width = (np.array(pixels.shape) * (1, 1, scale, scale)).tolist()
    shape = (channels, -(-count // columns) * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP)
    sheet = np.full(shape, 255, np.uint8)
    for index, image in enumerate(pixels):
        y, x = (index // columns) * (height + _GAP) + _GAP, (index % columns) * (width + _GAP) + _GAP
        sheet[:, y : y + height, x : x + width] = image.repeat(scale, 1).repeat(scale, 2)
    picture = _from_array(sheet)
    return _with_names(picture, rows_named, height + _GAP) if rows_named else picture


def _with_names(sheet: Image.Image, names: Sequence[str], line_height: int) -> Image.Image:
    font = label_font(max(10, min(16, line_height // 3)))
    shown = [name if len(name) <= 24 else name[:23] + "…" for name in names]
    margin = 12 + int(max((font.getlength(name) for name in shown), default=0))
    picture = Image.new(sheet.mode, (sheet.width + margin, sheet.height), 255 if sheet.mode == "L" else "white")
    picture.paste(sheet, (margin, 0))
    draw = ImageDraw.Draw(picture)
    for row, name in enumerate(shown):
        place = (6, row * line_height + line_height // 2)
        draw.text(place, name, fill=0 if sheet.mode == "L" else "black", font=font, anchor="lm")
    return picture


@cache
def label_font(size: int) -> ImageFont.FreeTypeFont:
    """A font for names, with Chinese characters where this machine has one."""
    for name in _FONTS:  # class names may be Chinese; the last resort draws boxes for those
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


def save_grid(images: Tensor, path: Path, columns: int, rows_named: Sequence[str] = ()) -> Path:
    """Write :func:`grid` as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grid(images, columns, rows_named).save(path, compress_level=1)
    return path


def save_sheet(images: Tensor, labels: Tensor | None, classes: Sequence[str], path: Path, columns: int = 10) -> Path:
    """Write a grid where each class has a named line of at most ``columns`` images; without classes, plain lines.

    Shape: images (N, C, H, W), labels (N,) or None. At most twenty lines are drawn.
    """
    if labels is None or not classes:
        return save_grid(images[: columns * _MOST_LINES], path, columns)
    lines, names = [], []
    for number in labels.unique().tolist()[:_MOST_LINES]:
        line = images[labels == number][:columns]
        blank = line.new_full((columns - len(line), *line.shape[1:]), 255 if line.dtype == torch.uint8 else 1)
        lines.append(torch.cat([line, blank]))
        names.append(classes[number])
    return save_grid(torch.cat(lines), path, columns, names)


def save_zip(images: Tensor, names: Sequence[str], path: Path, manifest: Mapping[str, Any]) -> Path:
    """Write each image as PNG under its name, and ``manifest.json`` beside them, into one ZIP.

    Times inside are fixed, so that the same images give the same bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for image, name in zip(to_bytes(images).cpu(), names, strict=True):
            buffer = io.BytesIO()
            to_picture(image).save(buffer, "PNG", compress_level=1)
            archive.writestr(zipfile.ZipInfo(name), buffer.getvalue())
        text = json.dumps(manifest, indent=2, ensure_ascii=False)
        archive.writestr(zipfile.ZipInfo("manifest.json"), text.encode())
    return path


_COLOURS = ("#1f6feb", "#d1495b", "#2e8b57", "#8a5cd1")


def save_curves(
    curves: Mapping[str, Sequence[tuple[int, float]]], path: Path, width: int = 640, height: int = 320
) -> Path:
    """Draw named curves of (step, value) points into one SVG."""
    points = [point for curve in curves.values() for point in curve] or [(0, 0.0), (1, 1.0)]
    steps, values = [p[0] for p in points], [p[1] for p in points]
    left, right, low, high = min(steps), max(max(steps), min(steps) + 1), min(values), max(values)
    span = (high - low) or 1.0

    def place(step: int, value: float) -> str:
        x = 60 + (step - left) / (right - left) * (width - 80)
        return f"{x:.1f},{height - 40 - (value - low) / span * (height - 80):.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">',
        '<rect width="100%" height="100%" fill="white"/><g font-size="12">',
        f'<text x="4" y="{height - 36}">{low:.3g}</text><text x="4" y="44">{high:.3g}</text>',
        f'<text x="60" y="{height - 12}">{left}</text>',
        f'<text x="{width - 20}" y="{height - 12}" text-anchor="end">{right}</text>',
    ]
    for index, (name, curve) in enumerate(curves.items()):
        colour = _COLOURS[index % len(_COLOURS)]
        line = " ".join(place(step, value) for step, value in curve)
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{line}"/>')
        parts.append(f'<text x="{70 + index * 140}" y="20" fill="{colour}">{escape(name)}</text>')
    path.write_text("\n".join([*parts, "</g></svg>\n"]), encoding="utf-8")
    return path
