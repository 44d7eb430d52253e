"""What how-tos are asked for: tasks and outcomes of a log, or the way from one event to another."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from aigc_models.base import Fault, InputError, Run
from aigc_models.data.event_logs import EventLog
from aigc_models.data.log_columns import SUCCESS
from aigc_models.next_event.drafting import Topic
from aigc_models.next_event.evidence import Walk, walks
from aigc_models.next_event.params import NextEventDraftHowTo
from aigc_models.next_event.saved import Saved
from aigc_models.next_event.using import Given

MOST_TOPICS = 200


def topics(saved: Saved, params: NextEventDraftHowTo, run: Run) -> list[Topic]:
    """Everything that is asked for and that enough sessions did.

    Raises:
        InputError: A name is unknown, nothing is asked for that the log can tell, or too few sessions did it.
    """
    if params.start.strip() or params.goal.strip():
        return [_between(saved, params)]
    log = saved.log
    tasks, outcomes = log.labels["task"], log.labels["outcome"]
    wished = _wished(saved, params)
    outcome = _outcome(saved, params)
    if tasks.names:
        found = [_of_task(saved, task, outcome) for task in wished]
    elif outcome is not None and not wished:
        found = [_of_outcome(saved, outcome)]
    elif outcomes.names:
        found = [_of_outcome(saved, number) for number in wished or range(len(outcomes.names))]
    else:
        found = [_of_all(saved)]
    enough = [one for one in found if len(one.good) >= params.least_sessions]
    for one in found:
        if len(one.good) < params.least_sessions:
            run.log(f"{one.title}: only {len(one.good)} sessions, so nothing was drafted.")
    if not enough:
        sentence = "Only {count} sessions did this. A how-to must rest on {least}; lower Least sessions, or bring more."
        values = {"count": max(len(one.good) for one in found), "least": params.least_sessions}
        raise InputError(Fault(sentence, values, "/tasks", code="too-few-sessions"))
    enough.sort(key=lambda one: -len(one.good))
    return enough[:MOST_TOPICS]


def _wished(saved: Saved, params: NextEventDraftHowTo) -> list[int]:
    """Numbers of the tasks that are named, or of all; of outcomes where the log knows no tasks."""
    known = saved.task_numbers or saved.outcome_numbers
    named = [line.strip() for line in params.tasks.splitlines() if line.strip()]
    unknown = [name for name in named if name not in known]
    if unknown:
        raise _nobody_knows(unknown[0], "/tasks", known)
    if named:
        return [known[name] for name in dict.fromkeys(named)]
    return list(range(len(saved.task_numbers)))


def _outcome(saved: Saved, params: NextEventDraftHowTo) -> int | None:
    """The outcome that sessions must have ended in; None where the log knows none that means success."""
    known, name = saved.outcome_numbers, params.outcome.strip()
    if name:
        if name not in known:
            raise _nobody_knows(name, "/outcome", known)
        return known[name]
    if params.tasks.strip() and not saved.task_numbers:
        return None
    successful = [number for name, number in known.items() if name.strip().casefold() in SUCCESS]
    if not successful:
        return None
    numbers = saved.log.labels["outcome"].numbers
    return max(successful, key=lambda number: int((numbers == number).sum()))


def _nobody_knows(name: str, pointer: str, known: Iterable[str]) -> InputError:
    sentence = "The log has nothing called {name} here. It has: {names}."
    values = {"name": name, "names": ", ".join(list(known)[:20]) or "–"}
    return InputError(Fault(sentence, values, pointer, code="nothing-known"))


def _of_task(saved: Saved, task: int, outcome: int | None) -> Topic:
    log = saved.log
    own = log.labels["task"].numbers == task
    ended = log.labels["outcome"].numbers
    good = own & (ended == outcome) if outcome is not None else own
    bad = own & (ended >= 0) & (ended != outcome) if outcome is not None else np.zeros_like(own)
    return _topic(saved, log.labels["task"].names[task], (good, bad, ~own), Given(task, outcome))


def _of_outcome(saved: Saved, outcome: int) -> Topic:
    log = saved.log
    ended = log.labels["outcome"].numbers
    name = log.labels["outcome"].names[outcome]
    bad = (ended >= 0) & (ended != outcome)
    alone = name.strip().casefold() in SUCCESS  # then all other sessions tried the same
    others = np.zeros_like(bad) if alone else bad
    return _topic(saved, name, (ended == outcome, bad if alone else np.zeros_like(bad), others), Given(None, outcome))


def _of_all(saved: Saved) -> Topic:
    every = np.ones(len(saved.log.session_names), np.bool_)
    return _topic(saved, "", (every, ~every, ~every), Given())


def _topic(saved: Saved, title: str, parts: Sequence[Any], given: Given) -> Topic:
    log = saved.log
    good, bad, others = (np.flatnonzero(one).tolist() for one in parts)
    outcome = log.labels["outcome"].names[given.outcome] if given.outcome is not None else ""
    return Topic(title, given, outcome, walks(log, good), walks(log, bad), None, None, _shares(log, others))


def _between(saved: Saved, params: NextEventDraftHowTo) -> Topic:
    """From one event to another, wherever sessions do both."""
    known = saved.event_numbers
    ends = []
    for name, pointer in ((params.start.strip(), "/start"), (params.goal.strip(), "/goal")):
        if name and name not in known:
            raise _nobody_knows(name, pointer, known)
        ends.append(known[name] if name else None)
    start, goal = ends
    if start is not None and start == goal:
        sentence = "The first and the last event are the same. Choose two different ones."
        raise InputError(Fault(sentence, {}, "/goal", code="same-events"))
    found = []
    for one in walks(saved.log, range(len(saved.log.session_names))):
        first = one.events.index(start) if start in one.events else (0 if start is None else None)
        if first is None:
            continue
        rest = list(one.events)[first:]
        last = rest.index(goal) + 1 if goal in rest else (len(rest) if goal is None else 0)
        if last > 1:
            found.append(Walk(one.session, one.rows[first : first + last], rest[:last]))
    if len(found) < params.least_sessions:
        sentence = "Only {count} sessions do this. A how-to must rest on {least}; lower Least sessions, or bring more."
        values = {"count": len(found), "least": params.least_sessions}
        raise InputError(Fault(sentence, values, "/goal" if goal is not None else "/start", code="too-few-sessions"))
    title = params.goal.strip() or params.start.strip()
    return Topic(title, Given(), "", found, [], start, goal, {})


def _shares(log: EventLog, sessions: Any) -> dict[int, float]:
    """In which share of some sessions each event is."""
    if not len(sessions):
        return {}
    inside = np.isin(log.sessions, sessions)
    pairs = np.unique(log.sessions[inside] * len(log.events.names) + log.events.numbers[inside])
    counts = np.bincount(pairs % len(log.events.names), minlength=len(log.events.names))
    return {int(event): float(counts[event] / len(sessions)) for event in np.flatnonzero(counts)}
