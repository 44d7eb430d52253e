"""Counts of characters, copied passages, variety, and readers of attributes, on cases worked out by hand."""

import numpy as np
import pytest

from aigc_models.metrics.attribute_reader import AttributeReader
from aigc_models.metrics.copied_spans import Sources
from aigc_models.metrics.ngram import WittenBell
from aigc_models.metrics.text_quality import distinct, self_bleu, words
from aigc_models.writing.judging import Counted
from tests.aigc_models.tiny_texts import tiny_texts


def test_witten_bell_by_hand() -> None:
    """After ``0 1 0 1 0 2``: a zero is followed by 1, 1, 2, so 3 events of 2 kinds."""
    counts = WittenBell(np.array([0, 1, 0, 1, 0, 2]), 4, order=2)
    # Alone: six events of three kinds, mixed with a quarter each: (count + 3 / 4) / 9.
    alone = [(count + 0.75) / 9 for count in (3, 2, 1, 0)]
    after_zero = [(count + 2 * share) / 5 for count, share in zip((0, 2, 1, 0), alone, strict=True)]
    for symbol in range(4):
        assert np.exp(counts.log_shares(np.array([0, symbol])))[1] == pytest.approx(after_zero[symbol])
    assert np.exp(counts.log_shares(np.array([0])))[0] == pytest.approx(alone[0])


def test_shares_of_counts_sum_to_one_and_are_drawn() -> None:
    rng = np.random.default_rng(1)
    symbols = np.cumsum(rng.integers(0, 2, 3000)) % 5
    counts = WittenBell(symbols, 6, order=4)
    context = symbols[10:13]
    shares = [np.exp(counts.log_shares(np.array([*context, symbol])))[-1] for symbol in range(6)]
    assert sum(shares) == pytest.approx(1)
    drawn = counts.draw([context.tolist()] * 4000, 1, rng)
    found = np.bincount([row[-1] for row in drawn], minlength=6) / 4000
    assert found == pytest.approx(shares, abs=0.03)
    assert -counts.log_shares(symbols).mean() < 0.8 * np.log(5)


def test_counts_write_and_read_texts() -> None:
    bodies = [part.text for document in tiny_texts().train for part in document.parts]
    counted = Counted.over(bodies)
    assert counted.bits_per_character(bodies) < counted.bits_per_character(["zebra xylophone"] * 3)
    written = counted.write(5, 40, np.random.default_rng(2))
    assert len(written) == 5
    assert all(0 < len(text) <= 40 for text in written)


def test_the_longest_copied_passage_is_found() -> None:
    sources = Sources(["the quick brown fox jumps", "over the lazy dog", "全角的文字也要找到"])
    span = sources.longest(["a brown fox sleeps", "no brown fox jumps here", "文字也要"])
    assert (span.text, span.start, span.length) == (1, 2, len(" brown fox jumps"))
    assert sources.longest(["而文字也要找着"]).length == len("文字也要找")
    assert sources.longest(["ZZZ"]).length == 0
    across = sources.longest(["jumpsover"])
    assert across.length == len("jumps"), "no passage goes over the border of two texts"


def test_variety_is_what_it_says() -> None:
    assert words("A cat, 两只猫!") == ["a", "cat", ",", "两", "只", "猫", "!"]
    assert distinct(["a b c", "a b d"]) == 3 / 4
    assert distinct(["a"]) == 0
    same, other = ["the cat sat on the mat"] * 3, ["one two three four", "five six seven eight", "nine ten red blue"]
    assert self_bleu(same) == pytest.approx(1)
    assert self_bleu(other) < 0.1
    assert self_bleu(["alone"]) == 0


def test_a_reader_tells_what_texts_are_like() -> None:
    texts = tiny_texts(200, 40)
    reader = AttributeReader([one.text for one in texts.train], [one.attributes for one in texts.train])
    reader = AttributeReader.from_json(reader.to_json())
    assert reader.names == ["section"]
    test = [one.text for one in texts.test]
    assert reader.mean_share(test, [one.attributes for one in texts.test]) == 1
    turned = [{"section": ("games" if one.attributes["section"] == ("net",) else "net",)} for one in texts.test]
    assert reader.mean_share(test, turned) == pytest.approx(0)
    assert reader.share("anything", {"colour": ("red",)}) is None
    assert reader.share("anything", {"section": ("unknown",)}) is None
