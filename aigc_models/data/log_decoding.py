"""Reads an upload of operations and writes a dataset; runs as a process of its own with limits.

``python -m aigc_models.data.log_decoding REQUEST`` where the request is JSON: ``file``, ``work`` (a directory for what
lies on disk meanwhile), ``out`` (the run's directory) and ``params`` (the import's settings). It writes ``dataset/``
below ``out``, and its counts or the faults into ``work``.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from aigc_models.data import log_report
from aigc_models.data.event_logs import save_log, save_report
from aigc_models.data.log_files import open_log
from aigc_models.data.log_rows import LogRules, read_log
from aigc_models.data.reading import Beat
from aigc_models.data.sandbox import answer

COUNTS = ("events", "sessions", "actions")


def read_upload(request: Mapping[str, Any], beat: Beat) -> dict[str, Any]:
    """Read everything, write the dataset, and give its counts.

    Raises:
        InputError: The upload cannot be used; faults of cells name row, column and value.
    """
    params, file = request["params"], Path(request["file"])
    size = file.stat().st_size
    opened = open_log(file, Path(request["work"]), params, lambda done: beat(min(done, size), size))
    read = read_log(opened, LogRules(**{one.name: params[one.name] for one in fields(LogRules)}))
    directory = Path(request["out"]) / "dataset"
    found = log_report.report(read, opened, params["mask"])
    save_log(read.log, directory)
    save_report(found, directory)
    return {name: found[name] for name in COUNTS}


if __name__ == "__main__":
    answer(json.loads(sys.argv[1]), read_upload)
