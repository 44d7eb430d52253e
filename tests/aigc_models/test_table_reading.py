"""What a table's file may look like, and the faults it may have, each with its place."""

import gzip
import io
from pathlib import Path

import numpy as np
import pyarrow as arrow
import pytest
from pyarrow import parquet

from aigc_models.base import InputError
from aigc_models.data import kinds, table_rows
from aigc_models.data.column_words import join, split, split_types
from aigc_models.data.table_import import import_table
from aigc_models.dataset.table_params import DatasetImportTable
from tests.aigc_models.conftest import RecordingRun
from tests.aigc_models.tables_in import Imported, bring, faults_of, lines

CITIES = ("Köln", "Zürich", "Málaga")


def european(encoding: str) -> bytes:
    rows = [f"{number};{CITIES[number % 3]};{number},{number % 10}5" for number in range(30)]
    return "\r\n".join(["nummer;stadt;preis", *rows, ""]).encode(encoding)


def chinese(encoding: str) -> bytes:
    rows = [f"{number},{'北京上海广州'[2 * (number % 3) :][:2]},{number * 1.5}" for number in range(30)]
    return "\n".join(["编号,城市,金额", *rows, ""]).encode(encoding)


@pytest.mark.parametrize(
    ("content", "encoding", "delimiter"),
    [
        (european("utf-8"), "utf-8", ";"),
        (european("utf-8-sig"), "utf-8", ";"),
        (european("utf-16"), "utf-16", ";"),
        (european("utf-16-be"), "utf-16-be", ";"),
        (european("latin-1"), "cp1252", ";"),
        (chinese("utf-8"), "utf-8", ","),
        (chinese("gb18030"), "gb18030", ","),
    ],
)
def test_encodings_and_delimiters_are_found_out(tmp_path: Path, content: bytes, encoding: str, delimiter: str) -> None:
    made = bring(tmp_path, content)
    assert (made.report["source"]["encoding"], made.report["source"]["delimiter"]) == (encoding, delimiter)
    names = [column.name for column in made.tables.columns]
    assert names in (["nummer", "stadt", "preis"], ["编号", "城市", "金额"])
    cities = set(made.tables.columns[1].categories)
    assert cities in (set(CITIES), {"北京", "上海", "广州"})
    assert made.tables.columns[2].type == "continuous"


@pytest.mark.parametrize(("sign", "name"), [("\t", "tab"), ("|", "pipe"), (" ", "space"), (", ", "comma")])
def test_other_delimiters(tmp_path: Path, sign: str, name: str) -> None:
    content = lines(sign.join(("age", "city")), sign.join(("41", "Kiel")), sign.join(("42", "Bonn")), times=10)
    for wished in ("auto", name):
        made = bring(tmp_path, content, delimiter=wished)
        assert made.types == {"age": "integer", "city": "categorical"}
        assert set(made.tables.train.column("city").categories) == {"Kiel", "Bonn"}


def test_a_quoted_cell_may_hold_delimiters_quotes_and_line_ends(tmp_path: Path) -> None:
    cell = '"He said ""no"",\nand left; then he came back to say yes, after all that, to everybody there {}"'
    content = lines("id,note", *(f"{number},{cell.format(number)}" for number in range(40)))
    made = bring(tmp_path, content)
    notes = [*made.tables.train.cells["note"], *made.tables.test.cells["note"]]
    assert sorted(notes)[0].startswith('He said "no",\nand left;')
    assert len(notes) == 40


def test_a_spreadsheets_hint_is_no_header(tmp_path: Path) -> None:
    made = bring(tmp_path, b"sep=;\r\n" + european("utf-8"))
    assert list(made.types) == ["nummer", "stadt", "preis"]
    (fault,) = faults_of(tmp_path, b"sep=;\r\n" + european("utf-8").replace(b"\r\n7;", b"\r\n7;;", 1))
    assert fault.where["row"] == 10


def test_gzip_is_unpacked_on_the_way(tmp_path: Path) -> None:
    made = bring(tmp_path, gzip.compress(european("utf-8")), "table.csv.gz")
    assert made.report["source"]["packed"] is True
    assert made.report["train"] + made.report["test"] == 30
    (fault,) = faults_of(tmp_path, gzip.compress(european("utf-8"))[:-30], "cut.csv.gz")
    assert fault.code == "truncated-file"


def test_a_file_without_headers_gets_names(tmp_path: Path) -> None:
    content = lines("1,2.5,x", "2,3.5,y", times=10)
    assert "The first line looks like data" in " ".join(bring(tmp_path, content).warnings())
    made = bring(tmp_path, content, column_names="a,b,c")
    assert list(made.types) == ["a", "b", "c"]
    assert made.report["train"] + made.report["test"] == 11


