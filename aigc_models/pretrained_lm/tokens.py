"""A pretrained model's tokenizer as families of texts see one: two marks in front, then its own tokens.

The mark of a text's end stands for the model's own end; the mark of the begin of a body stands for its own begin, or
for a line end where it has none.
"""

import json
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from aigc_models.writing.tokenizers import MARKS, SPACE, Tokenizer


@dataclass(frozen=True)
class HubTokens:
    """How tokens are cut and numbered.

    Attributes:
        tokenizer: With the two marks.
        own: The model's own number of each of our tokens, int64 (V,).
        unwritten: The model's own numbers that are never written: its other marks.
    """

    tokenizer: Tokenizer
    own: Tensor
    unwritten: tuple[int, ...]


def hub_tokens(own: Any) -> HubTokens:
    """Wrap a fast tokenizer of ``transformers``.

    What looks like a mark inside a text is text: nobody can end a document by writing its end.
    """
    backend = own.backend_tokenizer
    backend.encode_special_tokens = True

    def split(text: str) -> list[int]:
        return [MARKS + number for number in backend.encode(text, add_special_tokens=False).ids]

    end = own.eos_token_id if own.eos_token_id is not None else own.pad_token_id
    line = backend.encode("\n", add_special_tokens=False).ids
    begin = own.bos_token_id if own.bos_token_id not in (None, end) else (line[-1] if line else end)
    numbers = [0 if end is None else end, 0 if begin is None else begin, *range(len(own))]
    pieces = [b"", b"", *_pieces(own, backend)]
    marks = tuple(sorted(set(own.all_special_ids) - {None}))
    return HubTokens(Tokenizer("pieces", pieces, split), torch.tensor(numbers), marks)


def _pieces(own: Any, backend: Any) -> list[bytes]:
    """What each token stands for in bytes, by how the tokenizer itself puts them together."""
    marks = set(own.all_special_ids)
    by_bytes = "ByteLevel" in json.dumps(json.loads(backend.to_str()).get("decoder"))
    values = _byte_values() if by_bytes else {}
    found = []
    for number in range(len(own)):
        token = own.convert_ids_to_tokens(number)
        if number in marks or token is None:
            found.append(b"")
        elif by_bytes and all(character in values for character in token):
            found.append(bytes(values[character] for character in token))
        elif len(token) == 6 and token.startswith("<0x") and token.endswith(">"):
            found.append(bytes([int(token[3:5], 16)]))
        else:
            found.append(str(token).replace(SPACE, " ").encode())
    return found


def _byte_values() -> dict[str, int]:
    """The byte that each printable character stands for (Radford et al. 2019, byte-level pieces)."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [value for value in range(256) if value not in set(plain)]
    return {chr(value): value for value in plain} | {chr(256 + place): value for place, value in enumerate(others)}
