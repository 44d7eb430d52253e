"""Which values of each attribute the training texts have, so that one they never had is refused, not made up.

Only the standard library is used, as forms check what is typed.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from aigc_models.base import Fault, InputError
from aigc_models.writing.conditions import TITLE, Attributes, read_wish

FILE = "values.json"
MOST_VALUES = 5000  # of one attribute; with more, any value may be asked for
_SHOWN = 5
_MOST_LISTED = 50  # attributes that a report lists


def attribute_faults(wish: str, report: Mapping[str, Any]) -> list[Fault]:
    """What of a typed wish the texts of a dataset cannot teach, as far as its report tells."""
    if report.get("kind") != "text" or "attributes" not in report or len(report["attributes"]) >= _MOST_LISTED:
        return []
    names = [str(one["name"]) for one in report["attributes"]]
    try:
        return Vocabulary.of_report(report).faults(read_wish(wish, [TITLE, *names] if names else []))
    except InputError as error:
        return list(error.faults)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The values that can be asked for.

    Attributes:
        values: By attribute its values, the commonest first. An attribute that is not there may have any: titles, and
            what has more than :data:`MOST_VALUES` values.
        where: A command that shows them all.
    """

    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    where: str = ""

    @classmethod
    def of(cls, known: Iterable[Attributes]) -> "Vocabulary":
        """Of what is known of each training text."""
        counts: dict[str, Counter[str]] = {}
        for attributes in known:
            for name, values in attributes.items():
                counts.setdefault(name, Counter()).update(values)
        few = {name: found for name, found in counts.items() if name != TITLE and len(found) <= MOST_VALUES}
        return cls({name: tuple(value for value, _ in found.most_common()) for name, found in few.items()})

    @classmethod
    def of_report(cls, report: Mapping[str, Any]) -> "Vocabulary":
        """Of a dataset's report, which lists all values of an attribute only where they are few."""
        listed = [one for one in report.get("attributes") or () if len(one["values"]) == one["different"]]
        values = {one["name"]: tuple(" ".join(str(value).split()) for value, _ in one["values"]) for one in listed}
        return cls(values, f"aigc datasets show {report['name']}" if report.get("name") else "")

    def save(self, directory: Path) -> None:
        """Write it beside a model's weights."""
        (directory / FILE).write_text(json.dumps(self.values, ensure_ascii=False, indent=0), encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> "Vocabulary":
        """Read what :meth:`save` wrote; models of before there was any know nothing, so all can be asked for."""
        path = directory / FILE
        if not path.is_file():
            return cls()
        stored = json.loads(path.read_text(encoding="utf-8"))
        return cls({name: tuple(values) for name, values in stored.items()}, f"aigc models download MODEL ({FILE})")

    def spelled(self, wish: Attributes) -> Attributes:
        """A wish in the spelling of the training texts, where only small and capital letters differ."""
        return {name: tuple(self._spelled(name, value) for value in values) for name, values in wish.items()}

    def faults(self, wish: Attributes) -> list[Fault]:
        """What a wish asks for that no training text has."""
        return [
            self._fault(name, value) for name, values in wish.items() for value in values if not self.has(name, value)
        ]

    def has(self, name: str, value: str) -> bool:
        """Whether an attribute's value can be asked for."""
        return name not in self.values or self._spelled(name, value) in self.values[name]

    def _spelled(self, name: str, value: str) -> str:
        known = self.values.get(name, ())
        if value in known:
            return value
        same = [one for one in known if one.casefold() == value.casefold()]
        return same[0] if len(same) == 1 else value

    def _fault(self, name: str, value: str) -> Fault:
        known = self.values[name]
        by_folded = {one.casefold(): one for one in known}
        near = [by_folded[one] for one in get_close_matches(value.casefold(), by_folded, n=3)]
        told = {"name": name, "value": value, "count": len(known), "command": self.where}
        sentence = (
            "No training text has {name}={value}. The commonest values are: {known}. See all {count} with: {command}"
        )
        told["known"] = ", ".join(known[:_SHOWN])
        if near:
            told["near"] = ", ".join(near)
            sentence = (
                "No training text has {name}={value}. Did you mean {near}? See all {count} values with: {command}"
            )
        return Fault(sentence, told, "/attributes", code="unknown-attribute")
