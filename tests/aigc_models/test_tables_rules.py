"""Conditions and constraints: what can be written, what it means, and what is said of what cannot."""

from pathlib import Path

import numpy as np
import pytest

from aigc_models.base import InputError
from aigc_models.data.table_results import Preview, preview
from aigc_models.data.tables import Column, Table
from aigc_models.tables.conditions import parse_conditions
from aigc_models.tables.constraints import Relation, parse_constraints
from aigc_models.tables.writing import write_csv

COLUMNS = (
    Column("hours-per-week", "integer"),
    Column("年龄", "integer", missing="?"),
    Column("Net", "continuous", decimals=2),
    Column("Tax", "continuous", decimals=2),
    Column("Gross", "continuous", decimals=2),
    Column("Day", "datetime", format="%d.%m.%Y"),
    Column("Status", "categorical", ("good", "bad, really")),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Status=good, 年龄=30", {"Status": 0, "年龄": 30}),
        ('"Status=bad, really"', {"Status": 1}),
        ('{"Status": "good", "Net": 1.50}', {"Status": 0, "Net": 1.5}),
        ("Day=02.01.2020", {"Day": 1577923200}),
        ("Status=", {"Status": -1}),
        ("", {}),
    ],
)
def test_conditions(text: str, expected: dict[str, float]) -> None:
    assert {each.column.name: each.value for each in parse_conditions(text, COLUMNS)} == expected


def test_numbers_are_asked_for_as_the_table_writes_them() -> None:
    columns = (Column("Preis", "continuous", decimals=2, format=",."), Column("n", "integer", format=".,"))
    asked = {"Preis=1.234": 1234.0, '"Preis=1.234,50"': 1234.5, '{"Preis": 1234.5}': 1234.5, '"n=12,000"': 12000.0}
    for text, value in asked.items():
        assert [each.value for each in parse_conditions(text, columns)] == [value]


def test_a_missing_cell_can_be_asked_for() -> None:
    (condition,) = parse_conditions("年龄=?", COLUMNS)
    table = Table(COLUMNS, {"年龄": np.array([30.0, np.nan])})
    assert condition.holds(table).tolist() == [False, True]


@pytest.mark.parametrize(
    ("text", "code", "where"),
    [
        ("Stauts=good", "unknown-column", "Stauts"),
        ("Status=gut", "no-such-value", "Status"),
        ("年龄=old", "no-such-value", "年龄"),
        ("Day=2020-01-02", "no-such-value", "Day"),
        ("Status", "unreadable-condition", None),
        ("Status=good, Age=30, Status=bad", "unreadable-condition", "Status"),
        ('{"Status": "good", "Status": "bad"}', "unreadable-condition", "Status"),
        ('{"Status": ', "unreadable-condition", None),
        ('{"Status": ["good"]}', "unreadable-condition", None),
    ],
)
def test_conditions_that_cannot_be(text: str, code: str, where: str | None) -> None:
    with pytest.raises(InputError) as caught:
        parse_conditions(text, COLUMNS)
    (fault,) = caught.value.faults
    assert (fault.code, fault.pointer, fault.where.get("column")) == (code, "/conditions", where)


def test_a_fault_says_what_there_is() -> None:
    with pytest.raises(InputError, match="Did you mean Status"):
        parse_conditions("Stauts=good", COLUMNS)
    with pytest.raises(InputError, match="Some it has: good, bad, really"):
        parse_conditions("Status=gut", COLUMNS)


def rows(**cells: list[float]) -> Table:
    columns = tuple(column for column in COLUMNS if column.name in cells)
    return Table(columns, {name: np.array(values) for name, values in cells.items()})


