"""What an assistant needs of a model that words its answers: to go on with a prompt, several times at once.

A family whose models can do that has a module ``speaking`` with ``load_speaker(directory, device)``; which family a
directory is of stands in its ``config.json``.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

Heard = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Manner:
    """How a prompt is gone on with.

    Attributes:
        seeds: One for each text that is wanted.
        most: Tokens of a text.
        stops: Texts before which it ends.
        temperature: What scores are divided by.
        top_p: The likeliest tokens may come that have this share together.
    """

    seeds: Sequence[int]
    most: int
    stops: Sequence[str] = ()
    temperature: float = 0.3
    top_p: float = 0.9


class Speaker(Protocol):
    """A trained model that goes on with texts."""

    @property
    def room(self) -> int:
        """Tokens it looks back at most."""

    def count(self, text: str) -> int:
        """Tokens of a text."""

    def speak(self, prompt: str, manner: Manner, heard: Heard) -> list[str]:
        """Go on with a prompt, once for each seed, without the prompt and without what stops it.

        ``heard`` gets the first text as it stands after each token of all; what it raises ends the writing at once.
        """


def load_speaker(directory: Path, device: str) -> Speaker:
    """Read a trained model that words answers.

    Raises:
        ValueError: Models of this family cannot.
    """
    family = str(json.loads((directory / "config.json").read_text(encoding="utf-8"))["family"])
    try:
        module = import_module(f"aigc_models.{family}.speaking")
    except ModuleNotFoundError:
        raise ValueError(f"models of {family} word no answers") from None
    return cast(Speaker, module.load_speaker(directory, device))
