"""Tasks: what can be done, with the settings of each as JSON Schema."""

from typing import Any

from flask import Response

from aigc_models import registry
from aigc_models.base import Family, Params
from aigc_models.judging import MetricInfo
from jobs import errors
from jobs.submit import unknown_task
from web import schemas
from web.api.render import answer, tagged, whole
from web.api.routing import Reply, operation
from web.pages.names import CURVES
from web.translate import say


class NoSuchTask(errors.NotFound):
    """There is no task called {task}. Run aigc tasks to see all there are."""

    code, title = "unknown-task", "There is no such task"


DRAFT = "https://json-schema.org/draft/2020-12/schema"


@operation(
    method="GET",
    path="/tasks",
    tag="tasks",
    headers=("If-None-Match",),
    replies={200: Reply("All tasks.", schemas.Listing[schemas.Task])},
)
def list_tasks() -> Response:
    """List the tasks of this installation."""
    return whole([_shown(name) for name in registry.tasks()], schemas.Task)


@operation(
    method="GET",
    path="/tasks/{task}",
    tag="tasks",
    headers=("If-None-Match",),
    replies={200: Reply("The task.", schemas.Task)},
    errors=(NoSuchTask,),
)
def get_task(task: str) -> Response:
    """Look at one task's settings and presets."""
    if task not in registry.tasks():
        unknown = unknown_task(task)
        raise NoSuchTask(unknown.message, **unknown.values)
    return tagged(answer(_shown(task)))


def _shown(name: str) -> schemas.Task:
    family_name, _, operation_name = name.partition(".")
    family, params = registry.families()[family_name], registry.tasks()[name]
    return schemas.Task(
        task=name,
        family=family_name,
        operation=operation_name,
        title=_title(family, operation_name),
        summary=say((params.__doc__ or "").strip().partition("\n")[0]),
        lane=params.lane,
        makes=params.makes,
        presets=plain(params.presets),
        schema=task_schema(params),
        metrics={name: _figure(info) for name, info in family.metrics.items()},
        curves={name: say(title) for name, title in CURVES.items()},
    )


def _figure(info: MetricInfo) -> schemas.Figure:
    return schemas.Figure(
        title=say(info.title),
        better=info.better,
        description=say(info.description),
        baseline=info.baseline,
        real=info.real,
        noise=info.noise,
        of=say(info.of) if info.of else "",
        alone=say(info.alone) if info.alone else "",
    )


def _title(family: Family, operation_name: str) -> str:
    return f"{say(family.title)}: {say(operation_name.replace('_', ' '))}"


def task_schema(params: type[Params]) -> dict[str, Any]:
    """JSON Schema 2020-12 of a task's settings, with its presets."""
    return {"$schema": DRAFT, **params.model_json_schema(), "x-presets": plain(params.presets)}


def plain(presets: Any) -> dict[str, dict[str, Any]]:
    """Presets as plain JSON objects."""
    return {name: dict(values) for name, values in presets.items()}


VIEWS = (list_tasks, get_task)
