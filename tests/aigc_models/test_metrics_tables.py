"""Figures of synthetic tables, where the answer is known beforehand."""

import csv
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from math import isfinite
from pathlib import Path

import numpy as np
import pytest

from aigc_models.base import InputError
from aigc_models.data import table_results
from aigc_models.data.tables import Column, Table
from aigc_models.metrics import (
    table_columns,
    table_detection,
    table_noise,
    table_pairs,
    table_privacy,
    table_relations,
    table_utility,
)
from aigc_models.metrics.table_baselines import GaussianCopula, independent_columns
from aigc_models.metrics.table_figures import TABLE_METRICS
from aigc_models.metrics.table_quality import STAGES, TableQuality, measure
from aigc_models.metrics.table_report import write_quality
from aigc_models.metrics.table_rows import binned, like, sample, seeded
from aigc_models.tables.constraints import Relation, parse_constraints
from tests.aigc_models.loan_tables import loans, quiet, table


def quality(train: Table, test: Table, synthetic: Table, target: str | None = None) -> TableQuality:
    return measure(train, test, synthetic, target=target, seed=3, report=quiet)


# --- one column


def test_distances_of_columns_worked_out_by_hand() -> None:
    a, b = np.array([1.0, 2.0, 3.0, 4.0]), np.array([3.0, 4.0, 5.0, 6.0])
    assert table_columns.kolmogorov_smirnov(a, b) == 0.5
    assert table_columns.range_coverage(a, b) == pytest.approx(1 / 3)
    codes, others = np.array([0, 0, 1, 2], np.int32), np.array([0, 1, 1, 1], np.int32)
    assert table_columns.total_variation(codes, others) == 0.5
    assert table_columns.category_coverage(codes, others) == pytest.approx(2 / 3)


def test_missing_cells_count_and_an_empty_column_is_equal_only_to_an_empty_one() -> None:
    real = table(("a", "continuous", [1, 2, None, None]), ("b", "categorical", [None] * 4))
    full = table(("a", "continuous", [1, 2, 1, 2]), ("b", "categorical", ["x"] * 4))
    a, b = table_columns.compare_columns(real, like(full, real))
    assert (a.distance, a.missing, a.score) == (0.0, (0.5, 0.0), 0.5)
    assert (b.distance, b.coverage, b.score) == (1.0, 0.0, 0.0)
    assert [one.score for one in table_columns.compare_columns(real, real)] == [1.0, 1.0]


def test_histograms_hold_every_row() -> None:
    draws = np.random.default_rng(0)
    names = [f"c{place}" for place in draws.integers(0, 40, 500).tolist()]
    real = table(("名", "categorical", names), ("数", "continuous", draws.normal(size=500).tolist()))
    found = [table_columns.histogram(one, real.cells[one.name], real.cells[one.name]) for one in real.columns]
    assert sum(found[0]["real"]) + found[0]["rest"]["real"] == pytest.approx(1, abs=1e-4)
    assert len(found[0]["labels"]) == table_columns.MOST_BARS
    assert found[0]["rest"]["categories"] == 40 - table_columns.MOST_BARS
    assert sum(found[1]["synthetic"]) == pytest.approx(1, abs=1e-4)
    assert len(found[1]["edges"]) == table_columns.HISTOGRAM_BINS + 1


# --- two columns


def test_associations_worked_out_by_hand() -> None:
    assert table_pairs.correlation(np.array([1.0, 2, 3]), np.array([2.0, 1, 0])) == pytest.approx(-1)
    # Group means 1 and 5 around 3: between 4 * 4 = 16 of 20 in all.
    ratio = table_pairs.correlation_ratio(np.array([0.0, 2, 4, 6]), np.array([0, 0, 1, 1], np.int32))
    assert ratio == pytest.approx((16 / 20) ** 0.5)
    assert table_pairs.cramers_v(np.diag([500.0, 500.0])) == pytest.approx(1, abs=1e-3)
    assert table_pairs.cramers_v(np.full((2, 3), 100.0)) == 0
    assert table_pairs.mutual_information(np.diag([500.0, 500.0])) == pytest.approx(np.log(2), abs=1e-3)
    assert table_pairs.mutual_information(np.full((2, 3), 100.0)) == 0


