"""What the API tells of datasets and model versions beside their figures: cards, aliases, who uses them, pauses."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from web.job_facts import Answer

Alias = Literal["production", "staging"]


class Source(Answer):
    """The file a dataset was made from."""

    filename: str
    size: int
    sha256: str
    deleted_at: datetime | None = Field(None, description="When somebody deleted the file itself.")


class DatasetLinks(Answer):
    """Where everything of a dataset is."""

    self: str
    web: str
    preview: str
    report: str
    used_by: str
    job: str


class ModelFile(Answer):
    """A file of a model version."""

    name: str
    size: int
    sha256: str
    content: str


class ModelLinks(Answer):
    """Where everything of a model version is."""

    self: str
    web: str
    generate: str
    card: str
    archive: str
    used_by: str
    job: str


class Card(Answer):
    """What people wrote about a model version."""

    intended_use: str = Field("", description="What it is meant for.")
    limits: str = Field("", description="What it cannot do, and what it must not be used for.")
    licence: str = Field("", description="Under what terms it may be used.")
    notes: str = Field("", description="Anything else worth knowing.")


class UsedBy(Answer):
    """Something that uses a dataset or model version."""

    id: str
    name: str


class Users(Answer):
    """What stands on a dataset or model version; while there is something, it cannot be deleted."""

    count: int = Field(description="How many jobs read it.")
    jobs: list[UsedBy] = Field(description="The newest of them, 50 at most.")
    models: list[UsedBy] = Field(description="Model versions that were trained on it.")
    aliases: list[Alias] = Field(description="Aliases that stand for it.")


class Pause(Answer):
    """A slot, or a whole queue, that takes no new jobs."""

    id: str
    object: Literal["pause"] = "pause"
    queue: str = Field(description="Lane and kind of device, such as training.cpu.")
    host: str | None = Field(None, description="Host of the slot; null for the whole queue.")
    device: str | None = Field(None, description="Name of the slot's device; null for the whole queue.")
    paused_at: datetime
    paused_by: str
