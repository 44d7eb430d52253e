import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click
import pytest

from aigc.cli import FIELDS, join_fields, naming, run, settings
from aigc.cli.processes import PASSED_ON
from aigc.cli.root import COMMANDS, Root
from aigc.records import TaskRecord
from tests.aigc.scripted import Answer, Asked, Play, Scripted, in_turn, job, problem, serving

TASK = {
    "task": "image_gan.train",
    "summary": "Train a generator and a discriminator.",
    "lane": "training",
    "presets": {"quick": {"epochs": 3}},
    "schema": {
        "properties": {
            "dataset": {"type": "string", "x-input": "dataset", "x-kind": "images", "description": "Images."},
            "epochs": {"type": "integer", "minimum": 1, "maximum": 500, "default": 20, "description": "Passes."},
            "lr": {"type": "number", "default": 0.0002},
            "conditional": {"type": "boolean", "default": True},
            "size": {"enum": [32, 64], "default": 32},
            "loss": {"enum": ["relativistic", "hinge"], "type": "string"},
            "limit": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        },
        "required": ["dataset"],
    },
}


def ids(number: int) -> str:
    return f"job_{'0' * 20}{number:06d}"


JOBS = [{**job("succeeded"), "id": ids(number), "name": f"run {number}"} for number in (12, 11, 2)]


def failing(error: dict[str, Any]) -> Play:
    """A server whose jobs have failed with an error."""

    def answer(asked: Asked) -> Answer:
        if "/jobs/" in asked.path:
            params = {"dataset": "ds_1", "epochs": 20, "lr": 0.001, "loss": "hinge"}
            return Answer(200, job("failed", params=params, error=error))
        return play(asked)

    return answer


def play(asked: Asked) -> Answer:
    """A small server: three jobs, one task; says yes to everything."""
    path = asked.path.removeprefix("/api/v1").split("?")[0]
    if asked.method == "POST" and path == "/jobs":
        return Answer(202, job("queued"))
    if asked.method == "POST":
        return Answer(202, job("cancelling"))
    if asked.method == "DELETE":
        return Answer(204)
    if path == "/jobs":
        return Answer(200, {"data": JOBS, "has_more": False, "next_cursor": None})
    if path == "/tasks/image_gan.train":
        return Answer(200, TASK)
    if path == "/tasks":
        return Answer(200, {"data": [TASK], "has_more": False, "next_cursor": None})
    if path.endswith("/logs"):
        at = "2026-01-31T12:00:00+00:00"
        words = ["epoch 1", "epoch 2", "saved"]
        found = [word for word in words if "q=" not in asked.path or asked.path.split("q=")[1].lower() in word]
        lines = [{"seq": words.index(word) + 1, "at": at, "level": "info", "message": word} for word in found]
        return Answer(200, {"data": lines, "has_more": False, "next_cursor": None})
    if path.startswith("/jobs/"):
        return Answer(200, {**job("succeeded"), "id": path.split("/")[2]})
    return problem(404, f"There is nothing at {path}.")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Scripted]:
    for name in ("AIGC_TOKEN", "AIGC_TOKEN_FILE", "AIGC_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    with serving(play) as scripted:
        monkeypatch.setenv("AIGC_URL", scripted.url)
        yield scripted


def sent(server: Scripted) -> Any:
    return next(asked for asked in server.asked if asked.method == "POST").json


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    told = capsys.readouterr().out
    assert all(f"\n  {name} " in told for name in COMMANDS)
    for name in COMMANDS:
        command = Root().get_command(click.Context(Root()), name)
        assert command is not None
        if command.context_settings != PASSED_ON:  # those become another program, --help and all
            assert run([name, "--help"]) == 0


def test_an_unknown_command_is_usage_and_gets_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["job", "list"]) == 2
    assert "There is no command called job. Did you mean aigc jobs?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("jobs show", "jobs view"),
        ("jobs ls", "jobs list"),
        ("jobs rm", "jobs delete"),
        ("jobs dwnload", "jobs download"),
        ("models view", "models show"),
        ("datasets upload", "datasets add"),
        ("stop", "down"),
        ("run", "submit"),
    ],
)
def test_what_other_programs_call_it_is_understood(capsys: pytest.CaptureFixture[str], typed: str, meant: str) -> None:
    assert run([*typed.split(), ids(1)]) == 2
    assert f"There is no command called {typed}. Did you mean aigc {meant}?" in capsys.readouterr().err
    assert run(["jobs", "xyzzy"]) == 2
    assert "There is no command called jobs xyzzy. The commands are: cancel, compare," in capsys.readouterr().err


