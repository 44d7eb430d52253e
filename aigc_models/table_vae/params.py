"""What can be set when a table VAE is trained or used."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from aigc_models.base import (
    Estimate,
    Family,
    Fault,
    Lane,
    Makes,
    Params,
    dataset_input,
    devices_setting,
    model_input,
    setting,
)
from aigc_models.data import table_targets
from aigc_models.metrics.table_figures import TABLE_METRICS
from aigc_models.tables.settings import DRAWN_METRICS, MODES, TableGenerate, TableTrain, encoded_width

# Multiplications a second of one CPU thread in training, and seconds of each step that do not shrink with the networks.
_RATE, _PER_STEP = 60e9, 0.0025
_PER_STEP_OF_ACCOUNTS = 0.03  # their rows follow each other, so most of it waits


class TableVaeTrain(TableTrain):
    """Train an encoder and a decoder that describe the rows of a table by a few independent numbers."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "quick": {
                "epochs": 1,
                "least_steps": 2500,
                "batch_size": 250,
                "learning_rate": 0.002,
                "ema_half_life": 50.0,
            },
            "balanced": {"epochs": 300, "least_steps": 6000},
            "best": {"epochs": 600, "least_steps": 15_000, "width": 256},
        }
    )

    learning_rate: float = setting(
        0.001, title="Learning rate", description="Largest step size of the optimiser.", gt=0, le=0.1
    )
    latent_dim: int = setting(
        32, title="Latent numbers", description="How many numbers describe a row.", ge=2, le=1024, advanced=True
    )
    width: int = setting(
        128, title="Width", description="Numbers in each hidden layer of both networks.", ge=4, le=4096, advanced=True
    )
    components: int = setting(
        20,
        title="Components",
        description="Gaussians at most that the numbers describing the training rows are summed up by, to draw new "
        "ones from; a small table has fewer.",
        ge=1,
        le=200,
        advanced=True,
    )
    reconstruction_weight: float = setting(
        10.0,
        title="Reconstruction",
        description="Weight of the reconstruction beside the KL term; higher keeps more detail of single rows. "
        "Accounts need none: their rows read the rows before them.",
        gt=0,
        le=100,
        advanced=True,
    )
    account_column: str = table_targets.column_setting(
        title="Account column",
        description="Column that says whose row it is, to learn the rows of an account one after the other; empty "
        "learns single rows.",
    )
    time_column: str = table_targets.column_setting(
        title="Time column",
        description="Column of dates or numbers by which the rows of an account follow each other; needed with an "
        "account column.",
        types=table_targets.ORDERED,
    )
    devices: int = devices_setting()

    def misfits(self, reports: Callable[[str], Mapping[str, Any]]) -> list[Fault]:
        """Columns that are named and that the table does not have."""
        named = {name: getattr(self, name) for name in ("account_column", "time_column")}
        return table_targets.misfits(reports, self.target, **named)

    def estimate(self, dataset: Mapping[str, Any], cpu_threads: int) -> Estimate | None:
        """From the number of multiplications; measured rates differ by a factor of two between machines."""
        if not dataset.get("train") or not dataset.get("columns"):
            return None
        dim, _, numbers = encoded_width(dataset, self.most_categories)
        hidden, latent = self.width, self.latent_dim
        modes = (MODES - 1) * numbers  # each with a number and a deviation of its own
        said = dim - numbers + modes
        per_step = _PER_STEP
        if self.account_column:
            columns = len(dataset["columns"])
            weights = (14 + columns) * hidden * hidden + hidden * (said + modes + 2 * latent)
            parameters = weights - columns * hidden * hidden + 2 * hidden * dim
            per_step = _PER_STEP_OF_ACCOUNTS
        else:
            weights = hidden * (dim + said) + 2 * hidden * hidden + 3 * hidden * latent
            parameters = weights + 4 * hidden + 2 * latent + said + modes
        batch = min(self.batch_size, dataset["train"])
        rows = self.steps(dataset["train"], batch) * batch
        seconds = rows * (3 * weights / (_RATE * max(cpu_threads, 1)) + per_step / batch) + 30
        memory = 400 + dataset["train"] * len(dataset["columns"]) * 24 / 2**20 + parameters * 24 / 2**20
        return Estimate(round(seconds, 1), round(memory), parameters)


class TableVaeGenerate(TableGenerate):
    """Make new rows with a trained model."""

    model: str = model_input("table_vae", description="Trained model to use.")


class TableVaeEvaluate(Params):
    """Measure a trained model against the held-out rows of a table."""

    lane: ClassVar[Lane] = "training"
    makes: ClassVar[Makes] = "files"

    model: str = model_input("table_vae", description="Trained model to measure.")
    dataset: str = dataset_input("table", description="Table whose held-out rows it is compared with.")
    target: str = table_targets.target_setting()

    def misfits(self, reports: Callable[[str], Mapping[str, Any]]) -> list[Fault]:
        """Columns that are named and that the table does not have."""
        return table_targets.misfits(reports, self.target)


FAMILY = Family(
    name="table_vae",
    title="Table VAE",
    summary="Learns from a table to make new rows like its own, also the rows of accounts one after the other.",
    paper="https://arxiv.org/abs/1907.00503",
    operations={"train": TableVaeTrain, "generate": TableVaeGenerate, "evaluate": TableVaeEvaluate},
    metrics={**TABLE_METRICS, **DRAWN_METRICS},
)
