"""What a sentence VAE is worth on sentences it never saw: what it keeps, what it says, and whether it collapsed."""

import math
from collections.abc import Callable, Sequence

import torch

from aigc_models import training
from aigc_models.base import Run
from aigc_models.data.texts import Document, Part
from aigc_models.text_vae.likelihood import bound, tighter_bound
from aigc_models.text_vae.params import TEMPERATURE
from aigc_models.text_vae.saved import Saved
from aigc_models.text_vae.sentences import Rows, rows_of
from aigc_models.text_vae.writer import AT_ONCE, decode_all
from aigc_models.writing.judging import Counted, copies, variety

ACTIVE = 0.01  # variance of a posterior mean above which a latent number is active (Burda et al. 2016)
LEAST_KL = 1.0  # nats below which the latent numbers say next to nothing
WRITTEN, _MOST_READ, _MOST_COUNTED = 128, 1_000, 40_000  # sentences
_DRAWS = 8  # of the latent numbers of each, for how likely it is

At = tuple[int, int]  # where a run stands meanwhile: its step and its total


def judge(saved: Saved, learnt: Sequence[str], test: Sequence[str], run: Run, at: At) -> dict[str, float]:
    """Every figure of a model, on test sentences beside those it learnt from."""
    seed = saved.params.seed
    rows = rows_of(saved.tokenizer, test[:_MOST_READ], saved.network.plan.longest)
    found = _likelihood(saved, rows, lambda: run.report(*at))
    counted = Counted.over(learnt[:_MOST_COUNTED])
    read = [saved.tokenizer.decode(row[: n - 1].tolist()) for row, n in zip(rows.tokens, rows.lengths, strict=True)]
    found["bits_per_character_ngram"] = counted.bits_per_character(read)
    found |= _latent(saved, rows)
    written = _draw(saved, range(seed, seed + WRITTEN), run, at)
    found |= variety(written, read[:WRITTEN], counted, seed)
    found |= copies([_document(place, one) for place, one in enumerate(learnt)], written, read[:WRITTEN], run)
    for sentence in warnings(found):
        run.log(sentence)
    return found


def warnings(found: dict[str, float]) -> list[str]:
    """Plain sentences on what is wrong."""
    said = []
    if found["active_units"] < 2 or found["kl"] < LEAST_KL:
        said.append(
            "The posterior has collapsed: the decoder ignores the latent numbers. Raise free bits or word dropout, or "
            "lower beta."
        )
    if found["bits_per_character"] >= found["bits_per_character_ngram"]:
        said.append(
            "The model is not better than the baseline: counts of five characters are less surprised by the sentences."
        )
    return said


def _draw(saved: Saved, seeds: Sequence[int], run: Run, at: At) -> list[str]:
    """New sentences, each from latent numbers of its own."""
    z = training.item_noise(seeds, saved.network.plan.latent_dim)
    found = decode_all(saved.network, z, TEMPERATURE, seeds, lambda _rows: run.report(*at))
    return [saved.tokenizer.decode(row) for row in found]


def _likelihood(saved: Saved, rows: Rows, after_batch: Callable[[], None]) -> dict[str, float]:
    """How surprised the model is: what the latent numbers say counts as well, as it has to be told."""
    nats, usual = tighter_bound(saved.network, rows, _DRAWS, after_batch), bound(saved.network, rows, len(rows))
    return {
        "bits_per_character": nats / max(rows.characters, 1) / math.log(2),
        "perplexity": math.exp(min(nats / max(usual.tokens, 1), 50.0)),
        "kl": usual.kl / max(len(rows), 1),
        "test_characters": float(rows.characters),
    }


@torch.inference_mode()
def _latent(saved: Saved, rows: Rows) -> dict[str, float]:
    """Active units, and how many tokens are kept when sentences are written again."""
    network = saved.network
    device = network.embedding.weight.device
    parts = [rows.take(some) for some in torch.arange(len(rows)).split(AT_ONCE)]
    mean = torch.cat([network.encode(tokens.to(device), known.to(device))[0].cpu() for tokens, known in parts])
    active = int((mean.var(0, correction=0) > ACTIVE).sum())
    chosen = range(min(len(rows), AT_ONCE))
    again = decode_all(network, mean[: len(chosen)], 0.0, chosen)
    same = total = 0
    for place, row in enumerate(again):
        true = rows.tokens[place, : int(rows.lengths[place]) - 1].tolist()
        same += sum(a == b for a, b in zip(true, row, strict=False))
        total += max(len(true), len(row))
    return {"active_units": float(active), "kept_tokens": same / max(total, 1)}


def _document(place: int, sentence: str) -> Document:
    return Document(str(place), (Part(sentence),))