def test_submit_prints_the_id_and_says_how_to_watch(server: Scripted, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = "ds_" + "a" * 26
    pairs = ["-p", "epochs=3", "-p", "lr=1e-4", "-p", "conditional=no", "-p", "size=64", "-p", "loss=hinge"]
    given = ["submit", "image_gan.train", "-p", f"dataset={dataset}", *pairs, "--preset", "quick", "--name", "mine"]
    with pytest.MonkeyPatch.context() as patched:
        found = {"id": dataset, "kind": "images", "report": {}}
        patched.setattr(naming, "dataset", lambda *_: type("Found", (), found))
        assert run(given) == 0
    printed = capsys.readouterr()
    assert printed.out == job()["id"] + "\n"
    assert "aigc jobs watch job_" in printed.err
    wanted = {"dataset": dataset, "epochs": 3, "lr": 0.0001, "conditional": False, "size": 64, "loss": "hinge"}
    assert sent(server) == {"task": "image_gan.train", "params": wanted, "preset": "quick", "name": "mine"}


def test_a_webhook_with_its_events(server: Scripted) -> None:
    given = ["submit", "image_gan.train", "--webhook", "https://a.example/in"]
    assert run([*given, "--webhook-events", "state, end"]) == 0
    assert sent(server)["webhook"] == {"url": "https://a.example/in", "events": ["state", "end"]}
    server.asked.clear()
    assert run(given) == 0
    assert sent(server)["webhook"] == {"url": "https://a.example/in"}
    assert run(["submit", "image_gan.train", "--webhook-events", "end"]) == 2


@pytest.mark.parametrize(("typed", "seconds"), [("2h", 7200), ("90m", 5400), ("45", 45), ("1d", 86_400)])
def test_a_time_limit_is_sent_in_seconds(server: Scripted, typed: str, seconds: int) -> None:
    assert run(["submit", "image_gan.train", "--time-limit", typed]) == 0
    assert sent(server)["time_limit"] == seconds


def test_settings_come_from_a_file_and_options_win(server: Scripted, tmp_path: Path) -> None:
    file = tmp_path / "params.json"
    file.write_text('{"epochs": 7, "limit": 3}')
    assert run(["submit", "image_gan.train", "--params", str(file), "-p", "limit=null"]) == 0
    assert sent(server)["params"] == {"epochs": 7, "limit": None}


@pytest.mark.parametrize(
    "given",
    [
        ["--time-limit", "soon"],
        ["-p", "epochs"],
        ["--data", "missing.zip"],
        ["--params", "list.json"],
        ["--params", "broken.json"],
        ["--wrong"],
    ],
)
def test_wrong_usage_exits_with_2(server: Scripted, tmp_path: Path, given: list[str]) -> None:
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "broken.json").write_text("{")
    assert run(["submit", "image_gan.train", *given]) == 2
    assert not [asked for asked in server.asked if asked.method == "POST"]


def test_refused_settings_are_told_in_the_servers_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sentence = "There is no setting called epocs. Did you mean epochs?"

    def refuse(asked: Asked) -> Answer:
        return problem(422, sentence) if asked.method == "POST" else play(asked)

    with serving(refuse) as refusing:
        monkeypatch.setenv("AIGC_URL", refusing.url)
        assert run(["submit", "image_gan.train", "-p", "epocs=3"]) == 2
    assert f"Error: {sentence}" in capsys.readouterr().err


def test_check_starts_nothing(server: Scripted) -> None:
    assert run(["submit", "image_gan.train", "--check"]) == 0
    assert [asked.path for asked in server.asked if asked.method == "POST"] == ["/api/v1/jobs?validate_only=true"]


