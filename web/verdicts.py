"""The one sentence in which a job's figures are judged together: the same on its page, in the API and in a terminal."""

from collections.abc import Mapping
from typing import Any

from aigc_models import registry
from aigc_models.judging import Judgement
from web.pages import assistant_sentences, ranking, table_sentences


def of(metrics: Mapping[str, Any]) -> str:
    """The verdict on figures; empty where each stands for itself."""
    ranked = ranking.of("", metrics)
    return ranked.verdict if ranked else table_sentences.verdict(metrics) or assistant_sentences.verdict(metrics)


def each(family: str, metrics: Mapping[str, Any]) -> dict[str, Judgement]:
    """How each figure stands to its baseline, for those that have one."""
    found = registry.families().get(family)
    judged = {name: info.judge(name, metrics) for name, info in (found.metrics if found else {}).items()}
    return {name: judgement for name, judgement in judged.items() if judgement}
