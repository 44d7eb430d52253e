"""From an uploaded file of texts to a dataset of texts."""

from aigc_models.base import Run
from aigc_models.data import kinds
from aigc_models.data.confined_import import import_confined
from aigc_models.data.text_decoding import STEPS
from aigc_models.dataset.text_params import DatasetImportText


def import_text(params: DatasetImportText, run: Run) -> dict[str, float]:
    """Check an upload, and write ``dataset/`` and ``preview.json`` into the run's directory.

    Raises:
        InputError: The upload cannot be used; faults name file, line or row, and value.
    """
    result = import_confined(kinds.TEXT, "aigc_models.data.text_decoding", params, run)
    run.report(STEPS, STEPS)
    return {"train_texts": float(result["train"]), "test_texts": float(result["test"])}
