"""Every setting of every task, from the params classes."""

from collections.abc import Mapping
from typing import Any

from aigc_models import registry
from aigc_models.base import Family, Params
from scripts.reference.words import Words, code, first_sentence, table

ABOUT = (
    "What can be asked for, with every setting's range and default. The same classes make the form, the check of the "
    "API and the options of the command. This page is written by `scripts/write_reference.py`."
)
LANES = {"training": "Lane: training (long).", "generation": "Lane: generation (short)."}
MAKES = {
    "model": "Makes a model version.",
    "dataset": "Makes a dataset.",
    "files": "Makes files.",
}
KINDS = {"integer": "whole number", "number": "number", "boolean": "true or false", "string": "text"}


def page(t: Words) -> str:
    """A section for every family, a table for every task."""
    parts = [f"# {t('Task schemas')}\n\n{t(ABOUT)}\n\n"]
    return "".join(parts + [_family(family, t) for family in registry.families().values()])


def _family(family: Family, t: Words) -> str:
    paper = f" [{t('Paper')}]({family.paper})" if family.paper else ""
    lines = [f"## {t(family.title)}\n\n{t(family.summary)}{paper}\n\n"]
    lines += [_task(f"{family.name}.{name}", params, t) for name, params in family.operations.items()]
    if family.metrics:
        lines.append(f"### {t('Figures of {family}').format(family=family.name)}\n\n")
        rows = [
            (
                code(name),
                t(info.title),
                t(f"{info.better} is better") if info.better != "none" else "–",
                t(info.description),
            )
            for name, info in family.metrics.items()
        ]
        lines.append(table((t("figure"), t("shown as"), t("better"), t("meaning")), rows))
    return "".join(lines)


def _task(name: str, params: type[Params], t: Words) -> str:
    schema = params.model_json_schema()
    needed = schema.get("required", [])
    rows = [
        (code(field), t(own.get("title", "")), kind(own, t), _default(own, field in needed, t), t(own["description"]))
        for field, own in schema["properties"].items()
    ]
    said = t.text(first_sentence(params.__doc__), LANES[params.lane], MAKES[params.makes])
    head = (t("setting"), t("shown as"), t("value"), t("default"), t("meaning"))
    text = f"### {name}\n\n{said}\n\n" + table(head, rows)
    if params.presets:
        presets = [
            (code(preset), t.listed(f"{key}={value}" for key, value in values.items()))
            for preset, values in params.presets.items()
        ]
        text += table((t("preset"), t("settings beneath yours")), presets)
    return text


def kind(own: Mapping[str, Any], t: Words) -> str:
    """What a value may be."""
    if own.get("x-input"):
        return t("id of a dataset") if own["x-input"] == "dataset" else t("id of a model version")
    options = [one for one in own.get("anyOf", []) if one.get("type") != "null"]
    own = {**own, **options[0]} if options else own
    if "enum" in own:
        return t.listed(own["enum"])
    word = t(KINDS[own["type"]])
    low = own.get("minimum", own.get("exclusiveMinimum"))
    high = own.get("maximum", own.get("exclusiveMaximum"))
    if low is None or high is None:
        return word
    signs = (">" if "exclusiveMinimum" in own else "≥", "<" if "exclusiveMaximum" in own else "≤")
    return f"{word} {signs[0]} {low:g}, {signs[1]} {high:_}".replace("_", " ")


def _default(own: Mapping[str, Any], needed: bool, t: Words) -> str:
    if needed:
        return t("required")
    return code(own["default"]) if own.get("default") not in (None, "") else ""
