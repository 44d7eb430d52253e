"""From an uploaded file of who dealt with what to a dataset of interactions."""

from aigc_models.base import Run
from aigc_models.data import kinds
from aigc_models.data.confined_import import import_confined
from aigc_models.dataset.interactions_params import DatasetImportInteractions


def import_interactions(params: DatasetImportInteractions, run: Run) -> dict[str, float]:
    """Check an upload and write ``dataset/`` into the run's directory.

    Raises:
        InputError: The upload cannot be used; faults of cells name row, column and value.
    """
    result = import_confined(kinds.INTERACTIONS, "aigc_models.data.event_decoding", params, run)
    run.report(1, 1)
    return {name: float(count) for name, count in result.items()}