def test_a_failure_with_a_suggestion_ends_with_the_command_to_try(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    advised = {"code": "diverged", "detail": "It diverged.", "suggestion": {"params": {"lr": 0.0002}}}
    with serving(failing(advised)) as server:
        monkeypatch.setenv("AIGC_URL", server.url)
        assert run(["jobs", "watch", ids(1), "--exit-status"]) == 3
    said = capsys.readouterr().err
    assert "Try it with: aigc submit image_gan.train -p dataset=ds_1 -p lr=0.0002 -p loss=hinge\n" in said
    with serving(failing({"code": "internal", "detail": "It broke.", "suggestion": None})) as server:
        monkeypatch.setenv("AIGC_URL", server.url)
        assert run(["jobs", "watch", ids(1), "--exit-status"]) == 3
    assert "Try it with" not in capsys.readouterr().err


@pytest.mark.parametrize(("state", "code"), [("succeeded", 0), ("failed", 3), ("cancelled", 3)])
def test_watch_ends_with_the_jobs_outcome(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], state: str, code: int
) -> None:
    looks = in_turn(*[Answer(200, job(now)) for now in ("queued", "running", state)])

    def follow(asked: Asked) -> Answer:
        return play(asked) if asked.method == "POST" or "tasks" in asked.path else looks(asked)

    with serving(follow) as following:
        monkeypatch.setenv("AIGC_URL", following.url)
        assert run(["submit", "image_gan.train", "--watch"]) == code
    printed = capsys.readouterr()
    assert "\x1b" not in printed.out + printed.err
    assert "Training  30 %  3/10  5 steps/s  about 7 s left" in printed.err
    assert printed.out == job()["id"] + "\n"


@pytest.mark.parametrize(("state", "code"), [("failed", 3), ("cancelled", 3), ("succeeded", 0)])
def test_watch_alone_ends_with_the_outcome_too(monkeypatch: pytest.MonkeyPatch, state: str, code: int) -> None:
    with serving(in_turn(Answer(200, job(state)))) as ended:
        monkeypatch.setenv("AIGC_URL", ended.url)
        assert run(["jobs", "watch", ids(1)]) == code
        assert run(["jobs", "watch", ids(1), "--exit-status"]) == code


