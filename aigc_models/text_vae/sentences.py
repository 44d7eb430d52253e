"""Texts as sentences, and sentences as rows of tokens of one length."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from aigc_models import training
from aigc_models.base import Fault, InputError
from aigc_models.data.texts import Document
from aigc_models.writing.conditions import body_of
from aigc_models.writing.tokenizers import BODY, END, Tokenizer

# The end of a sentence with its closing quotes: before a blank, or anywhere where the sign is full-width.
_END = re.compile(r"([.!?…][\"'”’)\]]*)\s+|([。！？]+[”’」』）]*)")
_POOL = 16  # batches that are sorted by length together
LEAST = 4  # characters; less is no sentence to learn from


def sentences_of(documents: Sequence[Document]) -> list[str]:
    """The sentences of documents, each once, in their order."""
    found: dict[str, None] = {}
    for document in documents:
        lines = _END.sub(lambda end: f"{end.group()}\n", body_of(document)).splitlines()
        found |= dict.fromkeys(piece for line in lines if len(piece := line.strip()) >= LEAST)
    return list(found)


@dataclass(frozen=True, slots=True)
class Rows:
    """Sentences as tokens, the end of each marked and filled up with such marks.

    Attributes:
        tokens: int32 (S, T).
        lengths: Tokens of each with its mark, int64 (S,).
        characters: Characters of all, and one for each end.
    """

    tokens: Tensor
    lengths: Tensor
    characters: int

    def __len__(self) -> int:
        return len(self.tokens)

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Some sentences as tokens, no longer than the longest of them, and which tokens count; (B, T) both."""
        lengths = self.lengths[rows]
        longest = int(lengths.max())
        return self.tokens[rows, :longest].long(), torch.arange(longest)[None] < lengths[:, None]


def rows_of(tokenizer: Tokenizer, sentences: Sequence[str], longest: int) -> Rows:
    """Cut sentences into tokens; those that are longer than allowed are left out."""
    encoded = [(tokenizer.encode(sentence), len(sentence)) for sentence in sentences]
    kept = [(tokens, count) for tokens, count in encoded if 0 < len(tokens) < longest]
    rows = torch.full((len(kept), longest), END, dtype=torch.int32)
    for place, (tokens, _) in enumerate(kept):
        rows[place, : len(tokens)] = torch.tensor(tokens, dtype=torch.int32)
    lengths = torch.tensor([len(tokens) + 1 for tokens, _ in kept], dtype=torch.int64)
    return Rows(rows, lengths, sum(count + 1 for _, count in kept))


def require_some(rows: Rows, longest: int) -> None:
    """Raise :class:`InputError` where there are too few sentences to learn from."""
    if len(rows) < 32:
        sentence = (
            "Only {count} sentences have fewer than {longest} tokens. Give at least 32, better 10,000 or more, or "
            "allow longer ones."
        )
        values = {"count": len(rows), "longest": longest}
        raise InputError(Fault(sentence, values, "/dataset", code="too-little-text"))


class AlikeBatches:
    """Endless batches of sentences of about one length, so that little is filled up; every sentence once per pass.

    Args:
        lengths: Of all sentences, (S,).
        batch_size: Sentences of a batch.
        generator: Shuffles.
    """

    def __init__(self, lengths: Tensor, batch_size: int, generator: torch.Generator) -> None:
        self._lengths, self._batch_size, self._generator = lengths, batch_size, generator
        pool = min(_POOL, max(1, len(lengths) // batch_size)) * batch_size
        self._pools = training.Batches(len(lengths), pool, generator)
        self._waiting = torch.empty(0, batch_size, dtype=torch.int64)

    def next(self) -> Tensor:
        """Numbers of the next ``batch_size`` sentences."""
        if not len(self._waiting):
            pool = self._pools.next()
            alike = pool[self._lengths[pool].argsort(stable=True)].view(-1, self._batch_size)
            self._waiting = alike[torch.randperm(len(alike), generator=self._generator)]
        batch, self._waiting = self._waiting[0], self._waiting[1:]
        return batch

    def state_dict(self) -> dict[str, Tensor]:
        """What is left of the pass (the generator is saved beside it)."""
        return {**self._pools.state_dict(), "waiting": self._waiting.clone()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on inside the pass."""
        self._pools.load_state_dict(state)
        self._waiting = state["waiting"].clone()


def shifted(tokens: Tensor) -> Tensor:
    """What the decoder has before each token: the mark of the begin, and the tokens before; (B, T)."""
    return torch.cat([torch.full_like(tokens[:, :1], BODY), tokens[:, :-1]], 1)
