"""Commands on the real application: compare, logs, checks, deletions, export, completion, tokens."""

import json
import os
import pty
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import aigc
from aigc.cli import FIELDS, run
from aigc_models.base import Fault
from jobs import tokens, workers
from jobs.energy import Spent
from jobs.engine import Engine
from jobs.lifecycle import Failure
from jobs.principal import Principal
from jobs.tables import WorkerNode
from jobs.workers import DeviceState
from tests.aigc.test_real_server import check_soon
from tests.web.acting import ActingWorker, picture_zip
from web import schemas

Out = pytest.CaptureFixture[str]


@pytest.fixture
def server(address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[aigc.Client]:
    for name in ("AIGC_TOKEN", "AIGC_TOKEN_FILE", "AIGC_HOME", "AIGC_LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIGC_URL", address)
    with aigc.Client(address) as made:
        yield made


@pytest.fixture
def trained(server: aigc.Client, worker: ActingWorker, dataset: str) -> aigc.Job:
    """A job that has succeeded."""
    job = server.jobs.submit("image_gan.train", dataset=dataset, epochs=2, name="first")
    worker.train()
    return job.refresh()


def printed(capsys: Out) -> Any:
    return json.loads(capsys.readouterr().out)


def test_jobs_are_compared_where_they_differ(server: aigc.Client, trained: aigc.Job, dataset: str, capsys: Out) -> None:
    other = trained.duplicate(name="second", epochs=3)
    assert run(["jobs", "compare", "first", "second"]) == 0
    rows = dict(line.split("\t", 1) for line in capsys.readouterr().out.splitlines())
    assert rows["params.epochs"] == "2\t3"
    assert rows["Loss"] == "0.01\t"
    assert "params.seed" not in rows
    assert run(["jobs", "compare", "first", "second", "--all"]) == 0
    assert f"params.dataset\t{dataset}\t{dataset}" in capsys.readouterr().out.splitlines()
    assert run(["jobs", "compare", "first", "second", "--json"]) == 0
    (epochs,) = (row for row in printed(capsys) if row["field"] == "params.epochs")
    assert epochs == {"field": "params.epochs", "differs": True, "values": {trained.id: 2, other.id: 3}}
    assert run(["jobs", "compare", "first"]) == 2
    assert run(["jobs", "compare", "first", "first"]) == 0
    assert "These jobs do not differ." in capsys.readouterr().err


def test_a_log_is_filtered_and_followed(server: aigc.Client, worker: ActingWorker, dataset: str, capsys: Out) -> None:
    job = server.jobs.submit("image_gan.train", dataset=dataset)
    training = threading.Timer(0.0, worker.train)
    training.start()
    assert run(["jobs", "logs", job.id, "-f"]) == 0
    training.join()
    (line,) = capsys.readouterr().out.splitlines()
    assert line.split(maxsplit=2)[1:] == ["info", "half way"]
    for given, found in (["--search", "HALF"], True), (["--level", "error"], False), (["--search", "x"], False):
        for follow in [], ["-f"]:
            assert run(["jobs", "logs", job.id, *given, *follow]) == 0
            assert ("half way" in capsys.readouterr().out) == found
    assert run(["jobs", "logs", job.id, "--json", "level,message"]) == 0
    assert printed(capsys) == [{"level": "info", "message": "half way"}]
    assert job.logs(level="error") == ""
    assert [one.message for one in job.log_lines(search="way")] == ["half way"]


def test_watching_at_an_interval(server: aigc.Client, trained: aigc.Job, capsys: Out) -> None:
    assert run(["jobs", "watch", trained.id, "--interval", "0.1"]) == 0
    assert run(["jobs", "watch", trained.id, "--interval", "0"]) == 2


def test_a_file_is_checked_and_nothing_of_it_is_kept(
    server: aigc.Client, worker: ActingWorker, tmp_path: Path, capsys: Out
) -> None:
    (tmp_path / "shirts.zip").write_bytes(picture_zip())
    checking = threading.Timer(0.0, check_soon, [worker])
    checking.start()
    assert run(["datasets", "check", "shirts.zip"]) == 0
    checking.join()
    assert "images, ready" in capsys.readouterr().out
    assert server.datasets.list() == []


def test_a_refused_file_names_its_faults_wherever_it_is_asked_for(
    server: aigc.Client, worker: ActingWorker, tmp_path: Path, capsys: Out
) -> None:
    (tmp_path / "broken.zip").write_bytes(picture_zip())
    fault = Fault(
        "{file} is not an image.", {"file": "shirt/0.png"}, where={"file": "shirt/0.png"}, code="not-an-image"
    )

    def refuse() -> None:
        while True:
            try:
                worker.fail("generation", "invalid_data", fault)
            except AssertionError:
                continue
            return

    for command in (["datasets", "add", "broken.zip"], ["datasets", "check", "broken.zip"]):
        refusing = threading.Timer(0.0, refuse)
        refusing.start()
        assert run(command) == 1
        refusing.join()
        assert "Error: shirt/0.png is not an image." in capsys.readouterr().err
    (left,) = server.datasets.list()  # of the one that was added; the one that was checked is gone
    assert run(["datasets", "check", left.id]) == 1
    told = capsys.readouterr()
    assert "images, refused" in told.out
    assert "Error: shirt/0.png is not an image." in told.err


def test_datasets_and_models_are_deleted_unless_something_needs_them(
    server: aigc.Client, worker: ActingWorker, trained: aigc.Job, dataset: str, capsys: Out
) -> None:
    assert run(["datasets", "delete", dataset]) == 2
    assert run(["datasets", "delete", "--yes", dataset]) == 1
    assert "Error: " in capsys.readouterr().err
    model = str(trained.model)
    assert run(["models", "delete", "--yes", model]) == 0
    assert capsys.readouterr().out == f"{model} deleted\n"
    assert run(["models", "show", model]) == 1
    assert run(["datasets", "delete", "--yes", dataset]) == 0
    assert server.datasets.list() == []


def test_a_model_is_exported_as_one_file(server: aigc.Client, trained: aigc.Job, tmp_path: Path, capsys: Out) -> None:
    assert run(["models", "export", "first"]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path == Path("first-v1.zip")
    with zipfile.ZipFile(path) as packed:
        content = {name.removeprefix("first-v1/"): packed.read(name) for name in packed.namelist()}
    assert set(content) == {
        "README.md",
        "settings.json",
        "metrics.json",
        "model/weights.safetensors",
        "model/config.json",
    }
    assert content["model/weights.safetensors"] == b"w" * 1000
    assert json.loads(content["settings.json"])["task"] == "image_gan.train"
    assert str(trained.model) in content["README.md"].decode()
    first = path.read_bytes()
    assert run(["models", "export", "first"]) == 2
    assert "--force" in capsys.readouterr().err
    assert run(["models", "export", "first", "--force", "-o", str(tmp_path)]) == 0
    assert path.read_bytes() == first
    assert [left.name for left in tmp_path.glob(".*.part")] == []


def test_json_is_given_by_whatever_acts(server: aigc.Client, dataset: str, tmp_path: Path, capsys: Out) -> None:
    made = [server.jobs.submit("image_gan.train", dataset=dataset).id for _ in range(2)]
    assert run(["jobs", "cancel", *made, "--json", "id,state"]) == 0
    assert printed(capsys) == [{"id": job, "state": "cancelled"} for job in made]
    assert run(["jobs", "retry", made[0], "--json=retried_from"]) == 0
    assert printed(capsys) == [{"retried_from": made[0]}]
    assert run(["submit", "image_gan.train", "-p", f"dataset={dataset}", "--check", "--json=params.epochs"]) == 0
    assert printed(capsys) == {"params.epochs": server.tasks.get("image_gan.train").fields["epochs"]["default"]}


def test_every_field_may_be_named_after_a_bare_json() -> None:
    shown = (
        schemas.Job, schemas.Dataset, schemas.Model, schemas.Task, schemas.Delivery, schemas.LogLine, schemas.Worker,
        schemas.QueueLength,
    )  # fmt: skip
    fields = {field.alias or name for model in shown for name, field in model.model_fields.items()}
    assert sorted(fields - FIELDS) == []


def test_a_shell_completes_commands_and_ids(server: aigc.Client, trained: aigc.Job, tmp_path: Path) -> None:
    """In a real shell: its script is read, and what it offers for a line is asked for."""
    ask = f"""
        eval "$(aigc completion bash)"
        complete -p aigc
        offered() {{
            COMPREPLY=() COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
            _aigc_completion aigc; echo "${{COMPREPLY[*]}}"
        }}
        offered aigc jobs com; offered aigc jobs list --sta; offered aigc jobs view {trained.id[:-2]}
        offered aigc submit image_gan.t
    """
    command = tmp_path / "bin" / "aigc"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m aigc "$@"\n')
    command.chmod(0o755)
    environment = {**os.environ, "PYTHONPATH": str(Path(aigc.__file__).parents[1])}
    environment["PATH"] = f"{command.parent}:{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-c", ask], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    _, *offers = done.stdout.splitlines()
    assert offers == ["compare", "--state", trained.id, "image_gan.train"], done.stderr


def test_a_token_is_asked_for_where_a_person_sits(server: aigc.Client, engine: Engine, tmp_path: Path) -> None:
    _, secret = tokens.create(engine, Principal("default", "operator"), "test", "submit")
    screen, terminal = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(Path(aigc.__file__).parents[1])}
    command = [sys.executable, "-m", "aigc", "jobs", "list", "--json"]
    asking = subprocess.Popen(
        command, env=environment, stdin=terminal, stderr=terminal, stdout=subprocess.PIPE, start_new_session=True
    )
    os.close(terminal)
    shown = b""
    while b"Access token" not in shown:
        shown += os.read(screen, 1024)
    os.write(screen, secret.encode() + b"\n")
    out, _ = asking.communicate(timeout=60)
    os.close(screen)
    assert asking.returncode == 0
    assert json.loads(out) == []
    assert secret.encode() not in shown


