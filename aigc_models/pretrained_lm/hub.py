"""The packages of Hugging Face, loaded when first needed and kept off the network."""

import os
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import NamedTuple

from aigc_models.base import Fault, InputError


class Hub(NamedTuple):
    """The packages."""

    transformers: ModuleType
    peft: ModuleType


@cache
def open_hub() -> Hub:
    """Import the packages of the ``llm`` extra.

    Raises:
        InputError: They are not installed.
    """
    for name in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS"):
        os.environ[name] = "1"  # read when they are imported
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # threads of its own would fight with torch's
    try:
        hub = Hub(import_module("transformers"), import_module("peft"))
    except ImportError as error:
        sentence = (
            "Pretrained models need the packages of the extra llm, which are not installed where this job runs "
            "({missing}). Run {command} there and start the workers again."
        )
        values = {"missing": error.name or str(error), "command": "pip install 'aigc-foundry[llm]'"}
        raise InputError(Fault(sentence, values, "/base", code="extra-missing")) from error
    hub.transformers.utils.logging.set_verbosity_error()
    hub.transformers.utils.logging.disable_progress_bar()
    return hub