def test_a_language_that_is_not_there_is_said(server: Scripted, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--lang", "xx", "tasks"]) == 2
    assert "There is no language xx. The languages are: en, zh-CN." in capsys.readouterr().err
    assert run(["--lang", "zh_TW", "jobs", "list"]) == 0


def test_a_missing_dataset_names_the_option(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = {"detail": "Dataset is missing. Choose a value.", "pointer": "#/params/dataset"}

    def refuse(asked: Asked) -> Answer:
        if asked.path.startswith("/api/v1/datasets"):
            one = {"id": "ds_1", "name": "shoes", "version": 1, "kind": "images", "state": "ready"}
            return Answer(200, {"data": [one], "has_more": False, "next_cursor": None})
        return problem(422, "There is a problem.", errors=[missing]) if asked.method == "POST" else play(asked)

    with serving(refuse) as strict:
        monkeypatch.setenv("AIGC_URL", strict.url)
        assert run(["submit", "image_gan.train"]) == 2
        told = capsys.readouterr().err
        assert "Dataset is missing. Choose a value." in told
        assert "image_gan.train needs a dataset (images): --data with a file" in told
        assert run(["submit", "image_gan.train", "-p", "dataset=ds_1"]) == 2
        assert "--data" not in capsys.readouterr().err


def test_a_job_under_way_has_no_files_yet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def play_on(asked: Asked) -> Answer:
        listed = asked.path.split("?")[0].endswith("/artifacts")
        return Answer(200, {"data": [], "has_more": False, "next_cursor": None} if listed else job("running"))

    monkeypatch.chdir(tmp_path)
    with serving(play_on) as running:
        monkeypatch.setenv("AIGC_URL", running.url)
        assert run(["jobs", "download", ids(1)]) == 1
    assert "The job has not ended, so it has no results yet. Watch it:" in capsys.readouterr().err


def test_nothing_reads_as_a_dash_and_the_verdict_stands_below_the_figures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = {"rows": 3.0, "auc": 0.8, "copula": 0.7, "g_loss": 1.5}
    about = {
        "rows": {"title": "Rows", "better": "none"},
        "auc": {"title": "AUC", "better": "higher", "baseline": "copula"},
        "copula": {"title": "AUC of a copula", "better": "higher", "of": "a Gaussian copula"},
    }
    params = {"dialogues": None, "classes": ["a", "b"], "attention": False}
    ended = job("succeeded", metrics=metrics, params=params, verdict="Verdict: better than the baseline.")

    def shown(asked: Asked) -> Answer:
        return Answer(
            200, {**TASK, "metrics": about, "curves": {"g_loss": "Generator"}} if "/tasks/" in asked.path else ended
        )

    with serving(shown) as up:
        monkeypatch.setenv("AIGC_URL", up.url)
        assert run(["jobs", "view", ids(1)]) == 0
        lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
        assert run(["jobs", "watch", ids(1)]) == 0
    assert {"Rows         3", "AUC        0.8  higher is better; baseline 0.7 (a Gaussian copula): better"} <= set(
        lines
    )
    assert {"Generator  1.5", "dialogues  –", "classes    a, b", "attention  no"} <= set(lines)
    assert "Verdict: better than the baseline." in lines
    assert "Verdict: better than the baseline." in capsys.readouterr().err


@pytest.mark.checklist(37)
def test_json_is_json_wherever_the_option_stands(server: Scripted, capsys: pytest.CaptureFixture[str]) -> None:
    for given in (["--json", "jobs", "list"], ["jobs", "list", "--json"]):
        assert run(given) == 0
        assert len(json.loads(capsys.readouterr().out)) == 3
    assert run(["jobs", "view", "--json", "id,progress.percent", "@last"]) == 0
    assert json.loads(capsys.readouterr().out) == {"id": ids(12), "progress.percent": 30.0}
    assert run(["jobs", "view", "--json", "@last"]) == 0
    assert json.loads(capsys.readouterr().out)["task"] == "image_gan.train"
    assert run(["jobs", "view", "@last", "--json=size"]) == 2
    assert "There is no field called size" in capsys.readouterr().err


def test_a_bare_json_option_takes_only_fields() -> None:
    assert join_fields(["--json", "jobs", "list"]) == ["--json=*", "jobs", "list"]
    assert join_fields(["x", "--json", "id,state"]) == ["x", "--json=id,state"]
    assert join_fields(["x", "--", "--json", "id"]) == ["x", "--", "--json", "id"]
    assert join_fields(["x", "--json=id"]) == ["x", "--json=id"]
    assert FIELDS & set(COMMANDS) == {"worker", "workers"}
    assert join_fields(["--json", "worker"]) == ["--json=*", "worker"]
    assert join_fields(["jobs", "view", "--json", "worker"]) == ["jobs", "view", "--json=worker"]


@pytest.mark.checklist(37)
def test_a_list_in_a_pipe_is_tab_separated(server: Scripted, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["jobs", "list", "--state", "running", "--since", "2h", "-L", "3"]) == 0
    first = capsys.readouterr().out.splitlines()[0].split("\t")
    assert first[:4] == [ids(12), "run 12", "image_gan.train", "Succeeded"]
    assert "state=running&created_after=20" in server.asked[0].path
    assert run(["jobs", "list", "-q"]) == 0
    assert capsys.readouterr().out.splitlines() == [ids(12), ids(11), ids(2)]
    assert run(["jobs", "list", "--since", "yesterday"]) == 2


@pytest.mark.parametrize(
    ("text", "found"),
    [("@last", 12), ("000012", 12), ("0002", 2), ("run 11", 11), (ids(2)[:30], 2), ("00000011", 11)],
)
def test_a_job_is_found_by_what_people_type(
    server: Scripted, capsys: pytest.CaptureFixture[str], text: str, found: int
) -> None:
    assert run(["jobs", "view", text, "--json=id"]) == 0
    assert json.loads(capsys.readouterr().out) == {"id": ids(found)}


def test_what_fits_several_jobs_is_asked_back(server: Scripted, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["jobs", "view", "job_"]) == 2
    told = capsys.readouterr().err
    assert "job_ fits 3 jobs" in told
    assert ids(11) in told
    assert run(["jobs", "view", "nothing"]) == 1
    assert "There is no job called nothing." in capsys.readouterr().err
    near = ids(11)[:-8] + "x" + ids(11)[-7:]
    with serving(lambda asked: problem(404, "Gone.") if near in asked.path else play(asked)) as without:
        assert run(["jobs", "view", near, "--url", without.url]) == 1
    assert f"Gone. Did you mean {ids(11)}?" in capsys.readouterr().err


def test_cancel_goes_on_after_a_refusal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(asked: Asked) -> Answer:
        if asked.method == "POST" and ids(1) in asked.path:
            return problem(409, "The job has already succeeded, so it cannot be stopped.")
        return play(asked)

    with serving(refuse) as refusing:
        monkeypatch.setenv("AIGC_URL", refusing.url)
        assert run(["jobs", "cancel", ids(1), ids(2)]) == 1
    printed = capsys.readouterr()
    assert "The job has already succeeded" in printed.err
    assert "stopping" in printed.out


def test_deleting_is_not_done_by_accident(server: Scripted, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["jobs", "delete", ids(2)]) == 2
    assert not [asked for asked in server.asked if asked.method == "DELETE"]
    assert run(["jobs", "delete", "--yes", ids(2)]) == 0
    assert capsys.readouterr().out == f"{ids(2)} deleted\n"


def test_logs_are_cut_and_searched(server: Scripted, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["jobs", "logs", ids(2), "--search", "EPOCH", "--tail", "1"]) == 0
    assert capsys.readouterr().out == "2026-01-31T12:00:00+00:00 info    epoch 2\n"


def test_a_task_shows_its_settings(server: Scripted, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tasks", "image_gan.train"]) == 0
    told = capsys.readouterr().out
    assert "epochs: whole number from 1 to 500, default 20" in told
    assert "dataset: dataset (images) (needed)" in told
    assert "size: one of 32, 64" in told
    assert "quick: epochs=3" in told


@pytest.mark.checklist(37)
def test_no_server_exits_with_5(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(in_turn(Answer())) as gone:
        pass
    assert run(["jobs", "list", "--url", gone.url]) == 5
    assert f"No server answers at {gone.url}. Start one with: aigc up" in capsys.readouterr().err
    assert run(["jobs", "list", "--url", "127.0.0.1"]) == 2


@pytest.mark.checklist(37)
def test_a_missing_token_exits_with_4(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(in_turn(problem(401, "A token is needed."))) as closed:
        assert run(["jobs", "list", "--url", closed.url]) == 4
    assert "AIGC_TOKEN" in capsys.readouterr().err


@pytest.mark.checklist(37)
def test_ctrl_c_leaves_the_job(tmp_path: Path) -> None:
    """In a real process: the first line of progress is there, Ctrl-C, 130, nothing was sent but looks."""
    looking: Play = in_turn(Answer(200, job("running")))
    with serving(looking) as running:
        command = [sys.executable, "-m", "aigc", "jobs", "watch", ids(1), "--url", running.url]
        # A shell starts what runs in its background with Ctrl-C ignored; this process must hear it all the same.
        heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        watching = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, preexec_fn=heard)
        assert watching.stderr is not None
        assert "Training" in watching.stderr.readline()
        watching.send_signal(signal.SIGINT)
        _, told = watching.communicate(timeout=20)
    assert watching.returncode == 130
    assert re.search(rf"Stopped watching; the job goes on\. Cancel it with: \S*aigc jobs cancel {job()['id']}\n", told)
    assert {asked.method for asked in running.asked} == {"GET"}


def test_text_becomes_what_the_schema_wants() -> None:
    task = TaskRecord(TASK)
    typed = ["epochs=5", "lr=0.1", "conditional=on", "loss=hinge", "size=32", "limit=", "unknown=1", "epochs2=x"]
    wanted = {"epochs": 5, "lr": 0.1, "conditional": True, "loss": "hinge", "size": 32, "limit": None}
    assert settings.from_pairs(typed, task) == {**wanted, "unknown": 1, "epochs2": "x"}
    assert settings.from_pairs(["epochs=many"], task) == {"epochs": "many"}  # the server says what is wrong


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    assert "_AIGC_COMPLETE" in capsys.readouterr().out
