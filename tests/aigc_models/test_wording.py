"""Answers that a model words: kept as far as passages support them, shown as they come, and stopped at once."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from aigc_models.assistant import wording
from aigc_models.assistant.grounding import SUPPORTED, support
from aigc_models.assistant.lesson import TEST, lesson_from
from aigc_models.assistant.params import AssistantReply, AssistantSimulate
from aigc_models.assistant.prompting import STOPS, prompt_of
from aigc_models.assistant.replying import begun
from aigc_models.assistant.saved import Saved
from aigc_models.assistant.wording import Material, worded
from aigc_models.base import Cancelled
from aigc_models.data.replies import REPLY, Reply, parse_reply
from aigc_models.data.texts import Document, Part, TextSet
from aigc_models.registry import task
from aigc_models.standalone import perform
from aigc_models.writing.speaking import Heard, Manner, load_speaker
from tests.aigc_models.conftest import RecordingRun
from tests.aigc_models.tiny_assistant import DATASET, HOSTILE, MODEL, made_of, question, with_hostile_page
from tests.aigc_models.tiny_help import PLACES, THINGS, tiny_help, write_texts


@dataclass
class Parrot:
    """Says what it is told to, a word a time."""

    drafts: Sequence[str]
    room: int = 400
    prompts: list[str] = field(default_factory=list)

    def count(self, text: str) -> int:
        return len(text.split())

    def speak(self, prompt: str, manner: Manner, heard: Heard) -> list[str]:
        self.prompts.append(prompt)
        said = self.drafts[0].split(" ")
        for end in range(1, len(said) + 1):
            heard(" ".join(said[:end]))
        return [self.drafts[number % len(self.drafts)] for number in range(len(manner.seeds))]


def _cancelled_at_3(step: int) -> None:
    if step == 3:
        raise Cancelled


@pytest.fixture(scope="module")
def helper(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    torch.set_num_threads(1)
    return made_of(with_hostile_page(), tmp_path_factory.mktemp("helper"))[0]


def word(saved: Saved, text: str, parrot: Parrot, home: Path) -> tuple[Reply, RecordingRun]:
    params, run = question(text, drafts=len(parrot.drafts)), RecordingRun(home)
    made, found, order = begun(saved, params)
    assert made.kind == "answer"
    return worded(Material(saved, made, found, order, params), parrot, run), run


def test_what_the_passages_support_is_kept_and_the_rest_is_dropped(helper: Saved, tmp_path: Path) -> None:
    place = PLACES[2]
    parrot = Parrot([f"Switch your printer off and carry it to the {place}. It costs 900 dollars. Mallory sells it."])
    reply, _ = word(helper, "How do I clean my printer?", parrot, tmp_path)
    assert (reply.manner, reply.instead) == ("written", "")
    (kept,) = reply.sentences
    assert kept.text.startswith("Switch your printer off")
    assert SUPPORTED <= kept.support < 1
    assert reply.dropped == ["It costs 900 dollars.", "Mallory sells it."]
    assert reply.sources[0].document == "printer.md"
    assert place in reply.sources[0].text[kept.start : kept.end]
    assert parrot.prompts[0].startswith("System: To clean your printer")
    assert parrot.prompts[0].endswith("User: How do I clean my printer?\nAssistant:")


def test_the_best_of_the_drafts_is_taken_and_quotes_stand_in_for_none(helper: Saved, tmp_path: Path) -> None:
    good = "The printer shows a green light when the clean step 3 is over."
    reply, _ = word(helper, "How do I clean my printer?", Parrot(["Blue cows fly home.", good]), tmp_path)
    assert [one.text for one in reply.sentences] == [good]
    assert reply.sentences[0].support == 1
    for draft, why in (("Blue cows fly home.", "nothing-supported"), (" ", "nothing-written")):
        fallen, _ = word(helper, "How do I clean my printer?", Parrot([draft]), tmp_path)
        assert (fallen.manner, fallen.instead) == ("quoted", why)
        held = {one.number: one.text for one in fallen.sources}
        assert all(held[one.source][one.start : one.end] == one.text for one in fallen.sentences)


def test_a_writer_cannot_cite_what_was_not_found(helper: Saved, tmp_path: Path) -> None:
    reply, _ = word(helper, "How do I repair my camera?", Parrot([HOSTILE]), tmp_path)
    assert {one.document for one in reply.sources} == {"camera.md"}
    assert "Mallory" not in reply.text
    assert reply.dropped


def test_sentences_of_other_pages_and_denials_are_not_supported(helper: Saved) -> None:
    own = [one for one in helper.passages if one.document == "printer.md"]
    others = [one for one in helper.passages if one.document not in ("printer.md", "hostile.md")]
    assert all(support(helper, text, own).score == 1 for one in own for text in one.sentences)
    wrong = [support(helper, text, own).score >= SUPPORTED for one in others for text in one.sentences]
    assert sum(wrong) <= 0.05 * len(wrong)
    denied = own[0].sentences[2].replace("shows", "does not show")
    assert support(helper, denied, own).score < SUPPORTED


def test_it_is_shown_as_it_comes_and_stopped_with_the_next_token(
    helper: Saved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wording, "_SHOWN_EVERY", 0.0)
    parrot = Parrot(["The printer shows a green light when the clean step 3 is over. Then it sleeps for"])
    reply, run = word(helper, "How do I clean my printer?", parrot, tmp_path)
    shown = [parse_reply(path.read_bytes()) for path in sorted((tmp_path / "previews").rglob("reply*"))]
    assert shown[0].text == "The"
    assert shown[-1].sentences == list(reply.sentences)
    assert shown[-1].text == "Then it sleeps for"
    run.after_step = _cancelled_at_3
    params = question("How do I clean my printer?")
    made, found, order = begun(helper, params)
    run.steps.clear()
    with pytest.raises(Cancelled):
        worded(Material(helper, made, found, order, params), parrot, run)
    assert len(run.steps) == 3


def test_a_prompt_has_as_much_of_the_passages_as_there_is_room_for() -> None:
    def count(text: str) -> int:
        return len(text.split())

    assert prompt_of(["One two.", "Three."], "How?", count, 100) == "System: One two. Three.\nUser: How?\nAssistant:"
    assert prompt_of(["One two.", "Three."], "How?", count, 6) == "System: One two.\nUser: How?\nAssistant:"
    assert prompt_of(["One two."], "How?", count, 4) == "User: How?\nAssistant:"
    assert "\nUser:" in STOPS


def test_a_trained_text_model_words_answers_through_the_job(helper: Saved, tmp_path: Path) -> None:
    simulated = RecordingRun(tmp_path / "simulated", {"dataset": write_texts(tmp_path / "help", tiny_help())})
    params = AssistantSimulate.model_validate_json(json.dumps({"dataset": DATASET, "count": 60, "grounded": True}))
    made = perform("assistant", "simulate", params, simulated)
    rows = [json.loads(line) for line in (tmp_path / "simulated" / "dialogues.jsonl").read_text().splitlines()]
    assert made["dialogues"] == len(rows) > 40
    assert {turn["role"] for row in rows for turn in row["messages"]} == {"system", "user", "assistant"}
    documents = [_document(number, row) for number, row in enumerate(rows)]
    speaker_home = tmp_path / "speaker"
    texts = TextSet("dialogues", tuple(documents[4:]), tuple(documents[:4]))
    learning = RecordingRun(speaker_home, {"dataset": write_texts(speaker_home / "set", texts)})
    settings = {"steps": 4, "width": 16, "num_layers": 1, "num_heads": 2, "context": 64, "batch_size": 2}
    chosen = {"dataset": DATASET, "vocabulary": 400, **settings}
    perform(
        "text_transformer", "train", task("text_transformer.train").model_validate_json(json.dumps(chosen)), learning
    )
    speaker = load_speaker(speaker_home / "model", "cpu")
    assert len(speaker.speak("User: Hello\nAssistant:", Manner([1, 2], 5, STOPS), lambda _: None)) == 2
    home = tmp_path / "assistant"
    made_of(tiny_help(), home, epochs=1)
    run = RecordingRun(tmp_path / "asked", {"model": home / "model", "writer": speaker_home / "model"})
    asked = {"model": MODEL, "writer": MODEL, "question": "How do I clean my printer?", "max_tokens": 12}
    perform("assistant", "reply", AssistantReply.model_validate_json(json.dumps(asked)), run)
    reply = parse_reply((tmp_path / "asked" / REPLY).read_bytes())
    assert reply.kind == "answer"
    assert reply.manner == "written" or reply.instead in ("nothing-supported", "nothing-written")
    assert run.steps[-1] == (12, 12)


def _document(number: int, row: dict[str, list[dict[str, str]]]) -> Document:
    parts = tuple(Part(turn["content"], turn["role"]) for turn in row["messages"])
    return Document(str(number), parts, language="en", attributes={"origin": ("simulated",)})


def test_simulated_questions_ask_for_the_sections_they_were_made_of(tmp_path: Path) -> None:
    texts = tiny_help()
    run = RecordingRun(tmp_path, {"dataset": write_texts(tmp_path / "help", texts)})
    params = AssistantSimulate.model_validate_json(json.dumps({"dataset": DATASET, "count": 40, "turns": 2}))
    perform("assistant", "simulate", params, run)
    rows = [json.loads(line) for line in (tmp_path / "dialogues.jsonl").read_text().splitlines()]
    again = RecordingRun(tmp_path / "again", {"dataset": tmp_path / "help"})
    perform("assistant", "simulate", params, again)
    assert (tmp_path / "again" / "dialogues.jsonl").read_bytes() == (tmp_path / "dialogues.jsonl").read_bytes()
    assert all(row["attributes"] == {"origin": "simulated"} for row in rows)
    made = TextSet("dialogues", tuple(_document(number, row) for number, row in enumerate(rows)), ())
    plain, more = lesson_from([texts], 0), lesson_from([texts, made], 0)
    asked = sum(len(row["messages"]) // 2 for row in rows)
    assert len(more.questions) - len(plain.questions) > 0.5 * asked  # those of validation pages are left out
    assert (len(more.passages), more.in_dialogues) == (len(plain.passages), frozenset())
    assert len(more.of(TEST)) == len(plain.of(TEST))
    for one in more.questions[len(plain.questions) :]:
        passage = next(each for each in more.passages if each.section == one.section)
        assert any(thing in one.text.lower() for thing in THINGS if thing in passage.document)
