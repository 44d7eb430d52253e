"""The settings of nothing."""

from typing import ClassVar

from aigc_models.base import Family, Lane, Params


class NoopGenerate(Params):
    """Do nothing, in the lane of short jobs."""

    lane: ClassVar[Lane] = "generation"


FAMILY = Family(
    name="noop",
    title="Nothing",
    summary="A family for measuring the engine.",
    paper="https://example.org",
    operations={"generate": NoopGenerate},
)
