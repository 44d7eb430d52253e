"""What the figures of an assistant say where they rest on few questions."""

from collections.abc import Mapping
from typing import Any

from aigc_models.assistant.figures import ENOUGH
from web.translate import joined, say


def verdict(metrics: Mapping[str, Any]) -> str:
    """How it works, in place of a judgement, where the test questions are too few for one; empty for all others."""
    count = metrics.get("test_questions")
    if not isinstance(count, int | float) or count >= ENOUGH:
        return ""
    told = [say("{count} test questions: too few to judge.", {"count": int(count)})]
    if metrics.get("encoder_weight") == 0:
        told.append(say("It works as a search by words (BM25)."))
    return joined(told)
