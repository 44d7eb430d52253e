"""Several jobs on one model in the runner: one call of the model, with a run, requests and an end for each."""

import importlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from aigc_models import registry
from aigc_models.base import Adjustments, InputError, Params
from aigc_models.faults import explain
from aigc_models.sharing import Ended, Outcome, Request
from worker.linux import PeakMemory
from worker.model_cache import ModelCache
from worker.pipe_run import PipeRun, Requests, Sender, Workplace
from worker.protocol import Message


class PartSender:
    """Sends what one of several jobs has to say, with its name on it.

    Args:
        writer: Sends for all of them.
        part: The name.
    """

    def __init__(self, writer: Sender, part: str) -> None:
        self._writer, self._part = writer, part

    def send(self, kind: str, /, **fields: Any) -> None:
        """Write one message."""
        self._writer.send(kind, part=self._part, **fields)


def run_together(
    message: Message,
    writer: Sender,
    requests: Mapping[str, Requests],
    models: ModelCache,
    told: Callable[[Outcome], dict[str, Any]],
) -> dict[str, Any]:
    """Carry out a message ``run_many``; says how each job ended as soon as it has.

    Args:
        message: What is to be done.
        writer: Pipe to the supervisor.
        requests: What it asks for meanwhile, by part.
        models: Models that stay loaded.
        told: Puts an outcome into words.

    Returns:
        How many fitted into one call, and how many might.
    """
    work, names = list[Request[Params]](), list[str]()
    senders = {part["part"]: PartSender(writer, part["part"]) for part in message["parts"]}
    for part in message["parts"]:
        name = part["part"]
        run = PipeRun(workplace({**message, **part}), senders[name], requests[name], models)
        try:
            work.append(Request(read_params({**message, **part}), run))
            names.append(name)
        except InputError as error:
            senders[name].send("end", **told(error))
    operation = model_module(message["family"])
    many = getattr(operation, f"{message['operation']}_many")
    with models.keeping_all() if len(work) > 1 else nullcontext(), PeakMemory(message["device"]) as memory:
        fitted = _each(many(work), lambda place, outcome: _end(senders[names[place]], work[place], told(outcome)))
    return {"fitted": fitted, "room": memory.room(len(work))}


def _each(ended: Iterator[Ended], tell: Callable[[int, Outcome], None]) -> int:
    while True:
        try:
            place, outcome = next(ended)
        except StopIteration as end:
            return int(end.value or 0)
        tell(place, outcome)


def _end(sender: PartSender, request: Request[Any], said: dict[str, Any]) -> None:
    request.run.flush()  # type: ignore[attr-defined]
    sender.send("end", **said)


def workplace(job: Message) -> Workplace:
    """Where and with what a message wants an operation to run."""
    return Workplace(
        device=job["device"],
        inputs={name: Path(path) for name, path in job["inputs"].items()},
        out_dir=Path(job["out_dir"]),
        scratch=Path(job["scratch"]),
        resume_from=Path(job["resume_from"]) if job["resume_from"] else None,
        checkpoint_seconds=job["checkpoint_seconds"],
        adjustments=Adjustments.read(job["adjustments"]),
    )


def read_params(job: Message) -> Params:
    """The settings, validated once more: the row may be older than the code that reads it.

    Raises:
        InputError: They are no settings of this operation.
    """
    declared = registry.task(f"{job['family']}.{job['operation']}")
    try:
        return declared.model_validate_json(json.dumps(job["params"]))
    except ValidationError as error:
        raise InputError(explain(error, declared)) from error


def taken(device: str) -> dict[str, int]:
    """What a fresh process has taken of a GPU's memory, for the ``end`` of a training; nothing on a CPU."""
    if not device.startswith("cuda"):
        return {}
    return {"peak_memory": int(sys.modules["torch"].cuda.max_memory_reserved(device))}


def model_module(family: str) -> Any:
    """The module with the networks: beside the module that declares the first operation's settings."""
    declared = next(iter(registry.families()[family].operations.values()))
    return importlib.import_module(f"{declared.__module__.rpartition('.')[0]}.model")
