"""Recommendations: who gets which list, what may be on it, what it is for, and what is said of the rest."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from aigc_models import registry
from aigc_models.base import InputError
from aigc_models.data.interaction_splits import ItemLists
from aigc_models.data.recommended import Recommendations, parse_catalogue, parse_recommendations
from aigc_models.recommending import naming
from aigc_models.recommending.lists import reasons
from aigc_models.standalone import perform
from tests.aigc_models.conftest import RecordingRun
from tests.aigc_models.test_contract import IDS, SMALL, params_of, train
from tests.aigc_models.tiny_interactions import events, tiny_events, write_events

FAMILIES = ("sasrec", "mult_vae")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A short training of each family, with one item that only the test has, and one that nobody has."""
    made = {}
    data = tiny_events()
    ends = data.starts[1:] - 1
    data.items[data.items == 23] = 22
    data.items[ends[0]] = 23
    whole = events(
        [data.items[start:end].tolist() for start, end in zip(data.starts, data.starts[1:], strict=False)], 25
    )
    for family in FAMILIES:
        home = tmp_path_factory.mktemp(family)
        dataset = write_events(home / "dataset", whole)
        train(family, RecordingRun(home, {"dataset": dataset}), split="leave_one_out")
        made[family] = home / "model"
    return made


def recommend(family: str, model: Path, out: Path, **settings: Any) -> tuple[Recommendations, RecordingRun]:
    run = RecordingRun(out, {"model": model})
    perform(family, "recommend", params_of(f"{family}.recommend", **settings), run)
    assert run.steps[-1][0] == run.steps[-1][1]
    return parse_recommendations((out / "recommendations.json").read_bytes()), run


