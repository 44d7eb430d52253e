"""What a job reads: the datasets and model versions its settings name, checked before it is queued."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aigc_models.base import Fault, Params
from jobs.errors import DatasetNotReady, InvalidParams, WrongInput
from jobs.principal import Principal
from jobs.tables import Dataset, JobInput, ModelVersion

MISSING = "There is no {kind} called {id}. It may have been deleted."
WRONG = "{name} is a {found}, but this task needs a {wanted}."
NOT_READY = "The dataset {name} is still being checked or was refused. See its page."
ERRORS: Mapping[str, type[InvalidParams]] = {"wrong-input": WrongInput, "dataset-not-ready": DatasetNotReady}


@dataclass(frozen=True, slots=True)
class Found:
    """What the settings name.

    Attributes:
        rows: Lineage, still without its job.
        names: Names of the datasets and model versions, in the order of the settings.
    """

    rows: list[JobInput]
    names: list[str]


def find(session: Session, principal: Principal, params: Params) -> Found:
    """Look up every dataset and model version the settings name.

    Raises:
        WrongInput: A dataset of another kind, or a model version of another family.
        DatasetNotReady: A dataset that is still being checked, or was refused.
        InvalidParams: Something does not exist, or several of these.
    """
    found, faults = Found([], []), list[Fault]()
    for field, extra in input_fields(type(params)).items():
        value = getattr(params, field)
        if value is None:
            continue
        looked_up = _LOOK_UP[extra["x-input"]](session, principal, field, value, extra["x-kind"])
        if isinstance(looked_up, Fault):
            faults.append(looked_up)
            continue
        row, name = looked_up
        found.rows.append(row)
        found.names.append(name)
    if faults:
        codes = {fault.code for fault in faults}
        error = ERRORS.get(codes.pop(), InvalidParams) if len(codes) == 1 else InvalidParams
        # The first fault's own sentence, unless there are several to list.
        raise error("" if error is InvalidParams else faults[0].message, faults=faults, **faults[0].values)
    return found


def input_fields(params: type[Params]) -> dict[str, Mapping[str, Any]]:
    """The settings that name an input, with what their declaration says of it."""
    extras = {name: info.json_schema_extra for name, info in params.model_fields.items()}
    return {name: extra for name, extra in extras.items() if isinstance(extra, Mapping) and "x-input" in extra}


def _dataset(session: Session, principal: Principal, field: str, id_: str, kind: str) -> tuple[JobInput, str] | Fault:
    wanted = select(Dataset).where(Dataset.id == id_, Dataset.tenant_id == principal.tenant_id)
    row = session.scalar(wanted)
    if row is None:
        return Fault(MISSING, {"kind": "dataset", "id": id_}, f"/{field}", code="not-found")
    if row.kind != kind:
        values = {"name": row.name, "found": f"dataset of {row.kind}", "wanted": f"dataset of {kind}"}
        return Fault(WRONG, values, f"/{field}", code="wrong-input")
    if row.ready_at is None:
        return Fault(NOT_READY, {"name": row.name}, f"/{field}", code="dataset-not-ready")
    return JobInput(field=field, dataset_id=row.id), row.name


def _model(session: Session, principal: Principal, field: str, id_: str, family: str) -> tuple[JobInput, str] | Fault:
    wanted = select(ModelVersion).where(ModelVersion.id == id_, ModelVersion.tenant_id == principal.tenant_id)
    row = session.scalar(wanted)
    if row is None:
        return Fault(MISSING, {"kind": "model version", "id": id_}, f"/{field}", code="not-found")
    if row.family != family:
        values = {"name": row.name, "found": f"model of {row.family}", "wanted": f"model of {family}"}
        return Fault(WRONG, values, f"/{field}", code="wrong-input")
    return JobInput(field=field, model_id=row.id), row.name


_LookUp = Callable[[Session, Principal, str, str, str], tuple[JobInput, str] | Fault]
_LOOK_UP: Mapping[str, _LookUp] = {"dataset": _dataset, "model": _model}
