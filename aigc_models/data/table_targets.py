"""Whether a column of a table can be predicted, from names and types alone: forms ask before anything is started.

Only the standard library is used.
"""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import Field

from aigc_models.base import Fault

PREDICTABLE = ("categorical", "boolean", "continuous", "integer", "datetime")
ORDERED = ("datetime", "integer", "continuous")
_WRITTEN = frozenset({"identifier", "text"})  # as aigc_models.data.tables says, which needs numpy


def column_setting(*, title: str, description: str, types: Sequence[str] = ()) -> Any:
    """Declare a setting that names a column of the table in the setting ``dataset``, or none.

    Forms offer the columns of that table; the API and the command line take the name.

    Args:
        title: The label.
        description: A full sentence that says what an empty one does.
        types: Types of columns that are offered; all where there are none.
    """
    extra: dict[str, Any] = {"x-column": "dataset"}
    if types:
        extra["x-types"] = list(types)
    return Field("", title=title, description=description, max_length=500, json_schema_extra=extra)


def target_setting(
    description: str = "Column whose prediction measures the synthetic rows; empty takes the last one with categories.",
) -> Any:
    """Declare the setting that names the column to predict."""
    return column_setting(title="Target column", description=description, types=PREDICTABLE)


def target_fault(types: Mapping[str, str], target: str) -> Fault | None:
    """What is wrong with a column to predict.

    Args:
        types: The type of each column, by name.
        target: The column.
    """
    if target not in types:
        near = get_close_matches(target, types, n=1)
        values = {"column": target, "columns": ", ".join(types)}
        sentence = "There is no column {column} to predict. The columns are: {columns}."
        if near:
            sentence = "There is no column {column} to predict. Did you mean {near}? The columns are: {columns}."
            values["near"] = near[0]
        return Fault(sentence, values, "/target", code="no-target")
    if types[target] in _WRITTEN:
        sentence = (
            "The column {column} holds identifiers or free text, which cannot be predicted. Choose one with categories "
            "or numbers."
        )
        return Fault(sentence, {"column": target}, "/target", code="no-target")
    return None


def column_fault(types: Mapping[str, str], setting: str, name: str) -> Fault | None:
    """That a setting names a column that a table does not have."""
    if name in types:
        return None
    near = get_close_matches(name, types, n=1)
    values = {"column": name, "columns": ", ".join(types)}
    sentence = "The table has no column {column}. Its columns are: {columns}."
    if near:
        sentence = "The table has no column {column}. Did you mean {near}? Its columns are: {columns}."
        values["near"] = near[0]
    return Fault(sentence, values, f"/{setting}", {"column": name}, "unknown-column")


def misfits(reports: Callable[[str], Mapping[str, Any]], target: str, **columns: str) -> list[Fault]:
    """What settings name that the table of the setting ``dataset`` does not have.

    Args:
        reports: The report of what a setting names; only asked where a column is named.
        target: The column to predict, or nothing.
        columns: Other columns that settings name, by setting; an empty one names none.
    """
    if not target and not any(columns.values()):
        return []
    report = reports("dataset")
    listed = report.get("columns")
    if report.get("kind") != "table" or not listed:
        return []
    types = {str(one["name"]): str(one["type"]) for one in listed}
    found = [target_fault(types, target)] if target else []
    found += [column_fault(types, setting, name) for setting, name in columns.items() if name]
    return [fault for fault in found if fault is not None]
