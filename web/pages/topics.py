"""How a help page on a problem is made up."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """One problem: what it is called, what it means, and what helps."""

    title: str
    meaning: str
    remedies: Sequence[str] = ()