def test_rare_categories_and_missing_cells_have_bins_of_their_own() -> None:
    names = ["a"] * 50 + ["b"] * 30 + [f"r{place}" for place in range(40)] + [None]
    real = table(("x", "categorical", names), ("y", "continuous", [*np.arange(120.0), None]))
    codes, size = binned(real.columns[0], real.cells["x"], real.cells["x"])
    assert (codes[0], codes[50], codes[-1]) == (1, 2, 0)
    assert codes.max() == size - 1
    codes, size = binned(real.columns[1], real.cells["y"], real.cells["y"])
    assert np.bincount(codes, minlength=size).tolist() == [1] + [12] * 10


# --- whole tables


def test_identical_tables_score_perfect() -> None:
    real = loans(600)
    found = quality(real, real, real, "状态")
    for name in ("column_fidelity", "column_coverage", "pair_fidelity", "dependence_kept", "detection_score"):
        assert found.metrics[name] == pytest.approx(1.0), name
    assert found.metrics["tstr_auc"] == found.metrics["trtr_auc"]
    assert found.metrics["exact_copies"] == 600
    assert found.metrics["exact_copies_real"] == 600, "held-out rows are copies, too, so copies are no news"
    assert found.details["privacy"]["copies"]["beyond"] == 0


def test_independent_columns_lose_exactly_the_pairwise_figures() -> None:
    train, test = loans(1500, 1), loans(1500, 2)
    found = quality(train, test, independent_columns(train, 1500, 9), "状态").metrics
    assert found["column_fidelity"] == pytest.approx(found["column_fidelity_real"], abs=0.02)
    assert found["dependence_kept"] < 0.05
    assert found["dependence_kept_real"] > 0.85
    assert found["pair_fidelity"] == pytest.approx(found["pair_fidelity_baseline"], abs=0.03)
    assert found["tstr_auc"] == pytest.approx(0.5, abs=0.08)
    assert found["trtr_auc"] > 0.9
    assert found["detection_score"] < 0.6 < found["detection_score_real"]


def test_a_copula_keeps_most_of_a_monotone_dependence() -> None:
    train, test = loans(1500, 1), loans(1500, 2)
    rows = GaussianCopula.fit(train, 4).sample(1500, 9)
    found = quality(train, test, rows, "状态").metrics
    assert found["column_fidelity"] > 0.95
    assert found["tstr_auc"] > 0.75
    assert found["tstr_auc"] == pytest.approx(found["tstr_auc_baseline"], abs=0.05)
    gaps = np.isnan(rows.cells["收入"]).mean()
    assert gaps == pytest.approx(np.isnan(train.cells["收入"]).mean(), abs=0.03)
    assert set(rows.cells["年龄"].tolist()) <= set(train.cells["年龄"].tolist())


def test_everything_is_finite_explained_told_as_json_and_repeats() -> None:
    train, test = loans(300, 1), loans(120, 2)
    steps: list[tuple[int, int]] = []
    rows = GaussianCopula.fit(train, 4).sample(200, 9)
    found = measure(train, test, rows, target="状态", seed=3, report=lambda *at: steps.append(at))
    assert steps == [(step, STAGES) for step in range(1, STAGES + 1)]
    assert all(isinstance(value, float) and isfinite(value) for value in found.metrics.values())
    assert found.metrics.keys() <= TABLE_METRICS.keys()
    assert json.loads(json.dumps(found.details, allow_nan=False)) == json.loads(json.dumps(found.details))
    assert [column["name"] for column in found.details["columns"]] == ["收入", "年龄", "职业", "状态"]
    assert quality(train, test, rows, "状态").metrics == found.metrics


def test_every_figure_beside_another_is_explained() -> None:
    for name, info in TABLE_METRICS.items():
        assert info.baseline is None or info.baseline in TABLE_METRICS, name
        assert info.real is None or info.real in TABLE_METRICS, name


def test_categories_are_compared_by_their_spelling() -> None:
    real = table(("x", "categorical", ["a", "b", "b", "b"] * 20))
    other = Table((Column("x", "categorical", ("b", "a")),), {"x": np.array([0, 0, 0, 1] * 20, np.int32)})
    assert quality(real, real, other).metrics["column_fidelity"] == 1.0
    new = table(("x", "categorical", ["a", "c", "c", "c"] * 20))
    found = quality(real, real, new)
    assert found.metrics["column_fidelity"] == 0.25
    assert found.details["columns"][0]["histogram"]["labels"] == ["b", "a", "c"]


