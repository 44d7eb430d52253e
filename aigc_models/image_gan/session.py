"""One training from its settings to the last step: data, batches, previews, alarms, checkpoints."""

from dataclasses import dataclass

import torch
from torch import Tensor

from aigc_models import training
from aigc_models.base import Adjustments, Fault, InputError, Run
from aigc_models.data.images import ImageSet, load_images
from aigc_models.image_gan import alarms
from aigc_models.image_gan.params import ImageGanTrain, plan_for
from aigc_models.image_gan.saving import TrainedGan
from aigc_models.image_gan.trainer import Recipe, Trainer
from aigc_models.layers.augment import resize
from aigc_models.pictures import from_bytes, save_sheet, to_bytes

_PREVIEWS, _PREVIEW_COLUMNS, _CURVE_POINTS = 10, 10, 500


@dataclass(slots=True)
class Session:
    """One training: its data, trainer, batches and meter."""

    params: ImageGanTrain
    run: Run
    data: ImageSet
    trainer: Trainer
    batches: training.Batches
    meter: training.Meter
    state: training.TrainingState

    @property
    def labels(self) -> Tensor | None:
        """The training labels the networks see, if they see any."""
        return self.data.train_labels if self.trainer.plan.classes else None


def prepare(params: ImageGanTrain, run: Run) -> Session:
    """Load the data, build the networks, go on from a checkpoint where there is one."""
    data = load_images(run.inputs["dataset"])
    if params.conditional == "yes" and data.train_labels is None:
        sentence = "The dataset has no classes to learn. Set Learn classes to auto or no."
        raise InputError(Fault(sentence, pointer="/conditional"))
    channels, height, width = data.shape
    classes = len(data.classes) if data.train_labels is not None and params.conditional != "no" else 0
    plan = plan_for(params, channels, max(height, width), classes)
    data = fitted(data, plan.size)
    steps = params.steps(len(data.train))
    resumed = training.read_state(run.resume_from)["plain"] if run.resume_from else {}
    name = str(resumed.get("precision", training.choose_precision(run.device).name))
    precision = training.Precision(name, torch.device(run.device).type)
    trainer = Trainer(plan, _recipe(params, steps, run.adjustments), precision, run.device)
    order = training.seeded(params.seed, "order")
    batches, meter = training.Batches(len(data.train), params.batch_size, order), training.Meter()
    state = trainer.state()
    state.optimisers |= {"batches": batches, "meter": meter}
    state.generators["order"] = order
    state.plain |= {"precision": name, "curves": {"g_loss": [], "d_loss": []}}
    if run.resume_from:
        state.load(run.resume_from)
    run.log(
        f"{len(data.train)} images of {plan.size} x {plan.size} pixels, {plan.classes or 'no'} classes; "
        f"{training.count_parameters(trainer.generator, trainer.discriminator):,} parameters; {name}"
    )
    return Session(params, run, data, trainer, batches, meter, state)


def _recipe(params: ImageGanTrain, steps: int, adjustments: Adjustments) -> Recipe:
    return Recipe(
        loss=params.loss,
        batch_size=params.batch_size,
        learning_rate=params.learning_rate * adjustments.learning_rate_factor,
        penalty=params.penalty,
        penalty_every=params.penalty_every,
        augmentation=params.augmentation,
        ema_half_life=params.ema_half_life,
        steps=steps,
        seed=params.seed,
        micro_batches=adjustments.micro_batches,
    )


def fitted(data: ImageSet, side: int) -> ImageSet:
    """The same set at the size the networks work in."""
    if data.train.shape[-2:] == (side, side):
        return data
    train, test = (
        torch.cat([to_bytes(resize(from_bytes(part), side)) for part in images.split(512)]) if len(images) else images
        for images in (data.train, data.test)
    )
    return ImageSet(train, data.train_labels, test, data.test_labels, data.classes)


def run_steps(session: Session) -> None:
    """Train to the last step."""
    run, trainer, steps = session.run, session.trainer, session.trainer.recipe.steps
    pictures = session.data.train.to(run.device)
    labels = None if session.labels is None else session.labels.to(run.device)
    preview_every, losses = max(1, steps // _PREVIEWS), dict[str, Tensor]()
    while trainer.done < steps:
        rows = session.batches.next().to(run.device)
        losses = trainer.step(pictures[rows], None if labels is None else labels[rows])
        session.meter.add(len(rows), **losses)
        read = session.meter.read(trainer.done)
        if read:
            _remember(session, read)
        run.report(trainer.done, steps, **read)
        if trainer.done % preview_every == 0 and trainer.done < steps:
            _preview(session)
        run.checkpoint(trainer.done, lambda directory: session.state.save(directory, trainer.done))
    training.check_finite(steps, *losses.values())


def _remember(session: Session, read: dict[str, float]) -> None:
    done, steps = session.trainer.done, session.trainer.recipe.steps
    if done % max(session.meter.every, steps // _CURVE_POINTS // 10 * 10) == 0:
        for name, curve in session.state.plain["curves"].items():
            curve.append((done, read[name]))


def _preview(session: Session) -> None:
    """Samples on fixed noise, and a look at whether the training goes wrong."""
    trainer, run, data = session.trainer, session.run, session.data
    now = TrainedGan(trainer.ema.module, trainer.plan, data.classes, run.device)
    lines = min(trainer.plan.classes, 10) or 4
    labels = now.labels_in_turn(lines * _PREVIEW_COLUMNS, range(lines))
    pictures = now.draw(range(lines * _PREVIEW_COLUMNS), labels)
    path = run.out_dir / "preview.png"
    run.preview("samples", trainer.done, save_sheet(pictures, labels, data.classes, path))
    path.unlink()
    known = slice(0, min(200, len(data.train)))
    real = alarms.variety(data.train[known], None if session.labels is None else session.labels[known])
    found = [alarms.collapse_alarm(alarms.variety(pictures, labels), real)]
    if len(data.test) >= 50:
        found.append(alarms.overfitting_alarm(_memory(session, pictures, labels)))
    for line in filter(None, found):
        run.log(f"Step {trainer.done}: {line}")


@torch.inference_mode()
def _memory(session: Session, made: Tensor, asked: Tensor | None) -> float:
    """How much better the discriminator knows training pictures than held-out ones; nothing learns from this."""
    data, trainer = session.data, session.trainer

    def score(pictures: Tensor, labels: Tensor | None) -> Tensor:
        whose = None if labels is None or not trainer.plan.classes else labels[:256].to(trainer.device)
        scores: Tensor = trainer.discriminator(from_bytes(pictures[:256].to(trainer.device)), whose)
        return scores

    known, unseen = score(data.train, data.train_labels), score(data.test, data.test_labels)
    return alarms.overfitting(known, unseen, score(made, asked))
