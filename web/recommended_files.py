"""The files of recommenders that pages and the API read: a job's lists, and a model version's items."""

from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import Any, cast

from aigc_models.data.recommended import (
    CATALOGUE,
    LISTS,
    Item,
    Recommendations,
    parse_catalogue,
    parse_recommendations,
)
from jobs.tables import Artifact, ModelVersion
from web import context

LARGEST = 64 * 2**20


def lists(files: Sequence[Artifact]) -> Recommendations | None:
    """The lists a job wrote; None where there are none, or they cannot be read."""
    file = _named(files, LISTS)
    if file is None:
        return None
    try:
        with context.engine().store.open(file.sha256) as stream:
            return parse_recommendations(stream.read())
    except (FileNotFoundError, ValueError):
        return None


def catalogue(row: ModelVersion) -> Sequence[Item]:
    """A model version's items, the most popular first; none where it has no list of them."""
    file = _named(context.repository().artifacts(row.job_id, role="output"), f"model/{CATALOGUE}")
    return _items(cast(Hashable, context.engine().store), file.sha256) if file is not None else ()


def _named(files: Sequence[Artifact], name: str) -> Artifact | None:
    return next((file for file in files if file.name == name and file.role == "output" and file.size <= LARGEST), None)


@lru_cache(maxsize=4)
def _items(store: Any, sha256: str) -> Sequence[Item]:
    """Bytes of one hash never change, so what was read of them is good for ever. The store is hashed by identity."""
    try:
        with store.open(sha256) as stream:
            return tuple(parse_catalogue(stream.read()))
    except (FileNotFoundError, ValueError):
        return ()
