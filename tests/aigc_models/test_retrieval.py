"""Words, passages, BM25, features and the two scores together."""

import math

import numpy as np
import pytest

from aigc_models.data.texts import Document, Part
from aigc_models.retrieval import passages as kept
from aigc_models.retrieval.bm25 import K1, B, Bm25
from aigc_models.retrieval.features import Bags, Reader
from aigc_models.retrieval.index import Groups, Mix, Scores, fused, ranks
from aigc_models.retrieval.passages import cut, of_sections
from aigc_models.retrieval.tokens import language, question_words, sentences, words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Save the FILE, don't print!", ["save", "the", "file", "don't", "print"]),
        ("打开文件夹", ["打开", "开文", "文件", "件夹"]),
        ("在 Writer 中", ["在", "writer", "中"]),
        ("ＡＢＣ １２", ["abc", "12"]),
        ("snake_case", ["snake", "case"]),
        ("… — !", []),
    ],
)
def test_words(text: str, found: list[str]) -> None:
    assert words(text) == found


def test_sentences_are_as_they_stand() -> None:
    text = (
        "Choose File - Print. See fig. 2 in e.g. the guide! 选择“打印”。然后单击「确定」。\n- a step\n\n  another one  "
    )
    assert sentences(text) == [
        "Choose File - Print.",
        "See fig. 2 in e.g. the guide!",
        "选择“打印”。",
        "然后单击「确定」。",
        "- a step",
        "another one",
    ]
    assert all(one in text for one in sentences(text))
    assert (language("打印 page"), language("print 页 the page")) == ("zh", "en")


def test_pieces_keep_their_headings_and_lose_nothing() -> None:
    body = " ".join(f"Sentence number {place} has six words." for place in range(100))
    parts = (
        Part("", heading="Print", level=1),
        Part(body, heading="Duplex", level=2),
        Part("Short text here.", heading="Next", level=2),
    )
    found = list(of_sections(Document("a.md", parts, "Guide"), 7))
    assert {one.section for one in found} == {8, 9}
    assert all(one.headings == ("Print", "Duplex") for one in found[:-1])
    assert found[-1].headings == ("Print", "Next")
    assert " ".join(one for piece in found[:-1] for one in piece.sentences) == body
    assert max(len(words(one.text)) for one in found) <= kept.MOST_WORDS
    assert min(len(words(one.text)) for one in found[:-1]) > kept.MOST_WORDS / 2
    assert all(kept.from_json(kept.to_json(one)) == one for one in found)
    assert found[0].name == "Duplex"


def test_a_sentence_without_an_end_is_cut() -> None:
    found = cut("x" * 10_001)
    assert "".join(one.text for each in found for one in each.pieces) == "x" * 10_001


def test_what_only_makes_a_question_is_left_out() -> None:
    assert question_words("How can I print my pages?") == ["print", "pages"]
    assert question_words("请问怎么打印？") == ["打印"]
    assert question_words("How are you?") == ["how", "are", "you"]


def test_bm25_is_the_formula() -> None:
    texts = [["a", "b", "a"], ["b", "c"], ["c"]]
    index = Bm25.over(texts)
    mean = 2.0

    def score(times: int, holding: int, length: int) -> float:
        rarity = math.log(1 + (3 - holding + 0.5) / (holding + 0.5))
        return rarity * times * (K1 + 1) / (times + K1 * (1 - B + B * length / mean))

    assert index.score(["a", "b", "nowhere"]) == pytest.approx(
        [score(2, 1, 3) + score(1, 2, 3), score(1, 2, 2), 0.0], rel=1e-5
    )
    several = index.score_all([["a", "b"], [], ["nowhere"]])
    assert several[0] == pytest.approx(index.score(["a", "b"]))
    assert not several[1:].any()
    assert index.score(["nowhere"]).tolist() == [0, 0, 0]


def test_features_are_the_same_in_every_process_and_share_pieces() -> None:
    bags = Bags.of([["printing"], ["printer"], [], ["printing"]], 4096)
    first, second, empty, again = (set(bags.take(np.array([row])).features.tolist()) for row in range(4))
    assert first == again
    assert first & second
    assert first != second
    assert empty == {4095}
    assert sorted(first)[:3] == sorted(Bags.of([["printing"]], 4096).features.tolist())[:3]
    assert set(Bags.of([["a", "b"]], 4096).features) - set(Bags.of([["b", "a"]], 4096).features)


def test_taking_adding_and_thinning_keep_texts_apart() -> None:
    bags = Bags.of([["one"], ["two", "three"], ["four"]], 1024)
    swapped = bags.take(np.array([2, 0])) + bags.take(np.array([1]))
    assert len(swapped) == 3
    assert swapped.take(np.array([2])).features.tolist() == bags.take(np.array([1])).features.tolist()
    thin = bags.thinned(0.9, 100, np.random.default_rng(0))
    assert (np.diff(thin.starts) >= 1).all()
    assert len(thin.features) < len(bags.features)
    same = bags.thinned(0.9, 100, np.random.default_rng(0))
    assert thin.features.tolist() == same.features.tolist()


def test_a_reader_has_room_for_what_it_read() -> None:
    few, many = Reader.over([["a"]], 2**17), Reader.over([[f"word{number}" for number in range(250)]], 2**17)
    assert few.buckets < many.buckets <= 2**17
    assert Reader.over([[f"word{number}" for number in range(250)]], 128).buckets == 128
    common = Reader.over([["all", "rare"], ["all"], ["all"]], 1024)
    rarity = common.rarity[common.read([["all"]]).features]
    assert rarity.max() < common.rarity.max()


def test_groups_and_ranks() -> None:
    groups = Groups.of(np.array([2, 0, 2]), 4)
    scores = np.array([[1.0, 5.0, 3.0], [9.0, 0.0, 0.5]], np.float32)
    assert groups.best(scores, -1.0).tolist() == [[5, -1, 3, -1], [0, -1, 9, -1]]
    assert ranks(np.array([[1.0, 3.0, 3.0, 0.0]]), np.array([1])).tolist() == [1.5]
    exact, near, around = (np.array([row], np.float32) for row in ([2, 1, 0], [0, 1, 0.5], [0, 0, 4]))
    assert fused(Scores(exact, near, around, np.zeros(1, np.float32)), Mix(1.0))[0] == pytest.approx([0.5, 0.75, 0.25])
    assert fused(Scores(exact, near, around, np.zeros(1, np.float32)), Mix(1.0, 2.0))[0] == pytest.approx(
        [0.25, 0.375, 0.625]
    )
    none = np.zeros((1, 2), np.float32)
    assert np.isfinite(fused(Scores(none, none, none, np.zeros(1, np.float32)), Mix(1.0, 1.0))).all()
