"""What the families that write need of a network: to read tokens in order and to say what may come next.

B rows, T tokens, D width, V vocabulary.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class LanguageModel(nn.Module):
    """A network that reads and writes tokens."""

    @property
    def context(self) -> int:
        """Tokens it looks back at most."""
        raise NotImplementedError

    @property
    def device(self) -> torch.device:
        """Where its weights lie."""
        raise NotImplementedError

    @property
    def width(self) -> int:
        """Numbers that say what is expected after a token."""
        raise NotImplementedError

    def losses(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Nats of each target after what was read, in 32 bits, (B, T)."""
        raise NotImplementedError

    def see(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """What is expected after each token, (B, T) to (B, T, D), and scores of the next, (B, T, V)."""
        raise NotImplementedError

    def caches(self, rows: int) -> list[Any]:
        """Empty caches for so many rows; each says what it has ``used`` and can ``take`` some of the rows."""
        raise NotImplementedError

    def row_caches(self, places: Any, rows: int) -> list[Any]:
        """Empty caches for so many rows that stand at places of their own (:mod:`aigc_models.layers.row_caches`)."""
        raise NotImplementedError

    def rows_at_once(self, wanted: int) -> int:
        """So many texts are written together, or fewer."""
        return wanted

    def batch(self, tokenizer: Any, choice: Any, texts: Any) -> Any:
        """A way of its own to write texts together, like :class:`~aigc_models.writing.generating.Batch`; or None."""
        return None

    def read(self, tokens: Tensor, positions: Tensor, seen: Tensor | None, caches: Sequence[Any]) -> Tensor:
        """Read more tokens; what :meth:`scores` takes for the last one.

        Args:
            tokens: (B, T).
            positions: Where they stand in their texts, (B, T).
            seen: What is added to attention, 0 or minus infinity, (B, 1, T, S); None where each sees all there is.
            caches: Of :meth:`caches`; they grow.
        """
        raise NotImplementedError

    def scores(self, expected: Tensor) -> Tensor:
        """Scores of the next token, from what :meth:`read` gives, to (B, V)."""
        raise NotImplementedError
