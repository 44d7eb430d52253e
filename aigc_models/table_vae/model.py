"""The operations of the table VAE."""

from collections.abc import Generator, Sequence
from typing import Any

import torch

from aigc_models import training
from aigc_models.base import Fault, InputError, Metrics, Run
from aigc_models.data.tables import TableSet
from aigc_models.sharing import Ended, Request, one_by_one
from aigc_models.table_vae.account_data import Accounts, joined, prepare_accounts, split_accounts
from aigc_models.table_vae.account_networks import AccountVae
from aigc_models.table_vae.accounts import AccountSource, AccountTrainer
from aigc_models.table_vae.networks import RowVae
from aigc_models.table_vae.params import TableVaeEvaluate, TableVaeGenerate, TableVaeTrain
from aigc_models.table_vae.trainer import RowTrainer, row_source
from aigc_models.tables import learning
from aigc_models.tables.drawing import Source
from aigc_models.tables.lesson import Lesson, Material, Trainer
from aigc_models.tables.saving import WEIGHTS, Stored, Trained


def train(params: TableVaeTrain, run: Run) -> Metrics:
    """Train, evaluate on the held-out rows, and write the model."""
    return learning.train(KIND, params, run)


def generate(params: TableVaeGenerate, run: Run) -> Metrics:
    """Make rows."""
    return learning.generate(KIND, params, run)


def generate_many(requests: Sequence[Request[TableVaeGenerate]]) -> Generator[Ended, None, int]:
    """The same for several jobs."""
    return one_by_one(generate).many(requests)


def evaluate(params: TableVaeEvaluate, run: Run) -> Metrics:
    """Measure a trained model."""
    return learning.evaluate(KIND, params, run)


def _prepare(params: Any, tables: TableSet, run: Run) -> Material:
    if bool(params.account_column) != bool(params.time_column):
        missing = "time_column" if params.account_column else "account_column"
        sentence = "An account column and a time column go together. Give both, or neither."
        raise InputError(Fault(sentence, pointer=f"/{missing}", code="wrong-column"))
    return (
        prepare_accounts(params, tables, run) if params.account_column else learning.prepare_rows(params, tables, run)
    )


def _make(lesson: Lesson) -> Trainer:
    return RowTrainer(lesson) if lesson.starts is None else AccountTrainer(lesson)


def _compare(trained: Trained, tables: TableSet) -> Material:
    stored = trained.stored.config["more"].get("accounts")
    if stored is None:
        return learning.compare_rows(trained, tables)
    accounts = Accounts.read(stored)
    (train, starts), (test, _) = split_accounts(joined(tables), accounts.account, accounts.time)
    return learning.material_of(trained, (train, test), torch.from_numpy(starts))


def _open(stored: Stored, device: str) -> Source:
    params, encoder = TableVaeTrain.model_validate(stored.config["params"]), stored.encoder
    sizes = (encoder.layout, params.width, params.latent_dim)
    vae = AccountVae(*sizes) if params.account_column else RowVae(*sizes, stored.config["more"].get("components", 0))
    training.load_weights(vae, stored.directory / WEIGHTS)
    vae.to(device).requires_grad_(False)
    if isinstance(vae, AccountVae):
        return AccountSource(vae, encoder, Accounts.read(stored.config["more"]["accounts"]))
    return row_source(vae, encoder, training.choose_precision(device))


KIND = learning.Kind("table_vae", _prepare, _make, _compare, _open)
