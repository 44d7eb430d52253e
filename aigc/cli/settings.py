"""Settings from the command line: typed by the server's schema, checked by the server."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from aigc.records import TaskRecord
from aigc.speech import say

_TRUE, _FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})


def from_file(path: str) -> dict[str, Any]:
    """The settings in a JSON file, or on stdin for ``-``."""
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
        read = json.loads(text)
    except ValueError as error:
        raise click.UsageError(say("{path} is no JSON: {reason}", path=path, reason=error)) from error
    if not isinstance(read, dict):
        raise click.UsageError(
            say("{path} must hold one JSON object, such as {example}.", path=path, example='{"epochs": 3}')
        )
    return read


def from_pairs(pairs: Iterable[str], task: TaskRecord) -> dict[str, Any]:
    """The settings of ``key=value`` pairs. What does not fit stays text, so that the server says what is wrong."""
    return {name: decode(task.fields.get(name, {}), text) for name, text in split(pairs)}


def split(pairs: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Names and texts of ``key=value`` pairs."""
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise click.UsageError(say("{pair} is no setting. Write it as name=value, such as -p epochs=3.", pair=pair))
        yield name, text


def decode(field: Mapping[str, Any], text: str) -> Any:
    """A typed text as the JSON value its field wants."""
    kinds = {field.get("type")} | {option.get("type") for option in field.get("anyOf", [])}
    choices = field.get("enum", [])
    if "boolean" in kinds and text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    if "null" in kinds and text in ("", "null", "none"):
        return None
    if "string" in kinds and not any(isinstance(choice, (int, float)) for choice in choices):
        return text
    if choices and text in choices:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
