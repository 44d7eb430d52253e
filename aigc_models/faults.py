"""From pydantic's errors and typed text to sentences a person can act on."""

import difflib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from aigc_models.base import Fault

_RANGE = {
    "greater_than_equal": ("ge", "{title} must be {ge} or more."),
    "less_than_equal": ("le", "{title} must be {le} or less."),
    "greater_than": ("gt", "{title} must be more than {gt}."),
    "less_than": ("lt", "{title} must be less than {lt}."),
    "string_too_short": ("min_length", "{title} must have {min_length} characters or more."),
    "string_too_long": ("max_length", "{title} must have {max_length} characters or fewer."),
}
_INPUT = {
    "dataset": "{title} must be the id of a dataset, such as ds_01hxyz, or its name.",
    "model": "{title} must be the id of a model version, such as mdl_01hxyz, or its name.",
}
_TYPE = {
    "int_type": "{title} must be a whole number.",
    "int_from_float": "{title} must be a whole number.",
    "int_parsing": "{title} must be a whole number.",
    "float_type": "{title} must be a number.",
    "float_parsing": "{title} must be a number.",
    "finite_number": "{title} must be a finite number.",
    "bool_type": "{title} must be true or false.",
    "string_type": "{title} must be text.",
    "missing": "{title} is missing. Choose a value.",
}

_BOOLEAN = dict.fromkeys(("true", "on", "yes", "1"), True) | dict.fromkeys(("false", "off", "no", "0", ""), False)


def explain(error: ValidationError, params: type[BaseModel]) -> list[Fault]:
    """Turn a validation error into one :class:`Fault` per wrong setting, in the order of the fields."""
    faults = [_fault(item, params) for item in error.errors(include_input=False, include_url=False)]
    order = _names(params)
    place = {name: index for index, name in enumerate(order)}
    return sorted(faults, key=lambda fault: place.get(fault.pointer[1:], len(order)))


def _fault(item: Mapping[str, Any], params: type[BaseModel]) -> Fault:
    name = str(item["loc"][0]) if item["loc"] else ""
    kind, pointer = item["type"], f"/{name}" if name else ""
    if kind == "extra_forbidden":
        return _unknown(name, params)
    if name not in _names(params):
        return Fault("The settings must be a JSON object.", pointer=pointer)
    schema = params.model_json_schema()["properties"][name]
    values: dict[str, Any] = {"title": schema.get("title", name)}
    context = dict(item.get("ctx", {}))
    if kind in _RANGE:
        return Fault(*_range(kind, values | context, schema), pointer=pointer)
    if kind == "literal_error":
        values["choices"] = ", ".join(str(choice) for choice in schema.get("enum", [schema.get("const")]))
        return Fault("{title} must be one of: {choices}.", values, pointer)
    if kind in ("string_pattern_mismatch", "string_type") and schema.get("x-input") in _INPUT:
        return Fault(_INPUT[schema["x-input"]], values, pointer)
    if kind == "value_error":
        return Fault(str(context.get("error", item["msg"])), pointer=pointer)
    return Fault(_TYPE.get(kind, "{title} has the wrong form."), values, pointer)


def _names(params: type[BaseModel]) -> list[str]:
    return [info.alias or name for name, info in params.model_fields.items()]


def _range(kind: str, values: dict[str, Any], schema: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if kind.endswith("than_equal") and low is not None and high is not None:
        return "{title} must be between {low} and {high}.", values | {"low": low, "high": high}
    return _RANGE[kind][1], values


def _unknown(name: str, params: type[BaseModel]) -> Fault:
    if name == "devices":
        sentence = "This task works on one device. Leave out the setting {name}, or choose a family that has it."
        return Fault(sentence, {"name": name}, f"/{name}", code="unknown-setting")
    guess = difflib.get_close_matches(name, _names(params), n=1, cutoff=0.6)
    if guess:
        sentence = "There is no setting called {name}. Did you mean {guess}?"
        return Fault(sentence, {"name": name, "guess": guess[0]}, f"/{name}", code="unknown-setting")
    sentence = "There is no setting called {name}. The settings are: {names}."
    names = ", ".join(_names(params))
    return Fault(sentence, {"name": name, "names": names}, f"/{name}", code="unknown-setting")


def decode_text(schema: Mapping[str, Any], typed: Mapping[str, str]) -> dict[str, Any]:
    """Turn what a form or a command line sends (always text) into JSON values, by each field's schema.

    Text that does not fit its field stays text, so that validation says what is wrong with it.
    Empty text means "not given". A boolean field that was not sent is false, as browsers do
    not send unticked boxes; pass only the fields of the form to get that.
    """
    decoded: dict[str, Any] = {}
    for name, text in typed.items():
        field = schema.get("properties", {}).get(name, {})
        if text == "" and field.get("type") != "boolean":
            continue
        decoded[name] = _decode(field, text)
    return decoded


def _decode(field: Mapping[str, Any], text: str) -> Any:
    kinds = {field.get("type")} | {option.get("type") for option in field.get("anyOf", [])}
    choices = field.get("enum", [])
    if "boolean" in kinds:
        return _BOOLEAN.get(text.strip().lower(), text)
    if "string" in kinds and not any(isinstance(choice, int | float) for choice in choices):
        return text
    try:
        return json.loads(text.strip())
    except ValueError:
        return text
