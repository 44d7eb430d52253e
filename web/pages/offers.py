"""What a form offers for its inputs: ready datasets, model versions, and trainings that will make one."""

from collections.abc import Mapping, Sequence

from aigc_models import registry
from aigc_models.base import Params, families_of
from jobs.filtering import ModelFilter
from jobs.repository import JobFilter, Repository
from jobs.tables import ModelVersion
from web import forms
from web.translate import say

MOST_OPTIONS = 100
MOST_TRAININGS = 20
UNFINISHED = ("blocked", "queued", "running", "paused")


def options(params: type[Params], reads: Repository) -> Mapping[str, Sequence[forms.Choice]]:
    """What can be chosen for each input: ready datasets of the kind, model versions of the family."""
    found: dict[str, Sequence[forms.Choice]] = {}
    for name, own in params.model_json_schema()["properties"].items():
        if own.get("x-input") == "dataset":
            rows = reads.datasets(None, MOST_OPTIONS, kind=own["x-kind"], ready_only=True).items
            found[name] = [forms.Choice(row.id, f"{row.name} v{row.number}") for row in rows]
        elif own.get("x-input") == "model":
            families = families_of(own["x-kind"])
            wanted = [ModelFilter(family=one) for one in families]
            versions = [row for one in wanted for row in reads.models(None, MOST_OPTIONS, one).items]
            ids = [forms.Choice(row.id, f"{row.name} v{row.number}") for row in versions]
            found[name] = [
                *_aliases(versions, reads),
                *ids,
                *(each for one in families for each in _trainings(one, reads)),
            ]
    return found


def _aliases(versions: Sequence[ModelVersion], reads: Repository) -> list[forms.Choice]:
    """What aliases stand for at this moment; the job takes the version that its alias stands for when it is sent."""
    held = reads.aliases([row.id for row in versions])
    return [
        forms.Choice(f"{row.name}@{alias}", f"{row.name}@{alias} (v{row.number})")
        for row in versions
        for alias in held.get(row.id, ())
    ]


def first(params: type[Params], reads: Repository) -> dict[str, str]:
    """What a browser shows as chosen in a fresh form: the first offer for each input that a job needs."""
    needed = set(params.model_json_schema().get("required", ()))
    return {name: offered[0].value for name, offered in options(params, reads).items() if offered and name in needed}


def _trainings(family: str, reads: Repository) -> list[forms.Choice]:
    """Unfinished trainings of a family: a job may wait for the model version that one of them makes."""
    tasks = registry.families()[family].operations.items() if family in registry.families() else ()
    found = list[forms.Choice]()
    for name in (name for name, params in tasks if params.makes == "model"):
        wanted = JobFilter(states=UNFINISHED, task=f"{family}.{name}")
        found += [
            forms.Choice(job.id, say("{name} (when it is trained)", {"name": job.name}))
            for job in reads.jobs(wanted, limit=MOST_TRAININGS).items
        ]
    return found
