"""Forms made from schemas, and what is read back from a posted one."""

from typing import Any, ClassVar, Literal

import pytest

from aigc_models import registry
from aigc_models.base import Fault, Params, dataset_input, setting
from web import forms


class FormsTestTrain(Params):
    """Train something."""

    presets: ClassVar[dict[str, dict[str, Any]]] = {"quick": {"epochs": 2, "flip": True}, "balanced": {}}

    dataset: str = dataset_input("images", description="Images to learn from.")
    epochs: int = setting(20, title="Epochs", description="Passes over the images.", ge=1, le=500)
    rate: float = setting(0.0002, title="Rate", description="Step size.", gt=0, le=1)
    loss: Literal["hinge", "wgan_gp"] = setting("hinge", title="Loss", description="Kind of loss.")
    flip: bool = setting(False, title="Flip", description="Whether to mirror.", advanced=True)
    side: int | None = setting(None, title="Side", description="Side in pixels.", unit="pixels", ge=8, advanced=True)
    notes: str = setting("", title="Notes", description="Anything.", max_length=5000)


DATASET = "ds_" + "0" * 26


def posted(**changes: str) -> dict[str, str]:
    """A form as a browser sends it, every field with its default; an unticked box is not sent."""
    usual = {"_base": "balanced", "_preset": "balanced", "dataset": DATASET, "epochs": "20", "rate": "0.0002"}
    return usual | {"loss": "hinge", "side": "", "notes": ""} | changes


def field(form: forms.Form, name: str) -> forms.Field:
    return next(one for one in form.fields if one.name == name)


def test_every_kind_of_setting_has_its_control() -> None:
    made = forms.build(FormsTestTrain, {})
    assert {one.name: one.kind for one in made.fields} == {
        "seed": "number",
        "dataset": "dataset",
        "epochs": "number",
        "rate": "number",
        "loss": "choice",
        "flip": "flag",
        "side": "number",
        "notes": "long",
    }
    assert [one.name for one in made.more] == ["seed", "flip", "side"]
    assert field(made, "epochs").whole
    assert not field(made, "rate").whole
    assert field(made, "dataset").required
    assert field(made, "side").unit == "pixels"


def test_help_says_range_and_default() -> None:
    made = forms.build(FormsTestTrain, {})
    assert field(made, "epochs").help == "Passes over the images. 1 to 500. Default: 20."
    assert field(made, "rate").help == "Step size. More than 0, at most 1. Default: 0.0002."
    assert field(made, "side").help == "Side in pixels. 8 or more."


def test_a_fresh_form_shows_the_defaults_of_its_preset() -> None:
    assert field(forms.build(FormsTestTrain, {}), "epochs").value == "20"
    quick = forms.build(FormsTestTrain, {}, preset="quick")
    assert field(quick, "epochs").value == "2"
    assert field(quick, "flip").value == "true"
    assert field(quick, "epochs").presets == {"quick": "2", "balanced": "20"}


def test_values_left_alone_are_not_sent_on() -> None:
    assert forms.read(FormsTestTrain, posted()).params == {"dataset": DATASET}


def test_typed_text_becomes_values_of_the_right_type() -> None:
    found = forms.read(FormsTestTrain, posted(epochs=" 7 ", rate="1e-3", flip="true", side="32", loss="wgan_gp"))
    assert found.params == {
        "dataset": DATASET,
        "epochs": 7,
        "rate": 0.001,
        "loss": "wgan_gp",
        "flip": True,
        "side": 32,
    }


def test_text_that_fits_nothing_is_kept_for_validation() -> None:
    assert forms.read(FormsTestTrain, posted(epochs="many")).params["epochs"] == "many"


def test_without_javascript_values_left_alone_follow_the_chosen_preset() -> None:
    found = forms.read(FormsTestTrain, posted(_preset="quick", rate="0.1"))
    assert found.preset == "quick"
    assert found.params == {"dataset": DATASET, "rate": 0.1}
    assert found.typed["epochs"] == "2"


def test_with_javascript_a_changed_value_wins_over_the_preset_even_if_it_is_the_default() -> None:
    found = forms.read(FormsTestTrain, posted(_base="quick", _preset="quick", epochs="20", flip="true"))
    assert found.params == {"dataset": DATASET, "epochs": 20}


def test_an_unticked_box_of_a_preset_that_ticks_it_is_meant() -> None:
    assert forms.read(FormsTestTrain, posted(_base="quick", _preset="quick", epochs="2")).params["flip"] is False


def test_unknown_presets_and_fields_are_dropped() -> None:
    found = forms.read(FormsTestTrain, posted(_preset="nope", surprise="1"))
    assert found.preset == ""
    assert "surprise" not in found.params


def test_faults_stand_beside_their_fields_and_in_the_summary() -> None:
    faults = [
        Fault("{title} must be a whole number.", {"title": "Epochs"}, "/epochs"),
        Fault("{title} must be true or false.", {"title": "Flip"}, "/flip"),
        Fault("The disk is full."),
    ]
    made = forms.build(FormsTestTrain, {"epochs": "many"}, faults=faults)
    assert field(made, "epochs").errors == ["Epochs must be a whole number."]
    assert field(made, "epochs").value == "many"
    assert field(made, "epochs").described_by == "h-epochs e-epochs"
    assert [(one.sentence, one.target) for one in made.problems] == [
        ("Epochs must be a whole number.", "#f-epochs"),
        ("Flip must be true or false.", "#f-flip"),
        ("The disk is full.", "#main"),
    ]
    assert made.more_open


def test_inputs_list_what_there_is() -> None:
    options = {"dataset": [forms.Choice(DATASET, "digits v1"), forms.Choice("ds_other", "other v1")]}
    choices = field(forms.build(FormsTestTrain, {"dataset": DATASET}, options=options), "dataset").choices
    assert [(one.label, one.selected) for one in choices] == [("digits v1", True), ("other v1", False)]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (True, "true"), (0.0002, "0.0002"), (1e-07, "0.0000001"), (1.0, "1"), (100.0, "100"), (7, "7")],
)
def test_values_are_written_as_people_type_them(value: Any, text: str) -> None:
    assert forms.to_text(value) == text


@pytest.mark.parametrize("task", sorted(registry.tasks()))
def test_an_untouched_form_of_every_task_changes_nothing(task: str) -> None:
    params = registry.task(task)
    preset = forms.first_preset(params)
    made = forms.build(params, {}, preset=preset)
    sent = {one.name: one.value for one in made.fields if one.kind != "flag" or one.value == "true"}
    read = forms.read(params, sent | {"_base": preset, "_preset": preset})
    assert read.params == {}
    assert all(one.title and (one.help or one.kind == "flag") for one in made.fields)
