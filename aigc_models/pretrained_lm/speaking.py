"""A pretrained model that was taught further, wording answers for an assistant."""

from pathlib import Path

from aigc_models.pretrained_lm.saved import load
from aigc_models.text_transformer.speaking import TransformerSpeaker


def load_speaker(directory: Path, device: str) -> TransformerSpeaker:
    """Read a model; its base must be here.

    Raises:
        InputError: The base is not here, or another one.
    """
    return TransformerSpeaker(load(directory, device))
