"""Datasets that are fetched from an address: what is asked for, and what is made of it."""

from pathlib import Path
from typing import IO

from flask import g
from pydantic import BaseModel, ConfigDict, Field

from jobs.errors import Unavailable
from jobs.tables import Dataset, Job
from web import context, uploads
from web.api import parsing

BUSY = "The server fetches as many files as it can at this moment. Send again in a moment."

KIND_CHOICE = (
    "Kind of dataset: images, table, interactions, text, event_log or language_model; where it is left out, the "
    "content decides, and rows of cells are a table."
)


class DatasetFromUrl(BaseModel):
    """A file that lies at an address, if the operator allows its host."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(title="Address", description="Where the file lies, with https.", min_length=1, max_length=2_048)
    name: str = Field(
        "", title="Name", description="What the dataset is called.", max_length=120, pattern=parsing.NO_NUL
    )
    licence: str = Field(
        "", title="Licence", description="Licence of the data.", max_length=120, pattern=parsing.NO_NUL
    )
    notes: str = Field(
        "", title="Notes", description="Where it is from, what to know.", max_length=10_000, pattern=parsing.NO_NUL
    )
    kind: str = Field("", title="Kind", description=KIND_CHOICE, max_length=16, pattern=parsing.NO_NUL)


def receive(wanted: DatasetFromUrl) -> tuple[Dataset, Job]:
    """Fetch a file and make a dataset of it, with the job that checks it.

    Raises:
        AigcError: It may not or cannot be fetched, or it is nothing that can be read.
    """
    from jobs import fetching  # few servers ever fetch, and each of them pays for what is imported

    settings = context.settings()
    staged: list[IO[bytes]] = []

    def open_file(expected: int) -> IO[bytes]:
        file = uploads.staging_file(settings, expected)
        g.setdefault("staged", []).append(file)
        staged.append(file)
        return file

    with context.process().waits.hold() as taken:
        if not taken:
            raise Unavailable(BUSY)
        fetched = fetching.fetch(wanted.url, settings, open_file)
    described = uploads.Described(
        kind=wanted.kind.strip(),
        name=wanted.name.strip(),
        licence=wanted.licence,
        notes=wanted.notes or wanted.url.partition("?")[0],
        idempotency_key=parsing.idempotency_key(),
    )
    return uploads.made(Path(staged[0].name), uploads.safe_filename(fetched.filename), described)
