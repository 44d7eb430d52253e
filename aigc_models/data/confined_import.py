"""From an uploaded file to a dataset: a confined process reads, judges and stores it; this one looks on."""

import json
import shutil
from typing import Any

from aigc_models.base import Fault, InputError, Params, Run
from aigc_models.data import kinds
from aigc_models.data.kinds import Kind
from aigc_models.data.sandbox import RESULT, run_confined


def import_confined(kind: Kind, reader: str, params: Params, run: Run) -> dict[str, Any]:
    """Check the run's upload in a process of its own, and give what that says of it.

    Args:
        kind: What the upload is to become.
        reader: The module to run. It writes ``dataset/`` below the request's ``out``, and into its ``work``
            :data:`~aigc_models.data.sandbox.RESULT`: counts, or ``faults``.
        params: The settings of the import.
        run: Holds the upload, and is told how far it is.

    Raises:
        InputError: The upload cannot be used; faults name the place.
    """
    run.phase("preparing")
    (upload,) = run.inputs["upload"].iterdir()
    kinds.precheck(upload, upload.name, kind.name)
    work = run.out_dir / ".decoding"
    work.mkdir(parents=True, exist_ok=True)
    request = {
        "file": str(upload),
        "work": str(work),
        "out": str(run.out_dir),
        "params": params.model_dump(mode="json"),
    }
    try:
        run_confined(reader, request, lambda done, total: run.report(done, total))
        result: dict[str, Any] = json.loads((work / RESULT).read_text(encoding="utf-8"))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if "faults" in result:
        raise InputError([Fault(**fault) for fault in result["faults"]])
    run.phase("saving")
    return result
