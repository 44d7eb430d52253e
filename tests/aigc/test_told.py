"""What commands tell beside their answer: likely personal data, a long wait, files that are there already."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from aigc.cli import run
from tests.aigc.scripted import Answer, Asked, job, serving

DATASET = "ds_" + "0" * 26
TASK = {
    "task": "table_vae.train",
    "schema": {"properties": {"dataset": {"type": "string", "x-input": "dataset", "x-kind": "table"}}},
}
COLUMNS = [
    {"name": "amount", "type": "integer", "distinct": 3},
    {"name": "mail, private", "type": "text", "distinct": 3, "personal": "email"},
    {"name": "phone", "type": "identifier", "distinct": 3, "personal": "phone"},
]
BYTES = b"amount\n1\n"
FILE = {"id": "art_1", "name": "lists/new.csv", "role": "output", "sha256": hashlib.sha256(BYTES).hexdigest()}


def table(**report: Any) -> dict[str, Any]:
    """A dataset as the API shows it."""
    told = {"id": DATASET, "name": "orders", "version": 1, "kind": "table", "state": "ready", "links": {}}
    return told | {"report": {"train": 3, "test": 1, "columns": COLUMNS, **report}}


def play(asked: Asked, dataset: dict[str, Any], queue: dict[str, Any]) -> Answer:
    """A server with one dataset and one job, which waits."""
    path = asked.path.removeprefix("/api/v1").split("?")[0]
    if path.startswith("/tasks/"):
        return Answer(200, TASK)
    if path.startswith("/datasets"):
        return Answer(200, dataset)
    if asked.method == "POST":
        return Answer(202, job("queued"))
    return Answer(200, job("queued", queue=queue))


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AIGC_TOKEN", "AIGC_TOKEN_FILE", "AIGC_HOME", "AIGC_LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def said(capsys: pytest.CaptureFixture[str], dataset: dict[str, Any], *command: str, **queue: Any) -> str:
    """What a command says on stderr beside its answer."""
    with serving(lambda asked: play(asked, dataset, queue)) as server:
        assert run(["--url", server.url, *command]) == 0
    return capsys.readouterr().err


def test_likely_personal_data_is_told_with_what_hides_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_bytes(BYTES)
    masking = "aigc datasets revise orders -p 'mask=\"mail, private\",phone'"
    told = f"orders has likely personal data in mail, private, phone. Mask it: {masking}"
    for command in (["datasets", "add", "orders.csv"], ["submit", "table_vae.train", "--data", DATASET]):
        assert told in said(capsys, table(), *command)
        assert "personal" not in said(capsys, table(columns=COLUMNS[:1]), *command)
    talk = table(personal=[{"kind": "email", "pieces": 2}]) | {"kind": "text"}
    assert "Mask it: aigc datasets revise orders -p mask=true" in said(capsys, talk, "datasets", "add", "orders.csv")
    talk["report"]["masked"] = True
    assert "Mask it" not in said(capsys, talk, "datasets", "add", "orders.csv")
    chinese = said(capsys, table(), "--lang", "zh-CN", "datasets", "add", "orders.csv")
    assert f"含有可能的个人信息。遮盖命令：{masking}" in chinese


def test_masked_columns_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    masked = [{**COLUMNS[0], "masked": False}, *({"masked": True, **one, "personal": ""} for one in COLUMNS[1:])]
    with serving(lambda asked: play(asked, table(columns=masked), {})) as server:
        assert run(["--url", server.url, "datasets", "show", DATASET]) == 0
    assert "  masked  mail, private, phone" in capsys.readouterr().out.splitlines()


def test_a_long_wait_is_told_when_a_job_is_submitted(capsys: pytest.CaptureFixture[str]) -> None:
    command, span = ("submit", "table_vae.train", "-p", f"dataset={DATASET}"), {"low": 240.0, "high": 480.0}
    told = said(capsys, table(), *command, position=3, starts_in_seconds=span)
    assert "Queued  2 jobs are ahead  starts in about 4 to 8 min" in told.splitlines()
    soon = said(capsys, table(), *command, position=1, starts_in_seconds={"low": 0.0, "high": 5.0})
    assert "Queued" not in soon
    assert "Queued" not in said(capsys, table(), "-q", *command, position=3, starts_in_seconds=span)


def test_files_that_are_there_are_written_over_only_by_force(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def listed(asked: Asked) -> Answer:
        path = asked.path.split("?")[0]
        if path.endswith("/content"):
            return Answer(200, BYTES)
        if path.endswith("/artifacts"):
            return Answer(200, {"data": [FILE], "has_more": False, "next_cursor": None})
        return Answer(200, job())

    own = tmp_path / "lists" / "new.csv"
    own.parent.mkdir()
    own.write_text("mine")
    with serving(listed) as server:
        command = ["--url", server.url, "jobs", "download", "job_" + "0" * 26]
        assert run(command) == 2
        assert "new.csv is there already. Say --force to write over it." in capsys.readouterr().err
        assert own.read_text() == "mine"
        assert run([*command, "--force"]) == 0
        assert own.read_bytes() == BYTES
        assert run(command) == 0  # the same bytes
