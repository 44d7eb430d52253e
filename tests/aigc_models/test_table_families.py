"""The table families from a table to files: what is asked for is kept exactly, and nothing is copied."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
import torch
from safetensors.torch import load_file, save_file

from aigc_models import registry
from aigc_models.base import Diverged, InputError, Params, Paused
from aigc_models.data.tables import Column, Table, TableSet, load_table
from aigc_models.metrics.table_baselines import independent_columns
from aigc_models.metrics.table_rows import is_missing
from aigc_models.standalone import newest_checkpoint, perform
from aigc_models.table_vae.account_data import split_accounts
from aigc_models.tables import saving
from aigc_models.tables.copies import compared, hash_rows
from aigc_models.tables.previews import collapse_alarm
from aigc_models.tables.writing import as_csv, spell
from tests.aigc_models.conftest import RecordingRun
from tests.aigc_models.tiny_tables import COLUMNS, tiny_table, tiny_tables, write_tables

IDS = {"dataset": "ds_" + "0" * 26, "model": "mdl_" + "0" * 26}
FAMILIES = ("table_gan", "table_vae")
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "table_gan": {
        "epochs": 1,
        "least_steps": 1000,
        "batch_size": 250,
        "width": 64,
        "latent_dim": 32,
        "learning_rate": 1e-3,
    },
    "table_vae": {
        "epochs": 80,
        "least_steps": 1,
        "batch_size": 100,
        "width": 48,
        "latent_dim": 16,
        "learning_rate": 4e-3,
    },
}


def params_of(task: str, **values: Any) -> Params:
    fields = registry.task(task).model_json_schema()["properties"]
    inputs = {name: IDS[name] for name in IDS if name in fields}
    return registry.task(task).model_validate_json(json.dumps(inputs | values))


def train(family: str, directory: Path, dataset: Path, **values: Any) -> RecordingRun:
    run = RecordingRun(directory, {"dataset": dataset})
    perform(family, "train", params_of(f"{family}.train", **{**SETTINGS[family], **values}), run)
    return run


@pytest.fixture(scope="module", params=FAMILIES)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, RecordingRun]:
    """A family, and the run that trained it on 900 rows."""
    torch.set_num_threads(1)
    home = tmp_path_factory.mktemp(request.param)
    dataset = write_tables(home / "dataset", tiny_tables(1200))
    return request.param, train(request.param, home / "out", dataset, ema_half_life=20.0)


def generate(trained: tuple[str, RecordingRun], out: Path, **values: Any) -> tuple[Table, RecordingRun]:
    family, training = trained
    run = RecordingRun(out, {"model": training.out_dir / "model"})
    perform(family, "generate", params_of(f"{family}.generate", **values), run)
    return load_table(out / "synthetic").train, run


def test_rows_are_like_those_learnt(trained: tuple[str, RecordingRun], tmp_path: Path) -> None:
    made, _ = generate(trained, tmp_path, count=2000)
    real = tiny_table(1200)
    assert np.nanmean(made.cells["Income"]) == pytest.approx(np.nanmean(real.cells["Income"]), rel=0.1)
    assert np.isnan(made.cells["Age"]).mean() == pytest.approx(0.3, abs=0.12)
    for code in range(3):
        share = np.mean(real.cells["Status"] == code)
        assert np.mean(made.cells["Status"] == code) == pytest.approx(share, abs=0.15)


def test_rows_vary_as_real_ones_do(trained: tuple[str, RecordingRun], tmp_path: Path) -> None:
    made, _ = generate(trained, tmp_path, count=2000)
    real = tiny_table(1200)
    assert collapse_alarm(real, made) is None
    for name in ("Age", "Income", "Day"):
        assert np.nanstd(made.cells[name]) > 0.6 * np.nanstd(real.cells[name])
    for name in ("Status", "Married"):
        assert set(made.cells[name].tolist()) == set(real.cells[name].tolist())


def test_columns_belong_together(trained: tuple[str, RecordingRun], tmp_path: Path) -> None:
    """Most of the correlation, and of what a status is worth: a VAE whose latent numbers fell silent has neither."""
    share = {"table_gan": 0.6, "table_vae": 0.75}[trained[0]]  # with so few steps
    made, _ = generate(trained, tmp_path, count=2000)
    real = tiny_table(1200)
    assert _together(made) > share * _together(real)
    assert _worth(made) > share * _worth(real)
    assert _together(independent_columns(real, 2000, 0)) < 0.2 * _together(real), "the yardstick tells them apart"


def _together(table: Table) -> float:
    known = ~np.isnan(table.cells["Age"])
    return float(np.corrcoef(table.cells["Age"][known], table.cells["Income"][known])[0, 1])


def _worth(table: Table) -> float:
    """How much more people earn whose status is good than those whose it is bad."""
    status, income = table.cells["Status"], table.cells["Income"]
    return float(income[status == 0].mean() - income[status == 1].mean())


def test_every_type_and_spelling_comes_back(trained: tuple[str, RecordingRun], tmp_path: Path) -> None:
    made, run = generate(trained, tmp_path, count=500)
    assert [column.name for column in made.columns] == [column.name for column in COLUMNS if column.name != "Note"]
    with (tmp_path / "synthetic.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 500
    for row in rows:
        assert row["编号"].startswith("K-")
        assert len(row["编号"]) == 7
        assert row["Status"] in ("good", "bad", "好", "NA")
        assert row["Age"] == "?" or 18 <= int(row["Age"]) < 80
        assert len(row["Income"].partition(".")[2]) == 2
        assert (len(row["Day"]), row["Day"][2], row["Land"]) == (10, ".", "DE")
    assert len({row["编号"] for row in rows}) == 500
    seen = set(tiny_table(1200).cells["编号"])
    assert not seen & {row["编号"] for row in rows}
    frame = pyarrow.parquet.read_table(tmp_path / "synthetic.parquet")
    kinds = {field.name: str(field.type) for field in frame.schema}
    assert (kinds["Age"], kinds["Day"], kinds["Income"]) == ("int64", "timestamp[us]", "double")
    assert any("Note holds free text" in line for line in run.lines)


def test_no_row_equals_a_training_row(trained: tuple[str, RecordingRun], tmp_path: Path) -> None:
    made, _ = generate(trained, tmp_path, count=3000)
    columns = compared(made.columns)
    real = tiny_tables(1200).train
    assert not set(hash_rows(made, columns, 0).tolist()) & set(hash_rows(real, columns, 0).tolist())


def test_copies_are_drawn_again(trained: tuple[str, RecordingRun], tmp_path: Path) -> None:
    """A model told that its own rows were those it learnt from makes other ones."""
    first, _ = generate(trained, tmp_path / "first", count=300)
    family, training = trained
    stored = saving.open_stored(training.out_dir / "model")
    model = tmp_path / "model"
    model.mkdir()
    for name in (saving.WEIGHTS, saving.CONFIG):
        (model / name).write_bytes((training.out_dir / "model" / name).read_bytes())
    arrays = load_file(training.out_dir / "model" / saving.HASHES)
    hashes = hash_rows(first, compared(stored.encoder.columns), 0x7AB1E)
    arrays["rows"] = torch.from_numpy(np.unique(hashes).view(np.int64))
    save_file(arrays, model / saving.HASHES)
    run = RecordingRun(tmp_path / "second", {"model": model})
    metrics = perform(family, "generate", params_of(f"{family}.generate", count=300), run)
    second = load_table(run.out_dir / "synthetic").train
    assert not set(hash_rows(second, compared(second.columns), 0).tolist()) & set(
        hash_rows(first, compared(first.columns), 0).tolist()
    )
    assert 300 <= metrics["rows_refused"] <= metrics["rows_proposed"]
    assert any("copies of training rows" in line for line in run.lines)


def test_conditions_are_exact(trained: tuple[str, RecordingRun], tmp_path: Path) -> None:
    made, _ = generate(trained, tmp_path / "a", count=300, conditions="Status=好, Married=yes")
    assert set(made.cells["Status"].tolist()) == {2}
    assert set(made.cells["Married"].tolist()) == {1}
    assert len(made) == 300
    made, _ = generate(trained, tmp_path / "b", count=40, conditions='{"Age": 40}')
    assert set(made.cells["Age"].tolist()) == {40.0}


def test_a_condition_that_cannot_be_met_is_named(trained: tuple[str, RecordingRun], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Income=12345") as caught:
        generate(trained, tmp_path, count=5, conditions="Income=12345.67")
    assert caught.value.faults[0].code == "rare-condition"
    assert caught.value.faults[0].where == {"column": "Income"}


def test_constraints_are_kept_and_told(trained: tuple[str, RecordingRun], tmp_path: Path) -> None:
    rules = "30 <= Age <= 50; Income > 2000; '01.01.2012' <= Day; unique(Age, Status)"
    made, run = generate(trained, tmp_path, count=8, constraints=rules, conditions="Status=good")
    ages = made.cells["Age"][~np.isnan(made.cells["Age"])]
    assert ages.min() >= 30
    assert ages.max() <= 50
    assert made.cells["Income"].min() > 2000
    assert made.cells["Day"].min() >= 1325376000
    pairs = set(zip(np.nan_to_num(made.cells["Age"]).tolist(), made.cells["Status"].tolist(), strict=True))
    assert len(pairs) == len(made) == 8
    assert any("30 <= Age <= 50" in line for line in run.lines)


def test_rules_that_too_few_rows_keep_are_named(trained: tuple[str, RecordingRun], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unique\(Married\)") as caught:
        generate(trained, tmp_path, count=3, constraints="unique(Married)")
    assert caught.value.faults[0].code == "rare-constraint"


def test_previews_show_rows_and_distributions(trained: tuple[str, RecordingRun]) -> None:
    _, run = trained
    names = {path.name.partition("-")[0] for path in (run.out_dir / "previews").iterdir()}
    assert names == {"samples", "rows"}
    text = next((run.out_dir / "previews").glob("rows-*.csv")).read_text()
    assert text.startswith("编号,Status,")
    report = json.loads((run.out_dir / "report.json").read_text())
    assert report["dropped_columns"] == ["Note"]
    assert report["metrics"]["exact_copies"] == 0
    assert report["metrics"]["tstr_auc"] > 0, "the last column with categories is predicted"


def test_no_text_of_the_training_rows_is_in_the_model(trained: tuple[str, RecordingRun]) -> None:
    content = (trained[1].out_dir / "model" / "config.json").read_text()
    real = tiny_tables(1200).train
    assert not [text for text in real.cells["编号"] if str(text) in content]
    assert "said 1" not in content


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_of_another_family_is_refused(family: str, tmp_path: Path, trained: tuple[str, RecordingRun]) -> None:
    if family == trained[0]:
        return
    run = RecordingRun(tmp_path, {"model": trained[1].out_dir / "model"})
    with pytest.raises(InputError, match="This model is a"):
        perform(family, "generate", params_of(f"{family}.generate", count=1), run)


@pytest.mark.parametrize("family", FAMILIES)
def test_nan_is_divergence(family: str, tmp_path: Path) -> None:
    dataset = write_tables(tmp_path / "dataset", tiny_tables(200))
    values = {**SETTINGS[family], "epochs": 40, "batch_size": 20, "learning_rate": 0.1}
    run = RecordingRun(tmp_path / "out", {"dataset": dataset})
    task = params_of(f"{family}.train", **values).model_copy(update={"learning_rate": float("inf")})
    with pytest.raises(Diverged):
        perform(family, "train", task, run)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_wrong_target_is_said_before_the_training(family: str, tmp_path: Path) -> None:
    dataset = write_tables(tmp_path / "dataset", tiny_tables())
    with pytest.raises(InputError, match="no column Nothing"):
        train(family, tmp_path / "out", dataset, target="Nothing")


# --- accounts


def shop(accounts: int = 120) -> Table:
    """Purchases: each account buys one thing, more and more dearly, a week or so apart."""
    draws, rows = np.random.default_rng(1), []
    for account in range(accounts):
        day, kind = int(draws.integers(0, 200)), int(draws.integers(0, 3))
        for place in range(int(draws.integers(1, 7))):
            rows.append((f"A{account:03d}", 86_400.0 * (10_000 + day), kind, 10.0 * (kind + 1) + place))
            day += int(draws.integers(1, 14))
    order = draws.permutation(len(rows))
    columns = (
        Column("who", "identifier"),
        Column("day", "datetime", format="%Y-%m-%d"),
        Column("kind", "categorical", ("tea", "book", "shoe")),
        Column("paid", "continuous", decimals=1),
    )
    shuffled = [rows[place] for place in order.tolist()]
    types = {"who": object, "day": np.float64, "kind": np.int32, "paid": np.float64}
    cells = {name: np.array([row[n] for row in shuffled], kind) for n, (name, kind) in enumerate(types.items())}
    return Table(columns, cells)


ACCOUNTS = {
    "account_column": "who",
    "time_column": "day",
    "epochs": 60,
    "width": 32,
    "latent_dim": 8,
    "batch_size": 100,
    "learning_rate": 5e-3,
    "ema_half_life": 20.0,
}


@pytest.fixture(scope="module")
def shop_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    table = shop()
    split = len(table) * 4 // 5
    parts = TableSet(table.take(np.arange(split)), table.take(np.arange(split, len(table))))
    return write_tables(tmp_path_factory.mktemp("shop"), parts)


def test_accounts_are_made_whole(shop_dataset: Path, tmp_path: Path) -> None:
    run = train("table_vae", tmp_path / "out", shop_dataset, **{**ACCOUNTS, "epochs": 300})
    made, _ = generate(("table_vae", run), tmp_path / "made", count=400)
    names, firsts, sizes = np.unique(made.cells["who"].astype(str), return_index=True, return_counts=True)
    starts, counts = firsts.tolist(), sizes.tolist()
    assert len(names) == 400
    assert set(counts) == {1, 2, 3, 4, 5, 6}
    assert not set(names.tolist()) & set(shop().cells["who"])
    steady = []
    for start, count in zip(starts, counts, strict=True):
        own = slice(start, start + count)
        assert set(made.cells["who"][own]) == {made.cells["who"][start]}, "rows of an account lie together"
        gaps = np.diff(made.cells["day"][own]) / 86_400
        assert np.all((gaps >= 0) & (gaps <= 13))
        assert np.all(gaps == np.rint(gaps))
        if count > 1:
            steady.append(len(set(made.cells["kind"][own].tolist())) == 1)
    assert np.mean(steady) > 0.6  # by chance a third and less: the rows of an account belong together
    assert made.cells["day"].max() <= shop().cells["day"].max()
    alone, _ = generate(("table_vae", run), tmp_path / "alone", count=1)
    assert as_csv(alone) == "".join(
        as_csv(made).splitlines(keepends=True)[: counts[names.tolist().index(made.cells["who"][0])] + 1]
    )
    evaluation = RecordingRun(tmp_path / "evaluation", {"model": run.out_dir / "model", "dataset": shop_dataset})
    metrics = perform("table_vae", "evaluate", params_of("table_vae.evaluate"), evaluation)
    assert 0.5 < metrics["column_fidelity"] <= 1


def test_a_resumed_training_on_accounts_equals_an_undisturbed_one(shop_dataset: Path, tmp_path: Path) -> None:
    settings = {**ACCOUNTS, "epochs": 4}
    whole = train("table_vae", tmp_path / "whole", shop_dataset, **settings)
    broken = RecordingRun(tmp_path / "broken", {"dataset": shop_dataset}, checkpoints=tmp_path / "checkpoints")
    broken.after_step = lambda step: setattr(broken, "stopping", step == 7)
    task = params_of("table_vae.train", **{**SETTINGS["table_vae"], **settings})
    with pytest.raises(Paused):
        perform("table_vae", "train", task, broken)
    resumed = RecordingRun(tmp_path / "resumed", {"dataset": shop_dataset})
    resumed.resume_from = newest_checkpoint(tmp_path / "checkpoints")
    perform("table_vae", "train", task, resumed)
    one, other = (load_file(run.out_dir / "model" / "weights.safetensors") for run in (whole, resumed))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_whole_accounts_are_held_out() -> None:
    table = shop()
    (train_rows, starts), (test_rows, _) = split_accounts(table, "who", "day")
    assert len(train_rows) + len(test_rows) == len(table)
    assert not set(train_rows.cells["who"]) & set(test_rows.cells["who"])
    ends = [*starts[1:].tolist(), len(train_rows)]
    for start, end in zip(starts.tolist(), ends, strict=True):
        assert np.all(np.diff(train_rows.cells["day"][start:end]) >= 0)


@pytest.mark.parametrize(
    ("settings", "pointer"),
    [
        ({"account_column": "who"}, "/time_column"),
        ({"time_column": "day"}, "/account_column"),
        ({"account_column": "whom", "time_column": "day"}, "/account_column"),
        ({"account_column": "who", "time_column": "kind"}, "/time_column"),
        ({"account_column": "paid", "time_column": "day"}, "/account_column"),
        ({"account_column": "kind", "time_column": "day"}, "/account_column"),
    ],
)
def test_columns_that_make_no_accounts(
    settings: dict[str, str], pointer: str, shop_dataset: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        train("table_vae", tmp_path / "out", shop_dataset, **settings)
    assert caught.value.faults[0].pointer == pointer


# --- files


def test_formula_cells_are_escaped() -> None:
    names = ("=cmd()", "+1", "-x", "@sum", "-5", "plain")
    table = Table(
        (Column("=c", "categorical", names), Column("n", "continuous", decimals=1)),
        {"=c": np.arange(6, dtype=np.int32), "n": np.array([-1.5, np.nan, 0, 1, 2, 3])},
    )
    lines = as_csv(table).splitlines()
    assert lines == ["'=c,n", "'=cmd(),-1.5", "+1,", "'-x,0.0", "'@sum,1.0", "-5,2.0", "plain,3.0"]


def test_numbers_are_written_as_in_the_original() -> None:
    table = Table(
        (Column("Preis", "continuous", decimals=2, format=",."), Column("n", "integer", format=".'")),
        {"Preis": np.array([-1234.5, 0.05, np.nan]), "n": np.array([1234567.0, np.nan, -1.0])},
    )
    assert as_csv(table).splitlines() == ["Preis,n", "\"-1.234,50\",1'234'567", '"0,05",', ",-1"]


def test_large_numbers_and_old_dates_are_spelt() -> None:
    assert spell(Column("n", "continuous", decimals=2), np.array([1e300])) == ["1e+300"]
    assert spell(Column("d", "datetime", format="%d/%m/%Y"), np.array([-86_400.0 * 365, 0.0])) == [
        "01/01/1969",
        "01/01/1970",
    ]


def test_missing_cells_of_a_made_table_are_known_as_such(trained: tuple[str, RecordingRun], tmp_path: Path) -> None:
    made, _ = generate(trained, tmp_path, count=200)
    gaps = is_missing(made.column("Age"), made.cells["Age"])
    texts = spell(made.column("Age"), made.cells["Age"])
    assert [text == "?" for text in texts] == gaps.tolist()
