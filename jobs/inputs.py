"""What a job reads: the datasets and model versions its settings name, checked before it is queued."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aigc_models import registry
from aigc_models.base import Fault, Params, families_of
from jobs import aliases, graph, snapshot
from jobs.errors import DatasetNotReady, InvalidParams, NeededJobFailed, WrongInput
from jobs.naming import slug
from jobs.principal import Principal
from jobs.tables import FINAL, Dataset, Job, JobInput, ModelVersion

MISSING = "There is no {kind} called {id}. It may have been deleted."
WRONG = "{name} is {found}, but this task needs {wanted}."
DATASETS: Mapping[str, str] = {
    "images": "a dataset of images",
    "table": "a dataset with a table",
    "interactions": "a dataset of interactions",
    "text": "a dataset of texts",
    "event_log": "an event log",
    "language_model": "a language model that was uploaded",
}
NOT_READY = "The dataset {name} is still being checked or was refused. See its page."
NO_MODEL = "The job {name} makes no model version."
ERRORS: Mapping[str, type[InvalidParams]] = {
    "wrong-input": WrongInput,
    "dataset-not-ready": DatasetNotReady,
    "needed-job-failed": NeededJobFailed,
}
JOB = "job_"


@dataclass(frozen=True, slots=True)
class Found:
    """What the settings name.

    Attributes:
        rows: Lineage, still without its job.
        names: Names of the datasets and model versions, in the order of the settings.
        contents: What exactly they are, by setting, for the job's snapshot.
        waits: Unfinished trainings whose model version a setting will get, by setting.
        params: The settings, with ids in the place of names, aliases and trainings that are done.
    """

    rows: list[JobInput] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    contents: dict[str, Any] = field(default_factory=dict)
    waits: dict[str, str] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Who asks, and the jobs that settings name, held for the length of the transaction."""

    session: Session
    principal: Principal
    jobs: Mapping[str, Job]


@dataclass(frozen=True, slots=True)
class _Input:
    """What one setting names; ``row`` is still without its job. ``dataset`` is what it is, or learnt from."""

    row: JobInput
    name: str
    content: dict[str, Any] | None = None
    waits: str | None = None
    dataset: str | None = None


def named_jobs(params: Params) -> list[str]:
    """Trainings that stand in the place of the model version they make."""
    values = (
        getattr(params, name) for name, extra in input_fields(type(params)).items() if extra["x-input"] == "model"
    )
    return [value for value in values if isinstance(value, str) and value.startswith(JOB)]


def find(session: Session, principal: Principal, params: Params, jobs: Mapping[str, Job] | None = None) -> Found:
    """Look up every dataset and model version the settings name.

    Args:
        session: Only read from.
        principal: The caller.
        params: The settings.
        jobs: The jobs of :func:`named_jobs`.

    Raises:
        WrongInput: A dataset of another kind, or a model version of another family.
        DatasetNotReady: A dataset that is still being checked, or was refused.
        NeededJobFailed: A training that will never make its model version.
        InvalidParams: Something does not exist, a setting does not fit what another one names, or several of these.
    """
    asked = _Asked(session, principal, jobs or {})
    found, faults = Found(params=params.model_dump(mode="json")), list[Fault]()
    datasets: dict[str, str | None] = {}
    for name, extra in input_fields(type(params)).items():
        value = getattr(params, name)
        if value is None:
            continue
        one = _LOOK_UP[extra["x-input"]](asked, name, value, extra["x-kind"])
        if isinstance(one, Fault):
            faults.append(one)
        else:
            _keep(found, one)
            datasets[name] = one.dataset
    faults = faults or params.misfits(lambda name: _report(asked, datasets.get(name)))
    if faults:
        raise refused(faults)
    return found


def _report(asked: _Asked, dataset_id: str | None) -> Mapping[str, Any]:
    """What is known of a dataset, with its name; nothing where it was deleted."""
    if dataset_id is None:
        return {}
    wanted = select(Dataset).where(Dataset.id == dataset_id, Dataset.tenant_id == asked.principal.tenant_id)
    row = asked.session.scalar(wanted)
    return {**(row.report or {}), "name": row.name} if row is not None else {}


