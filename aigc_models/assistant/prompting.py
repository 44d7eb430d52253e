"""How passages, a question and its answer stand in a text, for models that learn to word answers and that do.

A dialogue's turns begin with who speaks (:func:`aigc_models.writing.conditions.body_of`); the passages are the turn of
the system, so that a model that was trained on dialogues made by :mod:`aigc_models.assistant.simulating` has seen it.
"""

from collections.abc import Callable, Sequence

from aigc_models.writing.conditions import SPOKEN

STOPS = tuple(f"\n{name}:" for name in SPOKEN.values())


def prompt_of(pieces: Sequence[str], question: str, count: Callable[[str], int], room: int) -> str:
    """A prompt with as many pieces of passages, in their order, as there is room for; at least the question.

    Args:
        pieces: What the passages say, the best first.
        question: What is asked.
        count: Tokens of a text.
        room: Tokens that the prompt may have.
    """
    asked = f"{SPOKEN['user']}: {' '.join(question.split())}\n{SPOKEN['assistant']}:"
    kept = list(pieces)
    while kept:
        prompt = f"{SPOKEN['system']}: {' '.join(kept)}\n{asked}"
        if count(prompt) <= room:
            return prompt
        kept.pop()
    return asked