def test_words_are_changed_from_the_command_line(
    server: aigc.Client, trained: aigc.Job, dataset: str, capsys: Out
) -> None:
    assert run(["jobs", "edit", "first", "--name", "shirts", "--tag", "night", "--tag", "cpu"]) == 0
    assert capsys.readouterr().out == f"{trained.id} changed\n"
    assert run(["jobs", "edit", "shirts", "--notes", "keep", "--json=name,tags,notes"]) == 0
    assert printed(capsys) == {"name": "shirts", "tags": ["night", "cpu"], "notes": "keep"}
    assert run(["jobs", "edit", "shirts", "--no-tags", "--json=tags"]) == 0
    assert printed(capsys) == {"tags": []}
    assert run(["datasets", "edit", dataset, "--licence", "CC0", "--json=licence,notes"]) == 0
    assert printed(capsys) == {"licence": "CC0", "notes": ""}
    for wrong in (["jobs", "edit", "shirts"], ["jobs", "edit", "shirts", "--tag", "x", "--no-tags"]):
        assert run(wrong) == 2
    assert run(["jobs", "edit", "shirts", "--tag", "a,b"]) == 2
    assert "A tag must have 1 to 40 printable characters and no comma." in capsys.readouterr().err


def test_a_model_is_described_and_promoted(server: aigc.Client, trained: aigc.Job, capsys: Out) -> None:
    assert run(["models", "edit", "first", "--limits", "No faces.", "--licence", "CC0", "--json=card.limits"]) == 0
    assert printed(capsys) == {"card.limits": "No faces."}
    assert run(["models", "card", "first"]) == 0
    assert "No faces." in capsys.readouterr().out
    assert run(["models", "promote", "first", "production", "--replaces", "-"]) == 0
    assert capsys.readouterr().out == f"first@production is {trained.model} now\n"
    assert run(["models", "promote", "first", "production", "--replaces", "-"]) == 1
    assert run(["models", "show", "first@production", "--json=aliases"]) == 0
    assert printed(capsys) == {"aliases": ["production"]}
    assert run(["models", "demote", "first", "production"]) == 0
    assert run(["models", "promote", "first", "best"]) == 2


