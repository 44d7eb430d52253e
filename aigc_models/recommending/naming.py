"""From the ids a person types to numbers of users and items, and to sentences on ids that nobody knows."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aigc_models.base import Fault, InputError, Run

_BETWEEN = re.compile(r"[,，;；、\t]")
_MOST_TOLD, _EXAMPLES = 20, 3


@dataclass(frozen=True, slots=True)
class Named:
    """What a text names.

    Attributes:
        numbers: Of what is known, in the order of the text.
        unknown: What is not, once each.
    """

    numbers: Sequence[int]
    unknown: Sequence[str]


def find(text: str, known: Mapping[str, int]) -> Named:
    """Look up names that stand one per line, or between commas.

    A line that is a name itself is not cut, so that names may hold commas.
    """
    names: list[str] = []
    for line in map(str.strip, text.splitlines()):
        names += [line] if line in known else filter(None, map(str.strip, _BETWEEN.split(line)))
    return Named(
        [known[name] for name in names if name in known],
        list(dict.fromkeys(name for name in names if name not in known)),
    )


def tell_unknown(unknown: Sequence[str], sentence: str, run: Run) -> None:
    """Log each unknown name, the first of very many."""
    for name in unknown[:_MOST_TOLD]:
        run.log(sentence.format(name=name))
    if len(unknown) > _MOST_TOLD:
        run.log(f"And {len(unknown) - _MOST_TOLD:,} more.")


def nothing_known(sentence: str, field: str, known: Mapping[str, int]) -> InputError:
    """The fault that none of the names of a field is known, with some that are."""
    examples = ", ".join(list(known)[:_EXAMPLES])
    return InputError(Fault(sentence, {"examples": examples}, f"/{field}", code="nothing-known"))
