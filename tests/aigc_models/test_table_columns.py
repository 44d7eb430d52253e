"""What columns are taken for, what is said of them, what is personal, and which rows are kept for testing."""

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from aigc_models.data import column_words
from aigc_models.data.table_numbers import read_numbers, write_number
from aigc_models.data.table_personal import find_personal, iban, luhn, mask_text, resident_id
from aigc_models.data.table_wishes import TYPES
from aigc_models.data.table_writing import write_cells, write_csv
from tests.aigc_models.tables_in import bring, faults_of, lines

COUNT = 300


def everyday() -> bytes:
    """A table with a column of each type, and missing cells in several spellings."""
    draw = np.random.default_rng(0)
    rows = []
    for number in range(COUNT):
        day = date(2020, 1, 1) + timedelta(days=int(draw.integers(900)))
        income = "NA" if number % 10 == 0 else "" if number % 10 == 1 else f"{draw.lognormal(7):.2f}"
        note = f"Customer {number} called and asked about the loan, to be called back"
        cells = [1000 + number, draw.integers(18, 80), income, ("good", "bad", "?")[number % 3], number % 2]
        rows.append(
            ",".join(map(str, [*cells, f"{day:%d.%m.%Y}", f"K-{draw.integers(10**9):09d}", f'"{note}"', "EUR"]))
        )
    return lines("客户编号,age,income,Status,active,opened,code,note,currency", *rows)


def test_types_are_found_and_formats_kept(tmp_path: Path) -> None:
    made = bring(tmp_path, everyday())
    assert made.types == {
        "客户编号": "identifier",
        "age": "integer",
        "income": "continuous",
        "Status": "categorical",
        "active": "boolean",
        "opened": "datetime",
        "code": "identifier",
        "note": "text",
        "currency": "constant",
    }
    columns = {column.name: column for column in made.tables.columns}
    assert (columns["income"].decimals, columns["opened"].format) == (2, "%d.%m.%Y")
    assert columns["Status"].missing == "?"
    assert made.column("income")["missing_spellings"] == {"NA": 30, "": 30}
    assert made.column("Status")["missing_count"] == 100
    assert [column.name for column in made.tables.columns] == list(made.types)  # in the order of the file


def test_every_cell_comes_back_as_it_was_written(tmp_path: Path) -> None:
    content = everyday()
    made = bring(tmp_path, content)
    original = sorted(content.decode().splitlines()[1:])
    for missing in ("NA", ""):  # one spelling of a missing cell is kept for a column
        original = [row.replace(f",{missing},good", ",NA,good") for row in original]
    for table in (made.tables.train, made.tables.test):
        cells = [write_cells(column, table.cells[column.name]) for column in table.columns]
        for row in zip(*cells, strict=True):
            known = next(line for line in original if line.startswith(f"{row[0]},"))
            assert known.split(",")[1] == row[1]
            assert known.split(",")[3:6] == list(row[3:6])
            assert known.split(",")[2] in (row[2], "")


def test_figures_of_columns(tmp_path: Path) -> None:
    made = bring(
        tmp_path, lines("x,kind", *(f"{n},{'ab'[n % 4 == 0]}" for n in range(1, 102))), column_types="x=integer"
    )
    x, kind = made.column("x"), made.column("kind")
    assert (x["least"], x["mean"], x["greatest"], x["distinct"]) == (1, 51, 101, 101)
    assert x["quantiles"]["0.5"] == 51
    assert sum(x["histogram"]["counts"]) == 101
    assert len(x["histogram"]["edges"]) == len(x["histogram"]["counts"]) + 1
    assert kind["top"] == [{"value": "a", "count": 76}, {"value": "b", "count": 25}]
    assert json.loads((made.out / "preview.json").read_text())["rows"][:2] == [["1", "a"], ["2", "a"]]