def test_workers_and_queues_are_paused(server: aigc.Client, worker: ActingWorker, engine: Engine, capsys: Out) -> None:
    workers.beat(engine, worker.id, device=workers.DeviceState("cpu", 8 * 2**30, 2**30))
    assert run(["workers", "list"]) == 0
    assert capsys.readouterr().out.split("\t")[3:] == ["training.cpu", "idle", "", "1.1 GB of 8.6 GB free", "", "\n"]
    assert run(["workers", "pause", worker.id[-6:]]) == 0
    assert capsys.readouterr().out == f"{worker.id} paused\n"
    assert run(["workers", "resume", worker.id]) == 0
    assert capsys.readouterr().out == f"{worker.id} idle\n"
    assert run(["queues", "pause", "training.cpu", "generation.cpu", "--json=name,paused"]) == 0
    assert printed(capsys) == [{"name": name, "paused": True} for name in ("training.cpu", "generation.cpu")]
    assert run(["queues", "resume", "training.cpu"]) == 0
    assert run(["queues", "list"]) == 0
    assert "generation.cpu\t0\t0\t0\tpaused" in capsys.readouterr().out
    assert run(["queues", "pause", "training.tpu"]) == 1
    assert "There is no queue called training.tpu. There are: training.cpu" in capsys.readouterr().err
    assert run(["workers", "pause", "nobody"]) == 1
    assert f"There is no worker called nobody. There are: {worker.id}." in capsys.readouterr().err


