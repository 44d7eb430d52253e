"""Several jobs at once: told what will happen to which before it does, as plain forms."""

import re
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from jobs.engine import Engine
from jobs.principal import Principal
from jobs.removal import refusals
from tests.web.acting import ActingWorker, ready_dataset, submit_training
from tests.web.reading import Page, read, token

API = "/api/v1"


@pytest.fixture
def dataset(client: FlaskClient, worker: ActingWorker) -> str:
    return ready_dataset(client, worker)


def train(client: FlaskClient, dataset: str, name: str, **more: object) -> str:
    return str(submit_training(client, dataset, name=name, **more).get_json()["id"])


def ask(client: FlaskClient, do: str, *ids: str, status: int = 200, referer: str = "") -> Page:
    address = f"/jobs/selected?{urlencode([('do', do), *(('ids', id_) for id_ in ids)])}"
    return read(client, address, status=status, **({"Referer": referer} if referer else {}))


def agree(client: FlaskClient, page: Page) -> TestResponse:
    """Press the button of the page that asks."""
    ids = re.findall(r'name="ids" value="(job_\w+)"', page.html)
    told = {"csrf_token": token(page.html), "do": page.fields["do"], "back": page.fields["back"], "ids": ids}
    return client.post("/jobs/selected", data=told)


def states(client: FlaskClient, *ids: str) -> list[str]:
    return [client.get(f"{API}/jobs/{id_}").get_json().get("state", "gone") for id_ in ids]


def test_the_list_offers_it_without_scripts(client: FlaskClient, dataset: str) -> None:
    job = train(client, dataset, "one")
    page = read(client, "/jobs")
    assert page.has("input", type="checkbox", name="ids", value=job, form="pick")
    for value in ("cancel", "delete"):
        assert page.has("button", form="pick", formaction="/jobs/selected", name="do", value=value)


def test_cancelling_several_says_what_happens_to_which(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    ended = train(client, dataset, "ended")
    worker.train()
    running = train(client, dataset, "running")
    worker.take("training")
    waiting = train(client, dataset, "waiting")
    after = train(client, dataset, "after", after=[waiting])
    page = ask(client, "cancel", ended, running, waiting, referer="http://localhost/jobs?q=ing")
    assert page.has("h1")
    assert "Cancel 2 jobs?" in page.text
    assert "waiting ◷ Queued Is cancelled at once. 1 job that waits for it is cancelled, too." in page.text
    assert "running ● Running Stops after its current step; its last checkpoint is kept." in page.text
    assert "These stay as they are ended ✓ Succeeded Has ended already and stays as it is." in page.text
    assert "/jobs?q=ing" in page.links
    assert states(client, ended, running, waiting, after) == ["succeeded", "running", "queued", "blocked"]
    done = agree(client, page)
    assert (done.status_code, done.headers["Location"]) == (303, "/jobs?q=ing")
    assert states(client, ended, running, waiting, after) == ["succeeded", "cancelling", "cancelled", "cancelled"]


def test_deleting_several_says_what_goes_and_what_stays(
    client: FlaskClient, worker: ActingWorker, dataset: str
) -> None:
    trained = train(client, dataset, "shirts")
    worker.train()
    kept = train(client, dataset, "kept")
    worker.train()
    version = client.get(f"{API}/models").get_json()["data"][0]["id"]
    client.post(f"{API}/models/{version}/promote", json={"alias": "production"})
    running = train(client, dataset, "running")
    page = ask(client, "delete", trained, kept, running)
    assert "Delete 1 job?" in page.text
    assert "with the model version shirts v1 that it made." in page.text
    assert "This cannot be undone." in page.text
    assert "The job is still queued. Cancel it first." in page.text
    assert "production" in page.text
    assert states(client, trained, kept, running) == ["succeeded", "succeeded", "queued"]
    assert agree(client, page).status_code == 303
    assert states(client, trained, kept, running) == ["gone", "succeeded", "queued"]


def test_what_reads_another_goes_before_it(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    trained = train(client, dataset, "shirts")
    worker.train()
    version = client.get(f"{API}/models").get_json()["data"][0]["id"]
    drawn = client.post(f"{API}/models/{version}/generate", json={"name": "drawn"}).get_json()["id"]
    worker.finish("generation", {"samples.png": b"x"})
    assert "It is used by the job drawn. Delete that first." in ask(client, "delete", trained).text
    assert "None of these jobs can be deleted" in ask(client, "delete", trained).text
    page = ask(client, "delete", trained, drawn)
    assert "Delete 2 jobs?" in page.text
    assert agree(client, page).status_code == 303
    assert states(client, trained, drawn) == ["gone", "gone"]


def test_what_changed_since_the_question_is_told(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    first, second = train(client, dataset, "first"), train(client, dataset, "second")
    for _ in range(2):
        worker.train()
    page = ask(client, "delete", first, second)
    version = client.get(f"{API}/jobs/{first}").get_json()["model"]
    client.post(f"{API}/models/{version}/promote", json={"alias": "staging"})
    reply = agree(client, page)
    assert reply.status_code == 409
    told = Page(reply.text).text
    assert "Some jobs stay as they are" in told
    assert "1 other job: done." in told
    assert "staging" in told
    assert states(client, first, second) == ["succeeded", "gone"]


def test_asking_changes_nothing(client: FlaskClient, engine: Engine, worker: ActingWorker, dataset: str) -> None:
    job = train(client, dataset, "one")
    worker.train()
    before = client.get(f"{API}/jobs/{job}").headers["ETag"]
    assert refusals(engine, Principal("default", "operator"), [job, job]).keys() == {job}, "the second time it is gone"
    assert refusals(engine, Principal("another", "operator"), [job]).keys() == {job}
    assert client.get(f"{API}/jobs/{job}").headers["ETag"] == before
    assert client.get(f"{API}/jobs/{job}/artifacts").get_json()["data"]


def test_no_choice_and_foreign_ids_are_told(client: FlaskClient, dataset: str) -> None:
    for page in (ask(client, "cancel", status=422), ask(client, "delete", "job_x", status=422)):
        assert "No job is chosen" in page.text
    job = train(client, dataset, "one")
    away = ask(client, "cancel", job, referer="http://elsewhere.example/jobs?q=x")
    assert away.fields["back"] == "/jobs"
    assert client.post("/jobs/selected", data={"ids": job, "do": "cancel"}).status_code == 400, "no form token"


def test_it_is_told_in_chinese(client: FlaskClient, dataset: str) -> None:
    job = train(client, dataset, "one")
    page = read(client, f"/jobs/selected?do=cancel&ids={job}&lang=zh")
    assert "取消 1 个任务？" in page.text
    assert "将立即取消。" in page.text
