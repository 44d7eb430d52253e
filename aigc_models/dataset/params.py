"""What can be set when an upload becomes a dataset."""

from typing import ClassVar, Literal

from aigc_models.base import Family, Lane, Makes, Params, setting
from aigc_models.dataset.interactions_params import DatasetImportInteractions
from aigc_models.dataset.language_model_params import DatasetImportLanguageModel
from aigc_models.dataset.log_params import DatasetImportEventLog
from aigc_models.dataset.table_params import DatasetImportTable
from aigc_models.dataset.text_params import DatasetImportText


class DatasetImportImages(Params):
    """Check and store images: a ZIP of PNG or JPEG files, a NumPy .npz file, or IDX files."""

    lane: ClassVar[Lane] = "generation"
    makes: ClassVar[Makes] = "dataset"

    image_size: int | None = setting(
        None,
        title="Image size",
        unit="pixels",
        description="Side in pixels of the square that every image is cropped and resized to; empty keeps "
        "images that all have one size up to 256 pixels, and else takes the median side.",
        ge=8,
        le=256,
    )
    colour: Literal["auto", "grey", "rgb"] = setting(
        "auto",
        title="Colour",
        description="Whether images are stored grey or in colour; auto stores grey when every image is grey.",
    )
    class_names: str = setting(
        "",
        title="Class names",
        description="Names of the classes in the order of their numbers, separated by commas, for files whose "
        "labels are numbers.",
        max_length=20_000,
        advanced=True,
    )
    test_percent: int = setting(
        10,
        title="Test share",
        unit="%",
        description="Percent of each class that is kept for testing, where the upload has no test part of its own.",
        ge=1,
        le=50,
        advanced=True,
    )
    skip_broken: bool = setting(
        False,
        title="Skip broken images",
        description="Whether to leave out images that cannot be read, instead of refusing the upload.",
        advanced=True,
    )


FAMILY = Family(
    name="dataset",
    title="Datasets",
    summary="Checks an upload and stores it as a dataset that models can learn from.",
    paper="",
    operations={
        "import_images": DatasetImportImages,
        "import_table": DatasetImportTable,
        "import_interactions": DatasetImportInteractions,
        "import_text": DatasetImportText,
        "import_event_log": DatasetImportEventLog,
        "import_language_model": DatasetImportLanguageModel,
    },
)
