"""What the API tells of a job that is not its state: its place in the queue, and what held at its submission."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from aigc_models.judging import Judgement

Judgements = Annotated[
    dict[str, Judgement],
    Field(
        description="How figures stand to their baselines, by name; even where nothing was to be gained, unclear where "
        "a difference may be chance, few where too little was measured to say."
    ),
]


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(extra="forbid", defer_build=True)  # built when the first one is sent


class Span(Answer):
    """Seconds; what is expected lies between."""

    low: float
    high: float


class Queue(Answer):
    """Where a job waits."""

    name: str = Field(description="Lane and kind of device, such as training.cpu.")
    position: int | None = Field(None, description="1 is next; null when the job does not wait, and in lists.")
    starts_in_seconds: Span | None = Field(
        None,
        description="From how long such jobs took lately; null in replies to a submission and where nobody can tell.",
    )


class UsedInput(Answer):
    """A dataset or model version that a job reads."""

    id: str
    name: str
    version: int
    sha256: str = Field(description="Hash over the names and hashes of its files.")


class Snapshot(Answer):
    """What held when the job was submitted."""

    code_version: str | None = None
    preset: str | None = None
    after: list[str] = Field([], description="Ids of the jobs it was to wait for.")
    inputs: dict[str, UsedInput] = Field({}, description="What it reads, by setting.")


class Energy(Answer):
    """What the attempts of a job have used."""

    watt_hours: float
    wasted_watt_hours: float = Field(description="Of it, what no result and no checkpoint holds.")
    source: Literal["nvml", "rapl", "estimate", "mixed"] = Field(
        description="Which meter says so: the GPU's counter, the processor's, none (an estimate), or several."
    )
    cost: float | None = Field(None, description="What it cost; null where no price is set.")
    wasted_cost: float | None = Field(None, description="What of that was for nothing.")
    currency: str
