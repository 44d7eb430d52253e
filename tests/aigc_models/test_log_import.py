"""Uploads of operations become event logs: columns, order, sessions, personal data, faults with their places."""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aigc_models.base import Fault, InputError
from aigc_models.data import kinds
from aigc_models.data.event_logs import EventLog, load_log, load_report
from aigc_models.data.log_decoding import read_upload
from aigc_models.data.planted_operations import RECIPES, SUCCEEDED, plant, write_gzip
from aigc_models.data.starters import STARTERS
from aigc_models.dataset.log_params import DatasetImportEventLog
from aigc_models.dataset.model import import_event_log
from aigc_models.standalone import LocalRun

Import = Callable[..., tuple[EventLog, dict[str, Any]]]
HEAD = "case,activity,timestamp,screen,task,result"


@pytest.fixture
def bring(tmp_path: Path) -> Import:
    """Reads a text or bytes as an upload, in this process; gives the log and its report."""

    def go(content: str | bytes, filename: str = "log.csv", **settings: Any) -> tuple[EventLog, dict[str, Any]]:
        upload, out = tmp_path / "upload", tmp_path / "out"
        shutil.rmtree(out, ignore_errors=True)
        upload.mkdir(exist_ok=True)
        (out / "work").mkdir(parents=True)
        file = upload / filename
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        params = DatasetImportEventLog(**settings).model_dump(mode="json")
        kinds.precheck(file, filename, "event_log")
        read_upload({"file": str(file), "work": str(out / "work"), "out": str(out), "params": params}, lambda *_: None)
        return load_log(out / "dataset"), load_report(out / "dataset")

    return go


def rows(sessions: int = 6, events: int = 3) -> list[str]:
    """Sessions c0, c1, ... of events e0, e1, ..., a minute apart."""
    return [
        f"c{one},e{event},2024-05-01 {8 + one:02}:{event:02}:00,Main,Export,{'succeeded' if one % 3 else 'failed'}"
        for one in range(sessions)
        for event in range(events)
    ]


def csv(lines: list[str], head: str = HEAD) -> str:
    return "\n".join([head, *lines]) + "\n"


def paths(log: EventLog) -> dict[str, list[str]]:
    starts = log.starts
    return {
        name: [log.events.name(row) for row in range(starts[place], starts[place + 1])]
        for place, name in enumerate(log.session_names)
    }


def faults_of(bring: Import, *content: Any, **settings: Any) -> list[Fault]:
    with pytest.raises(InputError) as caught:
        bring(*content, **settings)
    for fault in caught.value.faults:
        assert str(fault).endswith(".")
    return caught.value.faults


def said(report: dict[str, Any]) -> str:
    return " ".join(one["message"].format(**one["values"]) for one in report["warnings"])


def test_rows_in_any_order_become_sessions_in_time(bring: Import) -> None:
    lines = rows()
    log, report = bring(csv(lines[::-1]))
    assert paths(log) == {f"c{one}": ["e0", "e1", "e2"] for one in (5, 4, 3, 2, 1, 0)}
    assert report["columns"] == {
        "session": "case",
        "event": "activity",
        "time": "timestamp",
        "task": "task",
        "outcome": "result",
        "screen": "screen",
    }
    assert (report["events"], report["sessions"], report["actions"]) == (18, 6, 3)
    assert report["train"] + report["test"] == 6
    assert report["test"] >= 1
    assert "12 events stood before an earlier one" in said(report)
    assert {log.labels["outcome"].name(place) for place in (0, 5)} == {"succeeded", "failed"}
    assert log.facts["screen"].name(0) == "Main"
    assert log.gaps[1:3].tolist() == [60.0, 60.0]
    assert np.isnan(log.gaps[0])


def test_the_same_log_is_read_alike_from_json_lines_and_packed(bring: Import) -> None:
    _, first = bring(csv(rows()))
    objects = [dict(zip(HEAD.split(","), line.split(","), strict=True)) for line in rows()]
    text = "\n".join(json.dumps(one) for one in objects)
    _, second = bring(text, "log.jsonl")
    _, third = bring(gzip.compress(csv(rows()).encode("utf-16")), "log.csv.gz")
    assert first["hash"] == second["hash"] == third["hash"]


def test_columns_without_a_header_are_found_by_what_is_in_them(bring: Import) -> None:
    lines = [",".join(line.split(",")[:3]) for line in rows()]
    log, report = bring("\n".join(lines) + "\n")
    assert report["columns"] == {"session": "1", "event": "2", "time": "3"}
    assert paths(log)["c0"] == ["e0", "e1", "e2"]


def test_further_columns_can_be_part_of_an_event(bring: Import) -> None:
    lines = [line.replace("Main", f"Button {place % 2}") for place, line in enumerate(rows())]
    log, _ = bring(csv(lines), joined_columns="screen")
    assert "e0 · Button 0" in log.events.names
    assert log.facts["screen"].names == []


