"""What a training shows as it goes: a few rows, each column's distribution beside the real one, and an alarm."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from aigc_models.data.tables import CODED, NUMERIC, Cells, Column, Table
from aigc_models.pictures import label_font

_BARS, _WIDTH, _HEIGHT, _COLUMNS, _MOST = 12, 200, 96, 4, 24
_REAL, _MADE = "#9aa4b2", "#1f6feb"
_ALIKE = 0.35

Shares = NDArray[np.float64]


def shares(column: Column, real: Cells, made: Cells) -> tuple[Shares, Shares]:
    """Share of each bin, or of each of the most frequent categories, among the real and the made cells."""
    if column.type in CODED:
        counts = np.bincount(real[real >= 0], minlength=max(len(column.categories), 1))
        common = np.argsort(-counts, kind="stable")[:_BARS]
        return _parts(real, common), _parts(made, common)
    known = real[~np.isnan(real)]
    if not len(known):
        return np.zeros(_BARS), np.zeros(_BARS)
    low, high = np.quantile(known, (0.01, 0.99))
    edges = np.linspace(low, high if high > low else low + 1, _BARS + 1)
    found = [np.histogram(np.clip(each[~np.isnan(each)], edges[0], edges[-1]), edges)[0] for each in (real, made)]
    return found[0] / max(len(real), 1), found[1] / max(len(made), 1)


def _parts(cells: Cells, common: NDArray[np.int64]) -> Shares:
    return np.array([np.mean(cells == code) for code in common.tolist()]) if len(cells) else np.zeros(len(common))


def save_marginals(real: Table, made: Table, path: Path) -> Path:
    """Draw a small panel for each column: grey bars for real rows, blue ones for made rows.

    Where both are the same table, nothing is compared: each bar stands by itself.
    """
    names = {column.name for column in made.columns}
    shown = [column for column in real.columns if column.type in NUMERIC | CODED and column.name in names][:_MOST]
    colours = (_MADE,) if real is made else (_REAL, _MADE)
    lines = max(1, -(-len(shown) // _COLUMNS))
    sheet = Image.new("RGB", (_COLUMNS * _WIDTH, lines * _HEIGHT), "white")
    draw, font = ImageDraw.Draw(sheet), label_font(12)
    for place, column in enumerate(shown):
        x, y = (place % _COLUMNS) * _WIDTH + 8, (place // _COLUMNS) * _HEIGHT
        name = column.name if len(column.name) <= 26 else column.name[:25] + "…"
        draw.text((x, y + 4), name, fill="black", font=font)
        sides = shares(column, real.cells[column.name], made.cells[column.name])
        top = max([float(side.max(initial=0)) for side in sides] + [1e-9])
        step = (_WIDTH - 16) / max(len(sides[0]), 1)
        for side, colour in enumerate(colours):
            for bar, value in enumerate(sides[side].tolist()):
                left = x + bar * step + side * step / len(colours)
                height = value / top * (_HEIGHT - 30)
                box = (left, y + _HEIGHT - 6 - height, left + step / len(colours) - 1, y + _HEIGHT - 6)
                draw.rectangle(box, fill=colour)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, compress_level=1)
    return path


def collapse_alarm(real: Table, made: Table) -> str | None:
    """A line when the made rows take far fewer values than real ones."""
    ratios = []
    for column in real.columns:
        if column.type not in NUMERIC | CODED or column.type == "constant" or column.name not in made.cells:
            continue
        one, other = (_varied(each) for each in shares(column, real.cells[column.name], made.cells[column.name]))
        if one > 1.05:
            ratios.append((other - 1) / (one - 1))
    if not ratios or float(np.mean(ratios)) >= _ALIKE:
        return None
    return (
        f"Collapse alarm: the rows vary {max(float(np.mean(ratios)), 0):.0%} as much as real rows do. "
        "Try a lower learning rate or another seed."
    )


def _varied(values: Shares) -> float:
    """How many bins are in use: the exponential of the entropy."""
    total = values.sum()
    if total <= 0:
        return 1.0
    p = values[values > 0] / total
    return float(np.exp(-(p * np.log(p)).sum()))
