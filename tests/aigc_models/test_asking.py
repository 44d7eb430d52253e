"""Questions made of headings and sentences, by patterns."""

import numpy as np
import pytest

from aigc_models.assistant.asking import Subject, keywords, of_heading, of_sentence
from aigc_models.assistant.leaning import asked_in, leans


@pytest.mark.parametrize(
    ("heading", "kind", "text"),
    [
        ("Print on both sides", "act", "print on both sides"),
        ("3. Creating Tables", "act", "create tables"),
        ("Running it", "act", "run it"),
        ("AutoText", "thing", "AutoText"),
        ("Shortcut Keys in Slides", "thing", "Shortcut Keys in Slides"),
        ("String cases", "thing", "string cases"),
        ("插入页码", "act", "插入页码"),
        ("页码", "thing", "页码"),
    ],
)
def test_what_a_heading_names(heading: str, kind: str, text: str) -> None:
    found = of_heading(heading, {"run"})
    assert isinstance(found, Subject)
    assert (found.kind, found.text) == (kind, text)
    assert found.text.lower() in found.asked(np.random.default_rng(1)).lower()
    assert of_heading("What is it?", ()) == "What is it?"


@pytest.mark.parametrize(
    ("sentence", "kind", "text"),
    [
        ("To draw a square, hold down Shift.", "act", "draw a square"),
        ("If the printer stays dark, call us.", "condition", "the printer stays dark"),
        ("You can also print a single page.", "may", "print a single page"),
        ("The duplex unit is a part of it.", "thing", "the duplex unit"),
        ("要删除页面，请右击它。", "act", "删除页面"),
        ("如果打印机不亮，请联系我们。", "condition", "打印机不亮"),
    ],
)
def test_what_a_sentence_speaks_of(sentence: str, kind: str, text: str) -> None:
    found = of_sentence(sentence)
    assert found is not None
    assert (found.kind, found.text) == (kind, text)
    assert of_sentence("Press the green button now.") is None


def test_keywords_are_the_rarest_words_in_their_order() -> None:
    rare = {"duplex": 5.0, "unit": 3.0, "cover": 4.0}
    assert keywords("Open the cover of the duplex unit", lambda word: rare.get(word, 0.0), 3) == "cover duplex unit"


@pytest.mark.parametrize(
    ("question", "needs"),
    [
        ("And in colour?", True),
        ("How do I undo that?", True),
        ("How do I turn it off?", True),
        ("Is it possible to print on both sides of the paper?", False),
        ("Which file that I saved yesterday evening holds the printer settings?", False),
        ("How do I install the camera in the office?", False),
        ("那彩色的呢？", True),
        ("它怎么关闭？", True),
        ("怎么打印彩色的文档封面？", False),
    ],
)
def test_which_questions_need_the_one_before(question: str, needs: bool) -> None:
    assert leans(question) is needs


@pytest.mark.parametrize(
    ("message", "asked"),
    [
        ("Hello! I am new here. How do I install the camera?", "How do I install the camera?"),
        ("How do I install the camera? I bought it yesterday.", "How do I install the camera?"),
        ("My boss is ill. The camera shows error E5.", "The camera shows error E5."),
        ("你好，我是新来的。怎么打印彩色的文档封面？", "怎么打印彩色的文档封面？"),
        (
            "My boss is ill. I want to know how to install the camera. Thank you very much.",
            "I want to know how to install the camera.",
        ),
        ("我的老板病了。我想知道怎么打印彩色的文档封面。谢谢！", "我想知道怎么打印彩色的文档封面。"),
        ("Thanks for last week! Thanks, and how do I install the camera?", "Thanks, and how do I install the camera?"),
        ("I bought the camera yesterday. Can you help me please?", ""),
        ("The camera shows error E5. How do I turn it off?", ""),
        ("How do I install the camera?", ""),
        ("", ""),
    ],
)
def test_what_a_message_asks(message: str, asked: str) -> None:
    assert asked_in(message) == asked
