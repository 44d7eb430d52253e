"""From a task's JSON Schema to a form, and from what a browser posts back to settings.

The schema is the only definition: labels, help, ranges, choices and defaults come from it. A form's
own fields begin with an underscore, which no setting can. It remembers in ``_base`` which preset its
values were rendered with; a posted value that is still the base's was left alone and follows
whatever preset is chosen, also without JavaScript.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Literal

from aigc_models.base import Fault, Params
from aigc_models.faults import decode_text
from web.translate import joined, say, say_fault

Kind = Literal["dataset", "model", "column", "choice", "flag", "number", "text", "long"]
LONG_TEXT = 500
BESIDE = frozenset({"time_limit", "name", "after", "webhook"})  # fields that every job's form has beside the task's own
UNSET = object()


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of a select list."""

    value: str
    label: str
    selected: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """One setting as a form shows it."""

    name: str
    title: str
    help: str
    unit: str
    kind: Kind
    value: str
    choices: Sequence[Choice]
    advanced: bool
    required: bool
    whole: bool
    errors: Sequence[str]
    presets: Mapping[str, str]

    @property
    def id(self) -> str:
        """Where an error summary's link leads."""
        return f"f-{self.name}"

    @property
    def described_by(self) -> str:
        """Ids of what a screen reader reads after the label."""
        parts = [f"h-{self.name}"] if self.help else []
        return " ".join(parts + ([f"e-{self.name}"] if self.errors else []))


@dataclass(frozen=True, slots=True)
class Problem:
    """One line of the error summary: a sentence and where it leads."""

    sentence: str
    target: str


@dataclass(frozen=True, slots=True)
class Form:
    """A whole form."""

    fields: Sequence[Field]
    problems: Sequence[Problem] = ()
    preset: str = ""
    presets: Sequence[str] = ()

    @property
    def main(self) -> list[Field]:
        """What is always in view."""
        return [field for field in self.fields if not field.advanced]

    @property
    def more(self) -> list[Field]:
        """What is under "More settings"."""
        return [field for field in self.fields if field.advanced]

    @property
    def more_open(self) -> bool:
        """Whether a fault hides there."""
        return any(field.errors for field in self.more)


@dataclass(frozen=True, slots=True)
class Posted:
    """What a browser sent: the settings that were meant, and the text as it was typed."""

    params: Mapping[str, Any]
    typed: Mapping[str, str]
    preset: str


def defaults(params: type[Params], preset: str = "") -> dict[str, Any]:
    """What the settings are when nobody changes anything."""
    schema = _schema(params)["properties"]
    values = {name: field["default"] for name, field in schema.items() if field.get("default") is not None}
    return values | dict(params.presets.get(preset, {}))


def first_preset(params: type[Params]) -> str:
    """The preset a fresh form starts with."""
    return "balanced" if "balanced" in params.presets else next(iter(params.presets), "")


def read(params: type[Params], sent: Mapping[str, str]) -> Posted:
    """Read a posted form: only the task's own fields, and only those that were changed."""
    schema = _schema(params)
    base, preset = sent.get("_base", ""), sent.get("_preset", "")
    typed = {name: sent.get(name, "") for name in schema["properties"]}
    left_alone = defaults(params, base)
    decoded = decode_text(schema, {name: text.strip() for name, text in typed.items()})
    meant = {name: value for name, value in decoded.items() if left_alone.get(name, UNSET) != value}
    if preset in params.presets:
        follow = defaults(params, preset)
        typed |= {name: to_text(follow.get(name)) for name in typed if name not in meant}
    return Posted(meant, typed, preset if preset in params.presets else "")


def build(
    params: type[Params],
    typed: Mapping[str, str],
    *,
    preset: str = "",
    faults: Iterable[Fault] = (),
    options: Mapping[str, Sequence[Choice]] | None = None,
) -> Form:
    """Make the form of a task.

    Args:
        params: The task's params class.
        typed: Text for each field; fields that are absent show their default.
        preset: The preset chosen.
        faults: What was wrong with the values posted.
        options: What can be chosen for inputs (datasets, model versions) and for columns of a table, by field.
    """
    schema = _schema(params)
    wrong: dict[str, list[str]] = {}
    problems = []
    for fault in faults:
        name = fault.pointer.strip("/").partition("/")[0]
        known = name in schema["properties"]
        sentence = say_fault(fault)
        problems.append(Problem(sentence, f"#f-{name}" if known or name in BESIDE else "#main"))
        if known:
            wrong.setdefault(name, []).append(sentence)
    start = defaults(params, preset)
    fields = [
        _field(params, name, typed.get(name, to_text(start.get(name))), wrong.get(name, []), options or {})
        for name in schema["properties"]
    ]
    return Form(fields, problems, preset, tuple(params.presets))


