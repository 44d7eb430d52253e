"""Whether a file is whole safetensors, by its header and its length alone: weights may be larger than memory.

Source: the format of https://github.com/huggingface/safetensors: eight bytes with the length of the header, the header
in JSON, then the numbers of all tensors without a gap.
"""

import json
import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

_LENGTH = struct.Struct("<Q")
_MOST_HEADER = 100_000_000  # as the format has it
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32,
    "U32": 32, "F32": 32, "F64": 64, "I64": 64, "U64": 64,
}  # fmt: skip


def tensors(path: Path) -> dict[str, tuple[int, ...]] | None:
    """The shape of each tensor by its name; None where the file is no whole file of safetensors."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(_LENGTH.size)
        length = _LENGTH.unpack(start)[0] if len(start) == _LENGTH.size else 0
        if not 2 <= length <= min(_MOST_HEADER, size - _LENGTH.size):
            return None
        try:
            header = json.loads(stream.read(length))
        except ValueError:
            return None
    if not isinstance(header, dict):
        return None
    header.pop("__metadata__", None)
    try:
        return _shapes(header, size - _LENGTH.size - length)
    except (KeyError, TypeError, ValueError):
        return None


def _shapes(header: Mapping[str, Mapping[str, Any]], held: int) -> dict[str, tuple[int, ...]] | None:
    """The shapes, where the tensors lie one behind the other and fill the rest of the file."""
    at, found = 0, {}
    for name, one in sorted(header.items(), key=lambda item: tuple(item[1]["data_offsets"])):
        begin, end = one["data_offsets"]
        shape = tuple(one["shape"])
        if any(type(side) is not int or side < 0 for side in shape):
            return None
        if begin != at or end - begin != (prod(shape) * _BITS[one["dtype"]] + 7) // 8:
            return None
        at, found[name] = end, shape
    return found if found and at == held else None
