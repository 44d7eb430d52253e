"""Texts that a pretrained network writes together: one cache for all, aligned at their ends.

Such a network keeps its cache by itself and knows one length for all rows, so shorter texts have places in front that
stand for nothing and are hidden from it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from aigc_models.writing.generating import Batch, Text, window_start
from aigc_models.writing.language_model import LanguageModel
from aigc_models.writing.sampling import Choice
from aigc_models.writing.tokenizers import END, Tokenizer


class PaddedBatch(Batch):
    """As :class:`~aigc_models.writing.generating.Batch`, with rows of one length."""

    def __init__(self, decoder: LanguageModel, tokenizer: Tokenizer, choice: Choice, texts: Sequence[Text]) -> None:
        self._decoder, self._tokenizer, self._choice = decoder, tokenizer, choice
        self._line_up([text for text in texts if not text.ended and text.most > 0])
        self._starts: list[int] = []
        self._padded = self._positions = self._expected = torch.empty(0)
        if self._rows:
            self._fill()

    def _keep_read(self, rows: Sequence[int]) -> None:
        self._starts = [self._starts[row] for row in rows]
        kept = torch.tensor(rows, dtype=torch.int64)
        self._padded, self._positions = self._padded[kept], self._positions[kept]
        if rows:
            self._expected = self._expected[kept.to(self._decoder.device)]
            for cache in self._caches:
                cache.take(kept.to(self._decoder.device))

    def _go_on(self) -> None:
        context, device = self._decoder.context, self._decoder.device
        starts = [window_start(len(text.tokens), context) for text in self._rows]
        if starts != self._starts or self._caches[0].used >= context:  # it also holds what stands for nothing
            self._fill()
            return
        self._positions = self._positions + 1
        seen = _hidden(self._padded, self._caches[0].used + 1)[:, None, None]  # (B, 1, 1, S)
        tokens = torch.tensor([[text.tokens[-1]] for text in self._rows], device=device)
        positions = self._positions[:, None].to(device)
        self._expected = self._decoder.read(tokens, positions, seen.to(device), self._caches)

    @torch.inference_mode()
    def _fill(self) -> None:
        """Read all texts from the start of their windows."""
        context, device = self._decoder.context, self._decoder.device
        self._starts = [window_start(len(text.tokens), context) for text in self._rows]
        parts = [text.tokens[start:] for text, start in zip(self._rows, self._starts, strict=True)]
        longest = max(map(len, parts))
        tokens = torch.tensor([[END] * (longest - len(part)) + part for part in parts])
        self._padded = torch.tensor([longest - len(part) for part in parts])
        places = (torch.arange(longest)[None] - self._padded[:, None]).clamp(min=0)
        self._positions = places[:, -1]
        self._caches = self._decoder.caches(len(parts))
        seen = _hidden(self._padded, longest)[:, None, None]
        self._expected = self._decoder.read(tokens.to(device), places.to(device), seen.to(device), self._caches)


def _hidden(padded: Tensor, length: int) -> Tensor:
    """Minus infinity where nothing stands, in front of each row, (B, S)."""
    return torch.zeros(len(padded), length).masked_fill(torch.arange(length)[None] < padded[:, None], -torch.inf)
