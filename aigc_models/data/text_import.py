"""From an uploaded file of texts to a dataset: a confined process reads, judges and stores it; this one looks on."""

import json
import shutil

from aigc_models.base import Fault, InputError, Run
from aigc_models.data import kinds
from aigc_models.data.sandbox import run_confined
from aigc_models.data.text_decoding import RESULT, STEPS
from aigc_models.dataset.text_params import DatasetImportText


def import_text(params: DatasetImportText, run: Run) -> dict[str, float]:
    """Check an upload, and write ``dataset/`` and ``preview.json`` into the run's directory.

    Raises:
        InputError: The upload cannot be used; faults name file, line or row, and value.
    """
    run.phase("preparing")
    (upload,) = run.inputs["upload"].iterdir()
    kinds.precheck(upload, upload.name, kinds.TEXT.name)
    work = run.out_dir / ".decoding"
    work.mkdir(parents=True, exist_ok=True)
    request = {
        "file": str(upload),
        "work": str(work),
        "out": str(run.out_dir),
        "params": params.model_dump(mode="json"),
    }
    try:
        run_confined("aigc_models.data.text_decoding", request, lambda done, total: run.report(done, total))
        result = json.loads((work / RESULT).read_text(encoding="utf-8"))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if "faults" in result:
        raise InputError([Fault(**fault) for fault in result["faults"]])
    run.phase("saving")
    run.report(STEPS, STEPS)
    return {"train_texts": float(result["train"]), "test_texts": float(result["test"])}
