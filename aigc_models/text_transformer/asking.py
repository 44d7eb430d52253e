"""What a job asks of a model that writes by tokens: the texts wanted, all written together, the best of each kept."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from aigc_models import training
from aigc_models.base import FEW_ITEMS, InputError, Metrics, Run
from aigc_models.data.text_results import WrittenText, save_texts
from aigc_models.recommending.saved import code_version
from aigc_models.text_transformer.saved import Saved
from aigc_models.text_transformer.writer import Order, Progress, Wish, best_of, compose_all, told
from aigc_models.writing.conditions import read_wish
from aigc_models.writing.generating import Text
from aigc_models.writing.sampling import Choice
from aigc_models.writing.settings import WriteWanted

_APART = 1_000_003  # between the seeds of candidates, so that they are no other text's


@dataclass(frozen=True, slots=True)
class Wanted:
    """The texts of one job: candidates for each, and what is to be written for them all."""

    groups: Sequence[Sequence[Wish]]
    order: Order


def wanted_texts(params: WriteWanted, saved: Saved, run: Run) -> Wanted:
    """What settings ask of a model.

    Raises:
        InputError: It does not know an attribute, or a value of one.
    """
    groups = wishes_of(params, saved)
    if len(saved.tokenizer.encode(params.prompt)) >= saved.network.context:
        run.log(f"The prompt is longer than the {saved.network.context} tokens the model looks back; its end counts.")
    choice = Choice(params.temperature, params.top_k, params.top_p, params.repetition_penalty)
    run.phase("generating")
    flat = [wish for group in groups for wish in group]
    return Wanted(groups, Order(saved, flat, choice, run, Progress(run, sum(wish.most for wish in flat))))


def write_together(asked: Sequence[Wanted]) -> Iterator[tuple[int, list[Text] | Exception]]:
    """Write what several jobs want.

    Few texts on one thread: several share out the rows of a product otherwise, which shows in the last bit.
    """
    few = sum(len(each.order.wishes) for each in asked) <= FEW_ITEMS
    with training.one_thread() if few else contextlib.nullcontext():
        yield from compose_all([each.order for each in asked])


def save_written(
    made_with: Mapping[str, str], params: WriteWanted, run: Run, asked: Wanted, texts: list[Text]
) -> Metrics:
    """Keep the best of the candidates for each text, and write them down.

    Args:
        made_with: What the manifest says of the model: its family, and what it is built on.
        params: The settings.
        run: Is told.
        asked: What was wanted.
        texts: All candidates.
    """
    saved, total = asked.order.saved, asked.order.progress.total
    kept: list[WrittenText] = []
    for place, group in enumerate(asked.groups):
        own = texts[place * len(group) : (place + 1) * len(group)]
        kept.append(best_of(saved, group[0], own) if len(own) > 1 else told(saved, group[0], own[0]))
    run.phase("saving")
    manifest = {
        **made_with,
        "params": params.model_dump(mode="json"),
        "code_version": code_version(),
        "weights_sha256": saved.weights_sha256,
        "texts": len(kept),
    }
    save_texts(kept, manifest, run.out_dir)
    run.report(total, total)
    tokens = float(sum(one.tokens for one in kept))
    return {"texts": float(len(kept)), "tokens": tokens, "tokens_per_text": tokens / len(kept)}


def wishes_of(params: WriteWanted, saved: Saved) -> list[list[Wish]]:
    """Candidates for each text; the first one's seed is the text's own, whatever the number of candidates."""
    attributes = saved.vocabulary.spelled(read_wish(params.attributes, saved.attributes))
    if faults := saved.vocabulary.faults(attributes):
        raise InputError(faults)
    stops = tuple(line for line in params.stop.splitlines() if line)
    return [
        [
            Wish((params.seed + n + _APART * c) % 2**31, params.max_tokens, params.prompt, attributes, stops)
            for c in range(params.candidates)
        ]
        for n in range(params.count)
    ]
