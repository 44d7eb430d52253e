import subprocess
import sys
from typing import Literal

import pytest
from pydantic import ValidationError

from aigc_models.base import Diverged, Fault, InputError, Params, dataset_input, model_input, setting


class BaseExample(Params):
    """Only for these tests."""

    count: int = setting(5, title="Count", description="How many there are.", unit="pieces", ge=1, le=10)
    rate: float = setting(0.5, title="Rate", description="How fast it goes.", advanced=True, gt=0)
    heads: Literal[0, 1, 2] = setting(0, title="Heads", description="Some numbers to choose from.")
    data: str | None = dataset_input("images", description="Where from.", optional=True)


def test_whole_floats_are_integers_and_text_is_none() -> None:
    assert BaseExample.model_validate_json('{"count": 3.0}').count == 3
    assert BaseExample.model_validate_json('{"rate": 3}').rate == 3.0
    assert BaseExample.model_validate_json('{"heads": 1.0}').heads == 1
    assert BaseExample.model_validate_json('{"heads": 1}').heads == 1
    refused = ('{"heads": false}', '{"heads": true}', '{"heads": 3}')
    for wrong in (
        *refused,
        '{"count": "3"}',
        '{"count": 2.5}',
        '{"count": true}',
        '{"rate": "1"}',
        '{"other": 1}',
        "[]",
    ):
        with pytest.raises(ValidationError):
            BaseExample.model_validate_json(wrong)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        BaseExample().count = 3  # type: ignore[misc]


def test_declarations_reach_the_schema() -> None:
    fields = BaseExample.model_json_schema()["properties"]
    assert fields["count"]["x-unit"] == "pieces"
    assert (fields["count"]["minimum"], fields["count"]["maximum"], fields["count"]["title"]) == (1, 10, "Count")
    assert fields["rate"]["x-advanced"] is True
    assert (fields["data"]["x-input"], fields["data"]["x-kind"]) == ("dataset", "images")
    assert "x-advanced" not in fields["count"]


def test_inputs_are_ids() -> None:
    assert BaseExample(data="ds_" + "0" * 26).data
    with pytest.raises(ValidationError):
        BaseExample(data="/etc/passwd")
    assert model_input("image_gan", description="Which.").json_schema_extra["x-kind"] == "image_gan"


def test_a_fault_fills_its_gaps() -> None:
    fault = Fault("The file {file} is {size}.", {"file": "a{b}.png", "size": 3})
    assert str(fault) == "The file a{b}.png is 3."


def test_input_error_keeps_the_first_hundred() -> None:
    error = InputError([Fault("Number {n}.", {"n": n}) for n in range(150)])
    assert len(error.faults) == 100
    assert str(error) == "Number 0.; Number 1.; Number 2."
    assert InputError(Fault("One.")).faults == [Fault("One.")]


def test_diverged_says_when() -> None:
    assert str(Diverged(7)) == "The loss became NaN at step 7"


def test_reading_settings_never_imports_torch() -> None:
    code = (
        "import sys\nfor name in ('torch', 'numpy', 'pandas', 'PIL'): sys.modules[name] = None\n"
        "from aigc_models.registry import tasks\nimport aigc_models.faults, aigc_models.data.uploads\n"
        "import aigc_models.data.starters\nassert len(tasks()) > 3"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
