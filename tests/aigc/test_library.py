"""What a client does with datasets, model versions, jobs' words, workers and queues, against the real application."""

import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from flask import Flask

import aigc
from aigc.cli import run
from jobs import workers
from jobs.engine import Engine
from jobs.workers import DeviceState
from tests.aigc.scripted import Answer, Asked, serving
from tests.aigc.test_real_server import check_soon
from tests.jobs.receiving import receiving
from tests.web.acting import ActingWorker, picture_zip
from tests.web.test_api_fetching import giving


@pytest.fixture
def server(address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[aigc.Client]:
    monkeypatch.chdir(tmp_path)
    with aigc.Client(address) as made:
        yield made


@pytest.fixture
def models(server: aigc.Client, worker: ActingWorker, dataset: str) -> list[aigc.Model]:
    """Two versions of one name, the older one first."""
    for seed in (1, 2):
        server.jobs.submit("image_gan.train", dataset=dataset, name="shirts", seed=seed)
        worker.train()
    return [server.models.get(one.id) for one in server.models.list()][::-1]


def test_a_job_is_renamed_unless_somebody_was_faster(server: aigc.Client, dataset: str) -> None:
    job = server.jobs.submit("image_gan.train", dataset=dataset, name="first")
    mine, theirs = server.jobs.get(job.id), server.jobs.get(job.id)
    assert mine.update(name="mine", tags=["a", "b"]).name == "mine"
    assert mine.update(notes="twice").notes == "twice", "its own change is no reason to refuse"
    with pytest.raises(aigc.Conflict, match="The job was changed in the meantime"):
        theirs.update(notes="theirs")
    assert theirs.update(tags=[], overwrite=True).tags == []
    assert (theirs.name, theirs.refresh().notes) == ("mine", "twice")
    (listed,) = server.jobs.list(q="mine")
    assert listed.etag == ""
    assert listed.update(notes="from a list").notes == "from a list"


def test_words_about_a_dataset(server: aigc.Client, dataset: str) -> None:
    one, other = server.datasets.get(dataset), server.datasets.get(dataset)
    assert one.update(licence="CC0", notes="by hand").licence == "CC0"
    with pytest.raises(aigc.Conflict):
        other.update(licence="MIT")
    assert (other.refresh().licence, other.notes) == ("CC0", "by hand")
    assert other.users()["count"] == 0
    assert other.drop_source().raw["source"]["deleted_at"]


def test_a_card_an_alias_an_archive(server: aigc.Client, models: list[aigc.Model], tmp_path: Path) -> None:
    first, second = models
    assert first.promote("production", replaces=None).aliases == ["production"]
    with pytest.raises(aigc.Conflict, match="production"):
        second.promote("production", replaces=second.id)
    assert second.promote("production", replaces=first.id).aliases == ["production"]
    assert server.models.get("shirts@production").id == second.id
    assert second.users()["aliases"] == ["production"]
    first.write_card(limits="No faces.", licence="CC0")
    assert first.card["limits"] == "No faces."
    assert "No faces." in first.card_text()
    stale = server.models.get(first.id)
    first.write_card(notes="small")
    with pytest.raises(aigc.Conflict, match="The model version was changed"):
        stale.write_card(notes="mine")
    assert second.demote("production").aliases == []
    with zipfile.ZipFile(first.export(tmp_path / "out" / "shirts.zip")) as packed:
        assert packed.read("shirts-v1/model/weights.safetensors") == b"w" * 1000
        assert packed.read("shirts-v1/LICENSE.txt") == b"CC0\n"
    with pytest.raises(aigc.InvalidParams):
        first.write_card(colour="red")


def test_an_archive_that_arrives_broken_is_not_kept(tmp_path: Path) -> None:
    model = {"id": "mdl_1", "name": "shirts", "version": 1}

    def play(asked: Asked) -> Answer:
        if asked.path.endswith("/archive"):
            return Answer(200, b"PK\x03\x04 and no more", {"Content-Type": "application/zip"})
        return Answer(200, model)

    with (
        serving(play) as server,
        aigc.Client(server.url) as client,
        pytest.raises(aigc.DamagedFile, match=r"shirts\.zip arrived damaged"),
    ):
        client.models.get("mdl_1").export(tmp_path / "shirts.zip")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def beating(engine: Engine, worker: ActingWorker) -> ActingWorker:
    """A worker that has told of its device."""
    workers.beat(engine, worker.id, device=DeviceState("cpu", 8 * 2**30, 2**30))
    return worker


def test_workers_and_queues_rest(server: aigc.Client, beating: ActingWorker) -> None:
    (one,) = server.workers.list()
    assert (one.id, one.queue, one.state) == (beating.id, "training.cpu", "idle")
    assert one.pause().state == "paused"
    (pause,) = server.workers.pauses()
    assert pause.raw["queue"] == "training.cpu"
    assert one.resume().paused is None
    queue = next(found for found in server.queues.list() if found.name == "training.cpu")
    assert (queue.queued, queue.workers, queue.state) == (0, 1, "open")
    assert queue.pause().paused
    assert server.workers.list()[0].paused == "queue"
    assert server.queues.resume("training.cpu") == queue.resume()
    server.workers.pause(beating.id)
    server.workers.end_pause(server.workers.pauses()[0].id)
    assert server.workers.list()[0].state == "idle"


def test_the_same_awaited(address: str, models: list[aigc.Model], beating: ActingWorker, tmp_path: Path) -> None:
    async def work() -> None:
        async with aigc.AsyncClient(address) as client:
            model = await client.models.get(models[0].id)
            await model.write_card(limits="No faces.")
            assert "No faces." in await model.card_text()
            assert (await model.promote("staging")).aliases == ["staging"]
            assert (await model.users())["aliases"] == ["staging"]
            assert (await model.demote("staging")).aliases == []
            assert zipfile.is_zipfile(await model.export(tmp_path / "async.zip"))
            dataset = await client.datasets.get(str(model.dataset))
            assert (await dataset.update(notes="seen")).notes == "seen"
            assert (await dataset.users())["count"] == 2
            job = await client.jobs.get(str(model.job))
            assert (await job.update(tags=["a"])).tags == ["a"]
            (one,) = await client.workers.list()
            assert (await one.pause()).state == "paused"
            assert (await client.workers.resume(one.id)).state == "idle"
            queue = await client.queues.pause("training.cpu")
            assert queue.paused
            assert not (await queue.resume()).paused

    anyio.run(work)


def test_the_server_fetches_a_file(
    app: Flask, engine: Engine, server: aigc.Client, worker: ActingWorker, capsys: pytest.CaptureFixture[str]
) -> None:
    with receiving(giving(picture_zip())) as host:
        with pytest.raises(aigc.InvalidParams, match="AIGC_DATASET_HOSTS"):
            server.datasets.fetch(host.url())
        own = {"dataset_hosts": "127.0.0.1", "dataset_allow_private": f"http://127.0.0.1:{host.port}"}
        app.extensions["aigc"].settings = engine.settings.model_copy(update=own)

        def check_twice() -> None:
            check_soon(worker)
            check_soon(worker)

        checking = threading.Thread(target=check_twice)
        checking.start()
        made = server.datasets.fetch(host.url(path="/shirts.zip"), licence="CC0")
        assert (made.state, made.licence, made.raw["source"]["filename"]) == ("ready", "CC0", "shirts.zip")
        assert run(["datasets", "add", "--from-url", host.url(path="/x.zip"), "--name", "y", "--url", server.url]) == 0
        checking.join()
    assert capsys.readouterr().out.startswith("ds_")
    assert run(["datasets", "add", "--from-url", "x", "--starter", "y"]) == 2
