"""Texts written token by token, many at once, from what each begins with.

Each is read by itself and then written along with others, in rows that do not touch each other, so that it is the same
alone and in any company (:mod:`aigc_models.layers.row_caches` says where that holds bit for bit).
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aigc_models import training
from aigc_models.layers.row_caches import Places, filled_up
from aigc_models.writing.language_model import LanguageModel
from aigc_models.writing.sampling import Choice, Numbers, pick, uniforms
from aigc_models.writing.tokenizers import BODY, END, Tokenizer

# A token of a network no wider is over before a second thread has begun; waiting for it made a text 7 times slower. The
# number of rows must not decide it: threads may change the order of additions.
_NARROW = 256


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
        in_body: Whether what is said of the text is over, and the text itself has begun.
        choice: How its tokens are chosen; None as those of its batch are.
    """

    tokens: list[int]
    seed: int
    most: int
    stops: Sequence[bytes] = ()
    given: int = 0
    ended: str = ""
    choice: Choice | None = None
    in_body: bool = False

    def __post_init__(self) -> None:
        self.given = len(self.tokens)
        self.in_body = BODY in self.tokens

    @property
    def written(self) -> list[int]:
        """What was written, without the mark at the end."""
        end = len(self.tokens) - (self.ended == "end")
        return self.tokens[self.given : end]

    def add(self, token: int, tokenizer: Tokenizer) -> None:
        """Take in the next token; ends the text where it is the last."""
        self.tokens.append(token)
        self.in_body |= token == BODY
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
        choice: How tokens are chosen, where a text does not say.
        texts: With at least one token each. One that somebody else ends is left out from then on.
    """

    def __init__(self, decoder: LanguageModel, tokenizer: Tokenizer, choice: Choice, texts: Sequence[Text]) -> None:
        self._decoder, self._tokenizer, self._choice = decoder, tokenizer, choice
        rows = [text for text in texts if not text.ended and text.most > 0]
        self._line_up(sorted(rows, key=lambda text: len(text.tokens)))  # those that look at as much stand together
        self._starts = [0] * len(rows)
        self._places = Places([0] * len(rows), decoder.context, decoder.device)
        self._caches = decoder.row_caches(self._places, filled_up(len(rows)))
        self._expected = torch.empty(0)
        if rows:
            self._expected = self._filled(self._read(range(len(rows))))

    @property
    def alive(self) -> int:
        """How many are not finished."""
        return len(self._rows)

    def _line_up(self, rows: Sequence[Text]) -> None:
        """Take in the texts that go on, and what is the same for all their tokens."""
        self._rows = list(rows)
        self._draws = np.zeros((len(rows), max((text.most for text in rows), default=0)), np.float32)
        for row, text in enumerate(rows):
            self._draws[row, : text.most] = uniforms(text.seed, text.most)
        self._line_up_again()

    def _line_up_again(self) -> None:
        """Note who is next to whom."""
        rows, choices = np.arange(len(self._rows)), [text.choice or self._choice for text in self._rows]
        self._own = rows
        self._written = np.array([len(text.tokens) - text.given for text in self._rows], np.int64)
        self._in_body = np.array([text.in_body for text in self._rows], np.bool_)
        self._chosen_alike = [(choice, rows[[each == choice for each in choices]]) for choice in dict.fromkeys(choices)]

    @torch.inference_mode()
    def step(self) -> None:
        """Write the next token of each."""
        self._leave_out()  # whoever was ended from outside
        if not self._rows:
            return
        narrow = self._decoder.width <= _NARROW and self._decoder.device.type == "cpu"
        with training.one_thread() if narrow else nullcontext():
            self._write_one(self._scores())

    def _scores(self) -> Numbers:
        """Scores of the next token, (rows, V)."""
        scores: Numbers = self._decoder.scores(self._expected).float().cpu()[: len(self._rows)].numpy()
        return scores

    def _write_one(self, scores: Numbers) -> None:
        over = False
        for row, (text, token) in enumerate(zip(self._rows, self._pick(scores).tolist(), strict=True)):
            text.add(token, self._tokenizer)
            if text.ended:
                over = True
            elif token == BODY:
                self._in_body[row] = True
        self._written += 1
        if over:
            self._leave_out()
        if self._rows:
            self._go_on()

    def _pick(self, scores: Numbers) -> NDArray[np.int64]:
        """The next tokens, those that are chosen alike together."""
        scores[self._in_body, BODY] = -np.inf
        draws = self._draws[self._own, self._written]
        tokens = np.empty(len(self._rows), np.int64)
        for choice, own in self._chosen_alike:
            said = self._said(own) if choice.repetition_penalty != 1.0 else None
            if len(own) == len(tokens):
                return pick(scores, choice, draws, said)
            tokens[own] = pick(scores[own], choice, draws[own], said)
        return tokens

    def _said(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which tokens each text has already, (rows, V)."""
        said = np.zeros((len(rows), self._tokenizer.vocabulary), np.bool_)
        for place, row in enumerate(rows.tolist()):
            said[place, self._rows[row].tokens] = True
        said[:, [END, BODY]] = False
        return said

    def _leave_out(self) -> None:
        """Drop what is finished."""
        left = [row for row, text in enumerate(self._rows) if not text.ended]
        if len(left) < len(self._rows):
            self._keep(left)

    def _keep(self, rows: Sequence[int]) -> None:
        """Keep some of the rows, in this order."""
        self._rows, self._draws = [self._rows[row] for row in rows], self._draws[list(rows)]
        self._line_up_again()
        self._keep_read(rows)

    def _keep_read(self, rows: Sequence[int]) -> None:
        """Keep what was read of some of the rows, in this order."""
        self._starts = [self._starts[row] for row in rows]
        self._places.lengths = [self._places.lengths[row] for row in rows]
        if rows:
            kept = torch.tensor(rows, device=self._decoder.device)
            self._expected = self._filled(self._expected[kept])
            for cache in self._caches:
                cache.take(kept)

    def _go_on(self) -> None:
        """Read what was written; a text whose window moves on is read anew from there."""
        context, device = self._decoder.context, self._decoder.device
        if self._places.scattered:
            self._keep(sorted(range(len(self._rows)), key=self._places.lengths.__getitem__))
        starts = [window_start(len(text.tokens), context) for text in self._rows]
        moved = [row for row, start in enumerate(starts) if start != self._starts[row]]
        for row in moved:  # it takes the step that the others take in a place that is filled anew afterwards
            self._places.lengths[row] = 0
        self._places.advance()
        tokens = self._filled(torch.tensor([text.tokens[-1] for text in self._rows])).to(device)
        self._expected = self._decoder.read(tokens[:, None], self._places.next[:, None], None, self._caches)
        if moved:
            self._expected[torch.tensor(moved, device=device)] = self._read(moved)

    @torch.inference_mode()
    def _read(self, rows: Sequence[int]) -> Tensor:
        """Read texts from the start of their windows, each by itself, equal ones once; what is expected, (rows, D)."""
        known: dict[tuple[int, ...], tuple[Tensor, list[Any]]] = {}
        found = []
        for row in rows:
            tokens = self._rows[row].tokens
            self._starts[row] = window_start(len(tokens), self._decoder.context)
            window = tuple(tokens[self._starts[row] :])
            if window not in known:
                known[window] = self._read_one(window)
            expected, caches = known[window]
            found.append(expected)
            self._places.lengths[row] = len(window)
            for cache, read in zip(self._caches, caches, strict=True):
                cache.put(row, read)
        return torch.cat(found)

    def _read_one(self, window: tuple[int, ...]) -> tuple[Tensor, list[Any]]:
        decoder, length = self._decoder, len(window)
        tokens = torch.tensor([window], device=decoder.device)
        positions = torch.arange(length, device=decoder.device)[None]
        seen = torch.full((length, length), -torch.inf, device=decoder.device).triu(1) if length > 1 else None
        caches = decoder.caches(1)
        return decoder.read(tokens, positions, seen, caches), caches

    def _filled(self, rows: Tensor) -> Tensor:
        """With rows of nothing, up to a number that is multiplied in the same way as any other."""
        missing = filled_up(len(rows)) - len(rows)
        return torch.cat([rows, rows.new_zeros(missing, *rows.shape[1:])])


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
    batch = decoder.batch(tokenizer, choice, texts) or Batch(decoder, tokenizer, choice, texts)
    while batch.alive:
        batch.step()
        after_step(batch.alive)


def without_stop(text: bytes, stops: Sequence[bytes]) -> bytes:
    """A text up to the first of the texts before which it was to end."""
    places = [text.find(stop) for stop in stops]
    return text[: min((place for place in places if place >= 0), default=len(text))]
