"""What the networks look like, and what they cost, without torch: the form shows it before a job is queued."""

from dataclasses import dataclass


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

    @property
    def parameters(self) -> int:
        """Trainable numbers, close to what the networks really have."""
        block = 12 * self.width**2 + 2 * self.width
        return self.vocabulary * self.width + 2 * self.num_layers * block + 4 * self.width * self.latent_dim

    @property
    def millions(self) -> float:
        """Millions of multiplications for one token, forward."""
        return (self.parameters + 4 * self.num_layers * self.width * self.longest) / 1e6
