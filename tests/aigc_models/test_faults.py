import json
from typing import Any, Literal

import pytest
from pydantic import Field, ValidationError

from aigc_models.base import Fault, Params, dataset_input, model_input, setting
from aigc_models.faults import decode_text, explain


class FaultsExample(Params):
    """Only for these tests."""

    epochs: int = setting(5, title="Epochs", description="Passes.", ge=1, le=10)
    rate: float = setting(0.5, title="Rate", description="Speed.", gt=0)
    floor: int = setting(1, title="Floor", description="Least.", ge=1)
    kind: Literal["conv", "mlp"] = setting("conv", title="Kind", description="Sort.")
    size: Literal[32, 64] = setting(32, title="Size", description="Side.")
    name: str = setting("", title="Name", description="Word.", max_length=5)
    deep: bool = setting(False, title="Deep", description="Whether.")
    maybe: int | None = setting(None, title="Maybe", description="Perhaps.", ge=1, le=9)
    data: str = dataset_input("images", description="Where from.")
    model: str | None = model_input("image_gan", description="Which.", optional=True)


GOOD = {"data": "ds_" + "0" * 26}


def faults_of(**values: Any) -> list[Fault]:
    with pytest.raises(ValidationError) as caught:
        FaultsExample.model_validate_json(json.dumps({**GOOD, **values}))
    return explain(caught.value, FaultsExample)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"epochs": 0}, "Epochs must be between 1 and 10."),
        ({"epochs": 11}, "Epochs must be between 1 and 10."),
        ({"rate": 0}, "Rate must be more than 0.0."),
        ({"floor": 0}, "Floor must be 1 or more."),
        ({"epochs": "5"}, "Epochs must be a whole number."),
        ({"epochs": 2.5}, "Epochs must be a whole number."),
        ({"rate": "fast"}, "Rate must be a number."),
        ({"kind": "big"}, "Kind must be one of: conv, mlp."),
        ({"size": 48}, "Size must be one of: 32, 64."),
        ({"name": "longer"}, "Name must have 5 characters or fewer."),
        ({"deep": "yes"}, "Deep must be true or false."),
        ({"data": "ds_x"}, "Dataset must be the id of a dataset, such as ds_01hxyz, or its name."),
        ({"model": "a b"}, "Model must be the id of a model version, such as mdl_01hxyz, or its name."),
        ({"epocs": 3}, "There is no setting called epocs. Did you mean epochs?"),
    ],
)
def test_sentences(values: dict[str, Any], sentence: str) -> None:
    (fault,) = faults_of(**values)
    assert str(fault) == sentence
    assert fault.pointer == "/" + next(iter(values))


def test_all_faults_in_the_order_of_the_fields() -> None:
    found = faults_of(kind="x", epochs=0, zzzz=1)
    assert [fault.pointer for fault in found] == ["/epochs", "/kind", "/zzzz"]
    assert "The settings are: seed, epochs" in str(found[2])
    assert found[2].code == "unknown-setting"


def test_missing_and_no_object() -> None:
    with pytest.raises(ValidationError) as caught:
        FaultsExample.model_validate_json("{}")
    assert [str(fault) for fault in explain(caught.value, FaultsExample)] == ["Dataset is missing. Choose a value."]
    with pytest.raises(ValidationError) as caught:
        FaultsExample.model_validate_json("[]")
    assert [str(fault) for fault in explain(caught.value, FaultsExample)] == ["The settings must be a JSON object."]


def test_what_was_sent_is_never_echoed_whole() -> None:
    secret = "s3cret" * 10
    assert all(secret not in str(fault) for fault in faults_of(name=secret))


def test_text_becomes_values() -> None:
    schema = FaultsExample.model_json_schema()
    typed = {"epochs": " 7 ", "rate": "1e-3", "kind": "mlp", "size": "64", "name": "12", "deep": "on", "maybe": ""}
    values = {"epochs": 7, "rate": 0.001, "kind": "mlp", "size": 64, "name": "12", "deep": True}
    assert decode_text(schema, typed) == values


def test_text_that_does_not_fit_stays_to_be_refused() -> None:
    schema = FaultsExample.model_json_schema()
    assert decode_text(schema, {"epochs": "many", "deep": "perhaps"}) == {"epochs": "many", "deep": "perhaps"}
    assert decode_text(schema, {"deep": ""}) == {"deep": False}
    assert decode_text(schema, {"unknown": "3"}) == {"unknown": 3}


def test_every_limit_of_a_field_can_be_said() -> None:
    class FaultsLimits(Params):
        """Only for this test."""

        text: str = Field("abc", title="Text", min_length=2)
        below: float = Field(0.5, title="Below", lt=1)

    with pytest.raises(ValidationError) as caught:
        FaultsLimits.model_validate_json('{"text": "a", "below": 1}')
    said = [str(fault) for fault in explain(caught.value, FaultsLimits)]
    assert said == ["Text must have 2 characters or more.", "Below must be less than 1.0."]