def test_what_ties_columns_together_is_found_and_written_as_a_constraint() -> None:
    draws = np.random.default_rng(0)
    items, price = draws.integers(1, 6, 300), np.round(draws.uniform(1, 90, 300), 2)
    shipping, weight = draws.choice([0.0, 4.99], 300), np.round(draws.uniform(0.1, 2, 300), 3)
    sent = draws.uniform(1.6e9, 1.7e9, 300)
    orders = table(
        ("items", "integer", items.tolist()),
        ("unit-price", "continuous", price.tolist()),
        ("shipping", "continuous", [None, *shipping[1:].tolist()]),
        ("total", "continuous", np.round(items * price + shipping, 2).tolist()),
        ("weight", "continuous", weight.tolist()),
        ("freight", "continuous", np.round(weight * price, 3).tolist()),
        ("sum", "continuous", np.round(shipping + price, 2).tolist()),
        ("sent", "datetime", sent.tolist()),
        ("arrived", "datetime", (sent + draws.uniform(0, 1e6, 300)).tolist()),
        ("flag", "integer", (items > 3).astype(float).tolist()),
    )
    rules = table_relations.find(orders, 0)
    wanted = {
        "freight = `unit-price` * weight",
        "sum = `unit-price` + shipping",
        "total = items * `unit-price` + shipping",
        "sent <= arrived",
        "sum <= total",
    }
    assert set(map(str, rules)) == wanted
    for rule in rules:
        (written,) = parse_constraints(str(rule), orders.columns)
        assert isinstance(written, Relation)
        assert written.holds(orders).all()
    drawn = independent_columns(orders, 300, 1)
    assert all((rule.share(drawn) or 0.0) < (0.02 if rule.sign == "=" else 0.9) for rule in rules)
    assert table_relations.find(loans(300), 0) == []


# --- telling apart, learning


def test_the_interval_of_a_guess_is_that_of_the_rank_sum_test() -> None:
    # Mann and Whitney 1947: without any difference the variance of the area is (n + m + 1) / 12 n m.
    low, high = table_detection.interval(0.5, 40, 60)
    assert ((high - low) / 2 / 1.96) ** 2 == pytest.approx(101 / (12 * 40 * 60))
    assert table_detection.interval(1.0, 40, 60) == (1.0, 1.0)


def test_few_rows_are_not_told_apart() -> None:
    found = quality(loans(20, 1), loans(20, 2), loans(20, 3))
    assert "detection_score" not in found.metrics
    assert found.details["notes"][0]["values"] == {"rows": table_detection.FEWEST}


def test_a_number_is_predicted_with_its_own_figures() -> None:
    train, test = loans(500, 1), loans(300, 2)
    found = quality(train, test, train, "收入").metrics
    assert found["trtr_r2"] > 0.6
    assert found["tstr_mae"] < found["tstr_mae_baseline"]
    assert "tstr_auc" not in found


def test_synthetic_rows_of_one_class_teach_nothing() -> None:
    train, test = loans(400, 1), loans(200, 2)
    dull = train.take(train.cells["状态"] == 0)
    found = quality(train, test, dull, "状态").metrics
    assert found["tstr_auc"] == 0.5
    assert 0 < found["tstr_accuracy"] < 1


@pytest.mark.parametrize("target", ["收入", "状态", "职业"])
def test_the_noise_of_every_figure_is_that_of_leaving_one_row_out(target: str) -> None:
    train = loans(200, 1)
    task = table_utility.make_task(like(train, train), like(loans(90, 2), train), target, 0)
    draws, truth = np.random.default_rng(0), task.test.cells[task.target]
    if task.kind == "numbers":
        one, other = truth + draws.normal(0, 500, (2, len(truth)))
    else:
        chances = np.eye(int(truth.max()) + 1)[truth] + draws.uniform(0, 2, (2, len(truth), int(truth.max()) + 1))
        one, other = chances / chances.sum(2, keepdims=True)
    left: dict[str, list[float]] = {}
    for row in range(len(truth)):
        keep = np.arange(len(truth)) != row
        part = replace(task, test=task.test.take(keep))
        a, b = table_utility.judge(part, one[keep]), table_utility.judge(part, other[keep])
        for name in a:
            left.setdefault(name, []).append(a[name] - b[name])
    found = table_noise.noise(task, one, other)
    assert found.keys() == left.keys()
    for name, differences in left.items():
        jackknife = np.sqrt((len(truth) - 1) * np.var(differences))
        assert found[name] == pytest.approx(1.96 * jackknife, rel=0.06), name


