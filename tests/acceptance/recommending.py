"""What recommendations add to the site that is looked at: a dataset, a recommender, its form and its lists."""

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from aigc_models.data.recommended import CATALOGUE, Recommendations, save_catalogue
from jobs.engine import Engine
from jobs.filtering import ModelFilter
from jobs.principal import Principal
from jobs.repository import Repository
from jobs.submit import Submission, submit
from jobs.uploads import Upload, receive
from tests.web.acting import ActingWorker
from tests.web.recommending import FIGURES, ITEMS, REPORT, finish_recommendation, lists

SOMEBODY = Principal("default", "operator")


def recommender(engine: Engine, worker: ActingWorker) -> tuple[str, str]:
    """A dataset of interactions that is ready, and a model version that recommends."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "shop.csv").write_text("customer,sku,when\na,b,1\n")
        dataset, _ = receive(engine, SOMEBODY, Upload(folder / "shop.csv", "shop.csv", "shop", "interactions"))
        worker.finish("generation", {"dataset/dataset.json": json.dumps(REPORT).encode()})
        submit(engine, SOMEBODY, Submission("sasrec.train", {"dataset": dataset.id}, "quick", "shop-sasrec"))
        save_catalogue(ITEMS, folder)
        files = {"model/config.json": b"{}", f"model/{CATALOGUE}": (folder / CATALOGUE).read_bytes()}
        worker.finish("training", files, **FIGURES)
    return dataset.id, Repository(engine, SOMEBODY).models(wanted=ModelFilter(family="sasrec")).items[0].id


def add_pages(engine: Engine, worker: ActingWorker) -> Mapping[str, str]:
    """Addresses by what is on them."""
    dataset, model = recommender(engine, worker)
    wish = Submission("sasrec.recommend", {"model": model, "everybody": True}, None, "shop-lists")
    job = submit(engine, SOMEBODY, wish).job.id
    finish_recommendation(worker, Recommendations(lists(25), "SASRec", 2, 700, ["nobody"]))
    return {
        "interactions": f"/datasets/{dataset}",
        "recommender": f"/models/{model}",
        "recommend": f"/models/{model}/recommend?find=milk&item=A01",
        "lists": f"/jobs/{job}",
    }
