"""Next-event models: what they say comes next and why, and the how-tos they draft from a log with planted steps."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from aigc_models.base import InputError
from aigc_models.data.how_tos import FILE, PACKED, TEXT, HowTo, parse_how_tos
from aigc_models.data.next_events import FILE as FORETOLD
from aigc_models.data.next_events import Foretold, parse_next_events
from aigc_models.data.planted_operations import RECIPES, Row, plant
from aigc_models.next_event.evidence import Walk, align
from aigc_models.next_event.lesson import Sessions, gap_kinds
from aigc_models.next_event.params import NextEventTrain, plan_for
from aigc_models.recommending.windows import Windows
from aigc_models.registry import task
from aigc_models.standalone import perform
from tests.aigc_models.conftest import RecordingRun
from tests.aigc_models.tiny_logs import log_of, tiny_log, write_log

IDS = {"dataset": "ds_" + "0" * 26, "model": "mdl_" + "0" * 26}


def do(operation: str, run: RecordingRun, **settings: Any) -> dict[str, float]:
    kind = task(f"next_event.{operation}")
    inputs = {name: IDS[name] for name in IDS if name in kind.model_fields and name in run.inputs}
    return dict(perform("next_event", operation, kind.model_validate_json(json.dumps(inputs | settings)), run))


def sessions_of(rows: list[Row], tasks: set[str]) -> list[tuple[list[str], str, str]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.session, []).append(row)
    kept = [own for own in found.values() if own[0].task in tasks]
    return [([row.event for row in own], own[0].task, own[0].outcome) for own in kept]


TASKS = {"Create a customer", "绑定新手机号"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained on the planted sessions of two tasks."""
    home = tmp_path_factory.mktemp("operations")
    torch.set_num_threads(1)
    write_log(home / "dataset", log_of(sessions_of(plant(), TASKS)))
    run = RecordingRun(home / "run", {"dataset": home / "dataset"})
    metrics = do("train", run, epochs=10, width=32, num_layers=1, batch_size=16, learning_rate=0.01)
    assert metrics["perplexity"] < metrics["perplexity_markov1"]
    assert metrics["task_accuracy"] > metrics["task_accuracy_baseline"]
    return home / "run" / "model"


def drafts(model: Path, out: Path, **settings: Any) -> list[HowTo]:
    do("draft_how_to", RecordingRun(out, {"model": model}), **settings)
    return parse_how_tos(json.loads((out / FILE).read_text(encoding="utf-8")))


def test_the_drafted_steps_are_the_planted_ones(model: Path, tmp_path: Path) -> None:
    found = {one.title: one for one in drafts(model, tmp_path)}
    assert set(found) == TASKS
    for name, one in found.items():
        recipe = RECIPES[name]
        assert [step.event for step in one.steps] == list(recipe.steps)
        assert {step.event for step in one.steps if step.optional} == recipe.optional
        assert [way.events for way in one.ways] == [list(recipe.instead[1])]
        replaced = [one.steps[number - 1].event for number in range(one.ways[0].first, one.ways[0].last + 1)]
        assert replaced == list(recipe.instead[0])
        assert one.outcome == "succeeded"
        assert one.sessions < one.considered
        assert all(0 < step.share <= 1 and step.sessions <= one.sessions for step in one.steps)
        assert one.language == ("en" if name.isascii() else "zh")
        harmful = {(each.kind, each.event) for each in one.pitfalls if each.failed is not None}
        wrong, after = recipe.mistake
        assert (("mistake", wrong) if wrong else ("left_out", after)) in harmful


def test_a_draft_is_a_document_for_people_and_for_an_assistant(model: Path, tmp_path: Path) -> None:
    drafts(model, tmp_path, language="en")
    text = (tmp_path / TEXT).read_text(encoding="utf-8")
    assert "# How to: Create a customer" in text
    assert "1. **Open the customer list** – 100 % of" in text
    assert "Optional: **Enter the VAT number**" in text
    assert "Do not leave out step 6, “Check for duplicates”" in text
    with zipfile.ZipFile(tmp_path / PACKED) as archive:
        names = archive.namelist()
        assert len(names) == 2
        assert all(name.endswith(".md") for name in names)
        assert archive.read(names[0]).decode().startswith("# How to: ")


