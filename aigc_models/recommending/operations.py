"""Training and evaluation, the same for every family that recommends."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from aigc_models import training
from aigc_models.accumulation import with_room
from aigc_models.base import Fault, InputError, Metrics, Params, Run
from aigc_models.data.interaction_splits import ItemLists, Split, SplitPlan
from aigc_models.data.interactions import Interactions, load_interactions, load_report
from aigc_models.recommending import saved as saved_files
from aigc_models.recommending.again import TAKEN, train_again
from aigc_models.recommending.evaluation import evaluate, never_had
from aigc_models.recommending.loop import Keeper, preview, run_steps
from aigc_models.recommending.saved import WEIGHTS, Saved, code_version, learns_again, read_items, read_params
from aigc_models.recommending.trainer import Lesson, Recommender, Trainer
from aigc_models.recommending.translated import Translated


@dataclass(frozen=True, slots=True)
class Kind:
    """What a family adds to what all share.

    Attributes:
        name: The family's name.
        train_params: Its settings of a training.
        make_trainer: From settings and data to a training.
        build: From settings and the number of items to a network.
        use: From a network and a device to a recommender.
    """

    name: str
    train_params: type[Any]
    make_trainer: Callable[[Any, Lesson], Trainer]
    build: Callable[[Any, int], nn.Module]
    use: Callable[[Any, str], Recommender]

    def load(self, directory: Path, device: str) -> Saved:
        """Build a network again and read its weights, and what goes with them."""
        params = read_params(directory, self.train_params)
        network = self.build(params, read_items(directory))
        training.load_weights(network, directory / WEIGHTS)
        network.to(device).requires_grad_(False)
        return saved_files.open_saved(directory, self.use(network, device), params)

    def opened(self, run: Run) -> Saved:
        """The run's model, loaded or still warm."""
        run.phase("preparing")
        return run.warm(run.inputs["model"], partial(self.load, device=run.device))


def train(params: Any, run: Run, kind: Kind) -> Metrics:
    """Train, evaluate on the test part beside the baselines, and write the model.

    Raises:
        InputError: The events cannot be split, or leave nothing to learn from.
    """
    run.phase("preparing")
    training.tune_process()
    directory = run.inputs["dataset"]
    data = load_interactions(directory)
    split = part(data, params)
    _say_data(split, run)
    trainer = kind.make_trainer(params, Lesson(split.train, run.device, run.adjustments))
    run.log(f"{training.count_parameters(trainer.network):,} parameters; {trainer.precision.name}")
    keeper = _learn(trainer, split, params, run, kind)
    run.phase("evaluating")
    found = with_room(lambda: evaluate(keeper.recommender(), split, keeper.cold, params.seed, run))
    metrics = {**found, "validation_ndcg10": keeper.best_figure}
    run.phase("saving")
    saved_files.save(run.out_dir / "model", keeper.best, params, split, kind.name)
    write_report(metrics, params, run, dataset_hash=load_report(directory)["hash"], precision=trainer.precision.name)
    total = keeper.planned
    preview(keeper, run, total)
    run.report(total, total)
    return metrics


def _learn(trainer: Trainer, split: Split, params: Any, run: Run, kind: Kind) -> Keeper:
    """Train until nothing gets better, and where that is wished for once more, on the validation events as well."""
    run.phase("training")
    best, again = kind.build(params, len(split.data.item_names)), learns_again(params)
    keeper = Keeper.over(trainer, best, split, params.patience, trainer.total * (1 + again))
    resumed = training.read_state(run.resume_from)["plain"] if run.resume_from else {}
    taken = 0
    if TAKEN not in resumed:
        taken = run_steps(keeper, run, trainer.resume(run.resume_from) if run.resume_from else 0)
    if again:
        second = kind.make_trainer(params, Lesson(split.learnt(again=True), run.device, run.adjustments))
        train_again(keeper, second, run, taken)
    return keeper


def evaluate_saved(params: Any, run: Run, kind: Kind) -> Metrics:
    """Measure a model on the test part of a dataset, split as its training did."""
    saved = kind.opened(run)
    data = load_interactions(run.inputs["dataset"])
    split = part(data, saved.params)
    scorer = Translated.over(saved, data)
    if not scorer.shared:
        sentence = "The model knows none of the dataset's items. Choose the dataset it was trained on, or a newer one."
        raise InputError(Fault(sentence, pointer="/dataset", code="nothing-known"))
    if scorer.strangers:
        run.log(f"{scorer.strangers:,} items of the dataset are unknown to the model, and stand last in its lists.")
    run.phase("evaluating")
    cold = scorer.unknown | never_had(
        ItemLists.by_user(split.learnt(again=learns_again(saved.params))), len(data.item_names)
    )
    metrics = with_room(lambda: evaluate(scorer, split, cold, saved.params.seed, run))
    write_report(metrics, params, run, weights_sha256=saved.weights_sha256)
    run.report(1, 1)
    return metrics


def part(data: Interactions, params: Any) -> Split:
    """Split events as a training's settings say; each user must have something to learn from."""
    return SplitPlan(params.split, params.test_percent / 100, params.seed).part(data)


def _say_data(split: Split, run: Run) -> None:
    data, counts = split.data, np.bincount(split.parts, minlength=4)
    run.log(
        f"{len(data):,} events of {len(data.user_names):,} users with {len(data.item_names):,} items: "
        f"{counts[0]:,} to learn from, {counts[2]:,} to validate and {counts[3]:,} to test with"
    )


def write_report(metrics: Metrics, params: Params, run: Run, **more: str) -> None:
    """Write ``report.json``: the figures and what they were made with."""
    report = {
        "metrics": metrics,
        "params": params.model_dump(mode="json"),
        "adjustments": asdict(run.adjustments),
        "code_version": code_version(),
        **more,
    }
    (run.out_dir / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
