"""Another dataset's log in the numbers of a trained model, matched by what things are called."""

from collections.abc import Sequence

import numpy as np

from aigc_models.base import Fault, InputError, Run
from aigc_models.data.event_logs import EventLog, Labels
from aigc_models.next_event.saved import Saved


def translated(saved: Saved, log: EventLog, run: Run) -> EventLog:
    """The log with the model's numbers; events that the model does not know are left out.

    Raises:
        InputError: It knows none of them.
    """
    events = _renumbered(log.events, saved.log.events.names)
    known = events.numbers >= 0
    if not known.any() or not (known & log.is_test[log.sessions]).any():
        sentence = "The model knows none of the dataset's events. Choose the dataset it was trained on, or a newer one."
        raise InputError(Fault(sentence, pointer="/dataset", code="nothing-known"))
    if not known.all():
        run.log(f"{int((~known).sum()):,} events of the dataset are unknown to the model and were left out.")
    kept, sessions = np.unique(log.sessions[known], return_inverse=True)
    return EventLog(
        sessions.astype(np.int64),
        events.take(known),
        log.times[known],
        {name: one.take(known) for name, one in log.facts.items()},
        {name: _renumbered(one.take(kept), saved.log.labels[name].names) for name, one in log.labels.items()},
        [log.session_names[int(one)] for one in kept],
        log.is_test[kept],
    )


def _renumbered(labels: Labels, names: Sequence[str]) -> Labels:
    known = {name: number for number, name in enumerate(names)}
    numbers = np.array([*(known.get(name, -1) for name in labels.names), -1], np.int64)
    return Labels(numbers[labels.numbers], list(known))