def test_a_way_between_two_events_needs_no_task(model: Path, tmp_path: Path) -> None:
    (one,) = drafts(model, tmp_path, start="Choose New customer", goal="Check for duplicates")
    steps = [step.event for step in one.steps if not step.optional]
    assert steps == ["Choose New customer", "Enter the name", "Enter the address", "Check for duplicates"]
    assert one.pitfalls == [] or all(each.failed is None for each in one.pitfalls)


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"tasks": "Bake a cake"}, "nothing-known"),
        ({"outcome": "maybe"}, "nothing-known"),
        ({"start": "Bake"}, "nothing-known"),
        ({"start": "Save the customer", "goal": "Save the customer"}, "same-events"),
        ({"least_sessions": 5000}, "too-few-sessions"),
    ],
)
def test_what_the_log_cannot_tell_is_refused(model: Path, tmp_path: Path, settings: dict[str, Any], code: str) -> None:
    with pytest.raises(InputError) as caught:
        drafts(model, tmp_path, **settings)
    assert caught.value.faults[0].code == code
    assert caught.value.faults[0].pointer


def foretold(model: Path, out: Path, **settings: Any) -> list[Foretold]:
    do("next_events", RecordingRun(out, {"model": model}), **settings)
    return parse_next_events(json.loads((out / FORETOLD).read_text(encoding="utf-8")))


def test_what_comes_next_rests_on_earlier_events(model: Path, tmp_path: Path) -> None:
    history = ["Open the customer list", "Choose New customer", "Enter the name"]
    (one,) = foretold(model, tmp_path, history=history, count=3)
    assert one.events[0].event in ("Enter the address", "Look up the address")
    assert sum(each.share for each in one.events) <= 1
    assert {why.event for each in one.events for why in each.because} <= set(history)
    assert one.events[0].because
    assert one.tasks[0][0] == "Create a customer"
    assert {name for name, _ in one.outcomes} == {"succeeded", "failed"}
    assert sum(why.weight for why in one.looked_at) <= 1 + 1e-6


def test_several_sessions_unknown_events_and_times(model: Path, tmp_path: Path) -> None:
    text = "打开账号设置\n选择安全\n\nFly to the moon\nOpen the customer list"
    first, second = foretold(model, tmp_path, history=text, seconds="0\n4\n1\n2", task="Create a customer")
    assert first.unknown == []
    assert second.unknown == ["Fly to the moon"]
    assert second.events[0].event == "Choose New customer"
    assert second.tasks == []
    for settings in ({"history": " "}, {"history": text, "seconds": "1"}, {"history": "a", "task": "none"}):
        with pytest.raises(InputError):
            foretold(model, tmp_path, **settings)


def test_sessions_called_like_people_are_never_cited(tmp_path: Path) -> None:
    dataset = write_log(tmp_path / "dataset", tiny_log(), personal=[{"role": "session", "kind": "email", "count": 60}])
    do("train", RecordingRun(tmp_path / "run", {"dataset": dataset}), epochs=2, width=8, max_length=8)
    names = json.loads((tmp_path / "run" / "model" / "names.json").read_text())["sessions"]
    assert names[:2] == ["#1", "#2"]
    for one in drafts(tmp_path / "run" / "model", tmp_path / "out"):
        assert all(name.startswith("#") for name in one.evidence)


def test_a_session_of_many_events_is_learnt_from_in_pieces() -> None:
    log = log_of([([f"e{n % 7}" for n in range(10_000)], "a", "b"), (["e0", "e1"], "a", "b")])
    plan = plan_for(NextEventTrain(dataset=IDS["dataset"], max_length=64), 7, 1, 1)
    sessions = Sessions.of(log, np.ones(2, np.bool_), plan)
    windows = Windows.over(sessions.lists, 64)
    rows, targets = sessions.cut(windows, np.arange(len(windows.row)), np.zeros(len(windows.row), np.int64), plan)
    assert rows.events.shape[1] <= 64
    assert int((targets >= 0).sum()) == 10_002 + 2  # every event, and the end of each session


def test_kinds_of_gaps_are_doublings() -> None:
    seconds = np.array([np.nan, 0.0, 0.5, 1.0, 3.0, 1e12])
    assert gap_kinds(seconds).tolist() == [0, 1, 1, 2, 3, 25]


def test_a_walk_is_aligned_with_the_longest_part_of_a_way() -> None:
    one = align(Walk(0, range(6), [1, 9, 2, 1, 3, 2]), [1, 2, 3])
    assert one.steps == [0, -1, 1, -1, 2, -1]
    assert one.done == {0, 1, 2}
    assert one.before(4) == 1
    assert align(Walk(0, range(2), [3, 1]), [1, 2, 3]).done == {0, 2}
