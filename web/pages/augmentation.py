"""Do synthetic rows help a classifier? The answer of a study for each share of the real rows, with its interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aigc_models.data.table_results import AUGMENTATION
from jobs.tables import Artifact
from web import result_files
from web.pages.table_sentences import Sentence, Tone
from web.translate import say

VERSION = 1
LEFT, RIGHT, ROW, TOP = 60, 312, 30, 14

ANSWERS: Mapping[str, tuple[str, Tone]] = {
    "yes": (
        "Yes: with {percent} % of the real rows, synthetic rows raise the score by {gain} ({low} to {high}).",
        "ok",
    ),
    "no": (
        "No: with {percent} % of the real rows no gain can be shown. The score changes by {gain} ({low} to {high}).",
        "wait",
    ),
    "worse": (
        "No: with {percent} % of the real rows, synthetic rows lower the score by {gain} ({low} to {high}).",
        "bad",
    ),
}
SIDES: Mapping[str, str] = {
    "real": "Real rows",
    "repeated": "Real rows, repeated",
    "augmented": "Real and synthetic rows",
    "synthetic": "Synthetic rows alone",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One share in the table and in the drawing: places of the gain and of the ends of its interval."""

    percent: int
    rows: int
    scores: Sequence[str]
    gain: str
    low: float
    middle: float
    high: float
    y: int


@dataclass(frozen=True, slots=True)
class Shown:
    """All that a page shows; ``zero`` is where the drawing has no gain, ``score`` AUC or R²."""

    score: str
    target: str
    repeats: int
    sentences: Sequence[Sentence]
    sides: Sequence[str]
    lines: Sequence[Line]
    zero: float
    height: int
    file: Artifact | None


def of(files: Sequence[Artifact]) -> Shown | None:
    """The result of a study; None where there is none."""
    found = result_files.document(files, AUGMENTATION)
    if found is None or found.get("version") != VERSION:
        return None
    shares = found["shares"]
    ends: list[float] = [0.0, *(end for share in shares for end in share["interval"])]
    low, span = float(min(ends)), float(max(ends) - min(ends)) or 1.0

    def place(value: float) -> float:
        return round(LEFT + (value - low) / span * (RIGHT - LEFT), 1)

    sides = [side for side in SIDES if all(side in share["scores"] for share in shares)]
    lines = [
        Line(
            percent=share["percent"],
            rows=share["rows"],
            scores=[_mean(share["scores"][side]) for side in sides],
            gain=f"{share['gain']:+.4f} ({share['interval'][0]:+.4f} – {share['interval'][1]:+.4f})",
            low=place(share["interval"][0]),
            middle=place(share["gain"]),
            high=place(share["interval"][1]),
            y=TOP + ROW * number,
        )
        for number, share in enumerate(shares)
    ]
    return Shown(
        score="AUC" if found["score"] == "auc" else "R²",
        target=str(found["target"]),
        repeats=found["repeats"],
        sentences=[_answer(share) for share in shares],
        sides=[say(SIDES[side]) for side in sides],
        lines=lines,
        zero=place(0.0),
        height=ROW * len(lines),
        file=result_files.named(files, AUGMENTATION),
    )


def _answer(share: Mapping[str, Any]) -> Sentence:
    text, tone = ANSWERS[share["answer"]]
    sign = -1 if share["answer"] == "worse" else 1
    low, high = sorted(sign * end for end in share["interval"])
    numbers = {"gain": sign * share["gain"], "low": low, "high": high}
    values = {name: f"{value:.4f}" for name, value in numbers.items()}
    return Sentence(say(text, {"percent": share["percent"], **values}), tone)


def _mean(scores: Sequence[float]) -> str:
    return f"{sum(scores) / len(scores):.4f}" if scores else "–"
