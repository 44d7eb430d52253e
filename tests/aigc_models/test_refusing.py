"""When a small handbook is asked, of whose questions there are too few to learn from."""

import numpy as np
import pytest

from aigc_models.assistant.calibration import SIGNS, Calibration, calibrate, signs
from aigc_models.retrieval.bm25 import Bm25
from aigc_models.retrieval.index import Groups, Index
from aigc_models.retrieval.tokens import question_words, words

# Heading, and what stands below it, each a page.
HANDBOOK = (
    ("Unpacking the Brewbot", "Lift the Brewbot out of its box and put it on a dry table. Remove all tape."),
    ("Filling the tank", "Fill the tank with cold water up to the line. Never use hot water."),
    ("Grinding beans", "Pour beans into the hopper. The Brewbot grinds as many as one cup takes."),
    ("Error E5", "The pump draws no water. Fill the tank, then press the button for three seconds."),
    ("Error E7", "The Brewbot is too hot. Switch it off and let it cool for ten minutes."),
    ("Descaling", "Once a month pour the descaler into the tank and press both buttons of the Brewbot."),
    ("Cleaning the brewing unit", "Take the unit out at the side and rinse it under the tap."),
    ("Milk froth", "Hang the tube into cold milk and turn the knob to the left."),
    ("Warranty", "The Brewbot is repaired free of charge for two years. Keep the receipt."),
)


@pytest.fixture(scope="module")
def handbook() -> Index:
    """Searched by words alone, as an encoder that learnt from nine pages finds nothing."""
    pages = [2 * words(heading) + words(body) for heading, body in HANDBOOK]
    numbers = np.arange(len(pages))
    groups = Groups.of(numbers, len(pages))
    lexical = Bm25.over(pages)
    return Index(lexical, groups, np.zeros((len(pages), 2), np.float32), groups, lexical, numbers)


def sure(index: Index, question: str) -> bool:
    asked = [question_words(question)]
    few: Calibration = calibrate(np.empty((0, len(SIGNS))), np.empty((0, len(SIGNS))), 0.05)
    scores = index.scores(asked, np.zeros((1, 2), np.float32))
    return bool(few.sureness(signs(index, asked, scores))[0] >= few.thresholds["calibrated"])


@pytest.mark.parametrize(
    "question",
    [
        "E7",
        "What does E7 mean?",
        "What does error E5 mean?",
        "Can you explain what E5 stands for?",
        "E7 是什么意思？",
        "E5的含义是什么？",
        "请解释一下 E7 代表什么",
    ],
)
def test_words_that_only_ask_do_not_make_a_code_doubtful(handbook: Index, question: str) -> None:
    assert sure(handbook, question)


@pytest.mark.parametrize(
    "question",
    [
        "What does the Brewbot cost?",
        "Who won the world cup?",
        "What does E9 mean?",
        "What does life mean?",
        "Explain it to me",
        "谁赢了世界杯？",
        "什么意思？",
    ],
)
def test_what_a_handbook_does_not_say_is_refused(handbook: Index, question: str) -> None:
    assert not sure(handbook, question)
