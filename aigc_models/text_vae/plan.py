"""What the networks look like, and what they cost, without torch: the form shows it before a job is queued."""

from dataclasses import dataclass

from aigc_models.layers.block_plan import BlockPlan, hidden_width


@dataclass(frozen=True, slots=True)
class Plan:
    """What the networks look like.

    Attributes:
        vocabulary: Tokens they can read and write, with one that stands for a hidden token.
        width: Numbers that describe a token.
        num_layers: Blocks of the encoder, and as many of the decoder.
        num_heads: Attentions side by side in each block.
        latent_dim: Numbers that describe a sentence.
        longest: Tokens of a sentence, its end included.
    """

    vocabulary: int
    width: int
    num_layers: int
    num_heads: int
    latent_dim: int
    longest: int

    def block(self, dropout: float = 0.0) -> BlockPlan:
        """What each block looks like."""
        return BlockPlan(self.width, self.num_heads, self.num_heads, hidden_width(self.width), dropout)

    @property
    def parameters(self) -> int:
        """Trainable numbers of encoder and decoder together."""
        latent = (2 + self.num_layers) * self.width * self.latent_dim + 2 * self.latent_dim
        latent += self.num_layers * self.width
        return (self.vocabulary + 2) * self.width + 2 * self.num_layers * self.block().parameters + latent

    @property
    def millions(self) -> float:
        """Millions of multiplications for one token, forward."""
        return (self.parameters + 4 * self.num_layers * self.width * self.longest) / 1e6