def test_devices_are_drained_by_their_place(
    server: aigc.Client, worker: ActingWorker, engine: Engine, capsys: Out
) -> None:
    second = workers.register(engine, "worker", "generation", "Card", "gpu")
    for node in (worker.id, second):
        state = DeviceState("GPU-a", 2**30, 2**29, place="gpu:0", utilisation=93, temperature=61, unfit="memory")
        workers.beat(engine, node, device=state)
    assert run(["workers", "list"]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if second in line)
    for shown in ("gpu:0 Card", "unwell (its device's memory had an error)", "93 %", "61 °C", "free"):
        assert shown in row
    assert run(["workers", "drain", "gpu:0"]) == 0
    assert {one.paused for one in server.workers.list()} == {"slot"}
    assert run(["workers", "undrain", "GPU-a"]) == 0
    assert {one.paused for one in server.workers.list()} == {None}
    assert run(["workers", "drain", "gpu:1"]) == 1
    assert "There is no device called gpu:1" in capsys.readouterr().err
    with engine.db.begin() as session:
        session.get_one(WorkerNode, second).host = "elsewhere"
    assert run(["workers", "drain", "gpu:0"]) == 2
    assert "elsewhere/gpu:0" in capsys.readouterr().err
    assert run(["workers", "drain", "elsewhere/gpu:0"]) == 0
    assert [one.id for one in server.workers.list() if one.paused] == [second]


def test_a_job_tells_its_energy(server: aigc.Client, dataset: str, worker: ActingWorker, capsys: Out) -> None:
    job = server.jobs.submit("image_vae.train", dataset=dataset)
    lease = worker.take("training")
    lease.meter = lambda: Spent(7200.0, "estimate")
    lease.fail(Failure("internal"))
    told = job.refresh().raw["energy"]
    assert (told["watt_hours"], told["wasted_watt_hours"], told["source"], told["cost"]) == (2.0, 2.0, "estimate", None)
    assert run(["jobs", "view", job.id]) == 0
    assert "Energy: 2 Wh, 2 Wh of it for work that was lost, estimated" in capsys.readouterr().out


def test_what_is_not_there_is_told_with_what_helps(server: aigc.Client, capsys: Out) -> None:
    cases = [
        (
            ["models", "generate", "@last"],
            "There is no model yet. Train one first: aigc submit image_gan.train --data FILE",
        ),
        (["models", "show", "shirts"], "There is no model yet."),
        (["datasets", "show", "@last"], "There is no dataset yet. Add one first: aigc datasets add FILE"),
        (["jobs", "view", "@last"], "There is no job yet. Start one first: aigc submit "),
    ]
    for command, said in cases:
        assert run(command) == 1
        assert f"Error: {said}" in capsys.readouterr().err, command


def test_a_name_that_is_nearly_right_is_suggested(server: aigc.Client, trained: aigc.Job, capsys: Out) -> None:
    cases = [
        (["datasets", "show", "digit"], "There is no dataset called digit. Did you mean digits?"),
        (["submit", "image_gan.train", "--data", "digist"], "There is no dataset called digist. Did you mean digits?"),
        (["models", "show", "frist"], "There is no model version called frist. Did you mean first?"),
        (
            ["models", "generate", "first@staging"],
            "staging stands for no version of first. Say first for the newest one, or: ",
        ),
        (["jobs", "view", "firts"], "There is no job called firts. Did you mean first?"),
        (["models", "show", "zzz"], "There is no model version called zzz. List them with: "),
    ]
    for command, said in cases:
        assert run(command) == 1
        assert f"Error: {said}" in capsys.readouterr().err, command
