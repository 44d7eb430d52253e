"""What families, operations, phases and figures are called."""

from collections.abc import Mapping
from typing import Any

from aigc_models import registry
from aigc_models.judging import MetricInfo
from web import failures
from web.forms import in_words
from web.translate import say

OPERATIONS: Mapping[str, str] = {
    "train": "Training",
    "generate": "Generation",
    "evaluate": "Evaluation",
    "reconstruct": "Reconstruction",
    "interpolate": "Interpolation",
    "traverse": "Traversal",
    "recommend": "Recommendation",
    "reply": "Reply",
    "simulate": "Simulation of dialogues",
    "augment": "Augmentation study",
    "import_images": "Import of images",
    "import_table": "Import of a table",
    "import_interactions": "Import of interactions",
    "import_text": "Import of texts",
    "import_event_log": "Import of an event log",
    "import_language_model": "Import of a language model",
    "next_events": "Next events",
    "draft_how_to": "How-to drafts",
}
VERBS: Mapping[str, str] = {
    "train": "Start training",
    "generate": "Generate",
    "evaluate": "Start evaluation",
    "recommend": "Recommend",
    "reply": "Ask",
    "next_events": "Say what comes next",
    "draft_how_to": "Draft how-tos",
    "simulate": "Make dialogues",
}
PHASES: Mapping[str, str] = {
    "preparing": "Preparing data",
    "training": "Training",
    "evaluating": "Evaluating",
    "generating": "Generating",
    "saving": "Saving",
}
PRESETS: Mapping[str, tuple[str, str]] = {
    "quick": ("Quick try", "To see that everything works."),
    "balanced": ("Balanced", "Good quality in reasonable time."),
    "best": ("Best quality", "When time does not matter."),
}
CURVES: Mapping[str, str] = {
    "g_loss": "Generator",
    "d_loss": "Discriminator",
    "loss": "Loss",
    "r1": "Gradient penalty",
    "kl": "KL term",
    "reconstruction": "Reconstruction",
    "slope": "Slope of the critic",
    "condition_loss": "Condition",
    "images_per_second": "Images per second",
    "rows_per_second": "Rows per second",
    "targets_per_second": "Targets per second",
    "users_per_second": "Users per second",
    "questions_per_second": "Questions per second",
    "events_per_second": "Events per second",
    "tokens_per_second": "Tokens per second",
    "tokens_per_text": "Tokens per text",
    "tokens": "Tokens written",
    "texts": "Texts",
    "images": "Images",
    "sureness": "Sureness",
    "sentences": "Sentences",
    "sources": "Sources",
    "lists": "Lists",
    "recommendations": "Recommendations",
    "distinct_items": "Different items",
    "ending_loss": "Loss of endings",
    "how_tos": "How-tos",
    "steps": "Steps",
    "step_support": "Support of needed steps",
    "first_share": "Share of the likeliest event",
}
OUTCOMES: Mapping[str, str] = {
    "": "running",
    "succeeded": "succeeded",
    "failed": "failed",
    "retried": "failed, tried again",
    "released": "given back by a worker that stopped",
    "cancelled": "cancelled",
    "paused": "paused",
    "lost": "the worker was lost",
}


def split(task: str) -> tuple[str, str]:
    """Family and operation of a task."""
    family, _, operation = task.partition(".")
    return family, operation


def family_title(name: str) -> str:
    """What a family is called; its own name when it is not installed any more."""
    family = registry.families().get(name)
    return say(family.title) if family else name


def operation_title(name: str) -> str:
    """What an operation is called."""
    return say(OPERATIONS.get(name, in_words(name)))


def task_title(task: str) -> str:
    """What a task is called: "Image GAN · Training"."""
    family, operation = split(task)
    return f"{family_title(family)} · {operation_title(operation)}"


def verb(operation: str) -> str:
    """What the button says that starts it."""
    return say(VERBS[operation]) if operation in VERBS else say("Start")


def summary(task: str) -> str:
    """What a task does, in one sentence."""
    params = registry.tasks().get(task)
    return say((params.__doc__ or "").strip().partition("\n")[0]) if params else ""


def phase_title(phase: str, operation: str = "") -> str:
    """What a phase is called; an import's data is not prepared, it is checked."""
    if phase == "preparing" and operation.startswith("import_"):
        return say("Checking")
    return say(PHASES.get(phase, in_words(phase)))


def metric_info(family: str, name: str) -> MetricInfo | None:
    """How a figure reads, if its family says so."""
    found = registry.families().get(family)
    return found.metrics.get(name) if found else None


def curve_title(family: str, name: str) -> str:
    """What a curve is called."""
    info = metric_info(family, name)
    return say(info.title if info else CURVES.get(name, in_words(name)))


def outcome(name: str | None) -> str:
    """How an attempt ended."""
    return say(OUTCOMES.get(name or "", name or ""))


def reason(code: str) -> str:
    """What a failure code is called."""
    known = failures.REASONS.get(code)
    return say(known.title) if known else code


def source(job_id: str) -> dict[str, Any]:
    """The query that fills a form with a job's settings; its name, ``from``, cannot be a keyword."""
    return {"from": job_id}
