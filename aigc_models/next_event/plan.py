"""What the network looks like, and what it costs, without torch: the form shows it before a job is queued."""

from dataclasses import dataclass

GAPS = 26  # kinds of time between two events: unknown, none, and doublings of a second up to half a year


@dataclass(frozen=True, slots=True)
class Plan:
    """What the network looks like.

    Attributes:
        actions: Different events of the log.
        tasks: Different things that sessions are for.
        outcomes: Different ways in which they end.
        width: Numbers that describe an event.
        num_layers: Blocks of attention and a feed-forward layer.
        num_heads: Attentions side by side in each block.
        max_length: Events of a session that are looked at, the newest ones.
    """

    actions: int
    tasks: int
    outcomes: int
    width: int
    num_layers: int
    num_heads: int
    max_length: int

    @property
    def end(self) -> int:
        """The number that stands for the end of a session; with it, all that can come next."""
        return self.actions

    @property
    def unknown(self) -> int:
        """The number of an event that the log does not have."""
        return self.actions + 1

    @property
    def start(self) -> int:
        """The number that stands before the first event."""
        return self.actions + 2

    @property
    def missing(self) -> int:
        """The number of a place where there is no event."""
        return self.actions + 3

    @property
    def parameters(self) -> int:
        """Trainable numbers."""
        block = 8 * self.width**2 + 13 * self.width + self.num_heads * self.max_length
        tables = self.actions + 4 + GAPS + self.tasks + 1 + self.outcomes + 1
        heads = (max(self.tasks, 1) + max(self.outcomes, 1)) * (self.width + 1)
        return tables * self.width + self.actions + 1 + heads + 2 * self.width + self.num_layers * block

    @property
    def millions(self) -> float:
        """Millions of multiplications to predict one event forward."""
        block = 8 * self.width**2 + 2 * self.width * self.max_length
        return (self.num_layers * block + (self.actions + self.tasks + self.outcomes) * self.width) / 1e6
