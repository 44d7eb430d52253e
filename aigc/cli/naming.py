"""Finding what a person means: an id, a part of one, a name, ``name@production``, or ``@last``.

Ids and names the server reads everywhere (:func:`jobs.aliases.resolve`); parts of ids and ``@last`` are for typing.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Literal, TypeVar

import click

from aigc.cli.session import session
from aigc.client import Client
from aigc.errors import NotFound, Problem
from aigc.library import Dataset, Model
from aigc.resources import Job
from aigc.speech import say

T = TypeVar("T", Job, Dataset, Model)
Noun = Literal["job", "dataset", "model"]
LAST = "@last"
ALIASES = ("production", "staging")
LOOK_BACK = 500
UNDER_WAY = ("blocked", "queued", "running", "cancelling", "paused")
ENDED = ("succeeded", "failed", "cancelled")
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
_NONE_FITS: Mapping[Noun, str] = {
    "job": "There is no job that this fits.",
    "dataset": "There is no dataset that this fits.",
    "model": "There is no model that this fits.",
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
_LISTS: Mapping[Noun, str] = {"job": "aigc jobs list", "dataset": "aigc datasets list", "model": "aigc models list"}
_SEVERAL: Mapping[Noun, str] = {
    "job": "{text} fits {count} jobs. Write more of the id:",
    "dataset": "{text} fits {count} datasets. Write more of the id:",
    "model": "{text} fits {count} model versions. Write more of the id:",
}
_ID = re.compile(r"(job|ds|mdl)_[0-9a-z]{26}")
_NAME = re.compile(r"[^@/_?#%\s]{1,120}(@(production|staging))?")


def job(client: Client, text: str, *, fits: Collection[str] = (), operation: str = "") -> Job:
    """The job a person means.

    Args:
        client: Where.
        text: What they typed.
        fits: Where ``@last`` may stand for only some jobs: their states.
        operation: Likewise the operation of their task.
    """
    if _ID.fullmatch(text):
        try:
            return client.jobs.get(text)
        except NotFound as error:
            raise _mistyped(error, text, [item.id for item in client.jobs.list(limit=LOOK_BACK)]) from None
    if text != LAST:
        found = client.jobs.list(limit=LOOK_BACK)
        return found[_choose(client, "job", text, [item.raw for item in found])]
    for item in client.jobs.list(limit=LOOK_BACK if operation else 1, **({"state": list(fits)} if fits else {})):
        if item.task.endswith(operation):
            return _taken(item, f"{item.name} ({item.task})")
    raise _none(client, "job", text, [item.raw for item in client.jobs.list(limit=1)])


def unfinished(client: Client, text: str) -> Job:
    """The job a person means; ``@last`` is one that has not ended."""
    return job(client, text, fits=UNDER_WAY)


def ended(client: Client, text: str) -> Job:
    """The job a person means; ``@last`` is one that has ended."""
    return job(client, text, fits=ENDED)


def is_job(text: str) -> bool:
    """Whether this is the whole id of a job, which may stand where the model version it makes is wanted."""
    return text.startswith("job_") and _ID.fullmatch(text) is not None


def dataset(client: Client, text: str, kind: str | None = None) -> Dataset:
    """The dataset a person means; ``@last`` is one of a kind, where a task wants that."""
    if _ID.fullmatch(text) or _NAME.fullmatch(text):
        try:
            return client.datasets.get(text)
        except NotFound as error:  # perhaps the end of an id
            if _ID.fullmatch(text):
                raise _mistyped(error, text, [item.id for item in client.datasets.list(limit=LOOK_BACK)]) from None
    if text != LAST:
        found = client.datasets.list(limit=LOOK_BACK)
        return found[_choose(client, "dataset", text, [item.raw for item in found])]
    for item in client.datasets.list(limit=LOOK_BACK if kind else 1):
        if kind in (None, item.kind):
            return _taken(item, f"{item.name} v{item.version} ({item.kind})")
    raise _none(client, "dataset", text, [item.raw for item in client.datasets.list(limit=1)])


def model(client: Client, text: str, *, operation: str = "", family: str = "") -> Model:
    """The model version a person means; of several of one name, the newest, or the one that an alias stands for.

    Args:
        client: Where.
        text: What they typed.
        operation: Where ``@last`` may stand for only some: what it must be able to do.
        family: Likewise, of which family it must be, or of which ones, with commas between them.
    """
    if _ID.fullmatch(text) or _NAME.fullmatch(text):
        try:
            return client.models.get(text)
        except NotFound as error:  # perhaps the end of an id
            if _ID.fullmatch(text):
                raise _mistyped(error, text, [item.id for item in client.models.list(limit=LOOK_BACK)]) from None
    if text != LAST:
        found = client.models.list(limit=LOOK_BACK)
        return found[_choose(client, "model", text, [item.raw for item in found])]
    several = frozenset(one.strip() for one in family.split(",")) if "," in family else None
    able = _able(client, operation) if operation else several
    own = {"family": family} if family and several is None else {}
    for item in client.models.list(limit=LOOK_BACK if able else 1, **own):
        if able is None or item.family in able:
            return _taken(item, f"{item.name} v{item.version} ({item.family})")
    raise _none(client, "model", text, [item.raw for item in client.models.list(limit=1)])


def _able(client: Client, operation: str) -> frozenset[str]:
    names = (task.task.partition(".") for task in client.tasks.list())
    return frozenset(family for family, _, what in names if what == operation)


def _mistyped(error: NotFound, text: str, ids: Sequence[str]) -> NotFound:
    """What the server said, with the id that was meant where one differs in a sign or two."""
    near = get_close_matches(text, ids, n=1, cutoff=0.9)
    if not near:
        return error
    said = f"{error} {say('Did you mean {name}?', name=near[0])}"
    return NotFound(replace(error.problem, detail=said, errors=()))


def _taken(item: T, what: str) -> T:
    session().say("{last} is {what}: {id}", last=LAST, what=what, id=item.id)
    return item


def _choose(client: Client, noun: Noun, text: str, items: Sequence[Mapping[str, Any]]) -> int:
    matches = _matches(text, items)
    if len(matches) == 1:
        return matches[0]
    if not matches:
        raise _none(client, noun, text, items)
    named = "\n".join(f"  {items[index]['id']}  {items[index].get('name', '')}" for index in matches[:10])
    raise click.UsageError(say(_SEVERAL[noun], text=text, count=len(matches)) + "\n" + named)


def _none(client: Client, noun: Noun, text: str, items: Sequence[Mapping[str, Any]]) -> NotFound:
    """That there is none, with what was meant, what is under way, or what makes the first one."""
    return NotFound(Problem(404, "not-found", say("Not found"), _nothing(client, noun, text, items)))


def say_empty(client: Client, noun: Noun, *, filtered: bool) -> None:
    """Say why a list is empty, and what to do next."""
    session().tell(say(_NONE_FITS[noun]) if filtered else _nothing(client, noun, LAST, []))


def _nothing(client: Client, noun: Noun, text: str, items: Sequence[Mapping[str, Any]]) -> str:
    if items and text != LAST:
        name, at, alias = text.partition("@")
        if at and any(item.get("name") == name for item in items):
            sentence = "{alias} stands for no version of {name}. Say {name} for the newest one, or: {command}"
            command = f"aigc models promote {name} {alias if alias in ALIASES else ALIASES[0]}"
            return say(sentence, name=name, alias=alias or "@", command=command)
        names = dict.fromkeys(_names(items))
        near = get_close_matches(text, names, n=1) or get_close_matches(text.partition("@")[0], names, n=1)
        hint = [say("Did you mean {name}?", name=near[0])] if near else []
        coming = [] if near or noun != "model" else _coming(client, text)
        listed = [] if coming else [say("List them with: {command}", command=_LISTS[noun])]
        return " ".join([say(_NONE[noun], text=text), *hint, *coming, *listed])
    coming = _coming(client) if noun == "model" else []
    first = coming or [say(_FIRST[noun], command=_first(client, noun))]
    return " ".join([say((_NONE_FITS if items else _NONE_YET)[noun]), *first])


def _coming(client: Client, name: str | None = None) -> list[str]:
    """The training that will make a model version, where one is under way: it only takes time."""
    trains = {task.task for task in client.tasks.list() if task.raw.get("makes") == "model"}
    for item in client.jobs.list(limit=LOOK_BACK, state=list(UNDER_WAY)):
        if item.task in trains and name in (None, item.name):
            sentence = "The training {name} makes one, but has not ended. Watch it: {command}"
            return [say(sentence, name=item.name, command=f"aigc jobs watch {item.id}")]
    return []


def _names(items: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for item in items:
        yield from (str(word) for word in (item.get("name"), item["id"]) if word)
        yield from (f"{item['name']}@{alias}" for alias in item.get("aliases") or ())


def _first(client: Client, noun: Noun) -> str:
    """The command that makes the first one, with a task of the server's where one is needed."""
    tasks = client.tasks.list() if "TASK" in _COMMANDS[noun] else []
    trains = [task for task in tasks if task.raw.get("makes") == "model"]
    return _COMMANDS[noun].replace("TASK", trains[0].task) if trains else _COMMANDS[noun]


def _matches(text: str, items: Sequence[Mapping[str, Any]]) -> list[int]:
    exact = [index for index, item in enumerate(items) if text in (item["id"], item.get("name"))]
    if exact:
        return exact
    ids = [(index, str(item["id"])) for index, item in enumerate(items)]
    return [
        index
        for index, known in ids
        if known.startswith(text) or known.split("_", 1)[-1].startswith(text) or known.endswith(text)
    ]
