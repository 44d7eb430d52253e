"""Recommendations through client and command."""

import json
import threading

import anyio
import pytest
from flask.testing import FlaskClient

import aigc
from aigc.cli import run
from aigc_models.data.recommended import Recommendations
from tests.web.acting import ActingWorker
from tests.web.recommending import finish_recommendation, lists, trained

Out = pytest.CaptureFixture[str]


@pytest.fixture
def model(client: FlaskClient, worker: ActingWorker, address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AIGC_URL", address)
    return trained(client, worker)


def test_the_client_asks_and_gives_lists(address: str, worker: ActingWorker, model: str) -> None:
    pandas = pytest.importorskip("pandas")
    with aigc.Client(address) as client:
        job = client.models.get(model).recommend(history=["A01"], count=2)
        finish_recommendation(worker, Recommendations(lists(3), "SASRec", 0, 3))
        found = job.refresh().recommendations()
        assert [one.user for one in found] == ["user-0", "user-1", "user-2"]
        assert next(found.rows()) == ("user-0", 1, "A02", "Burr coffee grinder", 3.25, "Espresso machine, C01")
        assert isinstance(found.to_pandas(), pandas.DataFrame)
        html = found._repr_html_()
        assert "Burr coffee grinder" in html
        assert "<b>Running" not in html
        assert "Burr coffee grinder" in found[0]._repr_html_()
        (one,) = job.recommendations("user-2")
        assert (one.user, one.history[0]["title"], one.unknown) == ("user-2", "Espresso machine", [])


def test_the_same_awaited(address: str, worker: ActingWorker, model: str) -> None:
    async def ask() -> str | None:
        async with aigc.AsyncClient(address) as client:
            job = await client.models.recommend(model, history="A01")
            finish_recommendation(worker, Recommendations(lists()))
            (one,) = await job.recommendations()
            return one.user

    assert anyio.run(ask) is None


def test_the_command_prints_a_table(worker: ActingWorker, model: str, capsys: Out) -> None:
    def finish() -> None:
        while True:
            try:
                finish_recommendation(worker, Recommendations(lists(2)))
            except AssertionError:
                continue
            return

    finishing = threading.Thread(target=finish)
    finishing.start()
    assert run(["models", "recommend", model, "-p", "users=user-0,user-1", "--watch"]) == 0
    finishing.join()
    rows = capsys.readouterr().out.splitlines()
    assert rows[0] == "user-0\t1\tA02\tBurr coffee grinder\t3.25\tEspresso machine, C01"
    assert len(rows) == 4
    assert run(["jobs", "recommendations", "@last", "--user", "user-1", "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert one["user"] == "user-1"
    assert run(["models", "recommend", model, "-p", "count=0"]) == 2
    assert "between 1 and 1000" in capsys.readouterr().err
