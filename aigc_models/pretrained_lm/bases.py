"""Where a pretrained model comes from: the directory that an operator keeps, or an uploaded one; no torch.

The directory is named by ``AIGC_PRETRAINED``. Nothing is fetched from anywhere.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from aigc_models.base import Fault, InputError
from aigc_models.data.hub_folders import CONFIG, Base, open_folder
from aigc_models.data.language_models import MODEL, REPORT

VARIABLE = "AIGC_PRETRAINED"
UPLOADED = "uploaded"
HELD = "base"
_LISTED = 20


def chosen_base(name: str, inputs: Mapping[str, Path]) -> Base:
    """The uploaded model that a training names, or else the folder of that name.

    Raises:
        InputError: There is none, or what is in it cannot be used.
    """
    if UPLOADED not in inputs:
        return find_base(name)
    report = json.loads((inputs[UPLOADED] / REPORT).read_text(encoding="utf-8"))
    return open_folder(inputs[UPLOADED] / MODEL, str(report["folder"]))


def find_base(name: str) -> Base:
    """The folder of that name; for an empty name the only one there is.

    Raises:
        InputError: There is none, or what is in it cannot be used.
    """
    root = _root()
    folders = _folders(root)
    name = name or (folders[0] if len(folders) == 1 else "")
    path = root / name
    if not name or not path.resolve().is_relative_to(root.resolve()) or not path.is_dir():
        sentence = "There is no folder {name} in the directory of pretrained models. It holds: {folders}."
        raise _missing(sentence, name=name or "-", folders=", ".join(folders) or "-")
    return open_folder(path, name)


def hold(base: Base, directory: Path) -> None:
    """Keep an uploaded model with what was learnt; a store of files by their hash keeps each of them once."""
    held = directory / HELD
    held.mkdir(parents=True)
    for file in base.files:
        shutil.copyfile(file, held / file.name)


def held_base(directory: Path, name: str) -> Base:
    """The model that is kept with what was learnt, or else the folder of that name.

    Raises:
        InputError: There is none, or what is in it cannot be used.
    """
    held = directory / HELD
    return open_folder(held, name) if held.is_dir() else find_base(name)


def known_parameters(name: str) -> int:
    """About how many numbers a base has; 0 where the directory cannot be seen from here."""
    try:
        return find_base(name).parameters
    except (InputError, OSError):
        return 0


def _root() -> Path:
    named = os.environ.get(VARIABLE, "")
    if not named or not Path(named).is_dir():
        sentence = (
            "No directory of pretrained models is set where this job runs. Put the model's folder into one, name the "
            "directory by {variable}, and start the workers again; or upload the model as a dataset."
        )
        raise _missing(sentence, variable=VARIABLE)
    return Path(named)


def _folders(root: Path) -> Sequence[str]:
    found = sorted(
        str(file.parent.relative_to(root)) for depth in ("*", "*/*") for file in root.glob(f"{depth}/{CONFIG}")
    )
    return found[:_LISTED]


def _missing(sentence: str, **values: str) -> InputError:
    return InputError(Fault(sentence, values, "/base", code="base-missing"))