@pytest.mark.parametrize("times", ["2024-05-01 08:00:00", ""])
def test_without_different_times_the_order_of_the_rows_counts(bring: Import, times: str) -> None:
    lines = [",".join([*line.split(",")[:2], times, *line.split(",")[3:]]) for line in rows()]
    log, report = bring(csv(lines))
    assert set(map(tuple, paths(log).values())) == {("e0", "e1", "e2")}
    assert "the order of the rows is taken" in said(report) or "the order of its rows is taken" in said(report)
    assert log.is_timed == bool(times)


def test_small_numbers_are_an_order_and_no_clock(bring: Import) -> None:
    lines = [f"c{place % 6},e{place // 6},{place // 6}" for place in range(18)]
    log, report = bring(csv(lines[::-1], "case,activity,time"))
    assert set(map(tuple, paths(log).values())) == {("e0", "e1", "e2")}
    assert not log.is_timed
    assert (report["first_time"], report["duration"]) == ("", None)


def test_a_long_pause_cuts_a_session(bring: Import) -> None:
    lines = [line.replace(":02:00", ":45:00") for line in rows()]
    log, report = bring(csv(lines), pause_minutes=30)
    assert paths(log)["c0"] == ["e0", "e1"]
    assert paths(log)["c0 #2"] == ["e2"]
    assert "6 sessions were cut" in said(report)


def test_the_last_outcome_of_a_session_counts(bring: Import) -> None:
    lines = rows()
    lines[0] = lines[0].replace("failed", "succeeded")
    log, report = bring(csv(lines))
    assert log.labels["outcome"].name(0) == "failed"
    assert "1 sessions have several tasks or outcomes" in said(report)


def test_personal_data_is_pointed_out_and_masked(bring: Import) -> None:
    lines = [line.replace("c", "anna", 1).replace(",e1,", ",Mail to bo@example.org,") for line in rows()]
    lines = [line.replace("anna", "anna@example.com,").replace(",,", ",") for line in lines]
    text = csv(
        [line.replace("anna@example.com,", f"anna{place // 3}@example.com,", 1) for place, line in enumerate(lines)]
    )
    text = text.replace(HEAD, "case,x,activity,timestamp,screen,task,result")
    _, report = bring(text)
    assert {(one["role"], one["kind"]) for one in report["personal"]} == {("session", "email"), ("event", "email")}
    log, report = bring(text, mask=True)
    assert report["personal"] == []
    assert all(name.startswith("s-") for name in log.session_names)
    assert "Mail to [email]" in log.events.names
    assert "example" not in json.dumps(report)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "dataset-empty"),
        (HEAD + "\n", "dataset-empty"),
        (csv(rows(sessions=1, events=30)), "too-few-events"),
        (csv([line.replace("e1", "e0").replace("e2", "e0") for line in rows()]), "too-few-events"),
        ("a,b\n1,x\n2,y\n", "column-unclear"),
        (csv([*rows(), "c9,,2024-05-01 09:00:00,,,"]), "cell-missing"),
        (csv([*rows(), ",e1,2024-05-01 09:00:00,,,"]), "cell-missing"),
        (csv([*rows(), "c9,e1,,,,"]), "cell-missing"),
        (csv([*rows(), "c9,e1,soon,,,"]), "bad-cell"),
        ('{"case": "a", "activity": "b"}\n{broken\n', "bad-json"),
    ],
)
def test_what_cannot_be_used_is_refused(bring: Import, content: str, code: str) -> None:
    name = "log.jsonl" if content.startswith("{") else "log.csv"
    assert faults_of(bring, content, name)[0].code == code


def test_faults_name_row_column_and_value_or_are_left_out(bring: Import) -> None:
    text = csv([*rows(), "c9,e1,soon,,,"])
    assert faults_of(bring, text)[0].where == {"row": 20, "column": "timestamp", "value": "soon"}
    _, report = bring(text, skip_broken=True)
    assert report["left_out"]["broken"] == 1


def test_the_import_runs_confined(tmp_path: Path) -> None:
    upload = tmp_path / "upload"
    upload.mkdir()
    (upload / "log.csv").write_text(csv(rows()), encoding="utf-8")
    run = LocalRun(tmp_path / "out", {"upload": upload})
    assert import_event_log(DatasetImportEventLog(), run) == {"events": 18.0, "sessions": 6.0, "actions": 3.0}
    assert sorted(path.name for path in run.out_dir.iterdir()) == ["dataset"]


def test_the_bundled_operations_are_what_the_generator_makes(tmp_path: Path) -> None:
    starter = STARTERS["synthetic-operations"]
    planted = plant()
    write_gzip(planted, tmp_path / "made.csv.gz")
    assert (tmp_path / "made.csv.gz").read_bytes() == starter.path.read_bytes()
    assert "synthetic" in starter.name
    assert starter.notes.startswith("Synthetic")
    for task, recipe in RECIPES.items():
        sessions: dict[str, list[str]] = {}
        for row in planted:
            if row.task == task and row.outcome == SUCCEEDED:
                sessions.setdefault(row.session, []).append(row.event)
        instead = set(recipe.instead[0])
        for step in recipe.needed:
            share = np.mean([step in events for events in sessions.values()])
            assert share > (0.5 if step in instead else 0.9), (task, step)
