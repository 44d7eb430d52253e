"""The operations of the table GAN."""

from collections.abc import Generator, Sequence

import torch

from aigc_models import training
from aigc_models.base import Metrics, Run
from aigc_models.sharing import Ended, Request, one_by_one
from aigc_models.table_gan import networks
from aigc_models.table_gan.params import TableGanEvaluate, TableGanGenerate, TableGanTrain
from aigc_models.table_gan.trainer import GanTrainer, Maker, gan_source
from aigc_models.table_gan.wishes import Places
from aigc_models.tables import learning
from aigc_models.tables.drawing import Source
from aigc_models.tables.saving import WEIGHTS, Stored


def train(params: TableGanTrain, run: Run) -> Metrics:
    """Train, evaluate on the held-out rows, and write the model."""
    return learning.train(KIND, params, run)


def generate(params: TableGanGenerate, run: Run) -> Metrics:
    """Make rows."""
    return learning.generate(KIND, params, run)


def generate_many(requests: Sequence[Request[TableGanGenerate]]) -> Generator[Ended, None, int]:
    """The same for several jobs."""
    return one_by_one(generate).many(requests)


def evaluate(params: TableGanEvaluate, run: Run) -> Metrics:
    """Measure a trained model."""
    return learning.evaluate(KIND, params, run)


def _open(stored: Stored, device: str) -> Source:
    params, encoder = TableGanTrain.model_validate(stored.config["params"]), stored.encoder
    shares = torch.tensor(stored.config["more"]["shares"], dtype=torch.float64)
    places = Places.of(encoder)
    network = networks.Generator(params.latent_dim, places.size, params.width, encoder.layout.dim)
    training.load_weights(network, stored.directory / WEIGHTS)
    network.to(device).eval().requires_grad_(False)
    precision = training.choose_precision(device)
    return gan_source(Maker(network, encoder.layout, shares, params.latent_dim, precision), places, encoder)


KIND = learning.Kind("table_gan", learning.prepare_rows, GanTrainer, learning.compare_rows, _open)
