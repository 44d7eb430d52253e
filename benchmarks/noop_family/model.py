"""Doing nothing."""

from aigc_models.base import Metrics, Run
from benchmarks.noop_family.params import NoopGenerate


def generate(_params: NoopGenerate, _run: Run) -> Metrics:
    """Nothing at all."""
    return {}
