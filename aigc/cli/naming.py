"""Finding what a person means: an id, a part of one, a name, ``name@production``, or ``@last``."""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Literal, Protocol

import click

from aigc.client import Client
from aigc.errors import NotFound, Problem
from aigc.library import Dataset, Model
from aigc.resources import Job
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
    "model": "There is no model yet.",
}
_FIRST: Mapping[Noun, str] = {
    "job": "Start one first: {command}",
    "dataset": "Add one first: {command}",
    "model": "Train one first: {command}",
}
_COMMANDS: Mapping[Noun, str] = {
    "job": "aigc submit TASK --data FILE",
    "dataset": "aigc datasets add FILE",
    "model": "aigc submit TASK --data FILE",
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
    return found[_choose(client, "job", text, [item.raw for item in found])]


def is_job(text: str) -> bool:
    """Whether this is the whole id of a job, which may stand where the model version it makes is wanted."""
    return text.startswith("job_") and _ID.fullmatch(text) is not None


def dataset(client: Client, text: str) -> Dataset:
    """The dataset a person means."""
    if _ID.fullmatch(text):
        return client.datasets.get(text)
    found = client.datasets.list(limit=1 if text == LAST else LOOK_BACK)
    return found[_choose(client, "dataset", text, [item.raw for item in found])]


def model(client: Client, text: str) -> Model:
    """The model version a person means; of several of one name, the newest, or the one that an alias stands for."""
    if _ID.fullmatch(text):
        return client.models.get(text)
    if _ALIASED.fullmatch(text):
        try:
            return client.models.get(text)
        except NotFound:
            found = client.models.list(limit=LOOK_BACK)
            raise _none(client, "model", text, [item.raw for item in found]) from None
    found = client.models.list(limit=1 if text == LAST else LOOK_BACK)
    return found[_choose(client, "model", text, [item.raw for item in found])]


def _choose(client: Client, noun: Noun, text: str, items: Sequence[Mapping[str, Any]]) -> int:
    matches = _matches(text, items)
    if len(matches) == 1:
        return matches[0]
    if not matches:
        raise _none(client, noun, text, items)
    if noun != "job" and all(items[index].get("name") == text for index in matches):
        return matches[0]  # versions of one thing, newest first
    named = "\n".join(f"  {items[index]['id']}  {items[index].get('name', '')}" for index in matches[:10])
    raise click.UsageError(say(_SEVERAL[noun], text=text, count=len(matches)) + "\n" + named)


def _none(client: Client, noun: Noun, text: str, items: Sequence[Mapping[str, Any]]) -> NotFound:
    """That there is none, with what was meant or what makes the first one."""
    return NotFound(Problem(404, "not-found", say("Not found"), _nothing(client, noun, text, items)))


def _nothing(client: Client, noun: Noun, text: str, items: Sequence[Mapping[str, Any]]) -> str:
    if items:
        names = dict.fromkeys(_names(items))
        near = get_close_matches(text, names, n=1) or get_close_matches(text.partition("@")[0], names, n=1)
        hint = [say("Did you mean {name}?", name=near[0])] if near else []
        return " ".join([say(_NONE[noun], text=text), *hint])
    return f"{say(_NONE_YET[noun])} {say(_FIRST[noun], command=_first(client, noun))}"


def _names(items: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for item in items:
        yield str(item.get("name") or item["id"])
        yield from (f"{item['name']}@{alias}" for alias in item.get("aliases") or ())


def _first(client: Client, noun: Noun) -> str:
    """The command that makes the first one, with a task of the server's where one is needed."""
    tasks = client.tasks.list() if "TASK" in _COMMANDS[noun] else []
    trains = [task for task in tasks if task.raw.get("makes") == "model"]
    return _COMMANDS[noun].replace("TASK", trains[0].task) if trains else _COMMANDS[noun]


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
