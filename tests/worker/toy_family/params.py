"""What the toys may be told."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from aigc_models.base import Family, Lane, Makes, Params, model_input, setting

Fault = Literal[
    "none", "input", "memory", "device_memory", "diverged", "disk_full", "error", "kill", "segv", "exit",
    "hang", "stubborn", "noise", "garbage", "nan", "nothing_made", "child", "whole_batch", "full_rate",
    "kill_parent", "hunger", "crowd",
]  # fmt: skip


class ToyTrain(Params):
    """Count steps, draw a number at each, and keep their sum."""

    makes: ClassVar[Makes] = "model"

    steps: int = setting(20, title="Steps", description="Steps to count.", ge=1)
    batch_size: int = setting(8, title="Batch size", description="Nothing is in a batch.", ge=2)
    learning_rate: float = setting(0.01, title="Learning rate", description="Nothing is learnt at it.", gt=0)
    parts: int = setting(2, title="Parts", description="Parts of a batch that the fault whole_batch asks for.", ge=1)
    delay: float = setting(0.0, title="Delay", description="Seconds that a step takes.", ge=0)
    gate: str = setting("", title="Gate", description="File that must exist before the second half begins.")
    fault: Fault = setting("none", title="Fault", description="What goes wrong in the second half.")
    once: str = setting("", title="Once", description="File that marks that the fault has happened.")


class ToyRepeat(ToyTrain):
    """The same in the lane whose runners stay warm; what comes out is no model."""

    lane: ClassVar[Lane] = "generation"
    makes: ClassVar[Makes] = "files"


class ToyDraw(Params):
    """Draw numbers with a model that stays loaded."""

    lane: ClassVar[Lane] = "generation"

    model: str | None = model_input("toy", description="The toy to draw with.", optional=True)
    count: int = setting(4, title="Count", description="Numbers to draw.", ge=1)
    gate: str = setting("", title="Gate", description="File that must exist before anything is drawn.")
    fault: Fault = setting("none", title="Fault", description="What goes wrong.")
    once: str = setting("", title="Once", description="File that marks that the fault has happened.")


class ToyShare(Params):
    """Draw numbers with a model, several jobs in one call."""

    lane: ClassVar[Lane] = "generation"

    model: str = model_input("toy", description="The toy to draw with.")
    count: int = setting(4, title="Count", description="Numbers to draw.", ge=1)
    steps: int = setting(1, title="Steps", description="Steps in which all are computed together.", ge=1)
    delay: float = setting(0.0, title="Delay", description="Seconds that a step takes.", ge=0)
    gate: str = setting("", title="Gate", description="File that must exist before the last step.")
    fault: Fault = setting("none", title="Fault", description="What goes wrong at the last step.")
    once: str = setting("", title="Once", description="File that marks that the fault has happened.")
    most: int = setting(64, title="Most", description="Jobs in a call for which the fault crowd finds room.", ge=1)

    @classmethod
    def items(cls, params: Mapping[str, Any]) -> int | None:  # noqa: ARG003 - all are alike
        """Each job is one."""
        return 1


FAMILY = Family(
    name="toy",
    title="Toy",
    summary="A family for tests.",
    paper="https://example.org",
    operations={"train": ToyTrain, "generate": ToyDraw, "evaluate": ToyRepeat, "share": ToyShare},
)
