"""What the network looks like, and what it costs, without torch: the form shows it before a job is queued."""

from dataclasses import dataclass

from aigc_models.layers.block_plan import BlockPlan, hidden_width


@dataclass(frozen=True, slots=True)
class Plan:
    """What the network looks like.

    Attributes:
        vocabulary: Tokens it can read and write.
        width: Numbers that describe a token.
        num_layers: Blocks of attention and a feed-forward layer.
        num_heads: Attentions side by side in each block.
        key_heads: Heads of keys and values in each block.
        context: Tokens it looks back at most.
    """

    vocabulary: int
    width: int
    num_layers: int
    num_heads: int
    key_heads: int
    context: int

    def block(self, dropout: float = 0.0) -> BlockPlan:
        """What each block looks like."""
        return BlockPlan(self.width, self.num_heads, self.key_heads, hidden_width(self.width), dropout)

    @property
    def parameters(self) -> int:
        """Trainable numbers; tokens are read and written by the same ones."""
        return (self.vocabulary + 1) * self.width + self.num_layers * self.block().parameters

    @property
    def millions(self) -> float:
        """Millions of multiplications to predict one token, forward."""
        return (self.parameters + 2 * self.num_layers * self.width * self.context) / 1e6
