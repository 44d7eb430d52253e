"""What a training of a table family starts from: rows, how they are encoded, and what is known of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor, nn

from aigc_models import training
from aigc_models.base import UNADJUSTED, Adjustments
from aigc_models.data.tables import Table
from aigc_models.tables.drawing import Known, Source
from aigc_models.tables.encoding import Encoded, Encoder


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is learnt, and where.

    Attributes:
        params: The family's settings.
        encoder: What turns rows into numbers and codes.
        encoded: The training rows, on the device.
        precision: In which numbers the networks compute.
        device: Torch device string.
        adjustments: How to go gentler about the settings.
        starts: Where each account's rows start, (A,), where accounts are learnt.
        more: What else the model must remember, as JSON.
    """

    params: Any
    encoder: Encoder
    encoded: Encoded
    precision: training.Precision
    device: str = "cpu"
    adjustments: Adjustments = UNADJUSTED
    starts: Tensor | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Material:
    """The tables behind a lesson.

    Attributes:
        train, test: Rows as the model makes them, to compare with.
        encoder: How they are encoded.
        encoded: The training rows.
        starts: Where each account starts.
        known: What the model keeps of the training rows.
        more: What else the model must remember, as JSON.
    """

    train: Table
    test: Table
    encoder: Encoder
    encoded: Encoded
    known: Known
    starts: Tensor | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


class Trainer(Protocol):
    """A training that goes step by step."""

    lesson: Lesson
    total: int
    batch_size: int
    state: training.TrainingState
    precision: training.Precision

    @property
    def networks(self) -> nn.Module:
        """What is saved as the model's weights."""

    @property
    def more(self) -> Mapping[str, Any]:
        """What the model must remember beside its weights, as JSON."""

    @property
    def parameters(self) -> int:
        """Trainable numbers."""

    def step(self, step: int) -> dict[str, Tensor]:
        """Take one step; returns its losses."""

    def source(self, draft: bool = False) -> Source:
        """The model as it is now, ready to draw; a draft may be rougher where that is quicker."""
