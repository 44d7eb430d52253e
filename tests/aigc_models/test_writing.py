"""What families of texts share: tokens without loss, attributes, drawing, writing many at once."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aigc_models.base import InputError
from aigc_models.data.texts import Document, Part
from aigc_models.text_transformer.networks import TextTransformer
from aigc_models.writing.conditions import body_of, header_of, known_of, read_header, read_wish
from aigc_models.writing.corpus import assemble, part
from aigc_models.writing.generating import Text, window_start, without_stop, write
from aigc_models.writing.sampling import Choice, Numbers, pick, uniforms
from aigc_models.writing.tokenizers import BODY, END, MARKS, Tokenizer, learn_tokenizer, load_tokenizer
from aigc_models.writing.vocabulary import MOST_VALUES, Vocabulary
from tests.aigc_models.test_layers_transformer import network
from tests.aigc_models.tiny_texts import tiny_texts

HARD = [
    "two  blanks and a\ttab\nand a line",
    "  in front, and behind  ",
    "全角，标点。「引号」 and Ａ",
    "emoji 👩‍👩‍👧 e\u0301 vs é",
    "▁ is no blank, nor is ▁▁",
    "\r\n\x07\u2028\ufeff",
    "",
]


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> list[Tokenizer]:
    texts = [body_of(one) for one in tiny_texts().train] + ["今天的天气很好。"] * 20
    made = [learn_tokenizer(kind, texts, 400) for kind in ("bytes", "characters", "pieces")]
    found = []
    for tokenizer in made:
        directory = tmp_path_factory.mktemp("tokenizer")
        tokenizer.save(directory)
        found.append(load_tokenizer(directory))
        assert found[-1].encode("the fast player") == tokenizer.encode("the fast player")
    return found


def test_no_text_is_changed(tokenizers: list[Tokenizer]) -> None:
    for tokenizer in tokenizers:
        assert tokenizer.vocabulary == len(tokenizer.pieces)
        for text in HARD:
            tokens = tokenizer.encode(text)
            assert tokenizer.decode(tokens) == text, tokenizer.kind
            assert all(MARKS <= token < tokenizer.vocabulary for token in tokens)


@settings(max_examples=25, deadline=None)
@given(st.text())
def test_no_text_anybody_thinks_of_is_changed(tokenizers: list[Tokenizer], text: str) -> None:
    for tokenizer in tokenizers:
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_pieces_are_shorter_than_characters(tokenizers: list[Tokenizer]) -> None:
    text = body_of(tiny_texts().test[0])
    count = {tokenizer.kind: len(tokenizer.encode(text)) for tokenizer in tokenizers}
    assert count["pieces"] < 0.6 * count["characters"] <= count["bytes"]


def test_half_a_character_is_marked_not_raised(tokenizers: list[Tokenizer]) -> None:
    tokens = tokenizers[0].encode("é")
    assert tokenizers[0].decode(tokens[:1]) == "\ufffd"


def test_attributes_are_read_as_people_write_them() -> None:
    names = ["title", "section", "tags"]
    wish = read_wish("Tags=2d, arcade, section = games", names)
    assert wish == {"section": ("games",), "tags": ("2d", "arcade")}
    assert list(wish) == ["section", "tags"], "in the order in which networks read them"
    assert read_wish("section=游戏，tags=二维", names) == {"section": ("游戏",), "tags": ("二维",)}
    assert read_header(header_of(wish)) == wish
    for wrong in ("colour=red", "red"):
        with pytest.raises(InputError, match="section"):
            read_wish(wrong, names)
    with pytest.raises(InputError, match="had none"):
        read_wish("a=b", [])


def test_values_that_no_training_text_has_are_refused_with_those_like_them(tmp_path: Path) -> None:
    known = [{"section": ("games",), "title": ("One",)}] * 3 + [{"section": ("garden tools",), "tags": ("Été", "2d")}]
    Vocabulary.of(known).save(tmp_path)
    vocabulary = Vocabulary.load(tmp_path)
    assert vocabulary.values["section"] == ("games", "garden tools"), "the commonest first"
    assert vocabulary.faults({"section": ("games", "Garden Tools"), "title": ("Never seen",), "other": ("x",)}) == []
    assert vocabulary.spelled({"tags": ("été",), "section": ("GAMES",)}) == {"tags": ("Été",), "section": ("games",)}
    (near,) = vocabulary.faults({"section": ("gmes",)})
    assert "No training text has section=gmes. Did you mean games? See all 2 values with: " in str(near)
    assert near.pointer == "/attributes"
    (far,) = vocabulary.faults({"section": ("zzzzzz",)})
    assert "The commonest values are: games, garden tools." in str(far)
    assert Vocabulary.load(tmp_path / "older").faults({"section": ("gmes",)}) == []


def test_an_attribute_of_very_many_values_takes_any() -> None:
    many = [{"sku": (str(number),), "section": ("games",)} for number in range(MOST_VALUES + 1)]
    vocabulary = Vocabulary.of(many)
    assert list(vocabulary.values) == ["section"]
    assert vocabulary.faults({"sku": ("new",)}) == []


def test_a_document_begins_with_what_is_known_of_it(tokenizers: list[Tokenizer]) -> None:
    turns = (Part("Hello?", role="user"), Part("Hi.", role="assistant"))
    dialogue = Document("1", turns, title="A\n talk", attributes={"tone": ("kind",)})
    assert known_of(dialogue) == {"title": ("A talk",), "tone": ("kind",)}
    corpus = assemble(tokenizers[0], [dialogue])
    text = "title: A talk\ntone: kind\n"
    assert tokenizers[0].decode(corpus.tokens.tolist()) == text + "User: Hello?\nAssistant: Hi."
    assert corpus.tokens[len(text)] == BODY
    assert corpus.tokens[-1] == END
    assert corpus.characters == int(corpus.counted.sum()) == len("User: Hello?\nAssistant: Hi.") + 1


def test_what_is_set_aside_is_not_learnt_from() -> None:
    documents = tiny_texts(200, 1).train
    learnt, aside = part(documents, 1)
    assert len(learnt) + len(aside) == len(documents)
    assert not {one.name for one in learnt} & {one.name for one in aside}
    long = Document("1", (Part("many words " * 100),))
    (begin,), (end,) = part([long], 1)
    assert body_of(begin) + body_of(end) == body_of(long)
    with pytest.raises(InputError, match="characters"):
        part([Document("1", (Part("short"),))], 1)


def shares_of(rows: int) -> Numbers:
    return np.tile(np.log(np.array([[0.1, 0.2, 0.3, 0.4]], np.float32)), (rows, 1))


def test_a_draw_follows_the_shares() -> None:
    drawn = pick(shares_of(4000), Choice(), uniforms(1, 4000))
    assert np.bincount(drawn, minlength=4).tolist() == pytest.approx([400, 800, 1200, 1600], rel=0.15)
    cold = pick(shares_of(4000), Choice(temperature=0.5), uniforms(1, 4000))
    shares = np.array([0.01, 0.04, 0.09, 0.16]) / 0.3
    assert np.bincount(cold, minlength=4).tolist() == pytest.approx((4000 * shares).tolist(), rel=0.25)


def test_only_the_likeliest_may_come() -> None:
    draws = uniforms(2, 500)
    assert set(pick(shares_of(500), Choice(temperature=0), draws).tolist()) == {3}
    assert set(pick(shares_of(500), Choice(top_k=2), draws).tolist()) == {2, 3}
    assert set(pick(shares_of(500), Choice(top_p=0.6), draws).tolist()) == {2, 3}
    assert set(pick(shares_of(500), Choice(top_p=0.1), draws).tolist()) == {3}
    assert set(pick(shares_of(500), Choice(top_k=3, top_p=0.7), draws).tolist()) == {2, 3}
    said = np.tile([False, False, False, True], (500, 1))
    often = pick(shares_of(500), Choice(), draws)
    seldom = pick(shares_of(500), Choice(repetition_penalty=3.0), draws, said)
    assert (seldom == 3).sum() < 0.5 * (often == 3).sum()


def test_a_window_moves_by_half_a_context() -> None:
    starts = [window_start(length, 16) for length in range(1, 60)]
    assert all(0 < length - start <= 16 for length, start in enumerate(starts, 1))
    assert sorted(set(starts)) == [0, 8, 16, 24, 32, 40, 48]


@pytest.fixture(params=["in numpy", "in torch"])
def decoder(request: pytest.FixtureRequest) -> TextTransformer:
    """One that writes on each of the two ways."""
    made = network(2)
    if request.param == "in torch":
        made.folded = lambda: None  # type: ignore[method-assign]
    assert (made.batch(None, Choice(), []) is None) == (request.param == "in torch")
    return made


def test_texts_written_together_are_those_written_alone(tokenizers: list[Tokenizer], decoder: TextTransformer) -> None:
    """Prompts of other lengths stand beside each text, and texts outgrow the context."""
    tokenizer = tokenizers[0]
    narrow = Tokenizer("bytes", tokenizer.pieces[:30], tokenizer.split)
    prompts = [[BODY], [BODY, 5, 6], [BODY, *range(2, 22)], [BODY, 9]]

    def texts() -> list[Text]:
        return [Text(list(prompt), seed, 40) for seed, prompt in enumerate(prompts)]

    together = texts()
    write(decoder, narrow, Choice(repetition_penalty=1.2), together)
    for alone, text in zip(texts(), together, strict=True):
        write(decoder, narrow, Choice(repetition_penalty=1.2), [alone])
        assert alone.tokens == text.tokens
        assert BODY not in alone.written
    assert {text.ended for text in together} <= {"end", "length"}


def test_what_the_cache_gives_is_what_the_whole_text_gives(
    tokenizers: list[Tokenizer], decoder: TextTransformer
) -> None:
    """The likeliest tokens, one by one from the cache, are those that a pass over the window says."""
    narrow = Tokenizer("bytes", tokenizers[0].pieces[:30], tokenizers[0].split)
    text = Text([BODY, 3], 0, 40)
    write(decoder, narrow, Choice(temperature=0), [text])
    with torch.inference_mode():
        for place in range(text.given, len(text.tokens)):
            before = text.tokens[window_start(place, decoder.context) : place]
            scores = decoder.scores(decoder(torch.tensor([before]))[0, -1])
            scores[BODY] = -torch.inf
            assert int(scores.argmax()) == text.tokens[place]


def test_a_text_ends_before_what_it_is_to_stop_at(tokenizers: list[Tokenizer]) -> None:
    tokenizer = tokenizers[0]
    text = Text(tokenizer.encode("begin"), 1, 50, [b"END", b"\n\n"])
    for token in tokenizer.encode("some words\n"):
        text.add(token, tokenizer)
        assert not text.ended
    text.add(tokenizer.encode("\n")[0], tokenizer)
    assert text.ended == "stop"
    assert without_stop(tokenizer.decode_bytes(text.written), text.stops) == b"some words"


def test_writing_stops_within_a_token_when_told_to(tokenizers: list[Tokenizer]) -> None:
    seen: list[int] = []

    def after(alive: int) -> None:
        seen.append(alive)
        if len(seen) == 3:
            raise KeyboardInterrupt

    narrow = Tokenizer("bytes", tokenizers[0].pieces[:30], tokenizers[0].split)
    texts = [Text([BODY], seed, 30) for seed in range(5)]
    with pytest.raises(KeyboardInterrupt):
        write(network(), narrow, Choice(), texts, after)
    assert max(len(text.written) for text in texts) <= 3


def test_a_tokenizer_keeps_its_files(tmp_path: Path, tokenizers: list[Tokenizer]) -> None:
    tokenizers[2].save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"tokenizer.json", "tokenizer.model"}
