"""What a block of a transformer looks like, without torch: forms show what it costs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """What a block looks like.

    Attributes:
        width: Numbers that describe a token.
        heads: Attentions side by side.
        key_heads: Heads of keys and values, each shared by ``heads / key_heads`` of queries (Ainslie et al. 2023).
        hidden: Numbers inside the feed-forward layer.
        dropout: Share of the numbers left out in training.
    """

    width: int
    heads: int
    key_heads: int
    hidden: int
    dropout: float = 0.0

    @property
    def head_width(self) -> int:
        """Numbers of one head."""
        return self.width // self.heads

    @property
    def parameters(self) -> int:
        """Trainable numbers of one block."""
        attention = self.width * (2 * self.width + 2 * self.key_heads * self.head_width)
        return attention + 3 * self.width * self.hidden + 2 * self.width


def hidden_width(width: int) -> int:
    """Numbers inside SwiGLU that cost what a plain layer of four widths costs; a multiple of 32.

    Source: Shazeer 2020, section 2 (two thirds of the plain layer's).
    """
    return 32 * round(width * 8 / 3 / 32) or 32
