"""The text sides of a form: the body that the API takes for the same job, written from the form or typed by hand."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from aigc_models.base import Fault
from jobs.errors import InvalidParams
from web.api.jobs import JobNew
from web.api.parsing import parsed
from web.problems import MalformedJson


class TypedJob(JobNew):
    """A submission as it is typed on the page of its task, which need not be said again."""

    task: str = Field("", title="Task", description="Name of the task, such as image_gan.train.", max_length=128)


def written(body: Mapping[str, Any]) -> str:
    """A body as text to read and change."""
    return json.dumps(body, ensure_ascii=False, indent=2)


def as_yaml(body: Mapping[str, Any], indent: str = "") -> str:
    """The same as YAML; JSON values are YAML, too, so only the mappings are written out."""
    lines = []
    for name, value in body.items():
        if isinstance(value, Mapping) and value:
            lines.append(f"{indent}{name}:\n{as_yaml(value, indent + '  ')}")
        else:
            lines.append(f"{indent}{name}: {json.dumps(value, ensure_ascii=False)}\n")
    return "".join(lines)


def read(text: str, task: str) -> TypedJob:
    """Read what was typed, as strictly as the API does.

    Raises:
        InvalidParams: It is no JSON, or none of this task.
    """
    try:
        found = parsed(text, TypedJob)
    except MalformedJson as error:
        sentence = "The text is not JSON: {reason}."
        raise InvalidParams(faults=[Fault(sentence, error.values, "/json", code="malformed-json")]) from None
    if found.task not in ("", task):
        sentence = "The text is for the task {found}, but this page is for {task}. Change it, or open the other page."
        values = {"found": found.task, "task": task}
        raise InvalidParams(faults=[Fault(sentence, values, "/task", code="unknown-task")])
    return found
