"""Which rows of a table are kept for testing: fixed by the content, copies and the rows of one account together."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aigc_models.data.table_rows import Rows

_DECIDING = ("column_types", "mask", "account", "test_percent", "missing_values", "decimal_mark")


def content_hash(rows: Rows, params: Mapping[str, Any]) -> str:
    """A hash of the kept cells and of the settings that say what they mean; SHA-256 in hexadecimal."""
    header = [list(rows.names), {name: params[name] for name in _DECIDING}]
    content = hashlib.sha256(json.dumps(header, ensure_ascii=False).encode())
    content.update(rows.digests.tobytes())
    return content.hexdigest()


def split(rows: Rows, test_percent: int, content: str) -> NDArray[np.bool_]:
    """Which rows are for testing, bool (N,): a share of them, drawn with a seed that comes from the content."""
    generator = np.random.default_rng(int(content[:16], 16))
    groups = rows.digests if rows.accounts is None else rows.accounts
    unique, member, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = generator.permutation(len(unique))
    wanted = max(1, round(len(groups) * test_percent / 100))
    chosen = np.zeros(len(unique), np.bool_)
    chosen[order[np.cumsum(sizes[order]) <= wanted]] = True
    if not chosen.any() and len(unique) > 1:
        chosen[order[np.argmin(sizes[order])]] = True
    is_test: NDArray[np.bool_] = chosen[member]
    if not is_test.any():  # all rows are alike
        is_test[generator.integers(len(is_test))] = True
    return is_test