def to_text(value: Any) -> str:
    """A value as a person would type it: ``0.0002``, ``true``, empty for nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        text = format(Decimal(repr(value)), "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(value)


def in_words(value: str) -> str:
    """A machine's choice as people say it: ``non_saturating`` is "Non saturating"."""
    text = value.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


@cache
def _schema(params: type[Params]) -> Mapping[str, Any]:
    return params.model_json_schema()


def _field(
    params: type[Params],
    name: str,
    value: str,
    errors: Sequence[str],
    options: Mapping[str, Sequence[Choice]],
) -> Field:
    schema = _schema(params)
    own = schema["properties"][name]
    kind = kind_of(own)
    return Field(
        name=name,
        title=say(own.get("title", name)),
        help=_help(own, kind),
        unit=_unit(own),
        kind=kind,
        value=value,
        choices=_choices(own, name, value, options),
        advanced=bool(own.get("x-advanced")),
        required=name in schema.get("required", []),
        whole="integer" in _types(own),
        errors=errors,
        presets={preset: to_text(defaults(params, preset).get(name)) for preset in params.presets},
    )


def _unit(own: Mapping[str, Any]) -> str:
    """The unit, unless the title says it already ("Images")."""
    unit = own.get("x-unit", "")
    return "" if unit == own.get("title", "").lower() else say(unit)


def kind_of(own: Mapping[str, Any]) -> Kind:
    """Which control shows a setting."""
    if own.get("x-input") in ("dataset", "model"):
        return "dataset" if own["x-input"] == "dataset" else "model"
    if own.get("x-column"):
        return "column"
    if values_of(own):
        return "choice"
    types = _types(own)
    if "boolean" in types:
        return "flag"
    if types & {"integer", "number"}:
        return "number"
    return "long" if _limit(own, "maxLength") is not None and _limit(own, "maxLength") > LONG_TEXT else "text"


def values_of(own: Mapping[str, Any]) -> list[Any]:
    """The closed list of a setting's values, empty if there is none."""
    found = list(own.get("enum", [own["const"]] if "const" in own else []))
    for option in own.get("anyOf", []):
        found += values_of(option)
    return found


def _types(own: Mapping[str, Any]) -> set[str]:
    return {str(one.get("type")) for one in (own, *own.get("anyOf", []))}


def _limit(own: Mapping[str, Any], name: str) -> Any:
    return next((one[name] for one in (own, *own.get("anyOf", [])) if name in one), None)


def _choices(
    own: Mapping[str, Any], name: str, value: str, options: Mapping[str, Sequence[Choice]]
) -> Sequence[Choice]:
    if own.get("x-input") or own.get("x-column"):
        return [Choice(one.value, one.label, one.value == value) for one in options.get(name, ())]
    texts = [to_text(one) for one in values_of(own)]
    empty = [Choice("", say("Automatic"), not value)] if texts and "null" in _types(own) else []
    # The words of the API and of the descriptions, so that what is read in one place is found in the other.
    return empty + [Choice(text, text, text == value) for text in texts]


def _help(own: Mapping[str, Any], kind: Kind) -> str:
    """The description, the range, and what happens when the field is left alone."""
    parts = [say(own.get("description", ""))]
    if kind == "number":
        parts.append(_range(own))
    default = own.get("default")
    if kind in ("number", "text", "long") and default not in (None, ""):
        parts.append(say("Default: {value}.", {"value": to_text(default)}))
    return joined(part for part in parts if part)


def _range(own: Mapping[str, Any]) -> str:
    low, high = _limit(own, "minimum"), _limit(own, "maximum")
    above, below = _limit(own, "exclusiveMinimum"), _limit(own, "exclusiveMaximum")
    values = {
        name: to_text(value) for name, value in (("low", low), ("high", high), ("above", above)) if value is not None
    }
    if low is not None and high is not None:
        return say("{low} to {high}.", values)
    if above is not None and high is not None:
        return say("More than {above}, at most {high}.", values)
    if low is not None and below is not None:
        return say("{low} or more, less than {below}.", values | {"below": to_text(below)})
    if low is not None:
        return say("{low} or more.", values)
    if above is not None:
        return say("More than {above}.", values)
    return say("At most {high}.", values) if high is not None else ""
