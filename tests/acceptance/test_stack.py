"""The real stack as a person starts it, used over its command line only."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Queue

import numpy as np
import psutil
import pytest

import aigc

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

PARTS = {"broker": "unixsocket:", "scheduler": "jobs.scheduler", "worker": "worker.launch", "web": "web"}
QUICK = {
    "AIGC_HEARTBEAT_SECONDS": "0.5",
    "AIGC_LEASE_SECONDS": "8",
    "AIGC_REAP_SECONDS": "0.5",
    "AIGC_CHECKPOINT_SECONDS": "0.2",
    "AIGC_CPU_THREADS": "1",  # two threads that wait for each other crawl on a busy machine
}
TINY = ["-p", "width=4", "-p", "epochs=1"]


@dataclass
class Up:
    """``aigc up`` as a process, and what it has printed."""

    home: Path
    process: "subprocess.Popen[str]"
    url: str = ""
    lines: "Queue[str]" = field(default_factory=Queue)

    def until(self, text: str) -> str:
        """Read on until a line holds a text."""
        read = []
        while True:
            line = self.lines.get(timeout=120)
            read.append(line)
            if text in line:
                return line
            assert line, f"ended without {text!r}:\n" + "\n".join(read)

    def run(self, *arguments: str, code: int = 0, **environ: str) -> str:
        """One call of the command against this stack; gives its stdout."""
        environment = {**os.environ, "AIGC_URL": self.url, **environ}
        command = [sys.executable, "-m", "aigc", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "\x1b" not in done.stdout + done.stderr
        return done.stdout.strip()

    def pid(self, part: str) -> int:
        """The process that plays a part."""
        children = psutil.Process(self.process.pid).children()
        return next(int(child.pid) for child in children if PARTS[part] in _words(child))

    def everything(self) -> list[psutil.Process]:
        """All processes of the stack, however deep."""
        return list(psutil.Process(self.process.pid).children(recursive=True))


def _words(process: psutil.Process) -> list[str]:
    """A process's command line in words, the address of a socket cut off."""
    return [word.split("/")[0] for part in process.cmdline() for word in part.split()]


