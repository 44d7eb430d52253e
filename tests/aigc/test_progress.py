import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aigc import progress
from aigc.cli import figures
from aigc.progress import LINE_SECONDS, Lines
from tests.aigc.scripted import Answer, in_turn, job, serving

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (0, "about 1 s left"),
        (89.4, "about 89 s left"),
        (90, "about 2 min left"),
        (5399, "about 90 min left"),
        (5400, "about 2 h left"),
    ],
)
def test_time_left_is_rounded_and_never_nothing(seconds: float | None, words: str) -> None:
    assert progress.time_left(seconds) == words


def test_a_line_says_what_is_known() -> None:
    assert progress.line(job("running")) == "Training  30 %  3/10  5 steps/s  about 7 s left"
    fast = job("running", metrics={"images_per_second": 412.3})
    assert progress.line(fast) == "Training  30 %  3/10  412 img/s  about 7 s left"
    assert progress.line(job("running", progress={"phase": "preparing"})) == "Preparing data"
    assert progress.line(job("succeeded")) == "Succeeded"
    for phase, step, words in (("preparing", 3, "Preparing data"), ("evaluating", 10, "Evaluating")):
        done = {"phase": phase, "step": step, "total": 10, "percent": 10.0 * step, "eta_seconds": 0.0, "rate": 5.0}
        assert progress.line(job("running", progress=done)) == words
    assert "aigc worker" in progress.line(job("waiting_for_worker"))


def test_plain_lines_come_when_something_is_new_and_every_ten_seconds() -> None:
    written: list[str] = []
    now = [0.0]
    lines = Lines(written.append, clock=lambda: now[0])
    for second in range(50):
        now[0] = float(second)
        step = {"phase": "training", "step": second, "total": 100, "percent": float(second)}
        lines.show(job("queued") if second < 25 else job("running", progress=step))
    assert LINE_SECONDS == 10
    assert written == ["Queued", "Training  25 %  25/100", "Training  35 %  35/100", "Training  45 %  45/100"]


@pytest.mark.parametrize(
    ("queue", "words"),
    [
        ({"position": 1}, "Queued  next in line"),
        ({"position": 2}, "Queued  1 job is ahead"),
        (
            {"position": 4, "starts_in_seconds": {"low": 61, "high": 300}},
            "Queued  3 jobs are ahead  starts in about 1 to 5 min",
        ),
        ({}, "Queued"),
    ],
)
def test_a_waiting_job_says_what_is_ahead_and_when_it_starts(queue: dict[str, Any], words: str) -> None:
    assert progress.line(job("queued", queue=queue)) == words


def test_waiting_with_progress_writes_lines_into_a_log_file(tmp_path: Path) -> None:
    program = "import sys, aigc\naigc.Client(sys.argv[1]).jobs.get('job_x').wait(progress=True)\n"
    looks = in_turn(*(Answer(200, job(state)) for state in ("queued", "queued", "running", "succeeded")))
    log = tmp_path / "log"
    with serving(looks) as server, log.open("wb") as output:
        given = [sys.executable, "-c", program, server.url]
        subprocess.run(given, cwd=ROOT, stdout=output, stderr=output, timeout=60, check=True)
    assert log.read_text().splitlines() == ["Queued", "Training  30 %  3/10  5 steps/s  about 7 s left", "Succeeded"]


def test_a_terminal_gets_a_bar(tmp_path: Path) -> None:
    looks = in_turn(Answer(200, job("running")), Answer(200, job("running")), Answer(200, job("succeeded")))
    screen, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with serving(looks) as server:
        command = [sys.executable, "-m", "aigc", "jobs", "watch", job()["id"], "--url", server.url]
        watching = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=terminal)
        os.close(terminal)
        drawn = b""
        while True:
            try:
                drawn += os.read(screen, 4096)
            except OSError:  # the other side is closed
                break
        watching.communicate(timeout=20)
    os.close(screen)
    text = drawn.decode()
    assert watching.returncode == 0
    assert "Training 30 %" in text
    assert "━" in text
    assert "about 7 s left" in text
    assert "succeeded" in text


def test_baselines_stand_beside_their_figures() -> None:
    known: dict[str, dict[str, str | None]] = {
        "fid": {"title": "Domain-FID", "better": "lower", "baseline": "fid_noise"},
        "fid_noise": {"title": "Of noise", "better": "lower", "baseline": None},
        "accuracy": {"title": "准确率", "better": "higher", "baseline": "chance", "real": "accuracy_real"},
        "chance": {"title": "Chance", "better": "higher", "baseline": None},
        "accuracy_real": {"title": "Of real data", "better": "higher", "baseline": None},
    }
    measured = {"g_loss": 0.7, "fid": 20.0, "fid_noise": 300.0, "accuracy": 0.1, "chance": 0.1, "accuracy_real": 0.9}
    told = [
        "Domain-FID   20  lower is better; baseline 300: better",
        "准确率      0.1  higher is better; real data 0.9; baseline 0.1: NOT better than the baseline",
    ]
    assert figures.lines(measured, known) == told
    assert figures.lines(measured, known, everything=True) == [*told, "g loss      0.7"]
    even = figures.lines(measured, known, {"fid": "better", "accuracy": "even"})
    assert even == [told[0], told[1].replace("NOT better than the baseline", "nothing to gain here")]
    unclear = figures.lines(
        {**measured, "spread": 0.2}, {**known, "spread": {"title": "Noise"}}, {"accuracy": "unclear"}
    )
    assert unclear[1].endswith("baseline 0.1: no difference that these test rows could show")
    known["refused"] = {"title": "Refused", "better": "lower"}
    few = figures.lines({"fid": 20.0, "fid_noise": 300.0, "refused": 1.0}, known, {"fid": "few", "refused": "few"})
    assert few == [
        "Domain-FID  20  lower is better; baseline 300: too few to judge",
        "Refused      1  lower is better; too few to judge",
    ]
    assert figures.lines({"g_loss": 15_860.0}, known) == ["g loss  15,860"]
    assert figures.lines({"g_loss": 0.7}, known) == ["g loss  0.7"]
