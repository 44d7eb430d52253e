"""What the owner of a table says of its columns, read from the settings of its import."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

from aigc_models.base import Fault, InputError
from aigc_models.data.column_words import split, split_types
from aigc_models.data.table_typing import Wish
from aigc_models.data.tables import ColumnType

TYPES: tuple[ColumnType, ...] = get_args(ColumnType)


@dataclass(frozen=True, slots=True)
class Wishes:
    """Types, and which columns are masked, left out, or say to whom a row belongs."""

    types: dict[str, Wish]
    mask: Sequence[str]
    drop: Sequence[str]
    account: str

    def check(self, names: Sequence[str]) -> set[int]:
        """The places of the columns that are left out.

        Raises:
            InputError: A column that is named is not there, or none would be left.
        """
        named = [("/column_types", name) for name in self.types]
        named += [(f"/{field}", name) for field in ("mask", "drop") for name in getattr(self, field)]
        named += [("/account", self.account)] if self.account else []
        known = ", ".join(names[:50])
        sentence = "There is no column called {name}. The columns are: {names}."
        faults = [
            Fault(sentence, {"name": name, "names": known}, pointer, {"column": name}, "unknown-column")
            for pointer, name in named
            if name not in names
        ]
        if faults:
            raise InputError(faults)
        gone = {place for place, name in enumerate(names) if name in self.drop}
        if gone and len(gone) == len(names):
            raise InputError(Fault("All columns would be left out.", pointer="/drop", code="unknown-column"))
        return gone


def read_wishes(settings: dict[str, Any]) -> Wishes:
    """What the settings of an import say.

    Raises:
        InputError: A type is none.
    """
    faults: list[Fault] = []
    types = {}
    for name, wished in split_types(settings["column_types"]):
        kind, _, form = wished.partition(" ")
        if not name or kind not in TYPES:
            sentence = "{entry} is no type of a column. Write it as name=type; the types are: {types}."
            values = {"entry": f"{name}={wished}"[:80].strip("="), "types": ", ".join(TYPES)}
            faults.append(Fault(sentence, values, "/column_types", code="unknown-type"))
            continue
        types[name] = Wish(kind, form.strip())
    if faults:
        raise InputError(faults)
    return Wishes(types, split(settings["mask"]), split(settings["drop"]), settings["account"].strip())
