"""Texts that a narrow network writes together on a CPU: read by PyTorch, gone on with in NumPy."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from aigc_models.layers.transformer import LayerCache
from aigc_models.text_transformer.folded import Folded
from aigc_models.text_transformer.stepping import Stepper
from aigc_models.writing.generating import Batch, Text, window_start
from aigc_models.writing.sampling import Choice
from aigc_models.writing.tokenizers import Tokenizer

if TYPE_CHECKING:
    from aigc_models.text_transformer.networks import TextTransformer


class NarrowBatch(Batch):
    """As :class:`~aigc_models.writing.generating.Batch`.

    Args:
        decoder: Reads what texts begin with.
        folded: Its weights.
        tokenizer: Says what tokens stand for.
        choice: How tokens are chosen, where a text does not say.
        texts: With at least one token each.
    """

    def __init__(
        self, decoder: "TextTransformer", folded: Folded, tokenizer: Tokenizer, choice: Choice, texts: Sequence[Text]
    ) -> None:
        self._decoder, self._tokenizer, self._choice = decoder, tokenizer, choice
        rows = [text for text in texts if not text.ended and text.most > 0]
        self._line_up(sorted(rows, key=lambda text: len(text.tokens)))  # those that look at as much stand together
        self._context = decoder.context
        self._stepper = Stepper(folded, len(rows))
        if rows:
            self._read_all_but_one(range(len(rows)))
            self._read_one_more()

    def step(self) -> None:
        """Write the next token of each."""
        self._leave_out()
        if self._rows:
            self._write_one(self._stepper.scores)

    def _keep_read(self, rows: Sequence[int]) -> None:
        self._stepper.keep(rows)

    def _go_on(self) -> None:
        """Read what was written; a text whose window moves on is read anew from there."""
        if self._stepper.scattered:
            self._keep(np.argsort(self._stepper.lengths, kind="stable").tolist())
        self._read_all_but_one(self._stepper.full())
        self._read_one_more()

    def _read_one_more(self) -> None:
        with np.errstate(over="ignore"):
            self._stepper.read([text.tokens[-1] for text in self._rows])

    @torch.inference_mode()
    def _read_all_but_one(self, rows: Sequence[int]) -> None:
        """Read texts from the start of their windows, each by itself, equal ones once; their last tokens come later."""
        known: dict[tuple[int, ...], Sequence[LayerCache]] = {(): ()}
        for row in rows:
            tokens = self._rows[row].tokens
            window = tuple(tokens[window_start(len(tokens), self._context) : -1])
            if window not in known:
                known[window] = self._read_one(window)[1]
            self._stepper.put(row, known[window])
