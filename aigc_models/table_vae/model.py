"""The operations of the table VAE."""

from aigc_models import training
from aigc_models.base import Metrics, Run
from aigc_models.table_vae.networks import RowVae
from aigc_models.table_vae.params import TableVaeEvaluate, TableVaeGenerate, TableVaeTrain
from aigc_models.table_vae.trainer import RowTrainer, row_source
from aigc_models.tables import learning
from aigc_models.tables.drawing import Source
from aigc_models.tables.saving import WEIGHTS, Stored


def train(params: TableVaeTrain, run: Run) -> Metrics:
    """Train, evaluate on the held-out rows, and write the model."""
    return learning.train(_KIND, params, run)


def generate(params: TableVaeGenerate, run: Run) -> Metrics:
    """Make rows."""
    return learning.generate(_KIND, params, run)


def evaluate(params: TableVaeEvaluate, run: Run) -> Metrics:
    """Measure a trained model."""
    return learning.evaluate(_KIND, params, run)


def _open(stored: Stored, device: str) -> Source:
    params, encoder = TableVaeTrain.model_validate(stored.config["params"]), stored.encoder
    vae = RowVae(encoder.layout, params.width, params.latent_dim)
    training.load_weights(vae, stored.directory / WEIGHTS)
    vae.to(device).requires_grad_(False)
    return row_source(vae, encoder, training.choose_precision(device))


_KIND = learning.Kind("table_vae", learning.prepare_rows, RowTrainer, _open)
