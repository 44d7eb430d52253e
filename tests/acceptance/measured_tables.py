"""What tables add to the site that is looked at: a measured training with its model, and a study of augmentation."""

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from aigc_models.metrics.table_quality import measure
from jobs.engine import Engine
from jobs.filtering import ModelFilter
from jobs.principal import Principal
from jobs.repository import Repository
from jobs.submit import Submission, submit
from jobs.uploads import Upload, receive
from tests.aigc_models.loan_tables import loans, quiet
from tests.web.acting import ActingWorker
from tests.web.test_pages_table_quality import share

SOMEBODY = Principal("default", "operator")
REPORT = {"kind": "table", "train": 250, "test": 200, "columns": [], "warnings": [], "hash": "0" * 64}
ROWS = "编号,收入,年龄,职业,状态\r\n" + "".join(
    f"L{row:04d},{1500 + row}.50,{20 + row},教师,好\r\n" for row in range(30)
)
STUDY = {
    "version": 1,
    "target": "状态",
    "score": "auc",
    "repeats": 2,
    "shares": [share(10, 0.03, 0.01, "yes"), share(50, 0.001, 0.01, "no"), share(100, -0.02, 0.01, "worse")],
}


def add_pages(engine: Engine, worker: ActingWorker) -> Mapping[str, str]:
    """Addresses by what is on them."""
    with TemporaryDirectory() as name:
        file = Path(name) / "loans.csv"
        file.write_text(ROWS, encoding="utf-8")
        dataset, _ = receive(engine, SOMEBODY, Upload(file, "loans.csv", "loans", "table"))
    worker.finish("generation", {"dataset/dataset.json": json.dumps(REPORT).encode()})
    job = submit(engine, SOMEBODY, Submission("table_vae.train", {"dataset": dataset.id}, "quick", "loans-vae")).job.id
    quality = measure(loans(250, 1), loans(200, 2), loans(250, 3), target="状态", seed=0, report=quiet)
    files = {
        "model/config.json": b"{}",
        "quality.json": json.dumps(quality.details).encode(),
        "samples.csv": ROWS.encode(),
        "figures.zip": b"PK",
    }
    worker.finish("training", files, **quality.metrics)
    study = submit(engine, SOMEBODY, Submission("table_study.augment", {"dataset": dataset.id}, None, "loans-study"))
    worker.finish("training", {"augmentation.json": json.dumps(STUDY).encode()}, sure_gain=0.02, no_gain=0.0)
    (made,) = Repository(engine, SOMEBODY).models(wanted=ModelFilter(family="table_vae")).items
    return {
        "table-result": f"/jobs/{job}",
        "table-report": f"/jobs/{job}/report.html",
        "table-model": f"/models/{made.id}",
        "augmentation": f"/jobs/{study.job.id}",
    }
