"""Tiny event logs for the tests of next-event models."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from aigc_models.data.event_logs import FACTS, EventLog, Labels, save_log, save_report

Session = tuple[Sequence[str], str, str]  # events, task, outcome


def log_of(sessions: Sequence[Session], times: Sequence[float] | None = None) -> EventLog:
    """A log of sessions s0, s1, ..., events a second apart if no times are given; every tenth session tests."""
    names = list(dict.fromkeys(event for events, _, _ in sessions for event in events))
    taken = [names.index(event) for events, _, _ in sessions for event in events]
    when = np.arange(len(taken), dtype=np.float64) if times is None else np.array(times, np.float64)
    number = np.repeat(np.arange(len(sessions)), [len(events) for events, _, _ in sessions])
    return EventLog(
        number.astype(np.int64),
        Labels(np.array(taken, np.int64), names),
        when,
        {name: Labels.unknown(len(taken)) for name in FACTS},
        {"task": labels([task for _, task, _ in sessions]), "outcome": labels([ended for _, _, ended in sessions])},
        [f"s{place}" for place in range(len(sessions))],
        np.arange(len(sessions)) % 10 == 9,
    )


def labels(spelled: Sequence[str]) -> Labels:
    """Labels from spellings, empty ones unknown."""
    names = list(dict.fromkeys(name for name in spelled if name))
    return Labels(np.array([names.index(name) if name else -1 for name in spelled], np.int64), names)


def tiny_log(sessions: int = 60) -> EventLog:
    """Two tasks of four steps each with an event of noise now and then; the second one fails where a step lacks."""
    rng = np.random.default_rng(3)
    made: list[Session] = []
    for place in range(sessions):
        task = "ab"[place % 2]
        steps = [f"{task}{step}" for step in range(4)]
        failed = task == "b" and rng.random() < 0.3
        if failed:
            steps.remove("b2")
        if rng.random() < 0.3:
            steps.insert(int(rng.integers(1, len(steps))), "noise")
        made.append((steps, task, "failed" if failed else "succeeded"))
    return log_of(made)


def write_log(directory: Path, log: EventLog, **more: object) -> Path:
    """Write a log as an import would."""
    save_log(log, directory)
    report: Mapping[str, object] = {
        "kind": "event_log",
        "events": len(log),
        "sessions": len(log.session_names),
        "actions": len(log.events.names),
        "tasks": [{"name": name} for name in log.labels["task"].names],
        "outcomes": [{"name": name} for name in log.labels["outcome"].names],
        "personal": [],
        "hash": "0" * 64,
        **more,
    }
    save_report(report, directory)
    return directory
