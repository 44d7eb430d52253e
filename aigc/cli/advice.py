"""What to type after a failure, where the server knows which setting to change."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

from aigc.records import TaskRecord
from aigc.resources import Job


def suggested(job: Job) -> Mapping[str, Any]:
    """The settings that the server would change."""
    return ((job.error or {}).get("suggestion") or {}).get("params") or {}


def command(job: Job, task: TaskRecord) -> str:
    """The command that submits a job with its suggested settings; what is the default anyway is left out."""
    wanted = {**job.params, **suggested(job)}
    changed = {
        name: value
        for name, value in wanted.items()
        if name in suggested(job) or value != task.fields.get(name, {}).get("default")
    }
    pairs = (f"-p {shlex.quote(f'{name}={_typed(value)}')}" for name, value in changed.items())
    return " ".join(["aigc", "submit", job.task, *pairs])


def _typed(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