def test_rows_are_written_as_the_file_they_are_like(tmp_path: Path) -> None:
    for delimiter, sign in ((";", ";"), ("\t", "\t"), (" ", ",")):
        source = {"delimiter": delimiter, "byte_order_mark": delimiter == ";"}
        text = write_csv(rows(Net=[1.0], Tax=[2.5]), tmp_path / "rows.csv", source).read_text("utf-8")
        mark = "\ufeff" if delimiter == ";" else ""
        assert text == f"{mark}Net{sign}Tax\n1.00{sign}2.50\n"
        assert preview(text.splitlines(keepends=True)) == Preview(["Net", "Tax"], [["1.00", "2.50"]])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Net <= Tax", [True, False, True]),
        ("2*Net > Tax + 1", [False, True, True]),
        ("1 < Net < 4", [False, False, True]),
        ("Net - Tax = -1", [True, False, True]),
        ("`Net`>=4", [False, True, True]),
    ],
)
def test_relations(text: str, expected: list[bool]) -> None:
    table = rows(Net=[1, 4, np.nan], Tax=[2, 3, 1])
    found = np.logical_and.reduce([rule.holds(table) for rule in parse_constraints(text, COLUMNS)])  # type: ignore[union-attr]
    assert found.tolist() == expected


@pytest.mark.parametrize(
    ("text", "changed", "expected"),
    [
        ("Net + Tax = Gross", "Gross", [5.0, np.nan]),
        ("Gross = Net + Tax", "Gross", [5.0, np.nan]),
        ("Net + Tax + Gross = 100", "Gross", [95.0, np.nan]),
        ("100 = Net + Tax", "Tax", [98.0, np.nan]),
        ("Net - Tax = 2*Gross", "Gross", [-0.5, np.nan]),
        ("Tax = 100 - Net", "Tax", [98.0, np.nan]),
        ("Net * Tax + 1 = Gross", "Gross", [7.0, np.nan]),
        ("Gross = Net × Tax * 0.333", "Gross", [2.0, np.nan]),
        ("Gross - Net = Net * Tax", "Gross", [8.0, np.nan]),
        ("Net * Tax = 10", "Tax", [5.0, np.nan]),
        ("9 = Net * 2 * Gross", "Gross", [2.25, np.nan]),
    ],
)
def test_equations_are_made_true(text: str, changed: str, expected: list[float]) -> None:
    table = rows(Net=[2, np.nan], Tax=[3, 4], Gross=[9, np.nan])
    (rule,) = parse_constraints(text, COLUMNS)
    assert isinstance(rule, Relation)
    settled = rule.settle(table)
    assert settled.cells[changed][0] == expected[0]
    assert rule.holds(settled).all()
    for name in {"Net", "Tax", "Gross"} - {changed}:
        np.testing.assert_array_equal(settled.cells[name], table.cells[name])


def test_a_product_is_kept_up_to_rounding_and_not_divided_by_nothing() -> None:
    (rule,) = parse_constraints("Net * Tax = Gross", COLUMNS)
    assert isinstance(rule, Relation)
    assert rule.holds(rows(Net=[0.1, 0.1], Tax=[0.33, 0.33], Gross=[0.03, 0.04])).tolist() == [True, False]
    (rule,) = parse_constraints("Net * Tax = 1", COLUMNS)
    assert isinstance(rule, Relation)
    settled = rule.settle(rows(Net=[0, 4], Tax=[3, 3]))
    assert settled.cells["Tax"].tolist() == [3, 0.25]
    assert rule.holds(settled).tolist() == [False, True]


def test_names_with_signs_dates_and_several_rules() -> None:
    rules = parse_constraints("10 <= hours-per-week <= 60; '01.01.2020' <= Day\nunique（Status，Day）", COLUMNS)
    assert [rule.text for rule in rules] == [
        "10 <= hours-per-week <= 60",
        "10 <= hours-per-week <= 60",
        "'01.01.2020' <= Day",
        "unique（Status，Day）",
    ]
    assert isinstance(rules[2], Relation)
    assert rules[2].left.constant == 1577836800


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Net ~ Tax", "unreadable-constraint"),
        ("Net", "unreadable-constraint"),
        ("Net < ", "unreadable-constraint"),
        ("Nte < 3", "unknown-column"),
        ("Status < 3", "unreadable-constraint"),
        ("'yesterday' < Day", "unreadable-constraint"),
        ("unique(Net", "unreadable-constraint"),
        ("Net / Tax = Gross", "unreadable-constraint"),
        ("unique(Nett)", "unreadable-constraint"),
    ],
)
def test_constraints_that_cannot_be(text: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_constraints(text, COLUMNS)
    assert (caught.value.faults[0].code, caught.value.faults[0].pointer) == (code, "/constraints")
