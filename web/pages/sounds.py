"""Sounds that a job made, to listen to: each with its length and the shape of its wave."""

import base64
import wave
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from jobs.tables import Artifact
from web import context

MOST, LARGEST = 24, 8 * 2**20
LARGEST_IN_A_REPORT = 2**20
COLUMNS, SAMPLES = 160, 20_000  # of the drawing; samples that are looked at for it
HEIGHT = 48


@dataclass(frozen=True, slots=True)
class Sound:
    """A sound of a result.

    Attributes:
        file: Where it is.
        seconds: How long it is; 0 where that cannot be told.
        outline: The wave as points of a polygon, COLUMNS by HEIGHT; empty where it cannot be drawn.
    """

    file: Artifact
    seconds: float
    outline: str

    def embedded(self) -> str:
        """The sound as an address that holds it, for a report; empty where it is too large or gone."""
        if self.file.size > LARGEST_IN_A_REPORT:
            return ""
        try:
            with context.engine().store.open(self.file.sha256) as stream:
                return f"data:{self.file.media_type};base64,{base64.b64encode(stream.read()).decode()}"
        except FileNotFoundError:
            return ""


@dataclass(frozen=True, slots=True)
class Sounds:
    """What a page shows: the first sounds, and how many more there are."""

    first: Sequence[Sound]
    more: int
    width: int = COLUMNS
    height: int = HEIGHT


def of(files: Sequence[Artifact]) -> Sounds | None:
    """The sounds a job made; None where it made none."""
    found = [file for file in files if file.role == "output" and file.media_type == "audio/wav"]
    return Sounds([_sound(file) for file in found[:MOST]], max(0, len(found) - MOST)) if found else None


def _sound(file: Artifact) -> Sound:
    if file.size > LARGEST:
        return Sound(file, 0.0, "")
    try:
        with context.engine().store.open(file.sha256) as stream:
            return Sound(file, *_read(stream))
    except (FileNotFoundError, EOFError, wave.Error, ValueError):
        return Sound(file, 0.0, "")


def _read(stream: IO[bytes]) -> tuple[float, str]:
    """Seconds and outline of a WAV file; of 16 bits only is the wave drawn, by its first channel."""
    with wave.open(stream) as sound:
        seconds = sound.getnframes() / sound.getframerate()
        if sound.getsampwidth() != 2 or sound.getcomptype() != "NONE":
            return seconds, ""
        samples = array("h", sound.readframes(sound.getnframes()))
    return seconds, _outline(samples[:: sound.getnchannels()])


def _outline(samples: Sequence[int]) -> str:
    """Highest and lowest sample of each column, there and back."""
    stride = max(1, len(samples) // SAMPLES)
    seen = samples[::stride]
    size = max(1, -(-len(seen) // COLUMNS))
    pieces = [seen[start : start + size] for start in range(0, len(seen), size)]
    upper = [f"{column},{_place(max(piece))}" for column, piece in enumerate(pieces)]
    lower = [f"{column},{_place(min(piece))}" for column, piece in enumerate(pieces)]
    return " ".join([*upper, *reversed(lower)])


def _place(sample: int) -> float:
    return round(HEIGHT / 2 * (1 - sample / 32_768), 1)