def parquet_file(directory: Path) -> bytes:
    table = arrow.table(
        {
            "id": arrow.array(range(100), arrow.int64()),
            "price": arrow.array([None if i % 5 == 0 else i / 4 for i in range(100)], arrow.float64()),
            "when": arrow.array([86_400_000_000 * i for i in range(100)], arrow.timestamp("us")),
            "kind": arrow.array(["a", "b", None, "c"] * 25).dictionary_encode(),
            "yes": arrow.array([i % 2 == 0 for i in range(100)]),
        }
    )
    parquet.write_table(table, directory / "made.parquet")
    return (directory / "made.parquet").read_bytes()


def test_parquet_is_read_like_text(tmp_path: Path) -> None:
    made = bring(tmp_path, parquet_file(tmp_path), "table.parquet")
    expected = {"id": "identifier", "price": "continuous", "when": "datetime", "kind": "categorical", "yes": "boolean"}
    assert made.types == expected
    assert (made.column("price")["missing_count"], made.column("kind")["missing_count"]) == (20, 25)
    assert made.column("when")["greatest"] == 86_400.0 * 99
    assert kinds.precheck(tmp_path / "made.parquet", "made.parquet") == "table"


def test_parquet_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet.write_table(arrow.table({"a": [[1], [2]], "b": [1, 2]}), tmp_path / "nested.parquet")
    (fault,) = faults_of(tmp_path, (tmp_path / "nested.parquet").read_bytes(), "nested.parquet")
    assert (fault.code, fault.where["column"]) == ("wrong-type", "a")
    (fault,) = faults_of(tmp_path, parquet_file(tmp_path)[:-20], "cut.parquet")
    assert fault.code == "truncated-file"
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    (fault,) = faults_of(tmp_path, parquet_file_bytes(tmp_path), "table.parquet")
    assert fault.code == "parquet-not-installed"
    assert "aigc-foundry[parquet]" in str(fault)


def parquet_file_bytes(directory: Path) -> bytes:
    return (directory / "made.parquet").read_bytes()


def test_every_fault_has_row_column_and_value(tmp_path: Path) -> None:
    rows = [f"{number},12.5,ok" for number in range(1, 21)]
    rows[2] = "3,12.5"
    rows[4] = "5,12.5,ok,more"
    rows[6] = "7,12.5,o\0k"
    content = lines("id,price,note", *rows)
    faults = faults_of(tmp_path, content)
    assert [(fault.code, fault.where["row"]) for fault in faults] == [
        ("wrong-cell-count", 4),
        ("wrong-cell-count", 6),
        ("nul-byte", 8),
    ]
    assert faults[2].where == {"row": 8, "column": "note", "value": "o\\0k"}
    assert str(faults[0]) == "Row 4 has 2 cells, but there are 3 columns. It begins with 3,12.5."
    made = bring(tmp_path, content, skip_broken=True)
    assert (made.report["unreadable"], made.report["train"] + made.report["test"]) == (3, 17)


def test_cells_that_do_not_fit_a_type_that_was_set(tmp_path: Path) -> None:
    rows = [f"{number},12.50" for number in range(1, 21)]
    rows[3] = '4,"12,90 €"'
    rows[9] = "x,1.5"
    content = lines("age,price", *rows[:5], "", *rows[5:])  # a blank line counts as a row, as in a spreadsheet
    faults = faults_of(tmp_path, content, column_types="price=continuous, age=integer")
    assert [str(fault) for fault in faults] == [
        "Row 12, column age: x is not a whole number. Use a form like 12.",
        "Row 5, column price: 12,90 € is not a number. Use a form like 12.90.",
    ]
    assert faults[1].where == {"row": 5, "column": "price", "value": "12,90 €"}
    made = bring(tmp_path, content, column_types="price=continuous, age=integer", skip_broken=True)
    assert made.column("price")["missing_count"] == 1


def test_many_faults_are_counted_and_the_first_listed(tmp_path: Path) -> None:
    faults = faults_of(tmp_path, lines("a,b", *["1"] * 500))
    assert len(faults) == 100
    assert str(faults[0]) == "500 faults were found. The first 99 are listed."
    assert faults[-1].where["row"] == 100


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"a,b\n", "dataset-empty"),
        (b"a,b", "dataset-empty"),
        (b"\n\n", "dataset-empty"),
        (lines("a,b", "1,2", times=3), "too-few-rows"),
        (lines("a,,c", "1,2,3", times=20), "empty-header"),
        (lines("a,b,a", "1,2,3", times=20), "duplicate-header"),
        (lines(",".join(map(str, range(2_001))), ",".join("1" * 2_001), times=10), "too-many-columns"),
        (lines("a,b", '1,"never closed', *["1,2"] * 300_000), "cell-too-long"),
        (lines("a,b", *["1,2"] * 20, '1,"never closed', *["1,2"] * 20), "cell-too-long"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, content: bytes, code: str) -> None:
    faults = faults_of(tmp_path, content)
    assert faults[0].code == code
    assert "{" not in str(faults[0])


