"""Whether a text has what was asked for: a reader trained on real texts says which values of an attribute fit best."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from aigc_models.metrics.text_quality import words

_LEAST = 5  # documents a value needs before it can be told
_MOST_VALUES = 500


class AttributeReader:
    """Naive Bayes over the words that a text has, one value against the rest.

    Only values that several real texts have are asked for; a text has a value when the value is among the likeliest of
    its attribute, as many as were asked for.

    Args:
        texts: Real texts.
        known: Values of each text, by attribute.
    """

    def __init__(self, texts: Sequence[str], known: Sequence[Mapping[str, Sequence[str]]]) -> None:
        self._total = len(texts)
        self._in_all: Counter[str] = Counter()
        self._in: dict[str, dict[str, Counter[str]]] = {}
        self._of: dict[str, Counter[str]] = {}
        counts: dict[str, Counter[str]] = {}
        for values in known:
            for name, own in values.items():
                counts.setdefault(name, Counter()).update(set(own))
        for name, counted in counts.items():
            told = {value for value, count in counted.most_common(_MOST_VALUES) if _LEAST <= count < len(texts)}
            if len(told) > 1:
                self._of[name] = Counter({value: counted[value] for value in told})
                self._in[name] = {value: Counter() for value in told}
        for text, values in zip(texts, known, strict=True):
            found = set(words(text))
            self._in_all.update(found)
            for name, own in values.items():
                for value in set(own) & set(self._in.get(name, {})):
                    self._in[name][value].update(found)

    def to_json(self) -> dict[str, Any]:
        """What it has counted, without words that came once or twice."""
        often = {word: count for word, count in self._in_all.items() if count > 2}
        inside = {
            name: {value: {word: n for word, n in words_in.items() if word in often} for value, words_in in own.items()}
            for name, own in self._in.items()
        }
        return {"texts": self._total, "words": often, "of": {n: dict(own) for n, own in self._of.items()}, "in": inside}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "AttributeReader":
        """Read what :meth:`to_json` gave."""
        made = cls((), ())
        made._total, made._in_all = stored["texts"], Counter(stored["words"])
        made._of = {name: Counter(own) for name, own in stored["of"].items()}
        made._in = {name: {value: Counter(own) for value, own in of.items()} for name, of in stored["in"].items()}
        return made

    @property
    def names(self) -> Sequence[str]:
        """Attributes that can be told."""
        return list(self._of)

    def asked(self, wish: Mapping[str, Sequence[str]]) -> dict[str, set[str]]:
        """The part of a wish that can be told."""
        known = {name: set(values) & set(self._of.get(name, ())) for name, values in wish.items()}
        return {name: values for name, values in known.items() if values}

    def share(self, text: str, wish: Mapping[str, Sequence[str]]) -> float | None:
        """Share of the values asked for that the text has; None where none of them can be told."""
        asked = self.asked(wish)
        if not asked:
            return None
        hits = sum(len(set(self._likeliest(text, name, len(values))) & values) for name, values in asked.items())
        return hits / sum(map(len, asked.values()))

    def mean_share(self, texts: Sequence[str], wishes: Sequence[Mapping[str, Sequence[str]]]) -> float | None:
        """Mean over the texts whose wishes can be told."""
        found = [self.share(text, wish) for text, wish in zip(texts, wishes, strict=True)]
        known = [share for share in found if share is not None]
        return sum(known) / len(known) if known else None

    def _likeliest(self, text: str, name: str, count: int) -> list[str]:
        present = {word for word in words(text) if word in self._in_all}
        scores = {value: self._score(present, name, value) for value in self._of[name]}
        return sorted(scores, key=lambda value: (-scores[value], value))[:count]

    def _score(self, present: set[str], name: str, value: str) -> float:
        """Log-odds of a value by the words that are there, with half a count added to each."""
        own, inside, rest = self._of[name][value], self._in[name][value], self._total - self._of[name][value]
        score = math.log((own + 0.5) / (rest + 0.5))
        for word in present:
            within = inside[word]
            score += math.log((within + 0.5) / (own + 1)) - math.log((self._in_all[word] - within + 0.5) / (rest + 1))
        return score