def rows(out: Path) -> list[list[str]]:
    with (out / "recommendations.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))[1:]


@pytest.mark.parametrize("family", FAMILIES)
def test_known_users_and_somebody_new_get_lists_of_what_they_have_not(
    family: str, models: dict[str, Path], tmp_path: Path
) -> None:
    found, run = recommend(
        family, models[family], tmp_path, users="u3, u5\nnobody", history=["i1", "i2", "x", "i3"], count=4
    )
    assert [one.user for one in found.lists] == [None, "u3", "u5"]
    assert [len(one.items) for one in found.lists] == [4, 4, 4]
    new = found.lists[0]
    assert [(had.item, had.title) for had in new.history] == [("i1", "Item 1"), ("i2", ""), ("i3", "Item 3")]
    for one in found.lists:
        assert not {item.item for item in one.items} & {had.item for had in one.history}
        scores = [item.score for item in one.items]
        assert scores == sorted(scores, reverse=True)
        assert 0 < sum(scores) <= 1
    assert "Item x was not in the training data; it was left out." in run.lines
    assert "User nobody was not in the training data; no list was made." in run.lines
    assert (new.unknown, found.unknown_users) == (["x"], ["nobody"])
    assert [row[:3] for row in rows(tmp_path)][4:6] == [
        ["u3", "1", found.lists[1].items[0].item],
        ["u3", "2", found.lists[1].items[1].item],
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_everybody_gets_a_list_of_allowed_items_that_somebody_learnt_about(
    family: str, models: dict[str, Path], tmp_path: Path
) -> None:
    _, run = recommend(family, models[family], tmp_path / "all", everybody=True, count=30, reasons="none")
    assert {row[0] for row in rows(tmp_path / "all")} == {f"u{number}" for number in range(40)}
    assert not {row[2] for row in rows(tmp_path / "all")} & {"i23", "i24"}, "nobody learnt about these"
    assert any(line.startswith("2 items have no event in the training part") for line in run.lines)
    assert any("lists are shorter than 30" in line for line in run.lines)
    chosen, _ = recommend(family, models[family], tmp_path / "some", everybody=True, allow="i1,i2,i3,i4", deny="i2")
    assert {row[2] for row in rows(tmp_path / "some")} == {"i1", "i3", "i4"}
    assert chosen.filtered == 23 - 3
    before = {(row[0], row[2]): row[4] for row in rows(tmp_path / "all")}
    assert all(before[row[0], row[2]] == row[4] for row in rows(tmp_path / "some")), "filters leave scores alone"
    again, _ = recommend(
        family, models[family], tmp_path / "again", users="u3", include_seen=True, allow="i1,i2", count=9
    )
    assert len(again.lists[0].items) == 2


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("settings", "pointer", "code"),
    [
        ({}, "/users", "nobody-named"),
        ({"history": "x, y"}, "/history", "nothing-known"),
        ({"users": "x"}, "/users", "nothing-known"),
        ({"users": "u1", "allow": "i1", "deny": "i1"}, "/allow", "nothing-left"),
        ({"users": "u1", "allow": "i24"}, "/allow", "nothing-left"),
    ],
)
def test_what_leaves_nothing_is_a_fault_with_its_place(
    family: str, settings: dict[str, Any], pointer: str, code: str, models: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        recommend(family, models[family], tmp_path, **settings)
    assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [(pointer, code)]


def test_names_may_stand_in_lines_or_between_commas_and_hold_commas() -> None:
    known = {"a": 0, "b": 1, "c, d": 2, "e f": 3}
    found = naming.find("a,b\nc, d\n  e f \n\nx，a；x", known)
    assert list(found.numbers) == [0, 1, 2, 3, 0]
    assert list(found.unknown) == ["x"]


def test_a_list_may_be_given_as_json() -> None:
    task = registry.task("sasrec.recommend")
    read = task.model_validate_json(json.dumps({"model": IDS["model"], "history": ["a", "b"], "users": "u"}))
    assert read.model_dump()["history"] == "a\nb"


class Summing:
    """The score of an item is the sum of what each item of the history adds to it."""

    adds = torch.tensor([[0.0, 0, 0, 3.0], [0.0, 0, 0, 1.0], [0.0, 0, 0, -2.0], [0.0, 0, 0, 0]])

    def score(self, histories: ItemLists) -> torch.Tensor:
        return torch.stack([self.adds[torch.from_numpy(histories[row])].sum(0) for row in range(len(histories))])


def test_reasons_are_what_a_recommendation_would_be_less_likely_without() -> None:
    (found,) = reasons(Summing(), np.array([2, 1, 0, 1]), [3], "leave_one_out")
    assert [item for item, _ in found] == [0, 1], "what lowers the score is no reason"
    assert sum(weight for _, weight in found) == pytest.approx(1)
    assert reasons(Summing(), np.array([2]), [3], "leave_one_out") == [[]]
    assert reasons(Summing(), np.array([0]), [3, 1], "none") == [[], []]


@pytest.mark.parametrize("how", ["leave_one_out", "attention"])
def test_reasons_come_from_the_history(how: str, models: dict[str, Path], tmp_path: Path) -> None:
    found, _ = recommend("sasrec", models["sasrec"], tmp_path, history="i1\ni2\ni3", reasons=how, count=2)
    for item in found.lists[0].items:
        assert {why.item for why in item.because} <= {"i1", "i2", "i3"}
        assert 0 <= sum(why.weight for why in item.because) <= 1.001
    assert how != "attention" or found.lists[0].items[0].because


@pytest.mark.parametrize("family", FAMILIES)
def test_an_evaluation_on_the_training_data_finds_the_training_s_figures(family: str, tmp_path: Path) -> None:
    dataset = write_events(tmp_path / "dataset", tiny_events())
    figures = train(family, RecordingRun(tmp_path / "train", {"dataset": dataset}), epochs=1)
    run = RecordingRun(tmp_path / "evaluate", {"dataset": dataset, "model": tmp_path / "train" / "model"})
    found = perform(family, "evaluate", params_of(f"{family}.evaluate"), run)
    assert {name: figures[name] for name in found} == found
    assert parse_catalogue((tmp_path / "train" / "model" / "catalogue.json").read_bytes())[0].item.startswith("i")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_is_measured_on_data_with_other_numbers_by_the_items_ids(family: str, tmp_path: Path) -> None:
    data = tiny_events()
    dataset = write_events(tmp_path / "dataset", data)
    train(family, RecordingRun(tmp_path / "train", {"dataset": dataset}), epochs=1)
    turned = [f"i{number}" for number in reversed(range(24))]
    other = type(data)(data.users, 23 - data.items, data.times, data.ratings, data.user_names, turned, data.item_titles)
    both = [dataset, write_events(tmp_path / "turned", other)]
    found = []
    for place, source in enumerate(both):
        run = RecordingRun(tmp_path / str(place), {"dataset": source, "model": tmp_path / "train" / "model"})
        found.append(perform(family, "evaluate", params_of(f"{family}.evaluate"), run))
    assert found[0]["ndcg10"] == pytest.approx(found[1]["ndcg10"])
    strange = type(data)(
        data.users,
        data.items,
        data.times,
        data.ratings,
        data.user_names,
        list("abcdefghijklmnopqrstuvwx"),
        data.item_titles,
    )
    run = RecordingRun(
        tmp_path / "no", {"dataset": write_events(tmp_path / "strange", strange), "model": tmp_path / "train" / "model"}
    )
    with pytest.raises(InputError, match="knows none"):
        perform(family, "evaluate", params_of(f"{family}.evaluate"), run)


def test_a_training_that_is_not_better_than_a_baseline_says_so(tmp_path: Path) -> None:
    dataset = write_events(tmp_path / "dataset", tiny_events())
    run = RecordingRun(tmp_path / "out", {"dataset": dataset})
    figures = train("sasrec", run, epochs=1, learning_rate=1e-9)
    assert figures["ndcg10"] < figures["ndcg10_markov"] == figures["ndcg10_baseline"]
    assert any("not better than the baseline: 3-step Markov counts" in line for line in run.lines)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_training_ends_when_nothing_gets_better(family: str, tmp_path: Path) -> None:
    dataset = write_events(tmp_path / "dataset", tiny_events())
    run = RecordingRun(tmp_path / "out", {"dataset": dataset})
    train(family, run, epochs=50, patience=1, learning_rate=1e-9)
    assert run.curve[-1].get("validation_ndcg10") is not None
    assert len(run.steps) < 50 * 5
    assert any(line.startswith("Stopped after") for line in run.lines)
    assert SMALL[family]["epochs"] < 50
