"""What a trained text transformer is worth on texts it never saw, and the ranker that keeps its best ones."""

import math
from collections.abc import Sequence

import numpy as np
import torch

from aigc_models.base import Run
from aigc_models.data.text_results import WrittenText
from aigc_models.data.texts import Document
from aigc_models.metrics.attribute_reader import AttributeReader
from aigc_models.text_transformer.ranker import Ranker, area_under_curve, look
from aigc_models.text_transformer.saved import Saved
from aigc_models.text_transformer.trainer import token_losses
from aigc_models.text_transformer.writer import Progress, Wish, compose, told
from aigc_models.writing.conditions import body_of, known_of
from aigc_models.writing.corpus import assemble, start_of
from aigc_models.writing.judging import beside_counts, copies, cut_alike, tested, variety
from aigc_models.writing.language_model import LanguageModel
from aigc_models.writing.sampling import Choice
from aigc_models.writing.tokenizers import Tokenizer

WRITTEN, MOST_TOKENS = 64, 200
_RANKED = 128  # texts of each side that the ranker learns from and is tested with
_CHOICE = Choice(temperature=0.8, top_p=0.95)


At = tuple[int, int]  # where a run stands meanwhile: its step and its total


def judge(saved: Saved, train: Sequence[Document], test: Sequence[Document], run: Run, at: At) -> dict[str, float]:
    """Every figure of a model, on test texts beside training texts."""
    read, seed = tested(test), saved.params.seed
    found = likelihood(saved.network, saved.tokenizer, read, run)
    counted, bits = beside_counts(train, test)
    found["bits_per_character_ngram"] = bits
    if found["bits_per_character"] >= bits:
        run.log("The model is not better than the baseline: counts of five characters are less surprised by the texts.")
    chosen = some(test, WRITTEN, seed)
    most = usual_tokens(saved.tokenizer, chosen)
    wishes = [Wish(seed + n, most, attributes=known_of(one), free=False) for n, one in enumerate(chosen)]
    texts = [text.text for text in written(saved, wishes, run, at)]
    real = [body_of(one) for one in chosen]
    length = max(1, round(sum(map(len, texts)) / len(texts)))
    found |= variety(texts, real, counted, seed)
    found |= copies(train, texts, cut_alike(real, length), run)
    if saved.reader.names:
        nothing = [Wish(wish.seed, wish.most, free=False) for wish in wishes]
        free = [text.text for text in written(saved, nothing, run, at)]
        found |= _coverage(saved, wishes, texts, cut_alike(real, length), free)
    return found


def likelihood(
    network: LanguageModel, tokenizer: Tokenizer, documents: Sequence[Document], run: Run
) -> dict[str, float]:
    """How surprised a network is by documents, what stands in front of them not counted."""
    corpus = assemble(tokenizer, documents)
    length = min(network.context, len(corpus) - 1)
    starts = torch.arange(0, len(corpus) - length, length)
    nats, tokens = 0.0, 0
    for first in starts.split(16):
        inputs, targets = corpus.windows(first, length)
        losses = token_losses(network, inputs.to(network.device), targets.to(network.device)).cpu()
        counted = corpus.counted[first[:, None] + torch.arange(1, length + 1)]
        nats, tokens = nats + float(losses[counted].double().sum()), tokens + int(counted.sum())
    per_token = nats / max(tokens, 1)
    characters = corpus.characters * tokens / max(int(corpus.counted.sum()), 1)
    run.log(f"{per_token:.4f} nats per token, {nats / characters:.4f} per character, on {characters:,.0f} characters.")
    return {
        "bits_per_character": nats / characters / math.log(2),
        "perplexity": math.exp(min(per_token, 50.0)),
        "test_characters": float(round(characters)),
    }


def written(saved: Saved, wishes: Sequence[Wish], run: Run, at: At) -> list[WrittenText]:
    """Texts for wishes, as an evaluation draws them."""
    progress = Progress(run, sum(wish.most for wish in wishes), at)
    texts = compose(saved, wishes, _CHOICE, run, progress)
    return [told(saved, wish, text) for wish, text in zip(wishes, texts, strict=True)]


def train_ranker(saved: Saved, validation: Sequence[Document], run: Run, at: At) -> dict[str, float]:
    """Teach the ranker on texts set aside and as many written ones; half of both test it."""
    seed = saved.params.seed
    chosen = some(validation, _RANKED, seed)
    most = usual_tokens(saved.tokenizer, chosen)
    wishes = [Wish(seed + 7919 + n, most, attributes=known_of(one), free=False) for n, one in enumerate(chosen)]
    progress = Progress(run, sum(wish.most for wish in wishes), at)
    texts = compose(saved, wishes, _CHOICE, run, progress)
    fronts = [start_of(saved.tokenizer, wish.attributes) for wish in wishes]
    bodies = [saved.tokenizer.encode(body_of(one)) for one in chosen]
    real = [front + body[: max(len(text.written), 1)] for front, body, text in zip(fronts, bodies, texts, strict=True)]
    seen = look(saved.network, real, [len(front) for front in fronts])
    made = look(saved.network, [text.tokens for text in texts], [text.given for text in texts])
    if len(chosen) < 4:
        saved.ranker.fit(seen, made)
        return {"ranker_auc": 0.5}
    held = torch.arange(len(chosen)) % 2 == 0
    tested_one = Ranker(saved.network.width)
    tested_one.fit(seen[held], made[held])
    with torch.inference_mode():
        found = area_under_curve(tested_one(seen[~held]), tested_one(made[~held]))
    saved.ranker.fit(seen, made)
    return {"ranker_auc": found}


def _coverage(
    saved: Saved, wishes: Sequence[Wish], texts: Sequence[str], real: Sequence[str], free: Sequence[str]
) -> dict[str, float]:
    """Shares of the attributes asked for that texts have: those asked for them, real ones, and those asked nothing."""
    asked = [wish.attributes for wish in wishes]
    sides = {"attribute_coverage": texts, "attribute_coverage_free": free, "attribute_coverage_real": real}
    shares = {name: saved.reader.mean_share(side, asked) for name, side in sides.items()}
    return {name: share for name, share in shares.items() if share is not None}


def reader_of(documents: Sequence[Document]) -> AttributeReader:
    """A reader of what can be asked for, from real texts; titles are no such thing."""
    return AttributeReader([body_of(one) for one in documents], [one.attributes for one in documents])


def usual_tokens(tokenizer: Tokenizer, documents: Sequence[Document]) -> int:
    """How long a document usually is, within bounds."""
    lengths = sorted(len(tokenizer.encode(body_of(one)[:4000])) for one in documents[:32])
    return max(16, min(MOST_TOKENS, lengths[len(lengths) // 2])) if lengths else MOST_TOKENS


def some(documents: Sequence[Document], most: int, seed: int) -> list[Document]:
    """Documents drawn at random; the same ones again where there are few, so that there are enough to compare."""
    order = np.random.default_rng([seed, 4]).permutation(len(documents))
    return [documents[order[place % len(order)]] for place in range(min(most, 4 * len(order)))]