def start(home: Path) -> Up:
    environment = {**os.environ, **QUICK}
    for name in ("AIGC_REDIS_URL", "AIGC_DATABASE_URL", "AIGC_URL"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "aigc", "up", "--home", str(home), "--port", "0", "--no-open"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    up = Up(home, process)

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            up.lines.put(line.rstrip("\n") or " ")
        up.lines.put("")

    threading.Thread(target=read, daemon=True).start()
    up.url = up.until("Open http://").split()[1]
    return up


def stop(up: Up) -> None:
    up.process.terminate()
    up.process.wait(60)
    assert up.process.stdout is not None
    while up.lines.get(timeout=60):
        pass
    up.process.stdout.close()


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    started = start(tmp_path_factory.mktemp("stack") / "home")
    yield started
    stop(started)


def pictures(file: Path, seed: int, count: int = 240) -> Path:
    """Small pictures of bright bars, different for every seed."""
    draw = np.random.default_rng(seed)
    made = np.zeros((count, 28, 28), np.uint8)
    for picture in made:
        left, top = draw.integers(4, 16, 2)
        picture[top : top + 8, left : left + 6] = draw.integers(120, 255)
    np.savez(file, images=made)
    return file


@pytest.fixture(scope="module")
def dataset(up: Up, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A dataset brought in over the command line."""
    file = pictures(tmp_path_factory.mktemp("data") / "bars.npz", seed=0)
    return up.run("datasets", "add", str(file), "--name", "bars")


def test_from_data_to_new_pictures(up: Up, dataset: str, tmp_path: Path) -> None:
    assert json.loads(up.run("datasets", "show", dataset, "--json=state"))["state"] == "ready"
    job = up.run("submit", "image_gan.train", "--data", dataset, *TINY, "--name", "tiny", "--watch")
    seen = json.loads(up.run("jobs", "view", job, "--json=state,model,metrics,dataset"))
    assert seen["state"] == "succeeded"
    assert seen["dataset"] == dataset
    assert seen["metrics"]
    generation = up.run("models", "generate", seen["model"], "-p", "count=16", "--watch")
    saved = up.run("jobs", "download", generation, "-o", str(tmp_path)).splitlines()
    assert {Path(path).name for path in saved} >= {"samples.png", "samples.zip"}
    assert (tmp_path / "samples.png").read_bytes().startswith(b"\x89PNG")
    files = up.run("models", "download", seen["model"], "-o", str(tmp_path / "model")).splitlines()
    assert {Path(path).name for path in files} >= {"weights.safetensors", "config.json"}
    assert up.run("jobs", "logs", job)
    assert job in up.run("jobs", "list", "-q").splitlines()


def test_a_wrong_setting_is_told_before_anything_starts(up: Up, dataset: str) -> None:
    before = up.run("jobs", "list", "-q", "-L", "100")
    up.run("submit", "image_gan.train", "--data", dataset, "-p", "epocs=1", code=2)
    up.run("submit", "image_gan.train", "--data", dataset, "-p", "epochs=1", "--check")
    assert up.run("jobs", "list", "-q", "-L", "100") == before


@pytest.mark.checklist(15)
def test_cancelling_a_running_job(up: Up, dataset: str) -> None:
    job = up.run("submit", "image_gan.train", "--data", dataset, "-p", "epochs=5000", "--name", "endless")
    up.run("jobs", "cancel", job)
    up.run("jobs", "watch", job, "--exit-status", code=3)
    assert json.loads(up.run("jobs", "view", job, "--json=state"))["state"] == "cancelled"


@pytest.mark.checklist(37)
def test_ctrl_c_in_watch_leaves_the_job_running(up: Up, dataset: str) -> None:
    job = up.run("submit", "image_gan.train", "--data", dataset, "-p", "epochs=5000", "--name", "watched")
    command = [sys.executable, "-m", "aigc", "jobs", "watch", job, "--url", up.url]
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell's background ignores Ctrl-C
    watching = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heard)
    assert watching.stderr is not None
    while "Training" not in (line := watching.stderr.readline()):
        assert line
    watching.send_signal(signal.SIGINT)
    _, told = watching.communicate(timeout=60)
    assert watching.returncode == 130
    assert re.search(rf"Stopped watching; the job goes on\. Cancel it with: \S*aigc jobs cancel {job}", told)
    assert json.loads(up.run("jobs", "view", job, "--json=state"))["state"] == "running"
    up.run("jobs", "cancel", job)
    up.run("jobs", "watch", job, "--exit-status", code=3)


@pytest.mark.checklist(38)
def test_the_doctor_is_content_and_names_a_broker_that_is_gone(up: Up) -> None:
    home = str(up.home)
    found = json.loads(up.run("doctor", "--json", AIGC_HOME=home))
    assert [finding["what"] for finding in found if not finding["well"]] == []
    told = up.run("doctor", code=1, AIGC_HOME=home, AIGC_REDIS_URL="redis://127.0.0.1:9/0")
    assert re.search(
        r"✕ Broker: no answer at redis://127\.0\.0\.1:9/0\n    Fix: Start everything with: \S*aigc up", told
    )
    database = "postgresql+psycopg://nobody@127.0.0.1:9/none"
    told = up.run("doctor", code=1, AIGC_HOME=home, AIGC_DATABASE_URL=database)
    assert "✕ Database: postgresql does not answer" in told
    assert "Fix: Start the database, or correct AIGC_DATABASE_URL." in told


def test_a_second_stack_on_the_same_home_is_refused(up: Up) -> None:
    command = [sys.executable, "-m", "aigc", "up", "--home", str(up.home), "--port", "0"]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 1
    assert f"process {up.process.pid} at {up.url}" in second.stderr


@pytest.mark.parametrize("part", list(PARTS))
def test_a_killed_part_comes_back_and_work_goes_on(up: Up, part: str, tmp_path: Path) -> None:
    os.kill(up.pid(part), signal.SIGKILL)
    up.until(f"The {part} is back.")
    file = pictures(tmp_path / f"{part}.npz", seed=list(PARTS).index(part) + 1, count=20)
    added = up.run("datasets", "add", str(file), "--json=state")  # checked by a job, so it passes through all parts
    assert json.loads(added)["state"] == "ready"


@pytest.fixture(scope="module")
def loans(up: Up, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A table brought in over the command line."""
    draw = np.random.default_rng(0)
    lines = [
        f"{age},{100 * age + draw.integers(900)},{'yes' if age > 40 else 'no'}" for age in draw.integers(18, 80, 200)
    ]
    file = tmp_path_factory.mktemp("data") / "loans.csv"
    file.write_text("\n".join(["age,income,paid", *lines]), encoding="utf-8")
    return up.run("datasets", "add", str(file), "--name", "loans")


@pytest.fixture(scope="module")
def visits(up: Up, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Who went where and when, brought in over the command line."""
    draw = np.random.default_rng(0)
    lines = [f"u{user},p{place},{day}" for day, (user, place) in enumerate(draw.integers(0, (120, 40), (2400, 2)))]
    file = tmp_path_factory.mktemp("data") / "visits.csv"
    file.write_text("\n".join(["user,item,time", *lines]), encoding="utf-8")
    return up.run("datasets", "add", str(file), "--kind", "interactions", "--name", "visits")


@pytest.mark.parametrize(
    ("task", "data", "settings"),
    [
        ("image_gan.train", "dataset", ["width=4", "epochs=30"]),
        ("table_vae.train", "loans", ["width=16", "batch_size=50", "epochs=1", "least_steps=1500"]),
        pytest.param(
            "table_gan.train",
            "loans",
            ["width=16", "batch_size=50", "epochs=1", "least_steps=1000"],
            marks=pytest.mark.long,
        ),
        pytest.param("sasrec.train", "visits", ["width=16", "epochs=200", "patience=200"], marks=pytest.mark.long),
        pytest.param(
            "mult_vae.train", "visits", ["hidden_dim=16", "epochs=300", "patience=300"], marks=pytest.mark.long
        ),
    ],
)
def test_a_training_whose_worker_is_killed_ends_as_if_nothing_had_been(
    up: Up, task: str, data: str, settings: list[str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    given = ["submit", task, "--data", request.getfixturevalue(data), "-p", "seed=7"]
    given += [word for each in settings for word in ("-p", each)]
    calm = up.run(*given, "--name", "calm", "--watch")
    rough = up.run(*given, "--name", "rough")
    with aigc.Client(up.url) as client:
        for now in client.jobs.get(rough).follow():
            if now.progress.phase == "training" and now.progress.step >= 20:
                break
        assert not now.is_final
    os.kill(up.pid("worker"), signal.SIGKILL)
    up.until("The worker is back.")
    up.run("jobs", "watch", rough, "--exit-status")
    attempts = json.loads(up.run("jobs", "view", rough, "--json=attempt"))["attempt"]
    assert attempts >= 2
    weights = []
    for job in (calm, rough):
        up.run("jobs", "download", job, "-o", str(tmp_path / job), "--pattern", "model/*")
        weights.append((tmp_path / job / "model" / "weights.safetensors").read_bytes())
    assert weights[0] == weights[1]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_running(tmp_path: Path, how: signal.Signals) -> None:
    up = start(tmp_path / "home")
    ends = [os.pidfd_open(process.pid) for process in up.everything()]
    assert len(ends) >= len(PARTS)
    up.process.send_signal(how)
    assert up.process.wait(60) == (0 if how == signal.SIGINT else -signal.SIGKILL)
    for end in ends:
        assert select.select([end], [], [], 30)[0]
        os.close(end)
    assert up.process.stdout is not None
    while up.lines.get(timeout=60):
        pass
    up.process.stdout.close()
