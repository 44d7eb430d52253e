"""Uploads of events become interactions: columns, times, titles, rules, faults with their places."""

import gzip
import io
import json
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from aigc_models.base import Fault, InputError
from aigc_models.data import kinds
from aigc_models.data.event_columns import INTERACTIONS, Role, by_name, choose
from aigc_models.data.event_decoding import read_upload
from aigc_models.data.event_rows import hashed
from aigc_models.data.interactions import Interactions, load_interactions, load_report
from aigc_models.data.planted_interactions import ITEMS, plant, write_zip
from aigc_models.data.starters import STARTERS
from aigc_models.dataset.interactions_params import DatasetImportInteractions
from aigc_models.dataset.model import import_interactions
from aigc_models.standalone import LocalRun

Import = Callable[..., tuple[Interactions, dict[str, Any]]]


@pytest.fixture
def bring(tmp_path: Path) -> Import:
    """Reads a text or bytes as an upload, in this process; gives the dataset and its report."""

    def go(content: str | bytes, filename: str = "events.csv", **settings: Any) -> tuple[Interactions, dict[str, Any]]:
        upload, out = tmp_path / "upload", tmp_path / "out"
        upload.mkdir()
        (upload / filename).write_bytes(content.encode() if isinstance(content, str) else content)
        work = out / "work"
        shutil.rmtree(out, ignore_errors=True)
        work.mkdir(parents=True)
        params = DatasetImportInteractions(**settings).model_dump(mode="json")
        file = upload / filename
        try:
            kinds.precheck(file, filename, "interactions")
            read_upload({"file": str(file), "work": str(work), "out": str(out), "params": params}, lambda *_: None)
        finally:
            file.unlink()
            upload.rmdir()
        return load_interactions(out / "dataset"), load_report(out / "dataset")

    return go


def csv(head: str, rows: list[str]) -> str:
    return "\n".join([head, *rows]) + "\n"


def some(count: int = 12, *, users: int = 3, start: int = 1_700_000_000) -> list[str]:
    """Rows of user, item, time, rating."""
    return [f"u{n % users},i{n % 5},{start + 60 * n},{1 + n % 5}" for n in range(count)]


def faults_of(bring: Import, *content: Any, **settings: Any) -> list[Fault]:
    with pytest.raises(InputError) as caught:
        bring(*content, **settings)
    for fault in caught.value.faults:
        assert str(fault).endswith(".")
    return caught.value.faults


def said(report: Mapping[str, Any]) -> str:
    return " ".join(one["message"].format(**one["values"]) for one in report["warnings"])


def tables(**files: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "."), text)
    return packed.getvalue()


def test_an_import_runs_confined_and_leaves_nothing_behind(tmp_path: Path) -> None:
    upload, run = tmp_path / "upload", LocalRun(tmp_path / "out")
    upload.mkdir()
    run.inputs = {"upload": upload}
    (upload / "events.csv").write_text(csv("user,item,time,rating", some()), encoding="utf-8")
    counts = import_interactions(DatasetImportInteractions(), run)
    assert counts == {"events": 12.0, "users": 3.0, "items": 5.0}
    assert sorted(path.name for path in run.out_dir.iterdir()) == ["dataset"]
    (upload / "events.csv").write_text(csv("user,item,time,rating", [*some(), "u,i,soon,3"]), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        import_interactions(DatasetImportInteractions(), run)
    assert caught.value.faults[0].where == {"row": 14, "column": "time", "value": "soon"}


def test_parquet_files_are_read_like_text(tmp_path: Path, bring: Import) -> None:
    pytest.importorskip("pyarrow")
    table = pd.DataFrame({"user": [f"u{n % 3}" for n in range(12)], "item": [n % 5 for n in range(12)]})
    table["time"] = pd.date_range("2024-01-31", periods=12, freq="h")
    table.to_parquet(tmp_path / "made.parquet")
    data, report = bring((tmp_path / "made.parquet").read_bytes(), "events.parquet")
    assert (report["first_time"], len(data), data.item_names[1]) == ("2024-01-31T00:00:00+00:00", 12, "1")


def test_columns_are_found_by_name_and_events_ordered_by_time(bring: Import) -> None:
    rows = some()
    data, report = bring(csv("userId,product_id,timestamp,stars", rows[::-1]))
    assert report["columns"] == {"user": "userId", "item": "product_id", "time": "timestamp", "rating": "stars"}
    assert (len(data), report["events"], report["users"], report["items"]) == (12, 12, 3, 5)
    for number, name in enumerate(data.user_names):
        mine = data.users == number
        assert np.all(np.diff(data.times[mine]) > 0)
        wanted = [row.split(",")[1] for row in rows if row.startswith(f"{name},")]
        assert [data.item_names[item] for item in data.items[mine]] == wanted
    assert report["density"] == pytest.approx(12 / 15)
    assert sum(one["count"] for one in report["per_user"]["bins"]) == 3
    assert (report["encoding"], report["delimiter"]) == ("utf-8", ",")
    assert len(report["first"]) == 12
    assert report["first"][0] == {
        "user": "u2", "item": "i1", "title": "", "time": "2023-11-14T22:24:20+00:00", "rating": 2.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ("user_id,item_id,timestamp", (0, 1, 2)),
        ("user_id:token,item_id:token,rating:float,timestamp:float", (0, 1, 3)),
        ("Date,CustomerID,StockCode,Quantity", (1, 2, 0)),
        ("用户,商品,时间", (0, 1, 2)),
        ("order,buyer no,order date,article name,sku", (1, 4, 2)),
    ],
)
def test_usual_headers_are_understood(headers: str, found: tuple[int, int, int]) -> None:
    guess = by_name(headers.split(","), INTERACTIONS)
    assert (guess["user"], guess["item"], guess["time"]) == found


