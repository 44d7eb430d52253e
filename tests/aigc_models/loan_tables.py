"""Tables made up for tests, with dependence that is known."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from aigc_models.data.tables import CODED, WRITTEN, Column, ColumnType, Table

Given = tuple[str, ColumnType, Sequence[Any]]


def table(*columns: Given) -> Table:
    """A table from names, types and values; None is a missing cell."""
    found, cells = [], {}
    for name, kind, values in columns:
        if kind in CODED:
            categories = tuple(sorted({value for value in values if value is not None}))
            places = {value: place for place, value in enumerate(categories)}
            found.append(Column(name, kind, categories))
            cells[name] = np.array([-1 if value is None else places[value] for value in values], np.int32)
        elif kind in WRITTEN:
            found.append(Column(name, kind))
            cells[name] = np.array(values, object)
        else:
            found.append(Column(name, kind, decimals=3 if kind == "continuous" else 0))
            cells[name] = np.array([np.nan if value is None else value for value in values], np.float64)
    return Table(tuple(found), cells)


def loans(count: int, seed: int = 0) -> Table:
    """Loans with Chinese headers: income depends on the job, the outcome on both; a tenth of the incomes is missing."""
    draws = np.random.default_rng(seed)
    job = draws.integers(0, 3, count)
    income = np.round(1000 + 800 * job + draws.normal(0, 250, count), 2)
    age = np.round(draws.uniform(18, 80, count))
    bad = income + draws.normal(0, 300, count) < 1500
    gaps = draws.random(count) < 0.1
    return table(
        ("编号", "identifier", [f"L{seed}-{row:06d}" for row in range(count)]),
        ("收入", "continuous", [None if gap else value for gap, value in zip(gaps, income.tolist(), strict=True)]),
        ("年龄", "integer", age.tolist()),
        ("职业", "categorical", [("工人", "教师", "医生")[place] for place in job.tolist()]),
        ("状态", "categorical", ["坏" if one else "好" for one in bad.tolist()]),
    )


def quiet(_done: int, _total: int) -> None:
    """Watch nothing."""
