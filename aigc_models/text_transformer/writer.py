"""A trained text transformer at work: texts that were asked for, the best of many, and how far it is meanwhile."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from aigc_models.base import Run
from aigc_models.data.text_results import WrittenText
from aigc_models.text_transformer.ranker import look
from aigc_models.text_transformer.saved import Saved
from aigc_models.writing.conditions import Attributes, read_header
from aigc_models.writing.corpus import start_of
from aigc_models.writing.generating import Text, without_stop, write
from aigc_models.writing.sampling import Choice
from aigc_models.writing.tokenizers import BODY, END

MOST_AT_ONCE = 64
_SHOWN_EVERY = 2.0  # seconds
_MARGIN = 2.0  # log-odds that keeping all attributes is worth beside looking real


@dataclass(frozen=True, slots=True)
class Wish:
    """One text that is wanted.

    Attributes:
        seed: What its draws follow from.
        most: Tokens it may have.
        prompt: What it begins with.
        attributes: What it is to be like.
        stops: Texts before which it ends.
        free: Whether the model says for itself what the text is like, where it has learnt to.
    """

    seed: int
    most: int
    prompt: str = ""
    attributes: Attributes = field(default_factory=dict)
    stops: Sequence[str] = ()
    free: bool = True


class Progress:
    """Tells a run how many tokens were written, and now and then shows the first text as it stands.

    Args:
        run: Is told.
        total: Tokens there can be.
        at: Where the run stands meanwhile, when writing is a part of something else: its step and its total.
    """

    def __init__(self, run: Run, total: int, at: tuple[int, int] | None = None) -> None:
        self._run, self.total, self.done, self._at = run, total, 0, at
        self._shown_at, self._started = time.monotonic(), time.monotonic()

    def step(self, texts: Sequence[Text], saved: Saved) -> None:
        """A token more of each that goes on; raises what the run raises."""
        if self._at is not None:
            self._run.report(*self._at)
            return
        now = time.monotonic()
        written = self.done + sum(len(text.tokens) - text.given for text in texts)
        speed = written / max(now - self._started, 1e-9)
        self._run.report(min(written, self.total - 1), self.total, tokens_per_second=speed)
        if now - self._shown_at >= _SHOWN_EVERY:
            self._shown_at = now
            self._show(texts[0], saved, written)

    def _show(self, text: Text, saved: Saved, step: int) -> None:
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "text.txt"
            path.write_text(saved.tokenizer.decode(text.tokens), encoding="utf-8")
            self._run.preview("text", step, path)


def begin(saved: Saved, wish: Wish) -> list[int]:
    """The tokens a text begins with."""
    if wish.free and saved.begins_freely and saved.attributes and not wish.attributes and not wish.prompt:
        return [END]  # as after another text: the model says what comes
    return [*start_of(saved.tokenizer, wish.attributes), *saved.tokenizer.encode(wish.prompt)]


def compose(saved: Saved, wishes: Sequence[Wish], choice: Choice, run: Run, progress: Progress) -> list[Text]:
    """Write a text for each wish, many at once; those of about the same length together."""
    starts = [begin(saved, wish) for wish in wishes]
    texts = [
        Text(start, wish.seed, wish.most, [stop.encode() for stop in wish.stops])
        for start, wish in zip(starts, wishes, strict=True)
    ]
    order = sorted(range(len(texts)), key=lambda place: (len(texts[place].tokens), place))
    at_once = run.adjustments.chunk(MOST_AT_ONCE)
    for first in range(0, len(order), at_once):
        some = [texts[place] for place in order[first : first + at_once]]
        write(saved.network, saved.tokenizer, choice, some, lambda _alive, some=some: progress.step(some, saved))  # type: ignore[misc]
        progress.done += sum(len(text.tokens) - text.given for text in some)
    return texts


def told(saved: Saved, wish: Wish, text: Text) -> WrittenText:
    """A text as it is kept."""
    tokens, attributes = text.written, wish.attributes
    if BODY in tokens:
        place = tokens.index(BODY)
        attributes, tokens = read_header(saved.tokenizer.decode(tokens[:place])), tokens[place + 1 :]
    elif BODY not in text.tokens:
        attributes, tokens = read_header(saved.tokenizer.decode(tokens)), []
    raw = without_stop(saved.tokenizer.decode_bytes(tokens), [stop.encode() for stop in wish.stops])
    return WrittenText(
        raw.decode("utf-8", "replace"), wish.seed, wish.prompt, dict(attributes), text.ended, len(text.written)
    )


def rank(saved: Saved, wish: Wish, texts: Sequence[Text]) -> tuple[int, Mapping[str, float]]:
    """Which of some texts for the same wish is the best, and its scores: how real it looks, and what it kept."""
    looks = torch.sigmoid(
        odds := saved.ranker(look(saved.network, [t.tokens for t in texts], [t.given for t in texts]))
    )
    kept = [saved.reader.share(told(saved, wish, text).text, wish.attributes) for text in texts]
    scores = odds + _MARGIN * torch.tensor([0.0 if share is None else share for share in kept])
    best = int(scores.argmax())
    share = kept[best]
    return best, {"looks_real": float(looks[best])} | ({} if share is None else {"attributes_kept": share})


def best_of(saved: Saved, wish: Wish, texts: Sequence[Text]) -> WrittenText:
    """The best of some texts for the same wish, with its scores."""
    best, scores = rank(saved, wish, texts)
    chosen = replace(wish, seed=texts[best].seed)
    return replace(told(saved, chosen, texts[best]), scores=scores)