def test_several_classes_have_a_mean_area() -> None:
    truth = np.array([0, 1, 2, 2], np.int32)
    assert table_utility.area(truth, np.eye(3)[truth]) == 1.0
    assert table_utility.area(truth[:1], np.eye(3)[truth[:1]]) is None


@pytest.mark.parametrize(
    ("target", "code"), [("nothing", "no-target"), ("编号", "no-target"), ("同", "one-class-target")]
)
def test_a_target_that_cannot_be_predicted_is_said(target: str, code: str) -> None:
    real = loans(50)
    cells = {**real.cells, "同": np.zeros(50, np.int32)}
    real = Table((*real.columns, table(("同", "constant", ["是"])).columns[0]), cells)
    with pytest.raises(InputError) as caught:
        quality(real, real, real, target)
    (fault,) = caught.value.faults
    assert (fault.code, fault.pointer) == (code, "/target")
    assert target in str(fault)


# --- privacy


def whole(loans: Table) -> Table:
    """Rows without a gap: with one, the few columns that are left may be equal by chance."""
    return loans.take(~np.isnan(loans.cells["收入"]))


def test_copied_rows_are_counted_and_make_the_share_unlikely() -> None:
    train, test, fresh = (whole(loans(900, seed)) for seed in (1, 2, 3))
    copied = train.take(np.arange(300))
    cells = {name: np.concatenate([fresh.cells[name][:100], copied.cells[name]]) for name in fresh.cells}
    found = quality(train, test, Table(fresh.columns, cells))
    privacy = found.details["privacy"]
    assert found.metrics["exact_copies"] == 300
    assert found.metrics["exact_copies_real"] == 0
    assert privacy["copies"]["beyond"] == 300
    assert privacy["memorises"]
    assert privacy["interval"][0] > privacy["expected"] == pytest.approx(0.5, abs=0.02)
    assert found.metrics["neighbour_ratio"] == 0
    honest = quality(train, test, fresh).details["privacy"]
    assert not honest["memorises"]
    assert honest["interval"][0] < honest["expected"] < honest["interval"][1]


def test_copies_are_seen_as_numbers_are_written() -> None:
    real = table(("a", "continuous", [1.0004, 2.0, None]), ("b", "datetime", [1.6e9, 1.6e9 + 1, None]))
    other = table(("a", "continuous", [1.0, 2.001, None]), ("b", "datetime", [1.6e9, 1.6e9 + 1, None]))
    assert np.isin(table_privacy.row_keys(other), table_privacy.row_keys(real)).tolist() == [True, False, True]


def test_distances_worked_out_by_hand() -> None:
    known = table(("n", "continuous", [0.0, 10.0, None]), ("c", "categorical", ["x", "y", "x"]))
    asked = like(table(("n", "continuous", [5.0, None]), ("c", "categorical", ["x", "x"])), known)
    found = table_privacy.nearest(asked, known, [10.0, 1.0])
    assert found == pytest.approx(np.array([[0.25, 0.5], [0.0, 0.5]]))


def test_the_binomial_interval_is_the_published_one() -> None:
    # Clopper and Pearson 1934: 2 of 10 lies between .025 and .556.
    assert table_privacy.binomial_interval(2, 10) == pytest.approx((0.0252, 0.5561), abs=1e-4)
    assert table_privacy.binomial_interval(0, 10)[0] == 0
    assert table_privacy.binomial_interval(10, 10)[1] == 1


# --- odd tables