def test_a_line_without_an_end_is_refused_before_it_is_in_memory(tmp_path: Path) -> None:
    (fault,) = faults_of(tmp_path, gzip.compress(b"a,b\n1,2\n" + b"x" * 50 * 2**20), "endless.csv.gz")
    assert (fault.code, fault.values["line"]) == ("cell-too-long", 3)


def test_settings_that_name_nothing(tmp_path: Path) -> None:
    content = lines("age,city", "1,Kiel", times=20)
    for params, pointer in (({"drop": "agee"}, "/drop"), ({"mask": "x"}, "/mask"), ({"account": "y"}, "/account")):
        (fault,) = faults_of(tmp_path, content, **params)
        assert (fault.code, fault.pointer) == ("unknown-column", pointer)
        assert "age, city" in str(fault)
    (fault,) = faults_of(tmp_path, content, column_types="age=number")
    assert (fault.code, fault.pointer) == ("unknown-type", "/column_types")
    (fault,) = faults_of(tmp_path, content, drop="age,city")
    assert fault.code == "unknown-column"
    (fault,) = faults_of(tmp_path, content, encoding="klingon")
    assert fault.code == "unknown-encoding"
    (fault,) = faults_of(tmp_path, lines("age,city", "1,Köln", times=20), encoding="ascii")
    assert fault.code == "wrong-encoding"


def test_one_column_and_formula_cells_are_data_with_a_word(tmp_path: Path) -> None:
    made = bring(tmp_path, lines("cell", "=1+1", "@sum", "-2+3", times=10))
    told = " ".join(made.warnings())
    assert "only one column" in told
    assert "begin like formulas" in told
    assert set(made.tables.columns[0].categories) == {"=1+1", "@sum", "-2+3"}


def test_lists_of_names_survive_commas_quotes_and_line_ends() -> None:
    names = ["plain", "with, comma", 'with "quotes"', "two\nlines", "编号"]
    assert split(join(names)) == names
    assert split("a, b\nc,,") == ["a", "b", "c"]
    types = join(["a, b=integer", "when=datetime %d.%m.%Y", "x=y=text"])
    assert split_types(types) == [("a, b", "integer"), ("when", "datetime %d.%m.%Y"), ("x=y", "text")]


def test_the_confined_process_reads_and_reports(tmp_path: Path) -> None:
    upload = tmp_path / "upload"
    upload.mkdir()
    (upload / "loans.csv").write_bytes(lines("age,city", *(f"{20 + n % 50},c{n % 3}" for n in range(500))))
    run = RecordingRun(tmp_path / "run", {"upload": upload})
    figures = import_table(DatasetImportTable(), run)
    assert figures == {"train_rows": 400.0, "test_rows": 100.0} or sum(figures.values()) == 500
    assert run.steps[-1][0] == run.steps[-1][1]
    assert (tmp_path / "run" / "preview.json").is_file()
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["dataset", "preview.json"]
    (upload / "loans.csv").write_bytes(lines("age,city", "41", "42", times=10))
    with pytest.raises(InputError) as caught:
        import_table(DatasetImportTable(), RecordingRun(tmp_path / "bad", {"upload": upload}))
    assert len(caught.value.faults) == 20
    assert not list((tmp_path / "bad").glob("*"))


def test_no_more_than_a_block_and_a_column_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows come in blocks of bounded size, and go to disk before the next block comes."""
    monkeypatch.setattr(table_rows, "BLOCK_CELLS", 1_000)
    sizes: list[int] = []
    add = table_rows.Spool.add

    def counting(self: table_rows.Spool, rows: list[table_rows.Row]) -> None:
        sizes.append(sum(map(len, rows)))
        add(self, rows)

    monkeypatch.setattr(table_rows.Spool, "add", counting)
    made = bring(tmp_path, lines("a,b,c,d", *(f"{n},{n * 2},x{n % 7},{n / 4}" for n in range(2_000))))
    assert max(sizes) <= 1_000
    assert sum(sizes) == 8_000
    values = np.concatenate([made.tables.train.cells["b"], made.tables.test.cells["b"]])
    assert sorted(values.tolist()) == [2.0 * n for n in range(2_000)]


def test_a_packed_stream_is_never_read_whole(tmp_path: Path) -> None:
    body = io.BytesIO()
    with gzip.GzipFile(fileobj=body, mode="wb") as packed:
        packed.write(b"a\n")
        for _ in range(100):
            packed.write(b"1\n" * 1_000)
    made: Imported = bring(tmp_path, body.getvalue(), "long.csv.gz")
    assert made.types == {"a": "constant"}
    assert made.report["duplicates"] == 99_999


def test_a_file_without_line_ends_is_said_to_be_one(tmp_path: Path) -> None:
    """Even where the first cell is longer than the csv module would take while delimiters are guessed."""
    with pytest.raises(InputError, match="Line 1 is longer than 1048576 characters") as found:
        bring(tmp_path, b"x" * 1_200_000)
    assert found.value.faults[0].code == "cell-too-long"
