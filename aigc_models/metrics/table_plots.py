"""Plots of real against synthetic columns and of the associations between them, as SVG, PNG and CSV in one ZIP."""

import csv
import io
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import font_manager, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

MOST_COLUMNS = 40  # each takes about a tenth of a second
# Blue and orange are told apart by every kind of colour vision (Okabe and Ito 2008); hatching helps in print.
REAL, SYNTHETIC = "#0072b2", "#e69f00"
_FONTS = ("DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Zen Hei", "Microsoft YaHei", "PingFang SC")
_SIZE, _DPI, _LONGEST = (6.4, 3.6), 120, 24

Rows = Sequence[Sequence[Any]]
Draw = Callable[[Axes], None]


def save_figures(details: Mapping[str, Any], path: Path) -> None:
    """Write every plot of a table's figures into a ZIP; the same figures give the same bytes.

    Columns beyond the first so many are in the CSV of all columns only.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, rc_context(_look()):
        for place, column in enumerate(details["columns"][:MOST_COLUMNS], 1):
            histogram = column["histogram"]
            if histogram["real"] or histogram["synthetic"]:
                _add(archive, f"column-{place:03d}", partial(_column, column=column), _shares(histogram))
        names = list(dict.fromkeys(name for pair in details["pairs"] for name in (pair["a"], pair["b"])))
        for side in ("real", "synthetic"):
            if names:
                matrix = _matrix(details["pairs"], names, side)
                _add(archive, f"associations-{side}", partial(_heat, side=side, matrix=matrix, names=names))
        _write(archive, "associations.csv", _csv(_associations(details["pairs"])))
        _write(archive, "columns.csv", _csv(_columns(details["columns"])))


def _look() -> Any:
    known = set(font_manager.get_font_names())
    return {
        "font.family": [name for name in _FONTS if name in known] or ["sans-serif"],
        "font.size": 9,
        "svg.fonttype": "none",  # text stays text, and shows in the reader's own fonts
        "svg.hashsalt": "aigc",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "hatch.linewidth": 0.6,
    }


def _add(archive: zipfile.ZipFile, name: str, draw: Draw, rows: Rows | None = None) -> None:
    figure = Figure(figsize=_SIZE, layout="constrained")
    draw(figure.add_subplot())
    for suffix in ("svg", "png"):
        stream = io.BytesIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph")  # no font here has the sign: it is drawn as a box
            metadata = {"Date": None} if suffix == "svg" else {"Software": None}
            figure.savefig(stream, format=suffix, dpi=_DPI, metadata=metadata)
        figure.set_layout_engine("none")  # once is enough
        _write(archive, f"{name}.{suffix}", stream.getvalue())
    if rows is not None:
        _write(archive, f"{name}.csv", _csv(rows))


def _write(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)


def _csv(rows: Rows) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([_safe(cell) for cell in row] for row in rows)
    return b"\xef\xbb\xbf" + text.getvalue().encode()  # without the mark Excel takes it for another encoding


def _safe(cell: Any) -> Any:
    """What a spreadsheet would compute stays text."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def _shares(histogram: Mapping[str, Any]) -> Rows:
    sides = list(zip(histogram["real"], histogram["synthetic"], strict=True))
    if histogram["kind"] == "bars":
        rows = [[label, *pair] for label, pair in zip(histogram["labels"], sides, strict=True)]
        return [["value", "real", "synthetic"], *rows]
    edges = histogram["edges"]
    rows = [[low, high, *pair] for (low, high), pair in zip(pairwise(edges), sides, strict=True)]
    return [["from", "to", "real", "synthetic"], *rows]


def _column(axes: Axes, column: Mapping[str, Any]) -> None:
    histogram = column["histogram"]
    axes.set_title(_plain(column["name"], 60), loc="left")
    sides = (("real", REAL, ""), ("synthetic", SYNTHETIC, "//"))
    if histogram["kind"] == "bars":
        places = np.arange(len(histogram["labels"]))
        for shift, (side, colour, hatch) in zip((-0.2, 0.2), sides, strict=True):
            axes.bar(places + shift, histogram[side], 0.4, label=side, color=colour, hatch=hatch, edgecolor="white")
        axes.set_xticks(places, [_plain(label) for label in histogram["labels"]], rotation=40, ha="right")
    else:
        edges = np.array(histogram["edges"])
        for side, colour, hatch in sides:
            style: Any = {"facecolor": colour, "alpha": 0.45, "hatch": hatch, "edgecolor": colour}
            axes.stairs(histogram[side], edges, label=side, fill=True, **style)
            axes.stairs(histogram[side], edges, color=colour, linewidth=1.4)
    axes.set_ylabel("share of rows")
    axes.legend(frameon=False, loc="upper right")


def _plain(text: str, longest: int = _LONGEST) -> str:
    """Text that matplotlib does not take for a formula."""
    short = text if len(text) <= longest else text[: longest - 1] + "…"
    return short.replace("$", r"\$")


def _matrix(pairs: Sequence[Mapping[str, Any]], names: Sequence[str], side: str) -> Any:
    places = {name: place for place, name in enumerate(names)}
    matrix = np.eye(len(names))
    for pair in pairs:
        a, b = places[pair["a"]], places[pair["b"]]
        matrix[a, b] = matrix[b, a] = pair[side]
    return matrix


def _heat(axes: Axes, side: str, matrix: Any, names: Sequence[str]) -> None:
    image = axes.imshow(matrix, cmap="PuOr_r", vmin=-1, vmax=1)
    axes.set_title(f"Associations, {side} rows", loc="left")
    shown = [_plain(name) for name in names]
    axes.set_xticks(range(len(names)), shown, rotation=60, ha="right")
    axes.set_yticks(range(len(names)), shown)
    axes.figure.colorbar(image, ax=axes)


def _associations(pairs: Sequence[Mapping[str, Any]]) -> Rows:
    return [
        ["a", "b", "kind", "real", "synthetic"],
        *([pair[key] for key in ("a", "b", "kind", "real", "synthetic")] for pair in pairs),
    ]


def _columns(columns: Sequence[Mapping[str, Any]]) -> Rows:
    head = ["column", "type", "score", "score_real_rows", "distance", "missing_real", "missing_synthetic", "coverage"]
    rows = [
        [
            one["name"],
            one["type"],
            one["score"],
            one["score_real"],
            one["distance"],
            one["missing"]["real"],
            one["missing"]["synthetic"],
            one["coverage"],
        ]
        for one in columns
    ]
    return [head, *rows]
