"""What the datasets that settings name bring with them: columns to choose from, and likely personal data."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import url_for

from aigc_models.base import Params
from jobs.errors import AigcError
from jobs.repository import Repository
from jobs.tables import Dataset
from web import forms
from web.i18n import plural
from web.pages.table_report import TYPES
from web.translate import say

MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence on a dataset, and where to do something about it."""

    sentence: str
    link: str


def named(params: type[Params], values: Mapping[str, Any], reads: Repository) -> dict[str, Dataset]:
    """The datasets that settings name, by setting; those that are not there are left out."""
    found = {}
    for name, own in params.model_json_schema()["properties"].items():
        chosen = values.get(name)
        if own.get("x-input") == "dataset" and isinstance(chosen, str) and chosen:
            try:
                found[name] = reads.dataset(chosen)
            except AigcError:
                continue  # the form says so when it is sent
    return found


def columns(params: type[Params], datasets: Mapping[str, Dataset]) -> dict[str, list[forms.Choice]]:
    """The columns that each setting can name, with their types; settings whose table is not known are left out."""
    found = {}
    for name, own in params.model_json_schema()["properties"].items():
        dataset = datasets.get(own.get("x-column", ""))
        if dataset is not None and dataset.kind == "table":
            listed = [(str(one["name"]), str(one["type"])) for one in (dataset.report or {}).get("columns") or ()]
            wanted = own.get("x-types")
            fitting = [(column, type_) for column, type_ in listed if not wanted or type_ in wanted]
            found[name] = [forms.Choice("", say("Empty"))]
            for column, type_ in fitting:
                values = {"column": column, "type": say(TYPES.get(type_, type_))}
                found[name].append(forms.Choice(column, say("{column} ({type})", values)))
    return found


def notes(datasets: Iterable[Dataset], values: Mapping[str, Any]) -> list[Note]:
    """What is to be known of likely personal data in datasets, once for each that has some.

    Args:
        datasets: What a training learns from.
        values: Its settings: of columns that it does not learn nothing is told.
    """
    told = ((dataset, _personal(dataset, values)) for dataset in {one.id: one for one in datasets}.values())
    return [
        Note(sentence, url_for("pages.datasets.show", dataset_id=dataset.id, _anchor="personal"))
        for dataset, sentence in told
        if sentence
    ]


def _learnt(column: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Whether a model of rows can repeat cells: identifiers are made anew, free text is copied only on demand."""
    kind = column.get("type")
    return kind != "identifier" and (kind != "text" or values.get("text_columns") == "repeat")


def _personal(dataset: Dataset, values: Mapping[str, Any]) -> str:
    report: Mapping[str, Any] = dataset.report or {}
    name = f"{dataset.name} v{dataset.number}"
    if dataset.kind == "table":
        columns = [one for one in report.get("columns") or () if one.get("personal") and _learnt(one, values)]
        return _in_columns(name, [str(one["name"]) for one in columns])
    hidden = report.get("masked") or report.get("hashed")
    if not report.get("personal") or hidden:
        return ""
    return say("{name} has likely personal data that is not masked. A model may repeat it.", {"name": name})


def _in_columns(name: str, found: Sequence[str]) -> str:
    if not found:
        return ""
    columns, more = say(", ").join(found[:MOST_NAMED]), len(found) - MOST_NAMED
    if more > 0:
        return plural(
            "{name} has likely personal data in {columns} and {count} more column, neither masked nor dropped. "
            "A model may repeat it.",
            "{name} has likely personal data in {columns} and {count} more columns, neither masked nor dropped. "
            "A model may repeat it.",
            more,
            name=name,
            columns=columns,
        )
    return say(
        "{name} has likely personal data in {columns}, neither masked nor dropped. A model may repeat it.",
        {"name": name, "columns": columns},
    )
