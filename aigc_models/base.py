"""What every model family is made of: parameters, the run it is given, and the faults it may raise.

Nothing here imports torch, so the web process and the command line can read every
family's parameters at no cost.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aigc_models.judging import MetricInfo

Phase = Literal["preparing", "training", "evaluating", "generating", "saving"]
Lane = Literal["training", "generation"]
Makes = Literal["model", "dataset", "files"]
Metrics = Mapping[str, float]
# An id, or the name of something with an alias that stands for one of its versions.
NAMED = r"[^@/_\s\x00-\x1f\x7f]{1,120}"  # no name has an underscore, every id has one
DATASET_REFERENCE = rf"^(ds_[0-9a-z]{{26}}|{NAMED})$"
MODEL_REFERENCE = rf"^((mdl|job)_[0-9a-z]{{26}}|{NAMED}(@(production|staging))?)$"

# Jobs with more items than this compute long enough by themselves.
FEW_ITEMS = 64

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a job is expected to cost before it is queued.

    Attributes:
        seconds: Wall time on the device it would run on.
        memory_mib: Peak memory of the runner, in MiB.
        parameters: Trainable numbers of all networks together.
    """

    seconds: float
    memory_mib: float
    parameters: int


class Params(BaseModel):
    """The validated settings of one operation; the single definition of what a user may set.

    Subclasses carry globally unique names (``ImageGanTrain``), because two equal names
    silently rename OpenAPI components. Read JSON with :meth:`model_validate_json`: types
    are strict, so ``"5"`` is no integer; whole floats such as ``1.0`` are, as JSON Schema says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    lane: ClassVar[Lane] = "training"
    makes: ClassVar[Makes] = "files"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    # Settings that become 0 where another one is chosen and they are not: {"least_steps": "epochs"}.
    stands_back: ClassVar[Mapping[str, str]] = {}
    # Settings that say what is wanted: a job's default name ends with the beginning of the first that is not empty.
    named_by: ClassVar[tuple[str, ...]] = ()

    seed: int = Field(
        0,
        ge=0,
        le=2**31 - 1,
        title="Seed",
        description="Number that starts all random draws; the same seed and settings give the same result.",
        json_schema_extra={"x-advanced": True},
    )

    @model_validator(mode="before")
    @classmethod
    def _as_meant(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        whole = {
            name: int(value)
            for name, value in data.items()
            if isinstance(value, float)
            and value.is_integer()
            and name in cls.model_fields
            and cls.model_fields[name].annotation is not float
        }
        return {**cls.over({}, data), **whole, **cls._no_numbers(data)}

    @classmethod
    def over(cls, beneath: Mapping[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
        """Settings that somebody chose over those of a preset or an earlier job, which fill in what was not chosen.

        What stands back for one that was chosen becomes 0 instead.
        """
        back = {name: 0 for name, other in cls.stands_back.items() if other in chosen and name not in chosen}
        return {**beneath, **back, **chosen}

    def misfits(self, reports: Callable[[str], Mapping[str, Any]]) -> list["Fault"]:
        """Say which settings do not fit what others name, as far as a report can tell.

        Args:
            reports: The report of the dataset that a setting names, or that the model it names learnt from; nothing
                where it is not known.
        """
        return []

    @classmethod
    def _no_numbers(cls, data: Mapping[str, Any]) -> dict[str, str]:
        """Yes and no where a number is chosen from a list: Python takes False for 0, JSON Schema does not."""
        numbers = [name for name, info in cls.model_fields.items() if {0, 1} & {*get_args(info.annotation)}]
        return {name: str(data[name]) for name in numbers if isinstance(data.get(name), bool)}

    @classmethod
    def items(cls, params: Mapping[str, Any]) -> int | None:  # noqa: ARG003 - for those who have some
        """How many items a job of these settings computes, where several such jobs can share a call of their model.

        A family that gives a number here has ``<operation>_many`` beside ``<operation>`` in its ``model.py``
        (:class:`aigc_models.sharing.Shared`).

        Args:
            params: The job's settings as they are stored.

        Returns:
            The number, or None for a job that is carried out by itself.
        """
        return None

    def estimate(self, dataset: Mapping[str, Any], cpu_threads: int) -> Estimate | None:
        """Say what this job will cost, from the dataset's report, or None where nobody can tell."""
        return None


def setting(
    default: Any = ...,
    *,
    title: str,
    description: str,
    unit: str = "",
    advanced: bool = False,
    **limits: Any,
) -> Any:
    """Declare one field of a :class:`Params`; its description is form, CLI, API and docs text at once.

    Args:
        default: The default, or ``...`` where the user must choose.
        title: The label, one to three words.
        description: A full sentence that names the unit.
        unit: Shown beside the field ("images", "steps").
        advanced: Whether the form hides it under "More settings".
        limits: ``ge``, ``le`` and the other constraints of :func:`pydantic.Field`.
    """
    extra: dict[str, Any] = {"x-unit": unit} if unit else {}
    if advanced:
        extra["x-advanced"] = True
    return Field(default, title=title, description=description, json_schema_extra=extra, **limits)


def devices_setting() -> Any:
    """Declare how many devices train together, in a family whose training can (:mod:`aigc_models.ranks`)."""
    return setting(
        1,
        title="Devices",
        description="How many devices of one machine train together; each computes its share of every batch, and the "
        "result stays the same.",
        ge=1,
        le=64,
        advanced=True,
    )