def refused(faults: list[Fault]) -> InvalidParams:
    """The error of some faults: with the first one's own sentence, unless there are several to list."""
    codes = {fault.code for fault in faults}
    error = ERRORS.get(codes.pop(), InvalidParams) if len(codes) == 1 else InvalidParams
    if error is InvalidParams:  # its own sentence has no gaps; whoever tells it gives a single fault's instead
        return error(faults=faults)
    return error(faults[0].message, faults=faults, **faults[0].values)


def input_fields(params: type[Params]) -> dict[str, Mapping[str, Any]]:
    """The settings that name an input, with what their declaration says of it."""
    extras = {name: info.json_schema_extra for name, info in params.model_fields.items()}
    return {name: extra for name, extra in extras.items() if isinstance(extra, Mapping) and "x-input" in extra}


def _keep(found: Found, one: _Input) -> None:
    name = one.row.field
    found.rows.append(one.row)
    found.names.append(one.name)
    if one.content is not None:
        found.contents[name] = one.content
    if one.waits is not None:
        found.waits[name] = one.waits
    else:
        found.params[name] = one.row.model_id or one.row.dataset_id


def _dataset(asked: _Asked, field: str, id_: str, kind: str) -> _Input | Fault:
    meant = aliases.newest(asked.session, asked.principal, Dataset, id_)
    wanted = select(Dataset).where(Dataset.id == meant, Dataset.tenant_id == asked.principal.tenant_id)
    row = asked.session.scalar(wanted)
    if row is None:
        return Fault(MISSING, {"kind": "dataset", "id": id_}, f"/{field}", code="not-found")
    if row.kind != kind:
        values = {"name": row.name, "found": DATASETS.get(row.kind, row.kind), "wanted": DATASETS.get(kind, kind)}
        return Fault(WRONG, values, f"/{field}", code="wrong-input")
    if row.ready_at is None:
        return Fault(NOT_READY, {"name": row.name}, f"/{field}", code="dataset-not-ready")
    content = snapshot.of_dataset(asked.session, row)
    return _Input(JobInput(field=field, dataset_id=row.id), row.name, content, dataset=row.id)


def _model(asked: _Asked, field: str, id_: str, family: str) -> _Input | Fault:
    if id_.startswith(JOB):
        return _training(asked, field, id_, family)
    meant = aliases.resolve(asked.session, asked.principal, id_)
    wanted = select(ModelVersion).where(ModelVersion.id == meant, ModelVersion.tenant_id == asked.principal.tenant_id)
    row = asked.session.scalar(wanted)
    if row is None:
        return Fault(MISSING, {"kind": "model version", "id": id_}, f"/{field}", code="not-found")
    if row.family not in families_of(family):
        return _of_another_family(row.name, row.family, field, family)
    return _version(asked, field, row)


def _version(asked: _Asked, field: str, row: ModelVersion) -> _Input:
    content = snapshot.of_model(asked.session, row)
    return _Input(JobInput(field=field, model_id=row.id), row.name, content, dataset=row.dataset_id)


def _training(asked: _Asked, field: str, id_: str, family: str) -> _Input | Fault:
    """A training in the place of the model version that it makes, or has made."""
    job = asked.jobs.get(id_)
    if job is None:
        return Fault(MISSING, {"kind": "job", "id": id_}, f"/{field}", code="not-found")
    kind = registry.tasks().get(f"{job.family}.{job.operation}")
    if kind is None or kind.makes != "model":
        return Fault(NO_MODEL, {"name": job.name}, f"/{field}", code="wrong-input")
    if job.family not in families_of(family):
        return _of_another_family(job.name, job.family, field, family)
    if (fault := graph.refusal(job, f"/{field}")) is not None:
        return fault
    if job.status not in FINAL:
        return _Input(JobInput(field=field), slug(job.name), waits=job.id, dataset=job.params.get("dataset"))
    made = select(ModelVersion).where(ModelVersion.job_id == job.id)
    return _version(asked, field, asked.session.scalars(made).one())


def _of_another_family(name: str, found: str, field: str, wanted: str) -> Fault:
    families = registry.families()
    titles = [families[one].title if one in families else one for one in (found, *families_of(wanted))]
    values = {"name": name, "found": titles[0], "wanted": " / ".join(titles[1:])}
    sentence = "{name} is a model of the family {found}, but this task needs one of the family {wanted}."
    return Fault(sentence, values, f"/{field}", code="wrong-input")


_LookUp = Callable[[_Asked, str, str, str], _Input | Fault]
_LOOK_UP: Mapping[str, _LookUp] = {"dataset": _dataset, "model": _model}
