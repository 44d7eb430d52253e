"""From an uploaded file of events to a dataset: a confined process reads, judges and stores it; this one looks on."""

import json
import shutil

from aigc_models.base import Fault, InputError, Run
from aigc_models.data import kinds
from aigc_models.data.event_decoding import RESULT
from aigc_models.data.sandbox import run_confined
from aigc_models.dataset.interactions_params import DatasetImportInteractions


def import_interactions(params: DatasetImportInteractions, run: Run) -> dict[str, float]:
    """Check an upload and write ``dataset/`` into the run's directory.

    Raises:
        InputError: The upload cannot be used; faults of cells name row, column and value.
    """
    run.phase("preparing")
    (upload,) = run.inputs["upload"].iterdir()
    kinds.precheck(upload, upload.name, kinds.INTERACTIONS.name)
    work = run.out_dir / ".decoding"
    work.mkdir(parents=True, exist_ok=True)
    request = {
        "file": str(upload),
        "work": str(work),
        "out": str(run.out_dir),
        "params": params.model_dump(mode="json"),
    }
    try:
        run_confined("aigc_models.data.event_decoding", request, lambda done, total: run.report(done, total))
        result = json.loads((work / RESULT).read_text(encoding="utf-8"))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if "faults" in result:
        raise InputError([Fault(**fault) for fault in result["faults"]])
    run.phase("saving")
    run.report(1, 1)
    return {name: float(count) for name, count in result.items()}
