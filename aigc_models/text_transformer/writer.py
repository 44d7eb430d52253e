"""A trained text transformer at work: texts that were asked for, the best of many, and how far it is meanwhile."""

import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from aigc_models.base import Run
from aigc_models.data.text_results import WrittenText
from aigc_models.text_transformer.ranker import look
from aigc_models.text_transformer.saved import Saved
from aigc_models.writing.conditions import Attributes, read_header
from aigc_models.writing.corpus import start_of
from aigc_models.writing.generating import Batch, Text, without_stop
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
        written = self.done + _count(texts)
        speed = written / max(now - self._started, 1e-9)
        self._run.report(min(written, self.total - 1), self.total, tokens_per_second=speed)
        if now - self._shown_at >= _SHOWN_EVERY:
            self._shown_at = now
            self._show(next((text for text in texts if not text.ended), texts[0]), saved, written)

    def _show(self, text: Text, saved: Saved, step: int) -> None:
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "text.txt"
            path.write_text(saved.tokenizer.decode(text.tokens), encoding="utf-8")
            self._run.preview("text", step, path)


def begin(saved: Saved, wish: Wish) -> list[int]:
    """The tokens a text begins with."""
    if wish.free and saved.attributes and not wish.attributes and not wish.prompt:
        return [END]  # as after another text: the model says what comes
    return [*start_of(saved.tokenizer, wish.attributes), *saved.tokenizer.encode(wish.prompt)]


@dataclass(frozen=True, slots=True)
class Order:
    """What one job wants to be written.

    Attributes:
        saved: Who writes.
        wishes: One for each text.
        choice: How tokens are chosen.
        run: Of the job.
        progress: Is told after each token.
    """

    saved: Saved
    wishes: Sequence[Wish]
    choice: Choice
    run: Run
    progress: Progress


def compose(saved: Saved, wishes: Sequence[Wish], choice: Choice, run: Run, progress: Progress) -> list[Text]:
    """Write a text for each wish, many at once; those of about the same length together."""
    ((_, texts),) = compose_all([Order(saved, wishes, choice, run, progress)])
    if isinstance(texts, Exception):
        raise texts
    return texts


def compose_all(orders: Sequence[Order]) -> Iterator[tuple[int, list[Text] | Exception]]:
    """Write what several jobs want, together; gives each job's texts as soon as they are finished.

    A job whose run raises something after a token ends with that, and the others go on.
    """
    saved, run = orders[0].saved, orders[0].run
    written = [[_blank(saved, order, wish) for wish in order.wishes] for order in orders]
    flat = [(place, text) for place, texts in enumerate(written) for text in texts]
    flat.sort(key=lambda pair: len(pair[1].tokens))
    at_once = saved.network.rows_at_once(run.adjustments.chunk(MOST_AT_ONCE))
    waiting = Counter(place for place, _ in flat)
    for first in range(0, len(flat), at_once):
        own: dict[int, list[Text]] = {}
        for place, text in flat[first : first + at_once]:
            own.setdefault(place, []).append(text)
        waiting.subtract({place: len(texts) for place, texts in own.items()})
        batch = Batch(
            saved.network, saved.tokenizer, orders[0].choice, [text for some in own.values() for text in some]
        )
        going = {place for place in own if not all(text.ended for text in own[place])}
        while going:
            batch.step()
            for place in sorted(going):
                error = _told_after_token(orders[place], own[place])
                if error is not None:
                    _stop(written[place])
                if error is not None or all(text.ended for text in own[place]):
                    going.remove(place)
                    orders[place].progress.done += _count(own[place])
                    if error is not None or not waiting[place]:
                        yield place, error or written[place]


def _count(texts: Sequence[Text]) -> int:
    return sum(len(text.tokens) - text.given for text in texts)


def _stop(texts: Sequence[Text]) -> None:
    for text in texts:
        text.ended = text.ended or "stopped"


def _blank(saved: Saved, order: Order, wish: Wish) -> Text:
    stops = [stop.encode() for stop in wish.stops]
    return Text(begin(saved, wish), wish.seed, wish.most, stops, choice=order.choice)


def _told_after_token(order: Order, texts: Sequence[Text]) -> Exception | None:
    """Tell a job's run how far it is; what that raises ends the job."""
    try:
        order.progress.step(texts, order.saved)
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the job's own, most often that it was cancelled
        return error
    return None


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
