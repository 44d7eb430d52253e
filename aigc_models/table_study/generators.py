"""What makes the synthetic rows of a study; a family joins by one line in :data:`GENERATORS`."""

from collections.abc import Mapping
from typing import Protocol

from aigc_models.data.tables import Table
from aigc_models.metrics.table_baselines import GaussianCopula


class Generator(Protocol):
    """Learns from rows and makes new ones."""

    def __call__(self, train: Table, count: int, seed: int) -> Table:
        """Make ``count`` rows like these, learning from nothing else; the same seed makes the same rows.

        The rows have every comparable column of ``train``; identifiers and free text may be left out.
        """


def copula(train: Table, count: int, seed: int) -> Table:
    """Rows of a Gaussian copula."""
    return GaussianCopula.fit(train, seed).sample(count, seed)


GENERATORS: Mapping[str, Generator] = {"copula": copula}
