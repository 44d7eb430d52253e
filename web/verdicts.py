"""The one sentence in which a job's figures are judged together: the same on its page, in the API and in a terminal."""

from collections.abc import Mapping
from typing import Any

from web.pages import ranking, table_sentences


def of(metrics: Mapping[str, Any]) -> str:
    """The verdict on figures; empty where each stands for itself."""
    ranked = ranking.of("", metrics)
    return ranked.verdict if ranked else table_sentences.verdict(metrics)
