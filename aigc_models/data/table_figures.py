"""What a report says of each column: how much is missing, how its values are spread, which are the most frequent."""

from collections.abc import Sequence
from heapq import nlargest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aigc_models.data.table_typing import Spellings, Typed
from aigc_models.data.tables import NUMERIC

TOP = 10
EXAMPLES = 5
BINS = 20
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_SHOWN = 200
_FEW_WHOLE = 30


def figures(typed: Typed, found: Spellings, codes: NDArray[np.int64]) -> dict[str, Any]:
    """What is to be known about one column.

    Args:
        typed: The column.
        found: Its spellings.
        codes: The place of each row's spelling among them, int64 (N,); -1 where a cell is missing.
    """
    told: dict[str, Any] = {
        "missing_count": int((codes < 0).sum()),
        "missing_spellings": dict(sorted(found.missing.items(), key=lambda one: -one[1])[:TOP]),
        "distinct": len(found.counts),
        "examples": _examples(found.texts, codes),
    }
    if typed.column.type in NUMERIC:
        weights = np.fromiter(found.counts.values(), np.int64, len(found.counts))
        return told | _spread(typed.values, weights, whole=typed.column.type == "integer")
    top = nlargest(TOP, found.counts.items(), key=lambda one: one[1])
    return told | {"top": [{"value": text[:_SHOWN], "count": count} for text, count in top]}


def _examples(texts: Sequence[str], codes: NDArray[np.int64]) -> list[str]:
    places = dict.fromkeys(code for code in codes[:1000].tolist() if code >= 0)
    return [texts[place][:_SHOWN] for place in list(places)[:EXAMPLES]]


def _spread(values: NDArray[np.float64], weights: NDArray[np.int64], *, whole: bool) -> dict[str, Any]:
    known = ~np.isnan(values)
    values, weights = values[known], weights[known]
    if not len(values):
        return {}
    order = np.argsort(values)
    values, weights = values[order], weights[order]
    total = int(weights.sum())
    mean = float((values * weights).sum() / total)
    ranks = np.cumsum(weights)
    places = np.searchsorted(ranks, np.array(QUANTILES) * total)
    edges = bin_edges(float(values[0]), float(values[-1]), whole=whole)
    counts, _ = np.histogram(values, edges, weights=weights)
    return {
        "least": float(values[0]),
        "greatest": float(values[-1]),
        "mean": mean,
        "deviation": float(np.sqrt(((values - mean) ** 2 * weights).sum() / total)),
        "quantiles": {f"{share:g}": float(values[place]) for share, place in zip(QUANTILES, places, strict=True)},
        "histogram": {"counts": [int(count) for count in counts], "edges": edges.tolist()},
    }


def bin_edges(least: float, greatest: float, *, whole: bool) -> NDArray[np.float64]:
    """Edges of bars: one for each number where there are few whole ones, else :data:`BINS` of one width."""
    if whole and greatest - least < _FEW_WHOLE:
        return np.arange(least - 0.5, greatest + 1.0)
    if greatest - least < np.spacing(max(abs(least), abs(greatest))) * 2 * BINS:
        return np.array([least - 0.5, greatest + 0.5])
    return np.linspace(least, greatest, BINS + 1)
