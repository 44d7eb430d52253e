"""Once the best number of steps is known: the same training again, on the validation events as well.

What was held out to choose by is worth learning from, too: the newest or a tenth of all events. Nothing is chosen by
the second training, which takes as many steps as were best in the first, at the same learning rates.
"""

from aigc_models import training
from aigc_models.base import Run
from aigc_models.recommending.evaluation import never_had
from aigc_models.recommending.loop import Keeper
from aigc_models.recommending.trainer import Trainer

TAKEN = "taken"  # in a checkpoint: the steps of the first training; there are none before the second


def train_again(keeper: Keeper, again: Trainer, run: Run, taken: int) -> None:
    """Train anew; the average of the weights takes the place of the best ones.

    Args:
        keeper: The first training, or where a checkpoint is gone on from, nothing that counts any more.
        again: The second.
        run: Is told how far it is.
        taken: Steps of the first; 0 to go on from a checkpoint of the second.
    """
    plain = again.state.plain
    if taken:
        known = {name: keeper.trainer.state.plain[name] for name in ("best_figure", "best_step")}
        plain |= {**known, TAKEN: taken}
        again.precision = keeper.trainer.precision
        plain["precision"], done = again.precision.name, 0
    else:
        assert run.resume_from is not None
        done = again.resume(run.resume_from) - int(plain[TAKEN])
    first, count = int(plain[TAKEN]), int(plain["best_step"])
    keeper.planned = first + count
    run.log(
        f"Once more for the {count / again.epoch_steps:.0f} passes that were best, on the validation events as well."
    )
    for step in range(done + 1, count + 1):
        losses = again.step(step)
        again.meter.add(again.worked_on, **losses)
        if step == count:
            training.check_finite(step, *losses.values())
        run.report(first + step, first + count, **again.meter.read(step))
        run.checkpoint(first + step, lambda directory, step=step: again.state.save(directory, first + step))  # type: ignore[misc]
    keeper.trainer = again
    keeper.best.load_state_dict(again.average.state_dict())
    keeper.cold = never_had(again.learnt, len(keeper.split.data.item_names))
