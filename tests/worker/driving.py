"""Driving a runner by hand, as a supervisor would."""

import select
from pathlib import Path
from typing import Any

from worker.protocol import Message
from worker.runner_pool import Runner

SECONDS = 30.0


def give(runner: Runner, operation: str, directory: Path, **more: Any) -> None:
    """Give a toy to a runner, with `out` and `scratch` below a directory."""
    out, scratch = directory / "out", directory / "scratch"
    for made in (out, scratch):
        made.mkdir(parents=True, exist_ok=True)
    work: dict[str, Any] = {
        "family": "toy",
        "operation": operation,
        "params": {},
        "inputs": {},
        "out_dir": str(out),
        "scratch": str(scratch),
        "resume_from": None,
        "device": "cpu",
        "checkpoint_seconds": 3600.0,
        "adjustments": {},
    }
    runner.send("run", **(work | more))


def hear(runner: Runner, until: str = "end") -> list[Message]:
    """Everything up to the first message of a kind."""
    heard: list[Message] = []
    while not any(message["kind"] == until for message in heard):
        assert select.select([runner.events.fd], [], [], SECONDS)[0], f"no {until} after {heard}"
        heard += runner.read()
        assert not runner.events.ended, runner.tail.text()
    return heard


def of_kind(messages: list[Message], kind: str) -> list[Message]:
    """The messages of one kind."""
    return [message for message in messages if message["kind"] == kind]
