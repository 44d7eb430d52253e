"""What can be set when a table GAN is trained or used."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from aigc_models.base import Estimate, Family, Fault, Lane, Makes, Params, dataset_input, model_input, setting
from aigc_models.data import table_targets
from aigc_models.metrics.table_figures import TABLE_METRICS
from aigc_models.tables.settings import DRAWN_METRICS, TableGenerate, TableTrain, encoded_width

# Multiplications a second of one CPU thread in training, and seconds of each step that do not shrink with the networks.
_RATE, _PER_STEP = 60e9, 0.008


class TableGanTrain(TableTrain):
    """Train a generator and a critic on the rows of a table; rows can be asked for by value."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "quick": {
                "epochs": 1,
                "least_steps": 1500,
                "batch_size": 250,
                "learning_rate": 0.001,
                "ema_half_life": 50.0,
            },
            "balanced": {"epochs": 300, "least_steps": 6000},
            "best": {"epochs": 600, "least_steps": 15_000, "width": 384},
        }
    )

    learning_rate: float = setting(
        0.0005, title="Learning rate", description="Step size of both optimisers.", gt=0, le=0.1
    )
    latent_dim: int = setting(
        128,
        title="Latent numbers",
        description="How many random numbers a row is made from.",
        ge=2,
        le=1024,
        advanced=True,
    )
    width: int = setting(
        256, title="Width", description="Numbers in each hidden layer of both networks.", ge=4, le=4096, advanced=True
    )
    pac: int = setting(
        1,
        title="Pack",
        unit="rows",
        description="Rows that the critic judges together; more keep the generator from making few kinds of rows, but "
        "slow down how it learns what belongs together.",
        ge=1,
        le=50,
        advanced=True,
    )

    critic_dropout: float = setting(
        0.0,
        title="Dropout of the critic",
        description="Share of the critic's units left out at random in training; some keeps it from learning the rows "
        "of a small table by heart, but slows down how the generator learns what belongs together.",
        ge=0,
        le=0.9,
        advanced=True,
    )

    def estimate(self, dataset: Mapping[str, Any], cpu_threads: int) -> Estimate | None:
        """From the number of multiplications; measured rates differ by a factor of two between machines."""
        if not dataset.get("train") or not dataset.get("columns"):
            return None
        dim, coded, _ = encoded_width(dataset, self.most_categories)
        hidden, inputs = self.width, self.latent_dim + coded
        generator = hidden * inputs + hidden * (inputs + hidden) + dim * (inputs + 2 * hidden)
        critic = hidden * self.pac * (dim + coded) + hidden * hidden
        work = 3 * generator + 9 * critic / self.pac  # passes of a step, for each row
        rows = self.steps(dataset["train"], self.batch_size) * self.batch_size
        seconds = rows * (work / (_RATE * max(cpu_threads, 1)) + _PER_STEP / self.batch_size) + 30
        parameters = generator + critic + 9 * hidden + dim + 1
        memory = 450 + dataset["train"] * len(dataset["columns"]) * 32 / 2**20 + parameters * 24 / 2**20
        return Estimate(round(seconds, 1), round(memory), parameters)


class TableGanGenerate(TableGenerate):
    """Make new rows with a trained generator."""

    model: str = model_input("table_gan", description="Trained model to use.")


class TableGanEvaluate(Params):
    """Measure a trained generator against the held-out rows of a table."""

    lane: ClassVar[Lane] = "training"
    makes: ClassVar[Makes] = "files"

    model: str = model_input("table_gan", description="Trained model to measure.")
    dataset: str = dataset_input("table", description="Table whose held-out rows it is compared with.")
    target: str = table_targets.target_setting()

    def misfits(self, reports: Callable[[str], Mapping[str, Any]]) -> list[Fault]:
        """Columns that are named and that the table does not have."""
        return table_targets.misfits(reports, self.target)


FAMILY = Family(
    name="table_gan",
    title="Table GAN",
    summary="Learns from a table to make new rows like its own, also rows with a rare value.",
    paper="https://arxiv.org/abs/1907.00503",
    operations={"train": TableGanTrain, "generate": TableGanGenerate, "evaluate": TableGanEvaluate},
    metrics={**TABLE_METRICS, **DRAWN_METRICS},
)