def test_settings_name_columns_by_header_case_or_number() -> None:
    columns, sample = ["A", "b", "c"], [["x"], ["y"], ["z"]]
    by_header: dict[Role, str] = {"user": "a", "item": "3"}
    assert choose(columns, by_header, sample, INTERACTIONS) == {"user": 0, "item": 2}
    wrong: list[tuple[dict[Role, str], str, str]] = [
        ({"user": "d", "item": "b"}, "/user_column", "unknown-column"),
        ({"user": "A"}, "/item_column", "column-unclear"),
        ({}, "/user_column", "column-unclear"),
        ({"user": "A", "item": "A"}, "/item_column", "column-twice"),
        ({"user": "A", "item": "4"}, "/item_column", "unknown-column"),
    ]
    for settings, pointer, code in wrong:
        with pytest.raises(InputError) as caught:
            choose(columns, settings, sample, INTERACTIONS)
        assert (caught.value.faults[0].pointer, caught.value.faults[0].code) == (pointer, code)
        assert "A" in str(caught.value.faults[0])


def test_a_file_without_headers_is_read_by_number(bring: Import) -> None:
    rows = "\n".join(f"{n % 3 + 1}\t{200 + n % 5}\t{1 + n % 5}\t{881250949 + n}" for n in range(12))
    data, report = bring(rows, "u.data")
    assert report["columns"] == {"user": "1", "item": "2", "time": "4", "rating": "3"}
    assert len(data) == 12
    assert "no header" in said(report)
    assert report["first_time"].startswith("1997-12-04T")
    blanks = "\n".join(f" {n % 3:05} 199701{n + 10:02} {n % 4 + 1}  11.77" for n in range(12))
    _, report = bring(blanks, "cdnow.txt", user_column="1", time_column="2", item_column="3")
    assert (report["time_unit"], report["first_time"], report["users"]) == ("days", "1997-01-10", 3)


@pytest.mark.parametrize(
    ("cells", "unit", "first"),
    [
        (["1700000000000", "1700000060000"], "milliseconds", "2023-11-14T22:13:20+00:00"),
        (["2024-01-31T10:00:00+02:00", "2024-02-01 08:00:00"], "iso", "2024-01-31T08:00:00+00:00"),
        (["31/01/2024 10:00", "01/02/2024 08:00"], "%d/%m/%Y %H:%M", "2024-01-31T10:00:00+00:00"),
        (["01/31/2024", "02/01/2024"], "%m/%d/%Y", "2024-01-31T00:00:00+00:00"),
        (["2024年1月31日", "2024年2月1日"], "%Y年%m月%d日", "2024-01-31T00:00:00+00:00"),
        (["7", "8"], "numbers", "7"),
    ],
)
def test_times_are_read_as_they_are_written(bring: Import, cells: list[str], unit: str, first: str) -> None:
    rows = [f"u{n % 2},i{n},{cells[n // 5]}" for n in range(10)]
    data, report = bring(csv("user,item,time", rows))
    assert (report["time_unit"], report["first_time"]) == (unit, first)
    assert len(np.unique(data.times)) == 2


def test_times_that_say_nothing_keep_the_order_of_the_file(bring: Import) -> None:
    rows = [f"u{n % 2},i{(7 * n) % 10}" for n in range(20)]
    order = [row.split(",")[1] for row in rows if row.startswith("u0")]
    for head, cells, words in (
        ("user,item", "", "The file has no times"),
        ("user,item,time", ",", "The file has no times"),
        ("user,item,time", ",2024-01-01", "All events have the same time"),
    ):
        data, report = bring(csv(head, [row + cells for row in rows]), drop_repeats=False)
        assert [data.item_names[item] for item in data.items[data.users == 0]] == order
        assert words in said(report)
    _, report = bring(csv("user,item,date", [f"u{n % 2},i{n},0{n % 9 + 1}/02/2024" for n in range(20)]))
    assert "Day and month" in said(report)


