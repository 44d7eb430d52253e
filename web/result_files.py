"""Reading the files of results that pages show in their own way; nothing here trusts what they hold."""

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from aigc_models.data.table_results import Preview, preview
from jobs.tables import Artifact
from web import context

LARGEST = 16 * 2**20


def named(files: Sequence[Artifact], name: str) -> Artifact | None:
    """A job's result by its name."""
    return next((file for file in files if file.name == name and file.role == "output"), None)


def document(files: Sequence[Artifact], name: str) -> Mapping[str, Any] | None:
    """A JSON object among a job's results; None where there is none, or it cannot be read."""
    file = named(files, name)
    if file is None or file.size > LARGEST:
        return None
    try:
        with context.engine().store.open(file.sha256) as stream:
            found = json.loads(stream.read())
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def first_rows(file: Artifact) -> Preview | None:
    """The first rows of a CSV file, without reading the rest."""
    try:
        with (
            context.engine().store.open(file.sha256) as stream,
            io.TextIOWrapper(stream, encoding="utf-8", errors="replace", newline="") as lines,
        ):
            return preview(lines)
    except FileNotFoundError:
        return None
