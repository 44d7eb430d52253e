"""Waiting for others, holding and repeating jobs by client and command, against the real application."""

from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

import aigc
from aigc import progress
from aigc.cli import run
from aigc.resources import Job
from tests.web.acting import ActingWorker


@pytest.fixture
def server(address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[aigc.Client]:
    for name in ("AIGC_TOKEN", "AIGC_TOKEN_FILE", "AIGC_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIGC_URL", address)
    with aigc.Client(address) as made:
        yield made


@pytest.fixture
def training(server: aigc.Client, dataset: str) -> Job:
    return server.jobs.submit("image_gan.train", dataset=dataset, name="the first")


def test_a_chain_by_client(server: aigc.Client, worker: ActingWorker, training: Job) -> None:
    second = server.jobs.submit("image_gan.generate", model=training)
    third = server.jobs.submit("image_gan.train", training.params, after=[training, second.id])
    assert (second.state, third.state) == ("blocked", "blocked")
    assert progress.line(third.raw) == "Waiting for another job  Waiting for the first and 1 more."
    worker.train()
    assert (second.refresh().state, third.refresh().state) == ("queued", "blocked")
    assert second.params["model"] == training.refresh().model
    assert third.cancel().state == "cancelled"


def test_hold_and_repeat_by_client(server: aigc.Client, training: Job) -> None:
    assert training.pause().state == "paused"
    assert server.jobs.resume(training.id).state == "queued"
    assert server.jobs.pause(training.id).state == "paused"
    assert training.resume().state == "queued"
    copy = training.duplicate(epochs=3, name="second")
    assert (copy.params["epochs"], copy.name) == (3, "second")
    assert server.jobs.duplicate(training.id, {"epochs": 4}).params["epochs"] == 4
    with pytest.raises(aigc.Conflict, match="still queued"):
        training.retry()
    training.cancel()
    assert training.retry(from_checkpoint=True).raw["retried_from"] == training.id
    with pytest.raises(aigc.Conflict, match="so it cannot be paused"):
        training.pause()


def test_the_asynchronous_client_does_the_same(server: aigc.Client, address: str, training: Job) -> None:
    async def go() -> list[str]:
        async with aigc.AsyncClient(address) as client:
            job = await client.jobs.get(training.id)
            states = [(await job.pause()).state, (await client.jobs.resume(job.id)).state]
            states += [(await client.jobs.submit("image_gan.generate", model=job.id, after=job)).state]
            copy = await job.duplicate(epochs=3)
            await copy.cancel()
            again = await client.jobs.retry(copy.id)
            return [*states, copy.state, again.state, str(again.params["epochs"])]

    assert anyio.run(go) == ["paused", "queued", "blocked", "cancelled", "queued", "3"]


def test_a_chain_by_command(
    server: aigc.Client, worker: ActingWorker, training: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    wait_for = ["--after", "the first"]
    assert run(["submit", "image_gan.generate", "-p", f"model={training.id}", *wait_for]) == 0
    job = server.jobs.get(capsys.readouterr().out.strip())
    assert (job.state, job.params["model"]) == ("blocked", training.id)
    assert run(["jobs", "list", "--state", "blocked"]) == 0
    assert "Waiting for another job  Waiting for the first." in capsys.readouterr().out
    worker.fail("training", "diverged")
    assert run(["submit", "image_gan.generate", "-p", f"model={training.id}"]) != 0
    assert "The job the first has failed, so nothing can wait for it." in capsys.readouterr().err


def test_hold_and_repeat_by_command(server: aigc.Client, training: Job, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["jobs", "pause", "the first"]) == 0
    assert capsys.readouterr().out == f"{training.id} paused\n"
    assert run(["jobs", "resume", training.id]) == 0
    assert capsys.readouterr().out == f"{training.id} queued\n"
    assert run(["jobs", "duplicate", training.id, "-p", "epochs=3", "--name", "second"]) == 0
    copy = server.jobs.get(capsys.readouterr().out.strip())
    assert (copy.name, copy.params["epochs"]) == ("second", 3)
    assert run(["jobs", "duplicate", training.id, "-p", "epochs=0"]) == 2
    assert "Epochs must be between 1" in capsys.readouterr().err
    assert run(["jobs", "retry", training.id]) == 1
    training.cancel()
    assert run(["jobs", "retry", "--from-checkpoint", training.id]) == 0
    assert server.jobs.get(capsys.readouterr().out.split()[-1]).raw["retried_from"] == training.id
    assert run(["jobs", "pause", training.id]) == 1
    assert "The job has already cancelled, so it cannot be paused." in capsys.readouterr().err


def test_a_watched_job_says_where_it_stands(
    server: aigc.Client, worker: ActingWorker, dataset: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        server.jobs.submit("image_gan.train", dataset=dataset)
        worker.train()
    server.jobs.submit("image_gan.train", dataset=dataset)
    worker.take("training")
    job = server.jobs.submit("image_gan.train", dataset=dataset).refresh()
    assert progress.line(job.raw).startswith("Queued  next in line  starts in about ")
    assert run(["jobs", "view", job.id]) == 0
    assert progress.line(job.raw) in capsys.readouterr().out
