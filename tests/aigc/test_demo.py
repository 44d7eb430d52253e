import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from aigc.cli import run
from tests.aigc.scripted import Answer, Asked, job, problem, serving

PICTURE = b"\x89PNG the samples"
TRAINING, GENERATION = "job_" + "1" * 26, "job_" + "2" * 26
FIGURES = {
    "fid": {"title": "Domain-FID", "better": "lower", "baseline": "fid_noise"},
    "fid_noise": {"title": "Domain-FID of noise", "better": "lower", "baseline": None},
}
METRICS = {"fid": 21.5, "fid_noise": 300.0, "images_seen": 5000.0}


def play(asked: Asked) -> Answer:
    path = asked.path.removeprefix("/api/v1").split("?")[0]
    if path == "/datasets":
        return Answer(201, {"id": "ds_1", "name": "Fashion-MNIST", "state": "ready", "report": {"train": 5, "test": 1}})
    if path.startswith("/tasks"):
        schema = {"properties": {"dataset": {"x-input": "dataset"}}}
        return Answer(200, {"task": "image_gan.train", "schema": schema, "metrics": FIGURES})
    if path.endswith("/generate"):
        return Answer(202, {**job("queued"), "id": GENERATION})
    if path == "/jobs" and asked.method == "GET":
        return Answer(200, {"data": [], "has_more": False})
    if path == "/jobs":
        return Answer(202, {**job("queued"), "id": TRAINING})
    if path.endswith("/artifacts"):
        digest = hashlib.sha256(PICTURE).hexdigest()
        files = [{"id": "art_1", "name": name, "sha256": digest} for name in ("samples.zip", "samples.png")]
        return Answer(200, {"data": files, "has_more": False})
    if path.endswith("/content"):
        return Answer(200, PICTURE, {"Content-Type": "image/png"})
    if path.startswith("/jobs/"):
        return Answer(200, job("succeeded", id=path.split("/")[2], model="mdl_1", metrics=METRICS))
    if path == "/models/mdl_1":
        return Answer(200, {"id": "mdl_1", "name": "demo", "links": {"web": "http://127.0.0.1/models/mdl_1"}})
    return problem(404, f"There is nothing at {path}.")


def test_the_demonstration_on_a_running_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(play) as server:
        assert run(["demo", "--once", "--url", server.url, "--home", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    picture = tmp_path / "demo" / f"samples-{TRAINING}.png"
    assert told.splitlines()[-1] == f"job {TRAINING} succeeded, samples: {picture}"
    assert picture.read_bytes() == PICTURE
    assert "21.5  lower is better; baseline 300" in next(line for line in told.splitlines() if "Domain-FID" in line)
    assert "of noise" not in told
    assert "http://127.0.0.1/models/mdl_1" in told
    sent: list[Any] = [json.loads(asked.body) for asked in server.asked if asked.method == "POST"]
    assert sent[0] == {"starter": "fashion-mnist"}
    assert sent[1]["params"] == {"dataset": "ds_1"}
    assert sent[1]["preset"] == "quick"
    assert sent[2]["params"] == {"count": 64}


def test_an_interrupted_demonstration_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left = {**job("queued"), "id": TRAINING, "name": "demo"}

    def resume(asked: Asked) -> Answer:
        if asked.method == "GET" and asked.path.startswith("/api/v1/jobs?"):
            return Answer(200, {"data": [left], "has_more": False})
        return play(asked)

    with serving(resume) as server:
        assert run(["demo", "--url", server.url, "--home", str(tmp_path)]) == 0
    assert "Going on with the training of last time" in capsys.readouterr().out
    assert not [asked for asked in server.asked if asked.method == "POST" and asked.path == "/api/v1/jobs"]


def test_a_cancelled_training_ends_it_calmly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def cancel(asked: Asked) -> Answer:
        if asked.method == "GET" and "/jobs/" in asked.path:
            return Answer(200, job("cancelled", id=TRAINING))
        return play(asked)

    with serving(cancel) as server:
        assert run(["demo", "--url", server.url, "--home", str(tmp_path)]) == 3
    told = capsys.readouterr()
    assert told.out.splitlines()[-1] == (
        f"The job {TRAINING} was cancelled, so the demonstration ends here. Begin a new one with: aigc demo"
    )
    assert told.err.count("Error") == told.err.count("Help") == 0


def test_a_failed_training_is_told_in_the_servers_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = {"code": "diverged", "detail": "The loss became NaN at step 120.", "errors": []}

    def fail(asked: Asked) -> Answer:
        if asked.method == "GET" and "/jobs/" in asked.path:
            return Answer(200, job("failed", error=error))
        return play(asked)

    with serving(fail) as server:
        assert run(["demo", "--url", server.url, "--home", str(tmp_path)]) == 1
    assert "Error: The loss became NaN at step 120." in capsys.readouterr().err
