"""What makes the synthetic rows of a study: a Gaussian copula, or a family that learns anew for each trial."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, Protocol

from aigc_models.base import UNADJUSTED, Adjustments
from aigc_models.data.tables import Table, TableSet
from aigc_models.metrics.table_baselines import GaussianCopula
from aigc_models.registry import families


def _nothing() -> None:
    """Nobody waits for a sign of life."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where and how a generator works.

    Attributes:
        device: Torch device string.
        adjustments: How to go gentler about settings.
        effort: Name of the preset that a family is trained with.
        tick: To be called often; raises where the work must stop.
    """

    device: str = "cpu"
    adjustments: Adjustments = UNADJUSTED
    effort: str = "quick"
    tick: Callable[[], None] = _nothing

    def log(self, _message: str) -> None:
        """What a training says of itself is of no interest here."""


HERE = Workplace()


class Generator(Protocol):
    """Learns from rows and makes new ones."""

    def __call__(self, train: Table, count: int, seed: int, at: Workplace) -> Table:
        """Make ``count`` rows like these, learning from nothing else; the same seed makes the same rows.

        The rows have every comparable column of ``train``; identifiers and free text may be left out.
        """


def copula(train: Table, count: int, seed: int, at: Workplace) -> Table:
    """Rows of a Gaussian copula."""
    at.tick()
    return GaussianCopula.fit(train, seed).sample(count, seed)


def trained(family: str, train: Table, count: int, seed: int, at: Workplace) -> Table:
    """Rows of a table family that is trained on these rows with a preset of its own."""
    from aigc_models import training
    from aigc_models.tables.drawing import Asked, draw
    from aigc_models.tables.lesson import Lesson

    kind: Any = import_module(f"aigc_models.{family}.model").KIND
    params = _settings(family, len(train), seed, at.effort)
    nothing_held_out = train.take(slice(0, 0))  # type: ignore[arg-type]
    material = kind.prepare(params, TableSet(train, nothing_held_out), at)
    encoded = type(material.encoded)(material.encoded.scalars.to(at.device), material.encoded.codes.to(at.device))
    lesson = Lesson(
        params=params,
        encoder=material.encoder,
        encoded=encoded,
        precision=training.choose_precision(at.device),
        device=at.device,
        adjustments=at.adjustments,
    )
    trainer = kind.make(lesson)
    for step in range(1, trainer.total + 1):
        losses = trainer.step(step)
        at.tick()
    training.check_finite(trainer.total, *(loss.detach() for loss in losses.values()))
    made, _ = draw(trainer.source(), Asked(seed, count), material.known, lambda *_: at.tick())
    return made


def _settings(family: str, rows: int, seed: int, effort: str) -> Any:
    """A family's preset; a batch is never larger than there are rows."""
    kind = families()[family].operations["train"]
    usual = kind.model_fields["batch_size"].default
    batch = max(2, min(usual, rows // 10 * 10))
    return kind.model_validate({"dataset": "ds_" + "0" * 26, **kind.presets[effort], "batch_size": batch, "seed": seed})


GENERATORS: Mapping[str, Generator] = {
    "copula": copula,
    "table_gan": partial(trained, "table_gan"),
    "table_vae": partial(trained, "table_vae"),
}
