"""From an uploaded file of operations to an event log."""

from aigc_models.base import Run
from aigc_models.data import kinds
from aigc_models.data.confined_import import import_confined
from aigc_models.dataset.log_params import DatasetImportEventLog


def import_event_log(params: DatasetImportEventLog, run: Run) -> dict[str, float]:
    """Check an upload and write ``dataset/`` into the run's directory.

    Raises:
        InputError: The upload cannot be used; faults of cells name row, column and value.
    """
    result = import_confined(kinds.EVENT_LOG, "aigc_models.data.log_decoding", params, run)
    run.report(1, 1)
    return {name: float(count) for name, count in result.items()}
