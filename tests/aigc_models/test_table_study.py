"""Does adding synthetic rows help? Studies whose answer is known, and what every operation promises."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aigc_models.base import Cancelled, InputError, Metrics, Paused
from aigc_models.data.tables import CODED, Table, TableSet, save_table
from aigc_models.faults import explain
from aigc_models.metrics import table_utility
from aigc_models.metrics.table_rows import like
from aigc_models.standalone import newest_checkpoint, perform
from aigc_models.table_study import trials
from aigc_models.table_study.generators import GENERATORS, Workplace
from aigc_models.table_study.model import spoken
from aigc_models.table_study.params import FAMILY, TableStudyAugment
from aigc_models.table_study.trials import Finding, Setting, Trial, conclude, try_once
from tests.aigc_models.conftest import RecordingRun
from tests.aigc_models.loan_tables import loans, table

ID = "ds_" + "0" * 26


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """240 loans to learn from, 160 to judge by."""
    directory = tmp_path_factory.mktemp("loans")
    save_table(TableSet(loans(240, 1), loans(160, 2)), {"kind": "table", "hash": "0" * 64}, directory)
    return directory


def params(**changed: Any) -> TableStudyAugment:
    values = {
        "dataset": ID,
        "target": "状态",
        "generator": "copula",
        "shares": "20,100",
        "repeats": 2,
        "seed": 5,
        **changed,
    }
    return TableStudyAugment.model_validate_json(json.dumps(values))


def study(run: RecordingRun, **changed: Any) -> Metrics:
    return perform("table_study", "augment", params(**changed), run)


def setting(generator: Any, rows: int = 30) -> Setting:
    train, test = (like(table, table) for table in (loans(rows, 1), loans(400, 2)))
    return Setting(train, test, "状态", generator, 400)


def found(one: Setting) -> Finding:
    made = [try_once(one, 100, seed) for seed in range(4)]
    return conclude("categories", one.test.cells["状态"], made, 0)


# --- answers


def test_rows_from_the_same_source_help_where_real_ones_are_few() -> None:
    finding = found(setting(lambda _train, count, seed, _at: loans(4 * count, 100 + seed)))
    assert finding.answer == "yes"
    assert 0 < finding.interval[0] < finding.gain < finding.interval[1]
    assert spoken(finding).startswith("Yes: with 100 % of the real rows")


def test_rows_that_say_the_opposite_harm() -> None:
    def wrong(_train: Table, count: int, seed: int, _at: Workplace) -> Table:
        made = loans(4 * count, 100 + seed)
        return Table(made.columns, {**made.cells, "状态": 1 - made.cells["状态"]})

    finding = found(setting(wrong, rows=60))
    assert finding.answer == "worse"
    assert "lower the score" in spoken(finding)


def test_the_same_rows_again_change_nothing_that_can_be_shown() -> None:
    finding = found(setting(lambda train, count, _seed, _at: train.take(np.arange(count) % len(train))))
    assert finding.answer == "no"
    assert finding.interval[0] <= 0 <= finding.interval[1]
    assert spoken(finding).startswith("No: with 100 % of the real rows no gain can be shown.")


def test_a_generator_sees_the_share_alone_and_small_shares_lie_within_large_ones() -> None:
    seen: dict[int, set[float]] = {}

    def remember(train: Table, count: int, _seed: int, _at: Workplace) -> Table:
        seen[len(train)] = set(train.cells["年龄"].tolist())
        assert count == 4 * len(train)
        return train

    one = setting(remember, rows=200)
    for percent in (10, 50):
        assert try_once(one, percent, 3).rows == 2 * percent
    assert seen.keys() == {20, 100}
    assert seen[20] < seen[100] < set(one.train.cells["年龄"].tolist())


def test_the_interval_is_that_of_students_distribution_and_of_the_held_out_rows() -> None:
    truth = np.array([0, 1] * 100, np.int32)
    sure, guess = np.eye(2)[truth], np.full((200, 2), 0.5)
    made = [Trial(50, 10, {"real": guess, "repeated": guess, "augmented": sure}) for _ in range(3)]
    finding = conclude("categories", truth, made, 0)
    assert (finding.gain, finding.interval) == (0.5, (0.5, 0.5)), "nothing varies, neither repeats nor rows"
    half = np.concatenate([sure[:100], guess[100:]])
    made[0] = replace(made[0], said={"real": guess, "repeated": guess, "augmented": half})
    finding = conclude("categories", truth, made, 0)
    spread = np.std([0.375, 0.5, 0.5], ddof=1) / 3**0.5  # half of the rows tied: 1 - .5 * .5 / 2 of the pairs
    assert finding.gain == pytest.approx((0.375 + 0.5 + 0.5) / 3)
    assert finding.interval[1] - finding.gain > 4.30 * spread, "two degrees of freedom, and the rows' own chance"


def test_scores_of_weighted_rows_are_those_of_repeated_rows() -> None:
    draws = np.random.default_rng(0)
    truth, chances = draws.integers(0, 3, 60).astype(np.int32), np.round(draws.dirichlet([1, 1, 1], 60), 1)
    weights = draws.integers(0, 4, (5, 60)).astype(np.float64)
    numbers, guesses = draws.normal(size=60), draws.normal(size=60)
    for place, row in enumerate(weights):
        rows = np.repeat(np.arange(60), row.astype(int))
        area = table_utility.main_score("categories", truth[rows], chances[rows])
        assert trials.weighted_scores("categories", truth, chances, weights)[place] == pytest.approx(area)
        explained = table_utility.main_score("numbers", numbers[rows], guesses[rows])
        assert trials.weighted_scores("numbers", numbers, guesses, weights)[place] == pytest.approx(explained)


# --- the operation


def test_a_study_is_complete_and_repeatable(dataset: Path, tmp_path: Path) -> None:
    first, second = (RecordingRun(tmp_path / name, {"dataset": dataset}) for name in "ab")
    metrics = study(first)
    assert study(second) == metrics
    assert metrics.keys() == FAMILY.metrics.keys()
    assert sorted({step for step, _ in first.steps}) == [0, 1, 2, 3, 4]
    assert first.steps == sorted(first.steps)
    assert first.steps[-1][0] == first.steps[-1][1]
    assert first.phases == ["preparing", "evaluating", "saving"]
    report = json.loads((first.out_dir / "augmentation.json").read_text(encoding="utf-8"))
    assert [share["percent"] for share in report["shares"]] == [20, 100]
    assert [share["rows"] for share in report["shares"]] == [48, 240]
    assert report["score"] == "auc"
    assert all(len(share["scores"][side]) == 2 for share in report["shares"] for side in trials.SIDES)
    assert len(first.lines) == 2


def test_a_resumed_study_equals_an_undisturbed_one(dataset: Path, tmp_path: Path) -> None:
    whole = RecordingRun(tmp_path / "whole", {"dataset": dataset})
    metrics = study(whole)
    broken = RecordingRun(tmp_path / "broken", {"dataset": dataset}, checkpoints=tmp_path / "checkpoints")
    broken.after_step = lambda step: setattr(broken, "stopping", step == 3)
    with pytest.raises(Paused):
        study(broken)
    resumed = RecordingRun(tmp_path / "resumed", {"dataset": dataset})
    resumed.resume_from = newest_checkpoint(tmp_path / "checkpoints")
    assert study(resumed) == metrics
    assert {step for step, _ in resumed.steps} == {3, 4}
    assert (resumed.out_dir / "augmentation.json").read_bytes() == (whole.out_dir / "augmentation.json").read_bytes()


def test_a_cancelled_study_leaves_nothing(dataset: Path, tmp_path: Path) -> None:
    run = RecordingRun(tmp_path / "out", {"dataset": dataset})
    run.after_step = lambda step: setattr(run, "cancelling", step == 1)
    with pytest.raises(Cancelled):
        study(run)
    assert not list(run.out_dir.iterdir())


def test_a_number_is_judged_by_explained_variance(dataset: Path, tmp_path: Path) -> None:
    run = RecordingRun(tmp_path / "out", {"dataset": dataset})
    metrics = study(run, target="收入", shares="100")
    assert 0.5 < metrics["score_real"] < 1
    assert json.loads((run.out_dir / "augmentation.json").read_text(encoding="utf-8"))["score"] == "r2"


@pytest.mark.parametrize(("shares", "expected"), [("10, 50,100", [10, 50, 100]), ("50，10,10", [10, 50])])
def test_shares_are_read(shares: str, expected: list[int]) -> None:
    assert params(shares=shares).percentages == expected


@pytest.mark.parametrize("shares", ["", "0", "101", "a", "1,2,3,4,5,6,7", "10;50", "١٠"])
def test_shares_that_are_none_are_refused(shares: str) -> None:
    with pytest.raises(ValueError) as caught:
        params(shares=shares)
    (fault,) = explain(caught.value, TableStudyAugment)  # type: ignore[arg-type]
    assert (fault.pointer, "from 1 to 100" in str(fault)) == ("/shares", True)


def test_without_a_target_the_last_column_with_categories_is_predicted(dataset: Path, tmp_path: Path) -> None:
    run = RecordingRun(tmp_path / "out", {"dataset": dataset})
    study(run, target="", shares="10")
    assert json.loads((run.out_dir / "augmentation.json").read_text(encoding="utf-8"))["target"] == "状态"
    numbers = table(("a", "integer", range(40)), ("b", "constant", ["x"] * 40))
    save_table(TableSet(numbers, numbers), {"kind": "table", "hash": ""}, tmp_path / "numbers")
    with pytest.raises(InputError, match="No column of the table holds categories"):
        study(RecordingRun(tmp_path / "none", {"dataset": tmp_path / "numbers"}), target="")


def test_too_few_rows_and_useless_targets_are_said(tmp_path: Path) -> None:
    few, enough = loans(10, 1), loans(60, 2)
    dull = Table(enough.columns, {**enough.cells, "状态": np.zeros(60, np.int32)})
    for name, tables, code in (
        ("few", TableSet(few, enough), "no-rows"),
        ("test", TableSet(enough, few), "no-rows"),
        ("train", TableSet(dull, enough), "one-class-target"),
        ("judge", TableSet(enough, dull), "one-class-target"),
    ):
        save_table(tables, {"kind": "table", "hash": ""}, tmp_path / name)
        with pytest.raises(InputError) as caught:
            study(RecordingRun(tmp_path / f"{name}-out", {"dataset": tmp_path / name}))
        assert caught.value.faults[0].code == code, name


@pytest.mark.parametrize("name", GENERATORS)
def test_every_generator_learns_from_the_rows_alone_and_repeats(name: str) -> None:
    rows, ticks = like(loans(60), loans(60)), []
    at = Workplace(tick=lambda: ticks.append(1))
    first, second = (GENERATORS[name](rows, 7, 2, at) for _ in range(2))
    assert len(first) == 7
    assert all(
        np.array_equal(first.cells[one.name], second.cells[one.name]) for one in rows.columns if one.type in CODED
    )
    assert ticks, "who works for long asks whether to go on"
