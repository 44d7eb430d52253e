"""``aigc tasks``: what the server can do and with which settings."""

from collections.abc import Mapping
from typing import Any

import click

from aigc.cli import completing
from aigc.cli.session import Command, session
from aigc.notebook import number
from aigc.records import TaskRecord
from aigc.speech import say

_KINDS = {
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "string": "text",
    "null": "none",
}


@click.command(cls=Command)
@click.argument("name", metavar="[NAME]", required=False, shell_complete=completing.tasks)
def tasks(name: str | None) -> None:
    """List what the server can do, or with NAME show the settings of one task."""
    if name:
        task = session().client.tasks.get(name)
        session().show(task.raw, describe(task))
        return
    found = session().client.tasks.list()
    rows = [[task.task, str(task.raw.get("lane", "")), task.summary] for task in found]
    session().table(("task", "lane", "what it does"), rows, [task.raw for task in found])


def describe(task: TaskRecord) -> str:
    """One task as text: every setting with type, range, default and help."""
    lines = [f"{task.task}: {task.summary}", "", say("Settings (give each as -p NAME=VALUE)")]
    for name, field in task.fields.items():
        facts = [limits(field)]
        if field.get("default") is not None:
            facts.append(say("default {value}", value=number(field["default"])))
        mark = f" ({say('needed')})" if name in task.required else ""
        lines.append(f"  {name}: {', '.join(facts)}{mark}")
        if field.get("description"):
            lines.append(f"      {field['description']}")
    if task.presets:
        lines += ["", say("Presets (--preset NAME)")]
        for preset, values in task.presets.items():
            lines.append(f"  {preset}: {', '.join(f'{key}={number(value)}' for key, value in values.items())}")
    return "\n".join(lines)


def limits(field: Mapping[str, Any]) -> str:
    """What a setting may be."""
    if field.get("x-input"):
        return f"{say(str(field['x-input']))} ({field.get('x-kind', 'any')})"
    if "enum" in field:
        return say("one of {choices}", choices=", ".join(str(choice) for choice in field["enum"]))
    kinds = [option.get("type", "") for option in field.get("anyOf", [])] or [str(field.get("type", "value"))]
    kind = say(" or ").join(say(_KINDS.get(name, name)) for name in kinds)
    low, high = field.get("minimum"), field.get("maximum")
    span = say(" from {low} to {high}", low=low, high=high) if low is not None and high is not None else ""
    unit = f" {field['x-unit']}" if field.get("x-unit") else ""
    return f"{kind}{span}{unit}"
