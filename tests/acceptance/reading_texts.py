"""What texts add to the site that is looked at: the starters of texts, each read as an import reads it."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from aigc_models.data.starters import STARTERS
from aigc_models.data.text_decoding import read_upload
from aigc_models.dataset.text_params import DatasetImportText
from jobs.engine import Engine
from jobs.principal import Principal
from jobs.uploads import receive_starter
from tests.web.acting import ActingWorker

SOMEBODY = Principal("default", "operator")
PAGES = {"passages": "synthetic-products", "dialogues": "small-talk", "documents": "foundry-help"}
FILES = ("preview.json", "dataset/dataset.json", "dataset/train.jsonl", "dataset/test.jsonl")


def add_pages(engine: Engine, worker: ActingWorker) -> Mapping[str, str]:
    """Addresses by what is on them."""
    return {page: f"/datasets/{ready(engine, worker, name)}" for page, name in PAGES.items()}


def ready(engine: Engine, worker: ActingWorker, name: str) -> str:
    """The id of a starter that was read."""
    starter = STARTERS[name]
    dataset, _ = receive_starter(engine, SOMEBODY, name)
    with TemporaryDirectory() as folder:
        out = Path(folder)
        (out / "work").mkdir()
        params = DatasetImportText(**starter.params).model_dump(mode="json")
        request = {"file": str(starter.path), "work": str(out / "work"), "out": folder, "params": params}
        read_upload(request, lambda *_: None)
        worker.finish("generation", {file: (out / file).read_bytes() for file in FILES})
    return dataset.id
