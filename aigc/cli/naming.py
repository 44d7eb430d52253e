"""Finding what a person means: an id, a part of one, a name, ``name@production``, or ``@last``."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import click

from aigc.client import Client
from aigc.errors import NotFound, Problem
from aigc.resources import Dataset, Job, Model
from aigc.speech import say

Noun = Literal["job", "dataset", "model"]
LAST = "@last"
LOOK_BACK = 500
_NONE: Mapping[Noun, str] = {
    "job": "There is no job called {text}.",
    "dataset": "There is no dataset called {text}.",
    "model": "There is no model version called {text}.",
}
_NONE_YET: Mapping[Noun, str] = {
    "job": "There is no job yet.",
    "dataset": "There is no dataset yet.",
    "model": "There is no model version yet.",
}
_SEVERAL: Mapping[Noun, str] = {
    "job": "{text} fits {count} jobs. Write more of the id:",
    "dataset": "{text} fits {count} datasets. Write more of the id:",
    "model": "{text} fits {count} model versions. Write more of the id:",
}
_ID = re.compile(r"(job|ds|mdl)_[0-9a-z]{26}")
_ALIASED = re.compile(r"[^@/\s]+@(production|staging)")


class _Named(Protocol):
    @property
    def raw(self) -> Mapping[str, Any]: ...


def job(client: Client, text: str, task: str | None = None) -> Job:
    """The job a person means."""
    if _ID.fullmatch(text):
        return client.jobs.get(text)
    filters = {"task": task} if task else {}
    found = client.jobs.list(limit=1 if text == LAST else LOOK_BACK, **filters)
    return found[_choose("job", text, [item.raw for item in found])]


def is_job(text: str) -> bool:
    """Whether this is the whole id of a job, which may stand where the model version it makes is wanted."""
    return text.startswith("job_") and _ID.fullmatch(text) is not None


def dataset(client: Client, text: str) -> Dataset:
    """The dataset a person means."""
    if _ID.fullmatch(text):
        return client.datasets.get(text)
    found = client.datasets.list(limit=1 if text == LAST else LOOK_BACK)
    return found[_choose("dataset", text, [item.raw for item in found])]


def model(client: Client, text: str) -> Model:
    """The model version a person means; of several of one name, the newest, or the one that an alias stands for."""
    if _ID.fullmatch(text) or _ALIASED.fullmatch(text):
        return client.models.get(text)
    found = client.models.list(limit=1 if text == LAST else LOOK_BACK)
    return found[_choose("model", text, [item.raw for item in found])]


def _choose(noun: Noun, text: str, items: Sequence[Mapping[str, Any]]) -> int:
    matches = _matches(text, items)
    if len(matches) == 1:
        return matches[0]
    if not matches:
        sentence = say(_NONE_YET[noun]) if text == LAST else say(_NONE[noun], text=text)
        raise NotFound(Problem(404, "not-found", say("Not found"), sentence))
    if noun != "job" and all(items[index].get("name") == text for index in matches):
        return matches[0]  # versions of one thing, newest first
    named = "\n".join(f"  {items[index]['id']}  {items[index].get('name', '')}" for index in matches[:10])
    raise click.UsageError(say(_SEVERAL[noun], text=text, count=len(matches)) + "\n" + named)


def _matches(text: str, items: Sequence[Mapping[str, Any]]) -> list[int]:
    if text == LAST:
        return list(range(len(items)))[:1]
    exact = [index for index, item in enumerate(items) if text in (item["id"], item.get("name"))]
    if exact:
        return exact
    ids = [(index, str(item["id"])) for index, item in enumerate(items)]
    return [
        index
        for index, known in ids
        if known.startswith(text) or known.split("_", 1)[-1].startswith(text) or known.endswith(text)
    ]
