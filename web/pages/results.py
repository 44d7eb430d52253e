"""What a job made: figures beside their baselines, pictures, files to take away, the settings it ran with."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aigc_models import registry
from aigc_models.judging import Judgement
from jobs.inputs import input_fields
from jobs.tables import Artifact
from web.forms import defaults, in_words, to_text
from web.pages import amounts, ranking
from web.pages.names import curve_title, metric_info
from web.translate import say

MOST_SAMPLES = 24
DIRECTIONS: Mapping[str, str] = {"lower": "lower is better", "higher": "higher is better"}
# How fast it was says nothing of how good it is, and is shown as the job's speed.
SPEEDS = frozenset(
    {
        *("images_per_second", "rows_per_second", "targets_per_second", "users_per_second", "tokens_per_second"),
        *("questions_per_second", "events_per_second"),
    }
)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure with the trivial baseline's and the real data's own beside it, each with whose it is."""

    title: str
    value: str
    baseline: str
    real: str
    direction: str
    verdict: Judgement
    description: str
    baseline_of: str = ""
    real_of: str = ""
    alone: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting a job ran with."""

    title: str
    name: str
    value: str
    default: str
    changed: bool


@dataclass(frozen=True, slots=True)
class Files:
    """A job's files, sorted by what a reader wants of them."""

    pictures: Sequence[Artifact]
    samples: Sequence[Artifact]
    texts: Sequence[Artifact]
    archives: Sequence[Artifact]
    everything: Sequence[Artifact]


def figures(family: str, metrics: Mapping[str, Any]) -> list[Figure]:
    """The figures a family explains, then those it does not; baselines stand beside what they belong to."""
    compared = ranking.names(metrics)
    infos = {name: metric_info(family, name) for name in metrics if name not in SPEEDS | compared}
    beside = {name for info in infos.values() if info for name in (info.baseline, info.real, info.noise) if name}
    explained = [name for name, info in infos.items() if info]
    others = [name for name in infos if name not in explained and name not in beside]
    return [_figure(family, name, metrics) for name in explained if name not in beside] + [
        Figure(curve_title(family, name), amounts.figure(metrics[name]), "", "", "", "", "") for name in others
    ]


def _figure(family: str, name: str, metrics: Mapping[str, Any]) -> Figure:
    info = metric_info(family, name)
    assert info is not None
    value, baseline = metrics.get(name), metrics.get(info.baseline) if info.baseline else None
    real = metrics.get(info.real) if info.real else None
    return Figure(
        title=say(info.title),
        value=amounts.figure(value),
        baseline=amounts.figure(baseline) if baseline is not None else "",
        real=amounts.figure(real) if real is not None else "",
        direction=direction(info.better),
        verdict=info.judge(name, metrics),
        description=say(info.description),
        baseline_of=_whose(family, info.baseline),
        real_of=_whose(family, info.real),
        alone=say(info.alone) if info.alone and baseline is None else "",
    )


def direction(better: str) -> str:
    """Which direction of a figure is better, in words; nothing for counts."""
    return say(DIRECTIONS[better]) if better in DIRECTIONS else ""


def _whose(family: str, name: str | None) -> str:
    """Whose figure stands beside another one: "a Gaussian copula"."""
    info = metric_info(family, name) if name else None
    return say(info.of) if info and info.of else ""


def main_figure(family: str, metrics: Mapping[str, Any]) -> str:
    """The one figure a list shows."""
    found = [one for one in figures(family, metrics) if one.description]
    return f"{found[0].title} {found[0].value}" if found else ""


def files(artifacts: Iterable[Artifact]) -> Files:
    """Sort a job's files."""
    kept = list(artifacts)
    outputs = [file for file in kept if file.role == "output"]
    return Files(
        pictures=[file for file in outputs if file.media_type == "image/png" and "/" not in file.name],
        samples=[file for file in kept if file.role == "sample" and file.media_type == "image/png"],
        texts=[file for file in kept if file.role == "sample" and file.media_type.startswith("text/plain")],
        archives=[file for file in outputs if file.media_type == "application/zip"],
        everything=[*outputs, *(file for file in kept if file.role in ("upload", "checkpoint"))],
    )


def drawn(family: str) -> bool:
    """Whether a family's pictures are drawings of columns, which have words to read, and not made of pixels."""
    known = registry.families().get(family)
    operations = known.operations.values() if known else ()
    return any(own.get("x-kind") == "table" for params in operations for own in input_fields(params).values())


def spread(samples: Sequence[Artifact], most: int = MOST_SAMPLES) -> list[Artifact]:
    """At most so many samples, evenly over the steps, with the first and the last."""
    if len(samples) <= most:
        return list(samples)
    places = {round(index * (len(samples) - 1) / (most - 1)) for index in range(most)}
    return [samples[place] for place in sorted(places)]


def settings(params_class: Any, params: Mapping[str, Any]) -> list[Setting]:
    """The settings a job ran with; those that differ from their default come first and are marked."""
    if params_class is None:
        return [Setting(in_words(name), name, to_text(value), "", False) for name, value in params.items()]
    schema = params_class.model_json_schema()["properties"]
    usual = defaults(params_class)
    rows = []
    for name, value in params.items():
        own = schema.get(name, {})
        if own.get("x-input"):
            continue
        changed = name in schema and value != usual.get(name)
        unit = own.get("x-unit", "") if value is not None else ""
        text = f"{shown(value)} {say(unit)}".strip()
        rows.append(Setting(say(own.get("title", name)), name, text, shown(usual.get(name)), changed))
    return sorted(rows, key=lambda row: not row.changed)


def adjusted(adjustments: Mapping[str, Any]) -> list[str]:
    """What the attempts after a failure did differently."""
    sentences = []
    if "micro_batches" in adjustments:
        parts = {"parts": adjustments["micro_batches"]}
        sentences.append(
            say("Since the device ran out of memory, {parts} times fewer items are computed at once.", parts)
        )
    if "learning_rate_factor" in adjustments:
        sentences.append(say("Since the loss became NaN, the learning rate is half of what is set."))
    return sentences


def shown(value: Any) -> str:
    """A value as a page shows it: words for yes and no, a dash for nothing."""
    if isinstance(value, bool):
        return say("Yes") if value else say("No")
    return to_text(value) or "–"
