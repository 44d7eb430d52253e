"""Documents as one row of tokens that networks learn from, with what is known of each in front of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from aigc_models.base import Fault, InputError
from aigc_models.data.texts import Document
from aigc_models.writing.conditions import Attributes, body_of, header_of, known_of
from aigc_models.writing.tokenizers import BODY, END, Tokenizer

_KEEPS_ALL, _KEEPS_EACH = 0.6, 0.6  # shares of documents, and else of attributes, that a network gets to see
_VALIDATION = 0.05
_MOST_VALIDATED = 40_000  # tokens


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documents in a row.

    Attributes:
        tokens: For each document its attributes if it has any, the mark of its body, its body, the mark of its end.
        counted: Which tokens belong to a body or end it, bool (N,).
        characters: Characters of all bodies, and one for each end.

    Shape: tokens int32 (N,).
    """

    tokens: Tensor
    counted: Tensor
    characters: int

    def __len__(self) -> int:
        return len(self.tokens)

    def windows(self, starts: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """What is read and what comes next, both int64 (B, length)."""
        rows = self.tokens[starts[:, None] + torch.arange(length + 1)].long()
        return rows[:, :-1], rows[:, 1:]


def assemble(tokenizer: Tokenizer, documents: Sequence[Document], forget: np.random.Generator | None = None) -> Corpus:
    """Make a row of documents.

    Args:
        tokenizer: Cuts text.
        documents: In their order.
        forget: Draws attributes to leave out, so that a network learns to write when it is told some only.
    """
    tokens: list[int] = []
    counted: list[bool] = []
    characters = 0
    for document in documents:
        known, body = known_of(document), body_of(document)
        front = start_of(tokenizer, known if forget is None else _some(known, forget))
        text = [*tokenizer.encode(body), END]
        tokens += front + text
        counted += [False] * len(front) + [True] * len(text)
        characters += len(body) + 1
    return Corpus(torch.tensor(tokens, dtype=torch.int32), torch.tensor(counted, dtype=torch.bool), characters)


def start_of(tokenizer: Tokenizer, known: Attributes) -> list[int]:
    """The tokens that stand in front of a body."""
    return [*tokenizer.encode(header_of(known)), BODY]


def _some(known: Attributes, forget: np.random.Generator) -> Attributes:
    if not known or forget.random() < _KEEPS_ALL:
        return known
    return {name: values for name, values in known.items() if forget.random() < _KEEPS_EACH}


def part(documents: Sequence[Document], seed: int) -> tuple[list[Document], list[Document]]:
    """Documents to learn from, and some to see by when to stop.

    Of few documents the last one is cut in two, so that there is always something of both.

    Raises:
        InputError: There is too little text.
    """
    if sum(document.characters for document in documents) < 200:
        sentence = "There are only {count} characters to learn from. Give at least 200, better 100,000 or more."
        count = sum(document.characters for document in documents)
        raise InputError(Fault(sentence, {"count": count}, "/dataset", code="too-little-text"))
    if len(documents) < 20:
        return _cut(documents)
    order = np.random.default_rng([seed, 3]).permutation(len(documents))
    kept = set(order[: max(1, round(_VALIDATION * len(documents)))].tolist())
    learnt = [document for place, document in enumerate(documents) if place not in kept]
    return learnt, [documents[place] for place in sorted(kept)]


def _cut(documents: Sequence[Document]) -> tuple[list[Document], list[Document]]:
    longest = max(range(len(documents)), key=lambda place: documents[place].characters)
    whole = documents[longest]
    text = body_of(whole)
    end = len(text) - max(len(text) // 20, 60)
    parts = [
        Document(f"{whole.name}{mark}", (type(whole.parts[0])(piece),), whole.title, whole.language, whole.attributes)
        for mark, piece in (("", text[:end]), ("~", text[end:]))
    ]
    learnt = [*documents[:longest], parts[0], *documents[longest + 1 :]]
    return learnt, [parts[1]]


def evenly(documents: Sequence[Document], characters: int) -> list[Document]:
    """So many documents, from all over, that they have about so many characters."""
    total = sum(document.characters for document in documents)
    every = max(1, -(-total // max(characters, 1)))
    return list(documents[::every])


def validation_windows(corpus: Corpus, context: int) -> Tensor:
    """Where the windows begin by which a training is watched, (B,)."""
    count = max(1, min((len(corpus) - 1) // context, _MOST_VALIDATED // context))
    last = max(len(corpus) - 1 - context, 0)
    return torch.linspace(0, last, count).long()
