"""Texts written token by token, many at once, from what each begins with."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from aigc_models import training
from aigc_models.writing.language_model import LanguageModel
from aigc_models.writing.sampling import Choice, pick, uniforms
from aigc_models.writing.tokenizers import BODY, END, Tokenizer

_SMALL = 2**21  # multiplications of a matrix below which one thread is faster: 32 rows of width 256


@dataclass(slots=True)
class Text:
    """A text on its way.

    Attributes:
        tokens: What it begins with and what was written.
        given: How many of them it began with.
        seed: What its draws follow from.
        most: How many tokens may be written.
        stops: Texts before which it ends.
        ended: Why it has ended; empty while it has not.
        likelihood: Sum of the logarithms of its written tokens' shares, by the network itself.
    """

    tokens: list[int]
    seed: int
    most: int
    stops: Sequence[bytes] = ()
    given: int = 0
    ended: str = ""
    draws: Tensor = field(default_factory=lambda: torch.empty(0))

    def __post_init__(self) -> None:
        self.given = len(self.tokens)
        self.draws = uniforms(self.seed, self.most)

    @property
    def written(self) -> list[int]:
        """What was written, without the mark at the end."""
        end = len(self.tokens) - (self.ended == "end")
        return self.tokens[self.given : end]

    def add(self, token: int, tokenizer: Tokenizer) -> None:
        """Take in the next token; ends the text where it is the last."""
        self.tokens.append(token)
        if token == END:
            self.ended = "end"
        elif self._stopped(tokenizer):
            self.ended = "stop"
        elif len(self.tokens) - self.given >= self.most:
            self.ended = "length"

    def _stopped(self, tokenizer: Tokenizer) -> bool:
        if not self.stops:
            return False
        longest = max(map(len, self.stops))
        tail = tokenizer.decode_bytes(self.tokens[max(self.given, len(self.tokens) - longest) :])
        # The last token alone may have brought it, wherever in the token it begins.
        return any(stop in tail for stop in self.stops)


def window_start(length: int, context: int) -> int:
    """Where the part of a text begins that is looked at once it has so many tokens.

    It moves on by half a context at a time, so that what was read is read again seldom; where it is follows from the
    text's own length alone.
    """
    step = max(context // 2, 1)
    return 0 if length <= context else -(-(length - context) // step) * step


class Batch:
    """Texts that are written together.

    Args:
        decoder: Writes.
        tokenizer: Says what tokens stand for.
        choice: How tokens are chosen.
        texts: With at least one token each.
    """

    def __init__(self, decoder: LanguageModel, tokenizer: Tokenizer, choice: Choice, texts: Sequence[Text]) -> None:
        self._decoder, self._tokenizer, self._choice = decoder, tokenizer, choice
        self._rows = [text for text in texts if not text.ended and text.most > 0]
        self._expected = self._positions = self._starts = self._padded = self._in_body = torch.empty(0)
        self._said: Tensor | None = None
        self._caches: list[Any] = []
        self._draws = torch.stack([text.draws for text in self._rows]) if self._rows else torch.empty(0, 0)
        self._step = 0
        self._fill()

    @property
    def alive(self) -> int:
        """How many are not finished."""
        return len(self._rows)

    @torch.inference_mode()
    def step(self) -> None:
        """Write the next token of each."""
        scores = self._decoder.scores(self._expected).float().cpu()
        scores[:, BODY] = scores[:, BODY].masked_fill(self._in_body, -torch.inf)
        tokens = pick(scores, self._choice, self._draws[:, self._step], self._said)
        self._step += 1
        self._in_body |= tokens == BODY
        if self._said is not None:
            self._said[torch.arange(len(tokens)), tokens] = True
        for text, token in zip(self._rows, tokens.tolist(), strict=True):
            text.add(token, self._tokenizer)
        self._go_on(tokens)

    def _go_on(self, tokens: Tensor) -> None:
        """Drop what is finished, and read what was written."""
        left = [place for place, text in enumerate(self._rows) if not text.ended]
        if len(left) < len(self._rows):
            rows = torch.tensor(left, dtype=torch.int64)
            self._rows = [self._rows[place] for place in left]
            self._draws, self._in_body, tokens = self._draws[rows], self._in_body[rows], tokens[rows]
            self._said = None if self._said is None else self._said[rows]
            self._positions, self._starts, self._padded = self._positions[rows], self._starts[rows], self._padded[rows]
            for cache in self._caches:
                cache.take(rows.to(self._decoder.device))
        if not self._rows:
            return
        context = self._decoder.context
        starts = zip(self._rows, self._starts.tolist(), strict=True)
        moved = any(window_start(len(text.tokens), context) != start for text, start in starts)
        if moved or self._caches[0].used >= context:  # the caches also hold what stands in for nothing
            self._fill()
            return
        self._positions = self._positions + 1
        seen = None
        if bool(self._padded.any()):
            seen = _hidden(self._padded, self._caches[0].used + 1)[:, None, None]  # (B, 1, 1, S)
        device = self._decoder.device
        seen = seen if seen is None else seen.to(device)
        self._expected = self._decoder.read(
            tokens[:, None].to(device), self._positions[:, None].to(device), seen, self._caches
        )

    @torch.inference_mode()
    def _fill(self) -> None:
        """Read all texts from the start of their windows, aligned at their ends."""
        if not self._rows:
            return
        context, device = self._decoder.context, self._decoder.device
        starts = [window_start(len(text.tokens), context) for text in self._rows]
        parts = [text.tokens[start:] for text, start in zip(self._rows, starts, strict=True)]
        longest = max(map(len, parts))
        tokens = torch.tensor([[END] * (longest - len(part)) + part for part in parts])
        self._padded = torch.tensor([longest - len(part) for part in parts])
        self._starts = torch.tensor(starts)
        places = (torch.arange(longest)[None] - self._padded[:, None]).clamp(min=0)
        self._positions = places[:, -1]
        self._caches = self._decoder.caches(len(parts))
        seen = torch.full((longest, longest), -torch.inf).triu(1)[None] + _hidden(self._padded, longest)[:, None]
        seen.diagonal(dim1=1, dim2=2).zero_()  # what stands in for nothing sees itself, as it must see something
        self._expected = self._decoder.read(
            tokens.to(device), places.to(device), seen[:, None].to(device), self._caches
        )
        self._in_body = torch.tensor([BODY in text.tokens for text in self._rows])
        self._said = None
        if self._choice.repetition_penalty != 1.0:
            self._said = torch.zeros(len(parts), self._tokenizer.vocabulary, dtype=torch.bool)
            for row, text in enumerate(self._rows):
                self._said[row, text.tokens] = True
            self._said[:, [END, BODY]] = False


def _hidden(padded: Tensor, length: int) -> Tensor:
    """Minus infinity where nothing stands, in front of each row, (B, S)."""
    return torch.zeros(len(padded), length).masked_fill(torch.arange(length)[None] < padded[:, None], -torch.inf)


def write(
    decoder: LanguageModel,
    tokenizer: Tokenizer,
    choice: Choice,
    texts: Sequence[Text],
    after_step: Callable[[int], None] = lambda _alive: None,
) -> None:
    """Write texts to their ends.

    Args:
        decoder: Writes.
        tokenizer: Says what tokens stand for.
        choice: How tokens are chosen.
        texts: Are filled.
        after_step: Called after each token of the batch with how many go on; may raise, and all stays as it is.
    """
    batch = Batch(decoder, tokenizer, choice, texts)
    # A token of a small network is over before a second thread has begun; waiting for it made one text 7 times slower.
    small = batch.alive * decoder.width**2 <= _SMALL
    with training.one_thread() if small and decoder.device.type == "cpu" else nullcontext():
        while batch.alive:
            batch.step()
            after_step(batch.alive)


def without_stop(text: bytes, stops: Sequence[bytes]) -> bytes:
    """A text up to the first of the texts before which it was to end."""
    places = [text.find(stop) for stop in stops]
    return text[: min((place for place in places if place >= 0), default=len(text))]
