"""The report of a job: one file that stands alone."""

import re

import pytest
from flask.testing import FlaskClient

from aigc_models.base import Fault
from tests.web.acting import PNG, ActingWorker, ready_dataset, submit_training
from tests.web.reading import Page, read


@pytest.fixture
def dataset(client: FlaskClient, worker: ActingWorker) -> str:
    return ready_dataset(client, worker)


def report(client: FlaskClient, job: str, language: str = "en") -> Page:
    return read(client, f"/jobs/{job}/report.html", Accept_Language=language)


def test_a_report_holds_everything_and_loads_nothing(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    submit_training(client, dataset, name="digits", params={"dataset": dataset, "seed": 7})
    job = worker.train()
    page = report(client, job)
    loaded = [
        found.get("src") or found.get("href") or "" for tag, found in page.tags if tag in ("img", "link", "script")
    ]
    assert loaded
    assert all(address.startswith("data:image/png;base64,") for address in loaded)
    assert not page.has("script")
    assert page.has("h1")
    assert page.texts[:2] == ["digits · AIGC Foundry", "digits"]
    assert "Succeeded" in page.text
    assert re.search(r'<path class="curve tone0" d="M48', page.html)
    assert page.has("img", alt="Generated samples at step 50")
    assert "Seed 7" in page.text
    assert "half way" in page.html
    files = client.get(f"/api/v1/jobs/{job}/artifacts?role=output").get_json()["data"]
    assert all(file["sha256"] in page.html for file in files)
    assert f"http://localhost/jobs/{job}" in page.links
    assert "Report" in read(client, f"/jobs/{job}").text


def test_its_policy_allows_its_own_sheet_alone(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    submit_training(client, dataset)
    reply = client.get(f"/jobs/{worker.train()}/report.html")
    policy = reply.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    held = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', reply.text)
    assert held
    assert policy.startswith(held[1].replace("&#39;", "'"))


def test_it_speaks_the_readers_language(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    submit_training(client, dataset)
    page = report(client, worker.train(), "zh")
    assert page.has("html", lang="zh-CN")
    assert "已成功" in page.text
    assert "所用参数" in page.text


def test_a_failed_job_has_one_that_says_why(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    submit_training(client, dataset)
    job = worker.fail("training", "diverged", Fault("The loss became NaN at step {step}.", {"step": 3}))
    assert "The loss became NaN at step 3." in report(client, job).text


def test_pictures_that_are_gone_or_huge_are_left_out(
    client: FlaskClient, worker: ActingWorker, dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit_training(client, dataset)
    job = worker.train()
    monkeypatch.setattr("web.pages.report.LARGEST_PICTURE", len(PNG) - 1)
    assert not report(client, job).has("img")
    assert client.get("/jobs/job_x/report.html").status_code == 404
