"""A trained model's files: weights, settings, and the log it learnt from, as how-tos are drafted from it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from aigc_models import training
from aigc_models.data import event_logs
from aigc_models.data.event_logs import EventLog
from aigc_models.next_event.networks import NextEventNetwork
from aigc_models.next_event.params import NextEventTrain, plan_for
from aigc_models.next_event.paths import rows_of
from aigc_models.recommending.saved import code_version

WEIGHTS, CONFIG = "weights.safetensors", "config.json"


@dataclass(frozen=True)
class Saved:
    """A trained model, ready to use.

    Attributes:
        network: Says what comes next.
        log: All sessions, those of the test too: they happened, so how-tos rest on them as well.
        cites: Whether sessions may be cited by their names; not where these look like a person's.
        params: The settings it was trained with.
        weights_sha256: Hash of the weights' file.
    """

    network: NextEventNetwork
    log: EventLog
    cites: bool
    params: NextEventTrain
    weights_sha256: str

    @cached_property
    def event_numbers(self) -> Mapping[str, int]:
        """Events by what they are called."""
        return {name: number for number, name in enumerate(self.log.events.names)}

    @cached_property
    def task_numbers(self) -> Mapping[str, int]:
        """Tasks by what they are called."""
        return {name: number for number, name in enumerate(self.log.labels["task"].names)}

    @cached_property
    def outcome_numbers(self) -> Mapping[str, int]:
        """Outcomes by what they are called."""
        return {name: number for number, name in enumerate(self.log.labels["outcome"].names)}

    def session_name(self, session: int) -> str:
        """How a session is cited: by its name, or by its number where the name could be a person's."""
        return self.log.session_names[session] if self.cites else f"#{session + 1}"


def save(directory: Path, network: NextEventNetwork, log: EventLog, params: NextEventTrain, *, cites: bool) -> None:
    """Write the files of a model version; names of sessions that could be a person's are left out."""
    directory.mkdir(parents=True, exist_ok=True)
    training.save_weights(network, directory / WEIGHTS)
    names = log.session_names if cites else [f"#{number + 1}" for number in range(len(log.session_names))]
    event_logs.save_log(
        EventLog(log.sessions, log.events, log.times, log.facts, log.labels, names, log.is_test), directory
    )
    config = {
        "family": "next_event",
        "code_version": code_version(),
        "params": params.model_dump(mode="json"),
        "data": {"events": len(log), "sessions": len(log.session_names), "actions": len(log.events.names)},
        "cites": cites,
    }
    (directory / CONFIG).write_text(json.dumps(config, indent=1, ensure_ascii=False), encoding="utf-8")


def load(directory: Path, device: str) -> Saved:
    """Read what :func:`save` wrote."""
    config = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
    params = NextEventTrain.model_validate_json(json.dumps(config["params"]))
    log = event_logs.load_log(directory)
    counts = (len(log.events.names), len(log.labels["task"].names), len(log.labels["outcome"].names))
    network = NextEventNetwork(plan_for(params, *counts))
    training.load_weights(network, directory / WEIGHTS)
    network.to(device).eval().requires_grad_(False)
    network(rows_of(network, [[0]]))  # the first pass prepares kernels
    digest = hashlib.sha256((directory / WEIGHTS).read_bytes()).hexdigest()
    return Saved(network, log, bool(config["cites"]), params, digest)