def dataset_input(kind: str, *, title: str = "Dataset", description: str, optional: bool = False) -> Any:
    """Declare a field that names a dataset of one kind by its id.

    That is ``ds_...``, or in a submission a name, for its newest version that is ready; this no operation ever sees.
    """
    return Field(
        None if optional else ...,
        title=title,
        description=description,
        pattern=DATASET_REFERENCE,
        json_schema_extra={"x-input": "dataset", "x-kind": kind},
    )


def model_input(family: str, *, title: str = "Model", description: str, optional: bool = False) -> Any:
    """Declare a field that names a model version of one family by its id.

    That is ``mdl_...``, or in a submission ``job_...`` of the training that makes it, a name for its newest version,
    or ``name@production``; these no operation ever sees.

    Args:
        family: The family, or several with commas between them (:func:`families_of`).
        title: The label.
        description: A full sentence.
        optional: Whether it may be left out.
    """
    return Field(
        None if optional else ...,
        title=title,
        description=description,
        pattern=MODEL_REFERENCE,
        json_schema_extra={"x-input": "model", "x-kind": family},
    )


def families_of(kind: str) -> list[str]:
    """The families that a setting of :func:`model_input` takes, from its ``x-kind``."""
    return [family.strip() for family in kind.split(",")]


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of model: its operations by name, and how its figures read.

    Attributes:
        needs: Name of a setting of the server without which pages do not offer it; empty for none.
        needs_data: Kind of dataset that does in the place of that setting, once there is one.
    """

    name: str
    title: str
    summary: str
    paper: str
    operations: Mapping[str, type[Params]]
    metrics: Mapping[str, MetricInfo] = field(default_factory=dict)
    needs: str = ""
    needs_data: str = ""


@dataclass(frozen=True, slots=True)
class Adjustments:
    """How a run goes gentler about the same settings, because an earlier try of them failed.

    Attributes:
        micro_batches: Parts a batch is computed in, one after the other. It takes less memory; the
            batch size that counts for the optimiser stays. What is drawn or measured in chunks
            takes chunks that are so many times smaller.
        learning_rate_factor: What the learning rate is multiplied with.
    """

    micro_batches: int = 1
    learning_rate_factor: float = 1.0

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> "Adjustments":
        """From JSON; what only another version knows is left out."""
        return cls(**{each.name: stored[each.name] for each in fields(cls) if each.name in stored})

    def chunk(self, size: int) -> int:
        """How many items to compute at once, where nothing is adjusted ``size``."""
        return max(1, size // self.micro_batches)


UNADJUSTED = Adjustments()


class Run(Protocol):
    """What an operation is given to work with. It never learns what a job is.

    Attributes:
        device: A torch device string, ``"cpu"`` or ``"cuda:0"``.
        inputs: For every dataset, model or upload field of the params that is set, a local,
            verified directory. A dataset's holds what its import wrote under ``dataset/``, a
            model's what its training wrote under ``model/``.
        out_dir: What is written here becomes the job's artifacts. ``model/...`` becomes the
            model version, ``dataset/...`` the dataset, everything else plain results.
        resume_from: Directory written by the ``checkpoint`` callback of an earlier attempt.
        adjustments: How to go gentler about the settings than they say.
    """

    device: str
    inputs: Mapping[str, Path]
    out_dir: Path
    resume_from: Path | None
    adjustments: Adjustments

    def phase(self, name: Phase) -> None:
        """Say which part of the work begins."""

    def report(self, step: int, total: int, **metrics: float) -> None:
        """Tell how far the work is; cheap to call every step. Raises :class:`Cancelled`."""

    def preview(self, name: str, step: int, path: Path) -> None:
        """Show a file (PNG, text) made at a step; it is copied before the call returns."""

    def checkpoint(self, step: int, write: Callable[[Path], None]) -> None:
        """Offer to save: called after every step, calls ``write(directory)`` only when one is due.

        Raises :class:`Paused` after writing when the run is asked to stop with its state kept.
        """

    def log(self, message: str) -> None:
        """Add a line to the job's log."""

    def warm(self, source: Path, load: Callable[[Path], T]) -> T:
        """Return ``load(source)``, or what an earlier run in this process loaded from the same place."""


class Cancelled(Exception):
    """The job was cancelled; leave at once and keep nothing."""


class Paused(Exception):
    """A checkpoint was written because the run must stop here; the job goes on later."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, as a sentence with gaps, so that it can be said in any language.

    Attributes:
        message: The sentence with ``{name}`` gaps; also the translation key.
        values: What fills the gaps.
        pointer: JSON pointer to the setting ("/epochs"), or empty.
        where: Place in the data, such as ``{"file": "a.png"}`` or ``{"row": 14, "column": "price"}``.
        code: Machine code of this fault.
    """

    message: str
    values: Mapping[str, Any] = field(default_factory=dict)
    pointer: str = ""
    where: Mapping[str, Any] = field(default_factory=dict)
    code: str = "invalid-params"

    def __str__(self) -> str:
        return self.message.format(**self.values)


class InputError(Exception):
    """The user's data cannot be used; carries every fault found (the first 100)."""

    def __init__(self, faults: Fault | list[Fault]) -> None:
        self.faults = [faults] if isinstance(faults, Fault) else faults[:100]
        super().__init__("; ".join(str(fault) for fault in self.faults[:3]))


class Diverged(Exception):
    """The loss became NaN or infinite."""

    def __init__(self, step: int) -> None:
        self.step = step
        super().__init__(f"The loss became NaN at step {step}")
