"""Writing with a trained text transformer and a sentence VAE: what can be asked for, what is refused, what is said."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from aigc_models.base import Cancelled, InputError, Params
from aigc_models.data.texts import Document, Part, TextSet
from aigc_models.registry import task
from aigc_models.standalone import perform
from aigc_models.text_transformer.ranker import Ranker, area_under_curve
from aigc_models.text_vae.judge import warnings
from aigc_models.text_vae.likelihood import bound, kl_by_number, tighter_bound
from aigc_models.text_vae.networks import TextVae
from aigc_models.text_vae.plan import Plan
from aigc_models.text_vae.sentences import AlikeBatches, rows_of, sentences_of
from aigc_models.text_vae.writer import between, near
from aigc_models.training import seeded
from aigc_models.writing.tokenizers import END, of_bytes
from tests.aigc_models.conftest import RecordingRun
from tests.aigc_models.tiny_texts import write_texts

TRANSFORMER = {"steps": 30, "batch_size": 4, "width": 16, "num_layers": 1, "context": 32}
VAE = {"steps": 10, "batch_size": 8, "width": 16, "num_layers": 1, "latent_dim": 4, "longest": 100}


def settings(name: str, **values: Any) -> Params:
    inputs = {"train": {"dataset": "ds_" + "0" * 26}, "generate": {"model": "mdl_" + "0" * 26}}
    return task(name).model_validate_json(json.dumps(inputs[name.split(".")[1]] | values))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """A short training of each family."""
    torch.set_num_threads(1)
    home = tmp_path_factory.mktemp("texts")
    dataset = write_texts(home / "dataset")
    for family, chosen in (("text_transformer", TRANSFORMER), ("text_vae", VAE)):
        run = RecordingRun(home / family, {"dataset": dataset})
        perform(family, "train", settings(f"{family}.train", **chosen), run)
    return {family: home / family / "model" for family in ("text_transformer", "text_vae")}


def write(models: Mapping[str, Path], out: Path, family: str, **values: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """What is written, and what is said."""
    run = RecordingRun(out, {"model": models[family]})
    perform(family, "generate", settings(f"{family}.generate", **values), run)
    return [json.loads(line) for line in (out / "texts.jsonl").read_text().splitlines()], run.lines


def test_a_prompt_and_attributes_are_kept_with_each_text(models: Mapping[str, Path], tmp_path: Path) -> None:
    made, _ = write(
        models, tmp_path, "text_transformer", prompt="the fast", attributes="Section=games", count=2, max_tokens=20
    )
    assert all(one["prompt"] == "the fast" and one["attributes"] == {"section": ["games"]} for one in made)
    assert all(one["tokens"] <= 20 and one["ended"] in ("end", "length") for one in made)
    assert (tmp_path / "texts.txt").read_text().startswith("the fast" + made[0]["text"])


def test_the_best_of_several_candidates_is_kept(models: Mapping[str, Path], tmp_path: Path) -> None:
    wish = {"attributes": "section=net", "count": 2, "max_tokens": 30}
    plain, _ = write(models, tmp_path / "one", "text_transformer", **wish)
    best, _ = write(models, tmp_path / "many", "text_transformer", candidates=6, **wish)
    assert all({"looks_real", "attributes_kept"} == set(one["scores"]) for one in best)
    assert not any("scores" in one for one in plain)
    again, _ = write(models, tmp_path / "same", "text_transformer", candidates=6, **wish)
    assert again == best
    alone, _ = write(models, tmp_path / "alone", "text_transformer", **{**wish, "count": 1, "seed": best[0]["seed"]})
    assert alone[0]["text"] == best[0]["text"], "its seed alone gives the text that was kept"


def test_a_prompt_longer_than_the_context_is_said(models: Mapping[str, Path], tmp_path: Path) -> None:
    made, lines = write(models, tmp_path, "text_transformer", prompt="the fast player " * 10, count=1, max_tokens=5)
    assert any("longer than the 32 tokens" in line for line in lines)
    assert len(made) == 1


def test_an_attribute_nobody_knows_is_refused(models: Mapping[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="knows no attribute called colour") as refused:
        write(models, tmp_path, "text_transformer", attributes="colour=red")
    assert refused.value.faults[0].code == "unknown-attribute"
    assert refused.value.faults[0].pointer == "/attributes"
    with pytest.raises(InputError, match=r"No training text has section=gmes\. Did you mean games\?"):
        write(models, tmp_path, "text_transformer", attributes="section=gmes")


def test_a_text_stops_where_it_is_told_to(models: Mapping[str, Path], tmp_path: Path) -> None:
    made, _ = write(models, tmp_path, "text_transformer", prompt="x", stop="e\na\n", count=8, max_tokens=60)
    assert not any("e" in one["text"] or "a" in one["text"] for one in made)
    assert any(one["ended"] == "stop" for one in made)


def test_a_cancelled_writing_ends_within_a_token(models: Mapping[str, Path], tmp_path: Path) -> None:
    run = RecordingRun(tmp_path, {"model": models["text_transformer"]})
    run.after_step = lambda _step: setattr(run, "cancelling", True)
    with pytest.raises(Cancelled):
        perform("text_transformer", "generate", settings("text_transformer.generate", count=4, max_tokens=500), run)
    assert len(run.steps) == 1
    assert not (tmp_path / "texts.jsonl").exists()


def test_too_little_text_is_refused(tmp_path: Path) -> None:
    texts = TextSet("passages", (Document("1", (Part("Only this."),)),), ())
    run = RecordingRun(tmp_path / "out", {"dataset": write_texts(tmp_path / "dataset", texts)})
    for family in ("text_transformer", "text_vae"):
        with pytest.raises(InputError) as refused:
            perform(family, "train", settings(f"{family}.train"), run)
        assert refused.value.faults[0].code == "too-little-text"


def test_a_ranker_tells_two_kinds_apart_and_nothing_where_there_is_nothing() -> None:
    draws = torch.randn(200, 7, generator=seeded(1))
    apart, same = Ranker(4), Ranker(4)
    apart.fit(draws[:50] + 1, draws[50:100])
    same.fit(draws[:50], draws[50:100])
    with torch.inference_mode():
        assert area_under_curve(apart(draws[100:150] + 1), apart(draws[150:])) > 0.9
        assert 0.3 < area_under_curve(same(draws[100:150]), same(draws[150:])) < 0.7
    assert area_under_curve(torch.ones(3), torch.ones(2)) == 0.5


# --- sentences


def test_texts_fall_into_sentences() -> None:
    text = 'One is here. "Two!" Three costs 3.5 euros? 四在这里。五也在！\nA last line'
    assert sentences_of([Document("1", (Part(text),))]) == [
        "One is here.",
        '"Two!"',
        "Three costs 3.5 euros?",
        "四在这里。",
        "五也在！",
        "A last line",
    ]


def test_rows_hold_sentences_and_their_ends() -> None:
    rows = rows_of(of_bytes(), ["ab", "abcd", "too long to be taken"], 8)
    tokens, known = rows.take(torch.tensor([0, 1]))
    assert tokens.tolist() == [[99, 100, END, END, END], [99, 100, 101, 102, END]]
    assert known.sum(1).tolist() == [3, 5]
    assert rows.characters == 3 + 5


def test_batches_are_of_sentences_of_about_one_length_and_take_each_once() -> None:
    lengths = torch.randint(2, 40, (96,), generator=seeded(3))
    batches = AlikeBatches(lengths, 8, seeded(4))
    taken = [batches.next() for _ in range(12)]
    assert sorted(torch.cat(taken).tolist()) == list(range(96))
    spread = max(int(lengths[batch].max() - lengths[batch].min()) for batch in taken)
    assert spread < int(lengths.max() - lengths.min()) / 2
    longest = [int(lengths[batch].max()) for batch in taken]
    assert longest != sorted(longest), "but batches come in any order"


def test_batches_go_on_inside_a_pass() -> None:
    lengths = torch.randint(2, 40, (50,), generator=seeded(3))
    whole, first = AlikeBatches(lengths, 8, seeded(4)), AlikeBatches(lengths, 8, generator := seeded(4))
    expected = [whole.next().tolist() for _ in range(20)]
    for _ in range(3):
        first.next()
    after = AlikeBatches(lengths, 8, again := seeded(9))
    after.load_state_dict(first.state_dict())
    again.set_state(generator.get_state())
    assert [after.next().tolist() for _ in range(17)] == expected[3:]


def test_the_likelihood_of_a_decoder_that_ignores_the_latent_numbers_is_exact() -> None:
    network = TextVae(Plan(300, 16, 1, 2, 3, 12)).eval()
    for layer in (network.widen, network.posterior):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    rows = rows_of(of_bytes(), ["ab", "some more", "x"], 12)
    plain = bound(network, rows, 3)
    assert plain.kl == 0.0
    assert tighter_bound(network, rows, 2, lambda: None) == pytest.approx(plain.reconstruction, abs=1e-3)
    with torch.no_grad():
        network.posterior.bias[:3] = 0.8  # the encoder says something that the decoder makes nothing of
    shifted = bound(network, rows, 3)
    assert shifted.kl == pytest.approx(3 * 3 * 0.8**2 / 2, rel=1e-5)
    many = tighter_bound(network, rows, 3000, lambda: None)
    assert many == pytest.approx(plain.reconstruction, abs=0.3), "with many draws it costs nothing"
    assert many < shifted.reconstruction + shifted.kl - 2


def test_kl_of_a_case_worked_out_by_hand() -> None:
    found = kl_by_number(torch.tensor([[0.0, 1.0, 0.0]]), torch.tensor([[0.0, 0.0, 1.0]]))
    assert found[0].tolist() == pytest.approx([0.0, 0.5, 0.5 * (2.718281828 - 2)], abs=1e-6)


def test_the_way_from_one_sentence_to_another() -> None:
    first, second = torch.tensor([3.0, 0, 0]), torch.tensor([0.0, 3, 0])
    way = between(first, second, 5)
    assert torch.allclose(way[0], first)
    assert torch.allclose(way[-1], second, atol=1e-6)
    assert way.norm(dim=1).tolist() == pytest.approx([3.0] * 5, abs=1e-5)
    assert torch.allclose(between(first, first, 3), first.expand(3, 3))
    noise = torch.randn(2000, 3, generator=seeded(2))
    assert torch.equal(near(first, noise, 0.0), first.expand(2000, 3))
    assert torch.equal(near(first, noise, 1.0), noise)


def test_sentences_are_rebuilt_rewritten_and_joined(models: Mapping[str, Path], tmp_path: Path) -> None:
    given = "the fast player\na server"

    def made(name: str, **values: Any) -> list[dict[str, Any]]:
        return write(models, tmp_path / name, "text_vae", sentences=given, temperature=0, **values)[0]

    rebuilt = made("rebuilt", mode="reconstruct")
    assert [one["attributes"]["from"] for one in rebuilt] == [["the fast player"], ["a server"]]
    way = made("way", mode="interpolate", count=4)
    assert [one["about"] for one in way] == ["0 %", "33 %", "67 %", "100 %"]
    assert [way[0]["text"], way[-1]["text"]] == [one["text"] for one in rebuilt]
    assert [one["text"] for one in made("near", mode="near", count=2, distance=0.0)] == [
        one["text"] for one in rebuilt for _ in range(2)
    ]


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"mode": "interpolate", "sentences": "only one"}, "sentences-missing"),
        ({"mode": "near"}, "sentences-missing"),
        ({"mode": "reconstruct", "sentences": "short\n" + "long " * 40}, "sentence-too-long"),
    ],
)
def test_sentences_that_cannot_be_taken_are_refused(
    models: Mapping[str, Path], tmp_path: Path, values: dict[str, Any], code: str
) -> None:
    with pytest.raises(InputError) as refused:
        write(models, tmp_path, "text_vae", **values)
    assert [fault.code for fault in refused.value.faults] == [code]


def test_missing_sentences_are_told_before_a_job_starts() -> None:
    def codes(**values: Any) -> list[str]:
        return [one.code for one in settings("text_vae.generate", **values).misfits(lambda _name: {})]

    assert codes(mode="interpolate", sentences="only one\n ") == ["sentences-missing"]
    assert codes(mode="near", sentences="\n".join(["one"] * 201)) == ["sentences-missing"]
    assert codes(mode="interpolate", sentences="one\ntwo") == codes(mode="sample") == []


def test_a_collapse_is_said() -> None:
    good = {"active_units": 8.0, "kl": 9.0, "bits_per_character": 2.0, "bits_per_character_ngram": 2.5}
    assert warnings(good) == []
    assert "collapsed" in warnings({**good, "kl": 0.01})[0]
    assert "collapsed" in warnings({**good, "active_units": 0.0})[0]
    assert "not better than the baseline" in warnings({**good, "bits_per_character": 3.0})[0]
