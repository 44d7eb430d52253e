"""What written texts are worth, beside counts of characters and beside real texts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aigc_models.base import Run
from aigc_models.data.texts import Document
from aigc_models.metrics.copied_spans import Sources, Span
from aigc_models.metrics.ngram import WittenBell
from aigc_models.metrics.text_quality import distinct, self_bleu
from aigc_models.writing.conditions import body_of
from aigc_models.writing.corpus import evenly

ORDER = 6  # five characters and the one that follows
_MOST_COUNTED, _MOST_TESTED = 4_000_000, 300_000  # characters
_LEAST_SHOWN = 12  # characters below which a shared passage is no news


@dataclass(frozen=True, slots=True)
class Counted:
    """Counts of characters of the training texts, as a way to write.

    Attributes:
        counts: Of which symbol follows which.
        characters: The characters by their numbers; one number more ends a text, and one stands for all others.
    """

    counts: WittenBell
    characters: NDArray[np.uint32]

    @classmethod
    def over(cls, bodies: Sequence[str]) -> "Counted":
        """Count texts."""
        codes = _codes("".join(bodies))
        characters = np.unique(codes)
        end = len(characters)
        rows = [piece for body in bodies for piece in (np.searchsorted(characters, _codes(body)), np.array([end]))]
        return cls(WittenBell(np.concatenate(rows).astype(np.int64), end + 2, ORDER), characters)

    def bits_per_character(self, bodies: Sequence[str]) -> float:
        """How surprised the counts are by texts, the ends of which count as characters."""
        rows = [piece for body in bodies for piece in (self._symbols(body), np.array([len(self.characters)]))]
        return float(-self.counts.log_shares(np.concatenate(rows).astype(np.int64)).mean() / np.log(2))

    def write(self, count: int, length: int, rng: np.random.Generator) -> list[str]:
        """Texts of at most so many characters, drawn from the counts."""
        end = len(self.characters)
        rows = self.counts.draw([[end]] * count, length, rng)
        known = [row[1 : row.index(end, 1)] if end in row[1:] else row[1:] for row in rows]
        return ["".join(chr(self.characters[symbol]) for symbol in row if symbol < end) for row in known]

    def _symbols(self, body: str) -> NDArray[np.int64]:
        codes = _codes(body)
        places = np.minimum(np.searchsorted(self.characters, codes), len(self.characters) - 1)
        return np.where(self.characters[places] == codes, places, len(self.characters) + 1).astype(np.int64)


def _codes(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def beside_counts(train: Sequence[Document], test: Sequence[Document]) -> tuple[Counted, float]:
    """The counts of training texts, and how many bits a character of test texts takes by them."""
    counted = Counted.over([body_of(one) for one in evenly(train, _MOST_COUNTED)])
    return counted, counted.bits_per_character([body_of(one) for one in tested(test)])


def tested(documents: Sequence[Document]) -> list[Document]:
    """The test texts that are read; of very many, some from all over."""
    return evenly(documents, _MOST_TESTED)


def variety(written: Sequence[str], real: Sequence[str], counted: Counted, seed: int) -> dict[str, float]:
    """How varied texts are, beside real ones of the same lengths and texts drawn from counts."""
    rng = np.random.default_rng([seed, 5])
    length = max(1, round(sum(map(len, written)) / max(len(written), 1)))
    cut = cut_alike(real, length)
    return {
        "distinct2": distinct(written),
        "distinct2_real": distinct(cut),
        "distinct2_ngram": distinct(counted.write(len(written), length, rng)),
        "self_bleu": self_bleu(written),
        "self_bleu_real": self_bleu(cut),
    }


def cut_alike(texts: Sequence[str], length: int) -> list[str]:
    """The first characters of each, so that long texts are not compared with short ones."""
    return [text[:length] for text in texts]


def copies(train: Sequence[Document], written: Sequence[str], real: Sequence[str], run: Run) -> dict[str, float]:
    """The longest passages that written and real texts share with training texts; long ones are told."""
    sources = Sources([body_of(one) for one in train])
    longest = sources.longest(written)
    if longest.length >= _LEAST_SHOWN:
        run.log(f"The longest copied passage has {longest.length} characters: {passage(written, longest)!r}")
    return {"longest_copy": float(longest.length), "longest_copy_real": float(sources.longest(real).length)}


def passage(texts: Sequence[str], span: Span) -> str:
    """The characters of a passage, not more than a line."""
    return texts[span.text][span.start : span.start + min(span.length, 200)]