@pytest.mark.parametrize(
    ("texts", "expected", "style"),
    [
        (["1.5", "-2", "3e2"], [1.5, -2, 300], ""),
        (["1,5", "-2", "1000,25"], [1.5, -2, 1000.25], ","),
        (["1.234,5", "12.000"], [1234.5, 12000], ",."),
        (["1,234.5", "12,000"], [1234.5, 12000], ".,"),
        (["1 234,5", "12\u00a0000"], [1234.5, 12000], ", "),
        (["1'234.50", "12'000.00"], [1234.5, 12000], ".'"),
        (["1,234", "12,345"], [1234, 12345], ".,"),
    ],
)
def test_numbers_as_people_write_them(texts: list[str], expected: list[float], style: str) -> None:
    found = read_numbers(texts)
    assert (found.values.tolist(), str(found.style)) == (expected, style)


def test_a_decimal_comma_wins_where_semicolons_separate(tmp_path: Path) -> None:
    assert read_numbers(["1,234", "2,345"], european=True).values.tolist() == [1.234, 2.345]
    assert read_numbers(["1,234"], "point").values.tolist() == [1234]
    assert [write_number(1234.5, 2, style) for style in ("", ",", ",.", ".'")] == [
        "1234.50", "1234,50", "1.234,50", "1'234.50",
    ]  # fmt: skip
    made = bring(tmp_path, lines("a;b", *(f"{n};{n},25" for n in range(1, 30))))
    column = made.tables.train.column("b")
    assert (column.type, column.decimals, column.format) == ("continuous", 2, ",")


def test_codes_with_zeros_and_long_numbers_are_no_numbers(tmp_path: Path) -> None:
    made = bring(tmp_path, lines("zip,long", *(f"{n % 7:05d},{10**17 + n}" for n in range(100))))
    assert made.types == {"zip": "categorical", "long": "identifier"}


def test_mixed_cells_are_told_with_one_of_them(tmp_path: Path) -> None:
    rows = [f"{n * 1.25}" for n in range(200)]
    rows[41] = "n. a."
    made = bring(tmp_path, lines("id,price", *(f"k{n},{cell}" for n, cell in enumerate(rows))))
    assert made.types["price"] in ("identifier", "text")
    assert any("n. a. in row 43 is none" in told for told in made.warnings())


def test_the_owners_types_win(tmp_path: Path) -> None:
    content = lines("a,b,c,d", *(f"{n},{n % 2},{n % 3},0{n % 9 + 1}/02/2021" for n in range(50)))
    wish = "a=text, b=integer, c=categorical, d=datetime %d/%m/%Y"
    made = bring(tmp_path, content, column_types=wish)
    assert made.types == {"a": "text", "b": "integer", "c": "categorical", "d": "datetime"}
    assert made.column("d")["format"] == "%d/%m/%Y"
    assert any("month first" in told for told in bring(tmp_path, content).warnings())
    faults = faults_of(tmp_path, content, column_types="c=boolean")
    assert faults[0].code == "bad-cell"
    assert bring(tmp_path, content, missing_values="0").column("c")["missing_count"] == 17


def test_checksums() -> None:
    assert luhn("4539578763621486")
    assert not luhn("4539578763621487")
    assert resident_id("11010519491231002X")
    assert not resident_id("110105194912310021")
    assert iban("DE89 3704 0044 0532 0130 00")
    assert not iban("DE88 3704 0044 0532 0130 00")


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("contact", ["a.b@example.com", "c@d.org"], "email"),
        ("x", ["+49 431 123456", "+1 (555) 010-9999", "0431 / 12 34 56"], "phone"),
        ("x", ["13812345678", "15900001111"], "phone"),
        ("x", ["4539 5787 6362 1486", "5500005555555559"], "card"),
        ("x", ["11010519491231002X"], "national_id"),
        ("x", ["078-05-1120", "219-09-9999"], "national_id"),
        ("x", ["DE89370400440532013000", "GB82 WEST 1234 5698 7654 32"], "iban"),
        ("customer_name", ["Ada Lovelace", "Alan Turing", "Grace B. Hopper"], "name"),
        ("姓名", ["王小明", "李雷", "张伟"], "name"),
        ("amount", ["1200.5", "17.25", "3.10"], ""),
        ("x", ["4539578763621487", "4539578763621488"], ""),
        ("city", ["Kiel", "Bonn", "Ulm"], ""),
        ("filename", ["a.txt", "b.txt", "c.txt"], ""),
    ],
)
def test_personal_data_is_seen(name: str, cells: list[str], kind: str) -> None:
    assert find_personal(name, cells) == kind


