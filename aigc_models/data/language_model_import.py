"""From an uploaded archive of a pretrained language model to a dataset that trainings can name."""

from aigc_models.base import Run
from aigc_models.data import kinds
from aigc_models.data.confined_import import import_confined
from aigc_models.dataset.language_model_params import DatasetImportLanguageModel


def import_language_model(params: DatasetImportLanguageModel, run: Run) -> dict[str, float]:
    """Check an upload and write ``dataset/`` into the run's directory.

    Raises:
        InputError: The upload cannot be used; faults name the file.
    """
    result = import_confined(kinds.LANGUAGE_MODEL, "aigc_models.data.language_model_decoding", params, run)
    run.report(1, 1)
    return {name: float(count) for name, count in result.items()}
