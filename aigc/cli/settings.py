"""Settings from the command line: typed by the server's schema, checked by the server."""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from aigc.records import TaskRecord

_TRUE, _FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})


def from_file(path: str) -> dict[str, Any]:
    """The settings in a JSON file, or on stdin for ``-``."""
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
        read = json.loads(text)
    except ValueError as error:
        raise click.UsageError(f"{path} is no JSON: {error}") from error
    if not isinstance(read, dict):
        raise click.UsageError(f'{path} must hold one JSON object, such as {{"epochs": 3}}.')
    return read


def from_pairs(pairs: Iterable[str], task: TaskRecord) -> dict[str, Any]:
    """The settings of ``key=value`` pairs. What does not fit stays text, so that the server says what is wrong."""
    settings: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise click.UsageError(f"{pair} is no setting. Write it as name=value, such as -p epochs=3.")
        settings[name] = decode(task.fields.get(name, {}), text)
    return settings


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
