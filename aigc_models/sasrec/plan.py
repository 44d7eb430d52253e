"""What the network looks like, and what it costs, without torch: the form shows it before a job is queued."""

from dataclasses import dataclass

MOST_FULL = 10_000  # items up to which every target is compared with all of them


@dataclass(frozen=True, slots=True)
class Plan:
    """What the network looks like.

    Attributes:
        items: Items of the catalogue.
        width: Numbers that describe an item or a place in a history.
        num_layers: Blocks of attention and a feed-forward layer.
        num_heads: Attentions side by side in each block.
        max_length: Events of a history that are looked at, the newest ones.
    """

    items: int
    width: int
    num_layers: int
    num_heads: int
    max_length: int

    @property
    def parameters(self) -> int:
        """Trainable numbers, close to what the network really has."""
        block = 8 * self.width**2 + 13 * self.width + self.num_heads * self.max_length
        return self.items * (self.width + 1) + self.num_layers * block

    def millions(self, compared: int) -> float:
        """Millions of multiplications to predict one target forward, beside so many items."""
        block = 8 * self.width**2 + 2 * self.width * self.max_length
        return (self.num_layers * block + compared * self.width) / 1e6
