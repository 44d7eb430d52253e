"""From an uploaded table to a dataset: a confined process reads, judges and stores it; this one only looks on."""

import json
import shutil

from aigc_models.base import Fault, InputError, Run
from aigc_models.data import kinds
from aigc_models.data.sandbox import run_confined
from aigc_models.data.table_decoding import RESULT
from aigc_models.dataset.table_params import DatasetImportTable


def import_table(params: DatasetImportTable, run: Run) -> dict[str, float]:
    """Check an upload, and write ``dataset/`` and ``preview.json`` into the run's directory.

    Raises:
        InputError: The upload cannot be used.
    """
    run.phase("preparing")
    (upload,) = run.inputs["upload"].iterdir()
    kinds.precheck(upload, upload.name, kinds.TABLE.name)
    work = run.out_dir / ".decoding"
    work.mkdir(parents=True, exist_ok=True)
    request = {
        "file": str(upload),
        "work": str(work),
        "out": str(run.out_dir),
        "params": params.model_dump(mode="json"),
    }
    total = 1
    try:

        def report(done: int, all_: int) -> None:
            nonlocal total
            total = all_
            run.report(done, all_)

        run_confined("aigc_models.data.table_decoding", request, report)
        result = json.loads((work / RESULT).read_text(encoding="utf-8"))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if "faults" in result:
        shutil.rmtree(run.out_dir / "dataset", ignore_errors=True)
        raise InputError([Fault(**fault) for fault in result["faults"]])
    run.report(total, total)
    return {"train_rows": float(result["train"]), "test_rows": float(result["test"])}
