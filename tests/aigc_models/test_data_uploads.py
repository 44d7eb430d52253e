import gzip
import tracemalloc
from pathlib import Path

import pytest

from aigc_models.base import InputError
from aigc_models.data.kinds import precheck
from aigc_models.data.starters import STARTERS
from tests.corpus import malicious
from tests.corpus.pictures import class_folders, idx, npz, pixels, zipped

AT_ONCE = {name: case for name, case in malicious.CASES.items() if case.at_once}


@pytest.mark.parametrize("name", AT_ONCE)
def test_harmful_uploads_are_refused_at_once_with_a_sentence(name: str, tmp_path: Path) -> None:
    case = AT_ONCE[name]
    path = tmp_path / "blob"
    path.write_bytes(case.make())
    with pytest.raises(InputError) as caught:
        precheck(path, case.filename)
    fault = caught.value.faults[0]
    assert fault.code == case.code
    assert str(fault).endswith(".")
    assert fault.where["file"]


@pytest.mark.parametrize("name", [name for name, case in malicious.CASES.items() if not case.at_once])
def test_faults_inside_are_left_to_the_import(name: str, tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(malicious.CASES[name].make())
    assert precheck(path, "upload") == "images"


@pytest.mark.parametrize(
    "content",
    [
        zipped(class_folders({"cats": 2, "狗": 2})),
        zipped({"train-images-idx3-ubyte.gz": b"x"}),
        zipped({"no_suffix": b"x"}),
        npz(x_train=pixels(0)[None]),
        idx(pixels(0)[None]),
        idx(pixels(0)[None], packed=True),
    ],
)
def test_usable_uploads_pass(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(content)
    assert precheck(path, "upload") == "images"


@pytest.mark.parametrize(
    ("content", "filename"),
    [
        (b"anything at all", "a.csv"),
        (b"a;b\n1;2\n", "a"),
        (b"a b\n1 2\n3 4\n", "a.txt"),
        ("a,b\n1,2\n".encode("utf-16"), "a.txt"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), "a.gz"),
        (b"BMI,age\n20,30\n", "a.data"),
    ],
)
def test_tables_are_known_by_their_name_or_their_lines(content: bytes, filename: str, tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(content)
    assert precheck(path, filename) == "table"
    assert precheck(path, filename, "table") == "table"


@pytest.mark.parametrize(
    "content", [b"just words\nand more of them here\n", b'{"a": 1}\n', b"<html>,</html>\n<b>,</b>"]
)
def test_other_texts_are_tables_only_if_their_sender_says_so(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(content)
    assert precheck(path, "notes.txt") == "text"
    assert precheck(path, "notes.txt", "table") == "table"
    with pytest.raises(InputError) as caught:
        precheck(path, "notes.txt", "images")
    assert caught.value.faults[0].code == "unsupported-file"


def test_a_zip_of_pages_is_text_unless_there_are_pictures_or_a_table(tmp_path: Path) -> None:
    path = tmp_path / "blob"
    pages = {"help/a.md": b"# A", "help/b.html": b"<h1>B</h1>", "LICENSE": b"x"}
    for more, kind in (({}, "text"), ({"a.png": b"x"}, "images"), ({"a.csv": b"x"}, "images")):
        path.write_bytes(zipped({**pages, **more}))
        assert precheck(path, "help.zip") == kind
        assert precheck(path, "help.zip", "text") == "text"
    path.write_bytes(zipped({"a.png": b"x"}))
    with pytest.raises(InputError) as caught:
        precheck(path, "help.zip", "text")
    assert caught.value.faults[0].code == "no-documents"


def test_all_unsafe_names_are_told(tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(zipped({"../a.png": b"x", "b.png": b"x", "/c.png": b"x"}))
    with pytest.raises(InputError) as caught:
        precheck(path, "a.zip")
    assert [fault.values["file"] for fault in caught.value.faults] == ["../a.png", "/c.png"]


def test_a_long_table_of_contents_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(zipped({f"folder/{index}.png": b"" for index in range(5000)}))
    tracemalloc.start()
    precheck(path, "a.zip")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_starters_are_complete_and_name_their_licence() -> None:
    for name, starter in STARTERS.items():
        assert starter.name == name
        chosen = starter.kind if starter.kind == "event_log" else ""  # a table by its content alone
        assert precheck(starter.path, starter.filename, chosen) == starter.kind
        assert starter.licence
        if starter.licence == STARTERS["synthetic-shop"].licence:
            continue  # made by this project, under its licence
        notices = [
            notice
            for notice in starter.path.parent.glob("LICENSE.*.txt")
            if starter.path.name.startswith(notice.name.split(".")[1])
        ]
        assert any("opyright" in notice.read_text() for notice in notices), name
