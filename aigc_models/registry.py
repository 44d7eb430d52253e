"""The families this installation knows: the built-in ones, and those other packages add by entry point."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from aigc_models.base import Family, Params

BUILT_IN = (
    "dataset",
    "image_gan",
    "image_vae",
    "table_gan",
    "table_vae",
    "table_study",
    "sasrec",
    "mult_vae",
    "text_transformer",
    "text_vae",
    "pretrained_lm",
    "assistant",
)
ENTRY_POINTS = "aigc_models.families"


class UnknownTask(LookupError):
    """No family has this operation."""


@cache
def families() -> Mapping[str, Family]:
    """All families by name, in the order they are shown."""
    found = [import_module(f"aigc_models.{name}.params").FAMILY for name in BUILT_IN]
    found += [point.load() for point in entry_points(group=ENTRY_POINTS)]
    return {family.name: family for family in found}


def tasks() -> Mapping[str, type[Params]]:
    """All operations by task name (``image_gan.train``)."""
    return {
        f"{family.name}.{operation}": params
        for family in families().values()
        for operation, params in family.operations.items()
    }


def task(name: str) -> type[Params]:
    """The params class of a task.

    Raises:
        UnknownTask: There is none of that name.
    """
    try:
        return tasks()[name]
    except KeyError:
        raise UnknownTask(name) from None
