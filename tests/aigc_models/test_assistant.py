"""An assistant that was trained: what it finds, cites, refuses and asks back."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from aigc_models.assistant import off_topic
from aigc_models.assistant.calibration import calibrate
from aigc_models.assistant.lesson import TEST, TRAIN, VALIDATION, lesson_from
from aigc_models.assistant.params import AssistantReply
from aigc_models.assistant.saved import Saved
from aigc_models.assistant.trainer import contrast
from aigc_models.base import InputError
from aigc_models.data.replies import REPLY, TEXT, parse_reply, save_reply
from aigc_models.data.texts import Document, Part, TextSet
from aigc_models.retrieval.passages import Piece, of_sections
from aigc_models.retrieval.tokens import language, words
from aigc_models.standalone import perform
from tests.aigc_models.conftest import RecordingRun
from tests.aigc_models.tiny_assistant import MODEL, ask, made_of, with_hostile_page
from tests.aigc_models.tiny_help import PLACES, THINGS, tiny_dialogues, tiny_help

FOREIGN = (
    "Who won the football game last night?",
    "what is the weather like tomorrow",
    "昨晚的足球赛谁赢了？",
    "xyzzy plugh",
)
REFUSED = {
    "en": "I am not sure enough that anything in the documents answers this.",
    "zh": "我没有足够的把握，认为文档中有内容能回答这个问题。",
}


@pytest.fixture(scope="module")
def helper(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """Trained on a tiny help centre, one page of which is hostile."""
    torch.set_num_threads(1)
    return made_of(with_hostile_page(), tmp_path_factory.mktemp("helper"))[0]


def test_answers_cite_the_right_page_word_by_word(helper: Saved) -> None:
    right = 0
    for number, thing in enumerate(THINGS):
        reply = ask(helper, f"How can I clean my {thing}?")
        assert reply.kind == "answer", thing
        right += reply.sources[0].document == f"{thing}.md" and "Clean the" in reply.sources[0].headings[-1]
        held = {one.number: one.text for one in reply.sources}
        assert all(held[one.source][one.start : one.end] == one.text for one in reply.sentences)
        assert PLACES[(number + 2) % len(PLACES)] in reply.text or reply.sources[0].document != f"{thing}.md"
    assert right >= 0.9 * len(THINGS)


def test_what_each_page_says_is_no_answer_of_any(helper: Saved) -> None:
    note = Piece("All prices of printers and of cleaning include tax.")
    noted = [replace(one, pieces=(note, *one.pieces, note)) for one in helper.passages]
    for thing in THINGS[:5]:
        plain = ask(helper, f"How can I clean my {thing}?")
        assert ask(replace(helper, passages=noted), f"How can I clean my {thing}?").text == plain.text
    asked = [replace(one, question="What do I pay?") for one in noted]
    assert note.text in ask(replace(helper, passages=asked), f"How can I clean my {THINGS[0]}?").text


@pytest.mark.parametrize("question", FOREIGN)
def test_what_no_document_answers_is_refused(helper: Saved, question: str) -> None:
    reply = ask(helper, question)
    assert reply.kind == "refusal"
    assert not reply.sentences
    assert reply.sureness < reply.threshold
    assert reply.text == REFUSED[reply.language]


def test_instructions_in_documents_are_quoted_and_never_obeyed(helper: Saved) -> None:
    for thing in THINGS[:8]:
        reply = ask(helper, f"Which instructions do I need to repair my {thing}?")
        assert {one.document for one in reply.sources} == {f"{thing}.md"}
        assert "Mallory" not in reply.text
    quoted = ask(helper, "What does the shop of Mallory say about instructions?")
    assert {one.document for one in quoted.sources[:1]} == {"hostile.md"}


def test_a_short_question_that_fits_several_matters_is_asked_back(helper: Saved) -> None:
    reply = ask(helper, "printer")
    assert reply.kind == "clarification"
    assert len(reply.options) >= 2
    assert all("printer" in one.lower() for one in reply.options)
    chosen = ask(helper, reply.options[0].split(" › ")[-1], ["printer"])
    assert chosen.kind == "answer"
    assert ask(helper, "printer", clarify=False).kind == "answer"


def test_a_question_that_leans_on_the_one_before_is_searched_with_it(helper: Saved) -> None:
    follow = ask(helper, "And repair it?", ["How do I clean the scanner?"])
    assert "scanner" in follow.searched
    assert follow.sources[0].document == "scanner.md"
    alone = ask(helper, "How do I install the camera in the office?", ["How do I clean the scanner?"])
    assert alone.searched == "How do I install the camera in the office?"
    assert ask(helper, "Who won the game?", ["How do I clean the scanner?"]).kind == "refusal"


def test_what_is_written_around_a_question_does_not_hide_it(helper: Saved) -> None:
    around = "Hello, I have been at this since yesterday evening and nobody in the building knows what to do. "
    for thing in THINGS[:5]:
        plain, told = (ask(helper, f"{before}How can I clean my {thing}?") for before in ("", around))
        assert (told.kind, told.text) == (plain.kind, plain.text) == ("answer", plain.text)
        assert told.question.startswith("Hello")
    for strange in FOREIGN:
        assert ask(helper, around + strange).kind == "refusal"


def test_strictness_orders_the_thresholds(helper: Saved) -> None:
    each = ("low", "calibrated", "high")
    low, usual, high = (ask(helper, "clean the lamp", strictness=one).threshold for one in each)
    assert low <= usual <= high


def test_few_answers_to_many_questions_are_told_apart(tmp_path: Path) -> None:
    saved, run = made_of(tiny_dialogues(), tmp_path)
    assert saved.encoding.network.plan.answers == 5
    report = json.loads((tmp_path / "report.json").read_text())["metrics"]
    assert report["intent_accuracy"] >= 0.8  # a fifth of them by chance
    assert 0 <= report["intent_accuracy_tfidf"] <= 1
    assert "Few answers to many questions: each answer gets a vector of its own." in run.lines
    reply = ask(saved, "please repair the camera now", clarify=False, strictness="low")
    assert reply.text.startswith("Ask the camera team.")


def test_chinese_pages_are_answered_in_chinese(tmp_path: Path) -> None:
    things = (
        "打印机",
        "扫描仪",
        "键盘",
        "显示器",
        "摄像头",
        "路由器",
        "耳机",
        "投影仪",
        "麦克风",
        "冰箱",
        "烤箱",
        "台灯",
    )
    acts = (("安装", "拧紧底座的螺丝"), ("清洁", "用软布擦拭外壳"), ("退货", "填写退货单并寄回仓库"))
    pages = [
        Document(
            f"{thing}.md",
            tuple(
                Part(f"先关闭{thing}的电源。然后{how}。最后检查{thing}的指示灯。", heading=f"{act}{thing}", level=2)
                for act, how in acts
            ),
            thing,
            "zh",
        )
        for thing in things
    ]
    saved, _ = made_of(TextSet("documents", tuple(pages[:9]), tuple(pages[9:])), tmp_path)
    reply = ask(saved, "怎么清洁键盘？")
    assert (reply.kind, reply.language, reply.sources[0].document) == ("answer", "zh", "键盘.md")
    assert "用软布擦拭外壳" in reply.text
    assert ask(saved, "今晚比分多少，谁赢了？").kind == "refusal"


def test_a_reply_is_written_for_programs_and_people(helper: Saved, tmp_path: Path) -> None:
    reply = ask(helper, "How can I clean my kettle?")
    save_reply(reply, tmp_path)
    found = parse_reply((tmp_path / REPLY).read_bytes())
    assert (found.sentences, found.sources[0].text) == (list(reply.sentences), reply.sources[0].text)
    assert "[1] The kettle › Clean the kettle" in (tmp_path / TEXT).read_text(encoding="utf-8")
    for broken in ("[]", "{}", '{"kind": "song"}', "no JSON"):
        with pytest.raises(ValueError, match=r"no |Expecting"):
            parse_reply(broken)


# --- what is learnt from


def test_headings_of_one_section_test_and_those_of_several_do_not() -> None:
    heading = "To access this command"
    same = tuple(Part(f"Text number {place} with enough words.", heading=heading, level=2) for place in range(2))
    texts = tiny_help(12, 4)
    lesson = lesson_from([replace(texts, test=(*texts.test, Document("x.md", same, "Page", "en")))], 0)
    tested = {one.text for one in lesson.of(TEST)}
    assert "To access this command" not in tested
    assert len(tested) == 16
    assert {"Page To access this command"} <= {one.text for one in lesson.of(TEST, fair=False)}
    shares = {one.share for one in lesson.questions}
    assert shares == {TRAIN, VALIDATION, TEST}
    learnt = {one.section for one in lesson.of(TRAIN, fair=False)}
    assert not learnt & {one.section for one in lesson.of(TEST, fair=False)}


def test_an_answer_given_twice_is_one_section() -> None:
    lesson = lesson_from([tiny_dialogues()], 0)
    assert len(lesson.passages) == 5
    assert lesson.intents
    assert len(lesson.questions) == 60
    mixed = lesson_from([tiny_help(), tiny_dialogues()], 0)
    assert not mixed.intents
    assert len(mixed.in_dialogues) == 5


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (Document("a", (Part("A text without any heading at all, but with words."),)), "no-questions"),
        (Document("a", (Part("", heading="Only a heading", level=1),)), "nothing-to-cite"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(document: Document, code: str) -> None:
    with pytest.raises(InputError) as refused:
        lesson_from([TextSet("documents", (document, replace(document, name="b")), ())], 0)
    assert [fault.code for fault in refused.value.faults] == [code]


def test_a_blank_question_and_foreign_answers_are_refused(helper: Saved, tmp_path: Path) -> None:
    made_of(tiny_dialogues(), tmp_path / "other", epochs=1)
    run = RecordingRun(tmp_path / "asked", {"model": tmp_path / "other" / "model"})
    for params in (AssistantReply(model=MODEL), AssistantReply(model=MODEL, question=" \n")):
        with pytest.raises(InputError):
            perform("assistant", "reply", params, run)
    assert perform("assistant", "reply", AssistantReply(model=MODEL, question="x" * 4000), run)["sentences"] == 0


# --- the parts of it


def test_the_loss_of_a_batch_worked_out_by_hand() -> None:
    one = torch.eye(2)
    expected = -torch.log_softmax(torch.tensor([2.0, 0.0]), 0)[0]
    assert contrast(one, one, torch.tensor([0, 1]), 0.5).item() == pytest.approx(expected.item())
    assert contrast(one, one, torch.tensor([3, 3]), 0.5).item() == pytest.approx(0.0)


def test_long_messages_are_among_what_is_refused() -> None:
    texts = [[f"word{number}", "and", "more"] for number in range(40)]
    strange = off_topic.drawn_for(texts, 30, 0)
    known = {word for text in texts for word in text}
    lengths = [len(said) for one in strange if known.issuperset(said := words(one))]
    assert min(lengths) <= 5
    assert sum(length >= 12 for length in lengths) > len(lengths) / 8
    spoken = [one for one in strange if "?" in one]
    assert any(one.count("?") == 1 for one in spoken)
    assert any(one.count("?") == 2 for one in spoken)
    assert strange == off_topic.drawn_for(texts, 30, 0) != off_topic.drawn_for(texts, 30, 1)
    assert {language(one) for one in strange} == {"en", "zh"}
    kept = set(off_topic.everyday(chinese=False)[1::2])
    assert not kept & set(strange), "what the test asks is not learnt"


def test_a_calibration_keeps_its_promise() -> None:
    rng = np.random.default_rng(0)
    answered, strange = rng.normal(1, 1, (400, 9)), rng.normal(-1, 1, (400, 9))
    made = calibrate(answered, strange, 0.05)
    assert (made.sureness(answered) < made.thresholds["calibrated"]).mean() <= 0.051
    assert (made.sureness(strange) < made.thresholds["calibrated"]).mean() > 0.9
    easy = calibrate(answered + 10, strange - 10, 0.05)
    assert not (easy.sureness(answered + 10) < easy.thresholds["calibrated"]).any()
    few = calibrate(answered[:3], strange, 0.05)
    assert few.sureness(np.array([[0.9, 0.9, 0, 0.2, 1, 0.9, 0.5, 0, 0.5, 0]]))[0] > few.thresholds["calibrated"]
    assert few.sureness(np.array([[0.1, 0.1, 0.9, 0.0, 1, 0.1, 0.5, 3, 0, 0]]))[0] < few.thresholds["calibrated"]


def test_questions_of_one_page_count_for_fewer() -> None:
    rng = np.random.default_rng(1)
    answered = np.repeat(rng.normal(0.2, 1, (50, 9)), 8, axis=0) + rng.normal(0, 0.1, (400, 9))
    strange = rng.normal(-0.2, 1, (400, 9))
    pages = np.repeat(np.arange(50), 8)
    alone, together = (calibrate(answered, strange, 0.1, one) for one in (None, pages))
    refused = [(one.sureness(answered) < one.thresholds["calibrated"]).mean() for one in (alone, together)]
    assert refused[1] < refused[0], "fifty pages say less than four hundred questions"


def test_pieces_of_a_section_are_one_answer() -> None:
    document = tiny_help().train[0]
    assert len({one.section for one in of_sections(document, 0)}) == len(document.parts)
