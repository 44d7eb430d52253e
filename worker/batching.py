"""How many small generations of a model one call may hold: learned from how long calls take and what memory allows."""

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.claiming import Claim
from jobs.company import Room, items_of_claim
from worker.ensemble import Learned

CALL_SECONDS = 5.0  # that a call may last: a user sees what is written on its way, and cancels in between
BESIDE_SECONDS = 1.0  # the same where others wait for the slot
FIRST_BESIDE = 8  # items beside which others wait, while nothing is known
PATIENCE = 8  # calls after a full memory before one more item is tried
_KEPT = 256  # models of which this is remembered


@dataclass(slots=True)
class _Size:
    most: int
    each: float = BESIDE_SECONDS / FIRST_BESIDE
    wait: int = 0


class Sizes:
    """Sizes of calls by operation and model.

    Args:
        limit: The most items a call may ever hold; 1 lets every job run by itself.

    Attributes:
        limit: The same.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._sizes: dict[str, _Size] = {}

    def room(self, head: Claim) -> Room:
        """How many items a call with this job may hold."""
        size = self._sizes.get(_key(head), _Size(self.limit))
        return Room(size.most, max(1, min(size.most, int(BESIDE_SECONDS / size.each))))

    def learn(self, claims: Sequence[Claim], learned: Learned) -> None:
        """Take in what a call of these jobs has shown."""
        items = sum(items_of_claim(claim) or 1 for claim in claims)
        if len(self._sizes) >= _KEPT:
            self._sizes.clear()
        size = self._sizes.setdefault(_key(claims[0]), _Size(self.limit))
        size.each = max(learned.seconds / items, 1e-6)
        if learned.fitted < learned.jobs:  # it did not fit, and was computed in parts
            size.most, size.wait = max(1, items * learned.fitted // learned.jobs), PATIENCE
        elif learned.seconds > CALL_SECONDS:
            size.most = max(1, int(items * CALL_SECONDS / learned.seconds))
        elif size.wait:
            size.wait -= 1
        elif items >= size.most and 2 * learned.seconds <= CALL_SECONDS:
            size.most = min(self.limit, max(size.most + 1, 2 * items))
        if learned.room is not None:
            size.most = max(1, min(size.most, learned.room))


def _key(claim: Claim) -> str:
    model = claim.inputs.get("model")
    return f"{claim.family}.{claim.operation}:{model.key if model else ''}"


def shares(head: Claim, other: Claim) -> bool:
    """Whether two claimed jobs may share a call."""
    return items_of_claim(other) is not None and _key(head) == _key(other)
