"""Which pieces of the passages that were found answer a question: sentences, items, code, rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aigc_models.assistant.finding import Found
from aigc_models.assistant.saved import Saved
from aigc_models.retrieval.passages import Passage, Piece
from aigc_models.retrieval.tokens import words

_WHOLE, _OPENING = 6, 0.3  # words from which a line counts in full; what the first sentence of a passage has ahead
_NEAR, _FITTING = 0.9, 0.8  # of the best passage's and the best sentence's score, for further sources
_CODE = 0.5  # what code counts: it has many words, and says less than the sentence that introduces it
_ROWS = 0.6  # of the best row's score, for other rows of the table
_MORE_ITEMS = 8  # of a list that is begun, beyond the sentences of a reply


@dataclass(frozen=True, slots=True)
class Chosen:
    """A piece of a passage, by their numbers."""

    passage: int
    piece: int


def choose(saved: Saved, found: Found, order: Sequence[int], sources: int, most: int) -> list[Chosen]:
    """A run of the best passage's pieces, then the best ones of others that fit as well.

    Args:
        saved: The assistant.
        found: What the search gave.
        order: Passages, the best first.
        sources: Most passages.
        most: Most sentences; a list that is begun is not broken off.
    """
    best = order[0]
    own = fits(saved, found, saved.passages[best])
    further: list[Chosen] = []
    said = set(saved.passages[best].sentences)
    for number in order[1 : sources * 2]:
        if len(further) >= min(sources - 1, most // 2):
            break
        if found.scores[number] < _NEAR * found.scores[best]:
            break
        passage = saved.passages[number]
        scores = fits(saved, found, passage)
        place = int(scores.argmax())
        if scores.max() >= _FITTING * own.max() and passage.pieces[place].text not in said:
            further += [Chosen(number, one) for one in complete(passage.pieces, [place], 1)]
            said.add(passage.pieces[place].text)
    run = answering(saved.passages[best].pieces, own, max(1, most - len(further)))
    return [Chosen(best, place) for place in _particular(saved, saved.passages[best], run)] + further


def _particular(saved: Saved, passage: Passage, run: Sequence[int]) -> list[int]:
    """The run without what many documents say before and behind the rest; all of it where nothing else is left."""
    alike = _alike(saved, passage)
    own = [at for at, place in enumerate(run) if not alike[place]]
    return list(run[own[0] : own[-1] + 1] if own else run)


def _alike(saved: Saved, passage: Passage) -> list[bool]:
    """Which pieces many documents say word for word; what many are answered alike in dialogues is an answer."""
    return [not passage.question and one.text in saved.common for one in passage.pieces]


def fits(saved: Saved, found: Found, passage: Passage) -> NDArray[np.float64]:
    """How well each piece of a passage fits: the share of the question's words in it, its cosine, and its place."""
    lexical = saved.index.lexical
    known = {word: lexical.vocabulary[word] for word in found.query if word in lexical.vocabulary}
    rarity = {word: float(lexical.rarity[number]) for word, number in known.items()}
    total = max(sum(rarity.values()), 1e-9)
    split = [words(one) for one in passage.sentences]
    share = np.array([sum(rarity.get(word, 0.0) for word in set(one)) / total for one in split])
    near = saved.encoding.vectors(split) @ found.vector
    whole = np.minimum([len(one) / _WHOLE for one in split], 1.0)  # lists of links are short lines
    fitting = (share + 0.5 * np.maximum(near, 0)) * whole
    fitting[[one.kind == "code" for one in passage.pieces]] *= _CODE
    fitting[0] += _OPENING * whole[0]
    fitting[_alike(saved, passage)] = 0
    return np.asarray(fitting, np.float64)


def answering(pieces: Sequence[Piece], fitting: NDArray[np.float64], most: int) -> list[int]:
    """The places of the pieces that answer: rows of a table alone, anything else one after the other."""
    best = int(fitting.argmax())
    if pieces[best].kind == "table":
        rows = [at for at, one in enumerate(pieces) if one.kind == "table" and fitting[at] >= _ROWS * fitting[best]]
        kept = sorted(sorted(rows, key=lambda at: -fitting[at])[:most])
        return complete(pieces, kept, most)
    spoken = [at for at, one in enumerate(pieces) if one.kind != "table"]
    if not spoken:
        return [best]
    size = min(most, len(spoken))
    sums = np.convolve(fitting[spoken], np.ones(size), "valid")
    start = int(sums.argmax())
    return complete(pieces, spoken[start : start + size], most)


def complete(pieces: Sequence[Piece], places: Sequence[int], most: int) -> list[int]:
    """With what leads to the first piece, what the last one leads to, and the rest of a list that is begun."""
    kept = list(places)
    while kept[0] > 0 and _led(pieces, kept[0]):
        kept.insert(0, kept[0] - 1)
    if pieces[kept[0]].kind in ("item", "table"):
        lead = next((at for at in range(kept[0] - 1, -1, -1) if pieces[at].kind != pieces[kept[0]].kind), -1)
        if lead >= 0 and pieces[lead].leads_on:
            kept.insert(0, lead)
    while kept[-1] + 1 < len(pieces) and len(kept) < most + _MORE_ITEMS and _goes_on(pieces, kept[-1]):
        kept.append(kept[-1] + 1)
    if len(kept) > 1 and pieces[kept[-1]].leads_on:
        kept.pop()
    return kept


def _led(pieces: Sequence[Piece], place: int) -> bool:
    """Whether the piece before says what this one is."""
    return pieces[place - 1].leads_on or (pieces[place].kind == "code" and pieces[place - 1].kind != "code")


def _goes_on(pieces: Sequence[Piece], place: int) -> bool:
    """Whether the next piece belongs to this one: what a colon leads to, or more items of the same list."""
    return pieces[place].leads_on or (pieces[place].kind == "item" and pieces[place + 1].kind == "item")
