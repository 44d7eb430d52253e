"""What can be set when a model of the next event is trained or used."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from aigc_models.base import Estimate, Family, Lane, Makes, Params, dataset_input, model_input, setting
from aigc_models.next_event.figures import NEXT_EVENT_METRICS
from aigc_models.next_event.plan import Plan
from aigc_models.recommending.settings import Names, names_setting

# Multiplications a second of one CPU thread in training, small networks and their overhead included.
_RATE = 3e9
Reasons = Literal["leave_one_out", "attention", "none"]


class NextEventTrain(Params):
    """Learn from sessions of operations what comes next, and how sessions end."""

    lane: ClassVar[Lane] = "training"
    makes: ClassVar[Makes] = "model"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {"quick": {"epochs": 12, "width": 48}, "balanced": {}, "best": {"epochs": 120, "width": 128, "patience": 20}}
    )

    dataset: str = dataset_input("event_log", description="Event log to learn from.")
    epochs: int = setting(
        40,
        title="Epochs",
        description="Most passes over the sessions; the training stops before it overfits.",
        ge=1,
        le=10_000,
    )
    batch_size: int = setting(
        32,
        title="Batch size",
        unit="sessions",
        description="Sessions, or pieces of long ones, per training step.",
        ge=2,
        le=4096,
    )
    learning_rate: float = setting(
        0.003, title="Learning rate", description="Largest step size of the optimiser.", gt=0, le=0.1
    )
    max_length: int = setting(
        64,
        title="History length",
        unit="events",
        description="How many of a session's newest events are looked at.",
        ge=2,
        le=1024,
    )
    width: int = setting(64, title="Width", description="Numbers that describe an event.", ge=4, le=1024, multiple_of=4)
    num_layers: int = setting(
        2, title="Layers", description="Blocks of self-attention, one after the other.", ge=1, le=12, advanced=True
    )
    num_heads: Literal[1, 2, 4] = setting(
        2,
        title="Heads",
        description="Attentions side by side in each block; the width is shared out among them.",
        advanced=True,
    )
    dropout: float = setting(
        0.2,
        title="Dropout",
        description="Share of the numbers left out at random in training, so that no session is learnt by heart.",
        ge=0,
        le=0.9,
    )
    weight_decay: float = setting(
        0.01,
        title="Weight decay",
        description="How strongly weights are drawn towards zero at each step.",
        ge=0,
        le=1,
        advanced=True,
    )
    ending_weight: float = setting(
        0.2,
        title="Weight of endings",
        description="How much it counts in training to tell a session's task and outcome, beside its next event.",
        ge=0,
        le=10,
        advanced=True,
    )
    patience: int = setting(
        10,
        title="Patience",
        unit="checks",
        description="Checks without a better loss on the validation sessions after which the training stops.",
        ge=1,
        le=10_000,
        advanced=True,
    )

    def estimate(self, dataset: Mapping[str, Any], cpu_threads: int) -> Estimate | None:
        """From the number of multiplications, as if the training never stopped early."""
        if not dataset.get("sessions") or not dataset.get("actions"):
            return None
        kinds = {name: len(dataset.get(name) or ()) for name in ("tasks", "outcomes")}
        plan = plan_for(self, int(dataset["actions"]), kinds["tasks"], kinds["outcomes"])
        events = int(dataset["events"])
        work = 3e6 * plan.millions * events / _RATE / max(cpu_threads, 1)
        steps = max(1, int(dataset["sessions"]) // self.batch_size)
        longest = min(self.max_length, 4 * max(events // int(dataset["sessions"]), 1))
        cells = self.batch_size * longest * (3 * plan.actions + self.num_layers * (20 * self.width + 6 * longest))
        memory = 350 + (4 * cells + 20 * plan.parameters + 200 * events) / 2**20
        return Estimate(round(self.epochs * (work + 0.006 * steps) + 8, 1), round(memory), plan.parameters)


def plan_for(params: NextEventTrain, actions: int, tasks: int, outcomes: int) -> Plan:
    """The network that settings ask for, for a log with so many different events, tasks and outcomes."""
    return Plan(actions, tasks, outcomes, params.width, params.num_layers, params.num_heads, params.max_length)


class NextEventNextEvents(Params):
    """Say what comes next in a session, for which of its earlier events, and how it will probably end."""

    lane: ClassVar[Lane] = "generation"
    makes: ClassVar[Makes] = "files"

    model: str = model_input("next_event", description="Trained model to use.")
    history: Names = names_setting(
        title="Events so far",
        description="What was done so far, the oldest first, one event per line, called as in the dataset; a blank "
        "line begins another session.",
    )
    task: str = setting(
        "",
        title="Task",
        description="What the session is for, if that is known, called as in the dataset.",
        max_length=500,
    )
    count: int = setting(5, title="Events", description="How many of the likeliest events to say.", ge=1, le=100)
    seconds: Names = names_setting(
        title="Seconds between",
        description="Seconds between each event and the one before it, one number per line, as many as events; empty "
        "where they are not known.",
        advanced=True,
    )
    reasons: Reasons = setting(
        "leave_one_out",
        title="Reasons",
        description="How it is found which earlier events mattered: leave_one_out takes each away and looks how much "
        "less likely the next event becomes, attention tells what the network looked at.",
        advanced=True,
    )


class NextEventDraftHowTo(Params):
    """Draft how-tos from the sessions a model learnt from: the usual steps in order, with how many sessions do each."""

    lane: ClassVar[Lane] = "generation"
    makes: ClassVar[Makes] = "files"
    named_by: ClassVar[tuple[str, ...]] = ("tasks", "start")

    model: str = model_input("next_event", description="Trained model to use.")
    tasks: Names = names_setting(
        title="Tasks",
        description="Tasks to write about, one per line, called as in the dataset; empty writes about all with enough "
        "sessions.",
    )
    outcome: str = setting(
        "",
        title="Outcome",
        description="How the sessions must have ended, called as in the dataset; empty takes the outcome that means "
        "success.",
        max_length=500,
    )
    start: str = setting(
        "",
        title="First event",
        description="The event to begin with, where no task is named; the how-to then goes from this event to the "
        "last one.",
        max_length=500,
    )
    goal: str = setting(
        "",
        title="Last event",
        description="The event to reach, where no task is named.",
        max_length=500,
    )
    language: Literal["auto", "en", "zh"] = setting(
        "auto",
        title="Language",
        description="The language of the sentences around the steps; auto goes by the names of the events.",
    )
    least_percent: int = setting(
        25,
        title="Least support",
        unit="%",
        description="Steps of the usual way that fewer of the sessions do are left out.",
        ge=1,
        le=100,
        advanced=True,
    )
    optional_percent: int = setting(
        10,
        title="Optional steps",
        unit="%",
        description="Steps beside the usual way, and other ways, that at least so many of the sessions take are told.",
        ge=1,
        le=100,
        advanced=True,
    )
    needed_percent: int = setting(
        75,
        title="Needed steps",
        unit="%",
        description="Steps that fewer of the sessions do, in this or another way, are called optional.",
        ge=1,
        le=100,
        advanced=True,
    )
    least_sessions: int = setting(
        5,
        title="Least sessions",
        unit="sessions",
        description="How many sessions a how-to must rest on.",
        ge=2,
        le=10_000,
        advanced=True,
    )


class NextEventEvaluate(Params):
    """Measure a trained model on the test sessions of an event log, beside ways to count."""

    lane: ClassVar[Lane] = "generation"
    makes: ClassVar[Makes] = "files"

    model: str = model_input("next_event", description="Trained model to use.")
    dataset: str = dataset_input("event_log", description="Event log whose test sessions are used.")


FAMILY = Family(
    name="next_event",
    title="Next event",
    summary="Learns from logs of operations what comes next, and drafts how-tos from them.",
    paper="https://arxiv.org/abs/1808.09781",
    operations={
        "train": NextEventTrain,
        "next_events": NextEventNextEvents,
        "draft_how_to": NextEventDraftHowTo,
        "evaluate": NextEventEvaluate,
    },
    metrics=NEXT_EVENT_METRICS,
)
