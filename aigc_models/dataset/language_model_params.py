"""What can be set when an upload becomes a dataset that is a pretrained language model."""

from typing import ClassVar

from aigc_models.base import Lane, Makes, Params


class DatasetImportLanguageModel(Params):
    """Check and store a pretrained language model: a ZIP of its folder, with weights in safetensors."""

    lane: ClassVar[Lane] = "generation"
    makes: ClassVar[Makes] = "dataset"
