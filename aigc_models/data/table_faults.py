"""Faults of a table, each with its row, its column and its value: the first ones, and how many there are in all."""

from dataclasses import dataclass, field
from typing import Any

from aigc_models.base import Fault, InputError

KEPT_FAULTS = 100
SHOWN = 80
CUT = "…"


@dataclass(slots=True)
class TableFaults:
    """The first faults found, and how many there were in all."""

    kept: list[Fault] = field(default_factory=list)
    count: int = 0

    def add(self, message: str, code: str, where: dict[str, Any], **values: Any) -> None:
        """Note what is wrong with one place; ``where`` fills gaps of the sentence, too."""
        self.count += 1
        if len(self.kept) < KEPT_FAULTS:
            self.kept.append(Fault(message, {**where, **values}, where=where, code=code))

    def refuse(self) -> None:
        """Raise what was found, if anything; a count comes first where not all faults are listed."""
        if self.count > len(self.kept):
            sentence = "{count} faults were found. The first {shown} are listed."
            values = {"count": self.count, "shown": KEPT_FAULTS - 1}
            raise InputError([Fault(sentence, values, code="bad-cell"), *self.kept])
        if self.kept:
            raise InputError(self.kept)


def cut(value: str) -> str:
    """A value, short enough to be shown."""
    return value if len(value) <= SHOWN else value[: SHOWN - 1] + CUT