def test_titles_come_from_a_column_or_from_a_second_file(bring: Import) -> None:
    rows = [f'u{n % 3},i{n % 5},{n},"Tea, ""{n % 5}"""' for n in range(12)]
    data, report = bring(csv("user,item,time,title", rows))
    assert list(data.item_titles) == [f'Tea, "{n}"' for n in range(5)]
    packed = tables(
        ratings__csv=csv("userId,movieId,rating,timestamp", some()),
        movies__csv=csv("movieId,title,genres", ["i0,茶,drama", 'i1,"Kolya (1996)",x', "i1,other,x", "i9,unseen,x"]),
        links__csv=csv("movieId,imdbId", ["i0,1"]),
        readme__txt="Terms",
    )
    data, report = bring(packed, "ml.zip")
    assert dict(zip(data.item_names, data.item_titles, strict=True)) == {
        "i0": "茶", "i1": "Kolya (1996)", "i2": "", "i3": "", "i4": "",
    }  # fmt: skip
    assert report["titles_from"] == "movies.csv"
    assert "links.csv" in said(report)
    assert "3 items have no title" in said(report)
    assert report["popular"][0]["title"] == "茶"


def test_names_of_any_kind_and_encoding_come_back(bring: Import) -> None:
    names = ["李雷", 'O\'Neil "Bob"', "a;b", "=1+1", "ÅØ"]
    rows = [f'"{names[n % 5].replace(chr(34), chr(34) * 2)}";货{n % 4};{n}' for n in range(20)]
    text = csv("用户;商品;时间", rows)
    for content in (text.encode("gb18030"), text.encode("utf-16"), gzip.compress(text.encode())):
        data, _ = bring(content, "events.csv")
        assert list(data.user_names) == names
        assert list(data.item_names) == ["货0", "货1", "货2", "货3"]


def test_rules_leave_out_and_count(bring: Import) -> None:
    rows = [*some(15), "u0,i0,1700000000,1", "lonely,i0,5,5"]
    data, report = bring(csv("user,item,time,rating", rows))
    assert report["left_out"] == {"broken": 0, "rated_low": 0, "repeats": 1, "users": 1, "users_events": 1}
    assert (len(data), "lonely" in data.user_names) == (15, False)
    data, report = bring(csv("user,item,time,rating", rows), drop_repeats=False, least_events=1)
    assert (len(data), report["repeats"], report["left_out"]["repeats"]) == (17, 1, 0)
    assert "1 users have one event only" in said(report)
    data, report = bring(csv("user,item,time,rating", some(30)), least_rating=4.0)
    assert report["left_out"]["rated_low"] == 18
    assert set(data.ratings.tolist()) == {4.0, 5.0}
    fault = faults_of(bring, csv("user,item", [f"u{n % 2},i{n}" for n in range(20)]), least_rating=4.0)[0]
    assert fault.pointer == "/least_rating"


def test_users_can_be_hashed_and_are_pointed_out_where_they_are_people(bring: Import) -> None:
    rows = [f"user{n % 4}@example.org,i{n % 5},{n}" for n in range(24)]
    data, report = bring(csv("customer,item,time", rows))
    assert report["personal"] == "email"
    data, report = bring(csv("customer,item,time", rows), hash_users=True)
    assert (report["personal"], report["hashed"]) == ("", True)
    assert list(data.user_names) == [hashed(f"user{n}@example.org") for n in range(4)]
    assert "example.org" not in json.dumps(report)


def test_faults_name_row_column_and_value(bring: Import) -> None:
    rows = some(12)
    rows[2], rows[5], rows[7], rows[9] = "u1,i1,soon,3", ",i1,1700000000,3", "u1,i1,1700000000,good", "u1,i1,1700000000"
    faults = faults_of(bring, csv("user,item,time,rating", rows))
    assert [(fault.code, fault.where["row"]) for fault in faults] == [("wrong-cell-count", 11)]
    rows[9] = "u1,,1700000000,3"
    faults = faults_of(bring, csv("user,item,time,rating", rows))
    assert [(fault.code, fault.where["row"], fault.where["column"], fault.where["value"]) for fault in faults] == [
        ("bad-cell", 4, "time", "soon"),
        ("cell-missing", 7, "user", ""),
        ("bad-cell", 9, "rating", "good"),
        ("cell-missing", 11, "item", ""),
    ]
    assert "Row 4, column time: soon is no time." in str(faults[0])
    more = [*rows, *some(6, start=1_800_000_000), "short"]
    data, report = bring(csv("user,item,time,rating", more), skip_broken=True)
    assert (len(data), report["left_out"]["broken"]) == (14, 5)


