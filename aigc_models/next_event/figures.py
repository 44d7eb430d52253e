"""What the figures of next-event models are called and mean; no torch, as pages read them."""

from collections.abc import Mapping
from types import MappingProxyType

from aigc_models.judging import MetricInfo

BASELINES: Mapping[str, str] = MappingProxyType(
    {"frequent": "the commonest events", "markov1": "first-order Markov", "markov3": "third-order Markov"}
)
_HELD = "events of sessions that no training saw"
_BESIDE = "beside it the best of three ways to count"
_WAYS: Mapping[str, str] = MappingProxyType(
    {
        "frequent": "always saying what is most frequent",
        "markov1": "counting what follows one event",
        "markov3": "counting what follows three events",
    }
)


def _counted(name: str, title: str, better: str) -> dict[str, MetricInfo]:
    own = {"frequent": "frequent", "markov1": "Markov 1", "markov3": "Markov 3"}
    return {
        f"{name}_{way}": MetricInfo(
            f"{title}, {own[way]}",
            better,  # type: ignore[arg-type]  # one of the two words
            f"{title} of {sentence}.",
        )
        for way, sentence in _WAYS.items()
    } | {
        f"{name}_baseline": MetricInfo(
            f"{title}, counting",
            better,  # type: ignore[arg-type]  # one of the two words
            f"{title} of the way to count that has the best perplexity.",
        )
    }


NEXT_EVENT_METRICS: Mapping[str, MetricInfo] = MappingProxyType(
    {
        "accuracy1": MetricInfo(
            "Accuracy@1",
            "higher",
            f"Share of the {_HELD} that are said to come next; {_BESIDE}.",
            "accuracy1_baseline",
        ),
        "accuracy3": MetricInfo(
            "Accuracy@3",
            "higher",
            f"Share of the {_HELD} that are among the three likeliest; {_BESIDE}.",
            "accuracy3_baseline",
        ),
        "perplexity": MetricInfo(
            "Perplexity",
            "lower",
            f"Between how many equally likely events the model hesitates on average, over the {_HELD}; {_BESIDE}.",
            "perplexity_baseline",
        ),
        "task_accuracy": MetricInfo(
            "Task accuracy",
            "higher",
            "Share of the test sessions whose task is told from their events; beside it always saying the commonest.",
            "task_accuracy_baseline",
        ),
        "outcome_accuracy": MetricInfo(
            "Outcome accuracy",
            "higher",
            "Share of the test sessions whose end is told from their events; beside it always saying the commonest.",
            "outcome_accuracy_baseline",
        ),
        "task_accuracy_baseline": MetricInfo(
            "Task, commonest", "higher", "Share of the test sessions that are for the commonest task."
        ),
        "outcome_accuracy_baseline": MetricInfo(
            "Outcome, commonest", "higher", "Share of the test sessions that end in the commonest way."
        ),
        **_counted("accuracy1", "Accuracy@1", "higher"),
        **_counted("accuracy3", "Accuracy@3", "higher"),
        **_counted("perplexity", "Perplexity", "lower"),
        "validation_loss": MetricInfo(
            "Validation loss", "lower", "Nats per event on the sessions by which the best step was chosen."
        ),
        "test_sessions": MetricInfo("Test sessions", "higher", "Sessions that tested the model."),
        "test_events": MetricInfo("Test events", "higher", "Events, ends of sessions among them, that tested it."),
    }
)