def test_odd_tables_are_measured_all_the_same() -> None:
    odd = table(
        ("同", "constant", ["x"] * 40),
        ("空", "continuous", [None] * 40),
        ("无", "categorical", [None] * 40),
        ("日", "datetime", [1.6e9 + 86_400 * row for row in range(40)]),
    )
    found = quality(odd, odd, odd)
    assert found.metrics["column_fidelity"] == found.metrics["pair_fidelity"] == 1.0
    assert found.metrics["dependence_kept"] == 1.0
    json.dumps(found.details, allow_nan=False)


def test_one_row_and_two_columns() -> None:
    one = table(("a", "integer", [1]), ("b", "categorical", ["x"]))
    found = quality(one, one, one)
    assert found.metrics["column_fidelity"] == 1.0
    assert found.metrics["exact_copies"] == 1.0
    assert len(found.details["pairs"]) == 1


def test_a_table_of_identifiers_alone_has_no_figures() -> None:
    names = table(("id", "identifier", ["a", "b"]))
    assert quality(names, names, names).metrics == {}


def test_without_held_out_rows_the_training_rows_stand_in() -> None:
    real = loans(60)
    found = quality(real, real.take(np.arange(0)), real)
    assert "no held-out rows" in found.details["notes"][0]["message"]
    assert found.details["privacy"] is None


def test_rows_and_columns_that_are_missing_are_said() -> None:
    real = loans(30)
    with pytest.raises(InputError, match="no synthetic rows"):
        quality(real, real, real.take(np.arange(0)))
    fewer = Table(real.columns[:2], real.cells)
    with pytest.raises(InputError, match="年龄"):
        quality(real, real, fewer)


def test_a_sample_of_a_large_table_is_the_same_each_time() -> None:
    real = loans(500)
    first, second = (sample(real, 50, seeded(1, "x")).cells["年龄"] for _ in range(2))
    assert len(first) == 50
    assert np.array_equal(first, second)
    assert not np.array_equal(first, sample(real, 50, seeded(1, "y")).cells["年龄"])
    assert sample(real, 500, seeded(1, "x")) is real


# --- what is written


def test_plots_are_written_as_pictures_and_numbers_the_same_each_time(tmp_path: Path) -> None:
    train, test = loans(200, 1), loans(100, 2)
    formula = table(("=1+1", "categorical", ["$a$", "=b"] * 100), ("空", "continuous", [None] * 200))
    train = Table(train.columns + formula.columns, {**train.cells, **formula.cells})
    test = train.take(np.arange(100))
    found = quality(train, test, train)
    for name in "ab":
        (tmp_path / name).mkdir()
        write_quality(found, tmp_path / name)
    assert json.loads((tmp_path / "a" / "quality.json").read_text(encoding="utf-8")) == json.loads(
        json.dumps(found.details)
    )
    with zipfile.ZipFile(tmp_path / "a" / "figures.zip") as archive:
        names = archive.namelist()
        assert {"column-001.svg", "column-001.png", "column-001.csv", "associations-synthetic.png"} <= set(names)
        assert "column-006.svg" not in names, "nothing can be drawn of a column without a value"
        assert "收入" in archive.read("column-001.svg").decode()
        assert archive.read("column-001.png").startswith(b"\x89PNG")
        rows = list(csv.reader(archive.read("column-005.csv").decode("utf-8-sig").splitlines()))
        assert rows == [["value", "real", "synthetic"], ["$a$", "0.5", "0.5"], ["'=b", "0.5", "0.5"]]
        assert "'=1+1" in archive.read("columns.csv").decode()
    assert (tmp_path / "a" / "figures.zip").read_bytes() == (tmp_path / "b" / "figures.zip").read_bytes()


def test_the_first_rows_of_a_file_are_read_without_reading_it_all() -> None:
    def lines() -> Iterator[str]:
        yield "\ufeff名,b\r\n"
        for row in range(10**9):
            yield f'"x{row}, y",{row}\r\n'

    found = table_results.preview(lines())
    assert found is not None
    assert (found.header, len(found.rows), found.rows[1]) == (["名", "b"], 20, ["x1, y", "1"])
    assert table_results.preview([]) is None
    wide = table_results.preview([",".join(map(str, range(100))) + "\n"])
    assert wide is not None
    assert (len(wide.header), wide.more_columns) == (60, 40)