def people() -> bytes:
    note = '"Please write to user{0}@example.com about the case {0}, and call +49 431 1234{0:03d} after noon"'
    rows = [f"{n},user{n % 40}@example.com,{note.format(n)},{n * 1.5}" for n in range(200)]
    return lines("id,mail,note,amount", *rows)


def test_personal_data_is_pointed_out_masked_and_dropped(tmp_path: Path) -> None:
    made = bring(tmp_path, people())
    assert (made.column("mail")["personal"], made.column("note")["personal"]) == ("email", "email")
    assert made.column("amount")["personal"] == ""
    hidden = bring(tmp_path, people(), mask="mail, note", drop="id")
    assert list(hidden.types) == ["mail", "note", "amount"]
    assert hidden.report["dropped"] == ["id"]
    stored = b"".join(path.read_bytes() for path in hidden.out.rglob("*") if path.is_file())
    assert b"@example.com" not in stored
    assert b"+49 431" not in stored
    masked = set(write_cells(hidden.tables.columns[0], hidden.tables.train.cells["mail"]))
    assert masked <= {f"email-{n}" for n in range(1, 41)}
    assert hidden.column("mail")["distinct"] == 40  # equal values stay equal
    assert (hidden.column("mail")["personal"], hidden.column("mail")["masked"]) == ("", True)
    assert mask_text("mail a@b.com, card 4539578763621486.") == "mail [email], card [card]."


def test_the_split_is_fixed_by_the_content(tmp_path: Path) -> None:
    rows = [f"{n},{n % 7}" for n in range(500)]
    first, again = bring(tmp_path, lines("a,b", *rows)), bring(tmp_path, lines("a,b", *rows))
    assert first.report["hash"] == again.report["hash"]
    assert first.tables.test.cells["a"].tolist() == again.tables.test.cells["a"].tolist()
    assert (first.report["train"], first.report["test"]) == (400, 100)
    other = bring(tmp_path, lines("a,b", *rows[:-1], "499,8"))
    assert other.report["hash"] != first.report["hash"]
    half = bring(tmp_path, lines("a,b", *rows), test_percent=50)
    assert half.report["test"] == 250
    windows = bring(tmp_path, lines("a,b", *rows).replace(b"\n", b"\r\n"))
    assert windows.report["hash"] == first.report["hash"]  # the cells count, not how the file is written


def test_copies_of_a_row_stay_together(tmp_path: Path) -> None:
    made = bring(tmp_path, lines("a,b", *(f"{n % 50},x{n % 50}" for n in range(500))))
    train, test = set(made.tables.train.cells["a"]), set(made.tables.test.cells["a"])
    assert test
    assert not train & test
    assert made.report["duplicates"] == 450
    assert "450 rows are exact copies of others." in made.warnings()


def test_rows_of_one_account_stay_together_even_if_it_is_dropped(tmp_path: Path) -> None:
    rows = [f"{n},c{n % 40},{n % 40}" for n in range(800)]
    for drop in ("", "account"):
        made = bring(tmp_path, lines("n,account,again", *rows), account="account", drop=drop)
        assert not set(made.tables.train.cells["again"]) & set(made.tables.test.cells["again"])
        assert made.report["test"] == 160
        assert made.report["account"] == "account"


def test_exports_escape_formulas(tmp_path: Path) -> None:
    made = bring(
        tmp_path, lines("=cmd,n", *(f"{cell},{n}" for n in range(5) for cell in ("=1+1", "-5x", "plain", "-5")))
    )
    write_csv(made.tables.train, tmp_path / "out.csv")
    written = (tmp_path / "out.csv").read_text()
    assert written.startswith("'=cmd,n")
    assert {line.split(",")[0] for line in written.splitlines()[1:]} <= {"'=1+1", "'-5x", "plain", "-5"}


def test_words_of_columns_are_the_same_without_numpy() -> None:
    assert set(column_words.TYPES) == set(TYPES)
