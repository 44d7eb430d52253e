"""How varied texts are: distinct pairs of words, and how much they resemble each other."""

import math
import re
from collections import Counter
from collections.abc import Sequence

# A word, or a single character of a script that has no blanks between words.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W_]+|[^\w\s]|_")


def words(text: str) -> list[str]:
    """The words and signs of a text; Chinese and Japanese characters stand alone."""
    return _WORD.findall(text.casefold())


def distinct(texts: Sequence[str], size: int = 2) -> float:
    """Share of the runs of so many words that are different (Li et al. 2016, section 5.1); 0 where there is none."""
    grams = Counter(gram for text in texts for gram in _grams(words(text), size))
    total = sum(grams.values())
    return len(grams) / total if total else 0.0


def self_bleu(texts: Sequence[str], size: int = 4) -> float:
    """Mean BLEU of each text beside all others (Zhu et al. 2018, Texygen); 0 where fewer than two have words.

    Counts of runs are smoothed by one above single words (Lin and Och 2004), lengths are those of the closest other.
    """
    split = [found for found in map(words, texts) if found]
    if len(split) < 2:
        return 0.0
    counted = [[Counter(_grams(text, n)) for text in split] for n in range(1, size + 1)]
    most = [_two_highest(counts) for counts in counted]
    lengths = [len(text) for text in split]
    scores = []
    for row, text in enumerate(split):
        logs = 0.0
        for n in range(size):
            mine = counted[n][row]
            clipped = sum(min(count, _other(most[n][gram], row)) for gram, count in mine.items())
            total, more = sum(mine.values()), 1 if n else 0
            logs += math.log(max(clipped + more, 1e-9) / max(total + more, 1))
        others = lengths[:row] + lengths[row + 1 :]
        closest = min(others, key=lambda length: (abs(length - len(text)), length))
        scores.append(math.exp(logs / size + min(0.0, 1 - closest / len(text))))
    return sum(scores) / len(scores)


def _grams(text: Sequence[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(text[place : place + size]) for place in range(len(text) - size + 1)]


def _two_highest(counts: Sequence[Counter[tuple[str, ...]]]) -> dict[tuple[str, ...], list[tuple[int, int]]]:
    """For each run the two texts that have it most often, as (count, text)."""
    found: dict[tuple[str, ...], list[tuple[int, int]]] = {}
    for row, counter in enumerate(counts):
        for gram, count in counter.items():
            found[gram] = sorted([*found.get(gram, []), (count, row)], reverse=True)[:2]
    return found


def _other(highest: Sequence[tuple[int, int]], row: int) -> int:
    """How often another text has a run at most."""
    return next((count for count, of in highest if of != row), 0)