def test_rows_keep_their_numbers_where_others_are_left_out(bring: Import) -> None:
    rows = [*some(12), "", "u0,i0,soon,1"]
    faults = faults_of(bring, csv("user,item,time,rating", rows))
    assert faults[0].where["row"] == 15


@pytest.mark.parametrize(
    ("content", "filename", "code"),
    [
        ("", "e.csv", "dataset-empty"),
        ("user,item\n", "e.csv", "dataset-empty"),
        ("user\nanna\n", "e.csv", "column-unclear"),
        ("user,user,item\na,b,c\n", "e.csv", "duplicate-header"),
        ("user,item\na,b\n", "e.csv", "too-few-events"),
        (csv("user,item", ["a,b"] * 20), "e.csv", "too-few-events"),
        (tables(a__csv="x,y\n1,2\n", b__csv="x,z\n1,2\n"), "e.zip", "column-unclear"),
        (tables(readme__txt="hello"), "e.zip", "no-tables"),
        (b"PK\x03\x04 broken", "e.zip", "truncated-file"),
        (b"%PDF-1.4", "e.pdf", "unsupported-file"),
        ("user,item\n" + "x" * (2**20 + 10), "e.csv", "cell-too-long"),
    ],
)
def test_what_cannot_be_used_is_refused(bring: Import, content: str | bytes, filename: str, code: str) -> None:
    assert faults_of(bring, content, filename)[0].code == code


def test_many_faults_are_counted(bring: Import) -> None:
    faults = faults_of(bring, csv("user,item,time", [f"u{n % 3},i{n % 7},never" for n in range(150)] + ["u,i,7"] * 200))
    assert len(faults) == 100
    assert str(faults[0]).startswith("150 of 350 rows cannot be used.")


def test_the_same_events_make_the_same_dataset(bring: Import) -> None:
    text = csv("user,item,time,rating", some())
    _, first = bring(text)
    _, second = bring(text.replace(",", ";").encode("utf-16"))
    _, other = bring(text.replace("i4", "i5"))
    assert first["hash"] == second["hash"] != other["hash"]


def test_the_kind_of_an_upload_of_tables_is_known_at_once(tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(tables(events__csv="user,item\na,b\n", items__csv="item,title\nb,Tea\n"))
    assert kinds.precheck(path, "shop.zip") == "interactions"
    assert kinds.precheck(path, "shop.zip", "interactions") == "interactions"


def test_the_planted_structure_is_there() -> None:
    planted = plant(users=300, seed=3)
    assert planted == plant(users=300, seed=3) != plant(users=300, seed=4)
    events, times = dict[str, list[str]](), dict[str, list[int]]()
    for user, item, moment in planted.events:
        events.setdefault(user, []).append(item)
        times.setdefault(user, []).append(moment)
    assert all(first < second for moments in times.values() for first, second in pairwise(moments))
    assert all(len(set(items)) == len(items) for items in events.values())
    popular = Counter(item for _, item, _ in planted.events)
    steps = [(a, b) for items in events.values() for a, b in pairwise(items) if a in planted.follows]
    chance = np.mean([popular[planted.follows[a]] / len(planted.events) for a, _ in steps])
    followed = np.mean([planted.follows[a] == b for a, b in steps])
    assert followed > 20 * chance
    topic = Counter(
        Counter(item[0] for item in items).most_common(1)[0][1] / len(items) >= 0.4 for items in events.values()
    )
    assert topic[True] > 0.7 * len(events)


def test_the_bundled_shop_is_what_the_generator_makes_and_says_that_it_is_synthetic(
    tmp_path: Path, bring: Import
) -> None:
    starter = STARTERS["synthetic-shop"]
    write_zip(plant(), tmp_path / "made.zip")
    with zipfile.ZipFile(tmp_path / "made.zip") as made, zipfile.ZipFile(starter.path) as bundled:
        assert made.namelist() == bundled.namelist()
        for name in made.namelist():
            assert made.read(name) == bundled.read(name)
    assert "synthetic" in starter.name
    assert "synthetic" in starter.title
    assert starter.notes.startswith("Synthetic")
    data, report = bring(starter.path.read_bytes(), starter.filename)
    assert (report["events"], report["users"], report["items"], report["titled"]) == (18_477, 1_200, 144, 144)
    assert report["titles_from"] == ITEMS
    assert "espresso machine" in " ".join(data.item_titles).lower()
