"""Asking an assistant through client and command."""

import json
import threading

import anyio
import pytest
from flask.testing import FlaskClient

import aigc
from aigc.cli import run
from tests.web.acting import ActingWorker
from tests.web.asking import ANSWER, BACK, REFUSAL, assistant, finish_reply

Out = pytest.CaptureFixture[str]


@pytest.fixture
def model(client: FlaskClient, worker: ActingWorker, address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AIGC_URL", address)
    return assistant(client, worker)


def test_the_client_asks_reads_and_judges(address: str, client: FlaskClient, worker: ActingWorker, model: str) -> None:
    with aigc.Client(address) as asking:
        job = asking.models.get(model).reply("How?", sources=1)
        finish_reply(worker)
        reply = job.refresh().reply()
        assert (reply.kind, reply.sentences[1]["source"], reply.sureness) == ("answer", 1, 0.9)
        assert str(reply).splitlines()[-1] == "[1] Print › Duplex <b>printing</b>"
        assert "<b>printing" not in reply._repr_html_()
        job.judge("down", better="Like this.")
        (said,) = client.get(f"/api/v1/models/{model}/feedback").get_json()["data"]
        assert (said["verdict"], said["better"], said["answer"]) == (
            "down",
            "Like this.",
            "Choose File - Print. Tick <i>Duplex</i>.",
        )
        back = asking.models.reply(model, question="print", history=["How?"])
        finish_reply(worker, BACK)
        assert list(back.refresh().reply().options) == list(BACK.options)


def test_a_refusal_shows_what_was_near(address: str, worker: ActingWorker, model: str) -> None:
    with aigc.Client(address) as asking:
        job = asking.models.reply(model, question="Who won?")
        finish_reply(worker, REFUSAL)
        reply = job.refresh().reply()
        assert reply.cited() == []
        (near,) = reply.nearest()
        assert near.startswith("[1] Print › Duplex <b>printing</b>: ")
        assert str(reply).splitlines() == ["I found nothing.", near]


def test_the_same_awaited(address: str, worker: ActingWorker, model: str) -> None:
    async def ask() -> str:
        async with aigc.AsyncClient(address) as client:
            job = await client.models.reply(model, question="How?")
            finish_reply(worker)
            await job.judge("up")
            return (await job.reply()).text

    assert anyio.run(ask) == ANSWER.text


def test_the_command_prints_the_answer_with_its_sources(worker: ActingWorker, model: str, capsys: Out) -> None:
    def finish() -> None:
        while True:
            try:
                finish_reply(worker)
            except AssertionError:
                continue
            return

    finishing = threading.Thread(target=finish)
    finishing.start()
    assert run(["models", "reply", model, "How?", "--earlier", "Where?", "-p", "sources=1"]) == 0
    finishing.join()
    out = capsys.readouterr().out.splitlines()
    assert out == [ANSWER.text, "[1] Print › Duplex <b>printing</b>"]
    assert run(["--json", "jobs", "reply", "@last"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "answer"
    assert run(["jobs", "judge", "@last", "up"]) == 0
    assert run(["models", "reply", model, "How?", "-p", "sources=0"]) == 2
