"""Home, frame, errors, help: what every visitor meets."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

import web
from aigc_models.image_gan.params import ImageGanTrain
from jobs.artifacts import LocalStore
from jobs.db import Database
from jobs.engine import Engine
from jobs.errors import AigcError
from jobs.settings import Settings
from tests.web.acting import ActingWorker, ready_dataset
from tests.web.conftest import NotedDispatcher
from tests.web.reading import read, send, token
from web import create_app, failures
from web.pages.problem_texts import TOPICS

QUICK = ImageGanTrain.presets["quick"]
ROOT = Path(web.__file__).resolve().parents[1]


def test_home_offers_what_works_and_says_how_to_begin(client: FlaskClient) -> None:
    page = read(client, "/")
    assert "Nothing here yet. Try an example: it takes about 1 minute." in page.text
    assert "Product pictures" in page.text
    assert "Picture variations" in page.text
    assert "/jobs/new/image_gan.train" in page.links
    headings = re.findall(r"<h2[^>]*>([^<]+)</h2>", page.html)
    assert headings[:5] == ["Content", "Data augmentation", "Recommendation", "Assistants", "Sample data"]
    assert page.has("form", method="post", action="/try/image_gan.train")


def test_the_example_starts_on_a_checked_dataset_in_one_click(client: FlaskClient, worker: ActingWorker) -> None:
    client.post("/api/v1/datasets", json={"starter": "fashion-mnist"}, headers={"Prefer": "wait=0"})
    worker.check_dataset()
    reply = send(client, "/try/image_gan.train", form="/")
    assert reply.status_code == 302
    job = client.get("/api/v1" + reply.location).get_json()
    assert job["task"] == "image_gan.train"
    assert job["params"]["epochs"] == QUICK["epochs"]
    assert "fashion-mnist-image-gan" in read(client, "/").text


def test_home_says_how_long_an_example_takes_once_its_data_is_known(client: FlaskClient, worker: ActingWorker) -> None:
    assert "with sample data, reckoned" not in read(client, "/").text
    client.post("/api/v1/datasets", json={"starter": "fashion-mnist"}, headers={"Prefer": "wait=0"})
    worker.check_dataset()
    assert re.search(r"about \d+ (s|min) with sample data, reckoned", read(client, "/").text)


def test_the_example_leads_to_the_check_while_that_takes_long(
    client: FlaskClient, worker: ActingWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.pages.home.IMPORT_PATIENCE", 0.0)
    reply = send(client, "/try/image_vae.train", form="/")
    assert reply.status_code == 302
    assert reply.location.endswith("?then=image_vae.train")
    page = read(client, reply.location)
    assert "Checking" in page.text
    worker.check_dataset()
    page = read(client, reply.location)
    dataset = reply.location.partition("?")[0].rpartition("/")[2]
    assert f"/jobs/new/image_vae.train?preset=quick&dataset={dataset}" in page.links


def test_unknown_examples_are_not_found(client: FlaskClient) -> None:
    assert send(client, "/try/nope.train", form="/").status_code == 404


def test_every_page_has_the_frame(client: FlaskClient) -> None:
    page = read(client, "/jobs")
    for link in (
        "/",
        "/jobs",
        "/jobs/new",
        "/datasets",
        "/models",
        "/workers",
        "/docs",
        "/docs/api",
        "/settings/tokens",
    ):
        assert link in page.links
    assert page.links[0] == "#main"
    assert page.has("main", id="main", tabindex="-1")
    assert page.has("a", href="/jobs", **{"aria-current": "page"})
    assert len(page.ids) == len(set(page.ids))


@pytest.mark.checklist(19)
def test_the_theme_is_remembered(client: FlaskClient) -> None:
    assert not read(client, "/").has("html", **{"data-theme": "dark"})
    assert read(client, "/?theme=dark").has("html", **{"data-theme": "dark"})
    assert read(client, "/jobs").has("html", **{"data-theme": "dark"})
    assert not read(client, "/?theme=auto").has("html", **{"data-theme": "dark"})
    assert not read(client, "/?theme=<x>").has("html", **{"data-theme": "<x>"})


def test_assets_change_their_address_with_their_content(client: FlaskClient) -> None:
    page = read(client, "/")
    sheets = [found["href"] for tag, found in page.tags if tag == "link" and found.get("rel") == "stylesheet"]
    assert all(re.fullmatch(r"/static/css/\w+\.css\?v=[0-9a-f]{10}", sheet) for sheet in sheets)
    assert all(client.get(sheet).status_code == 200 for sheet in sheets)


ERROR_PAGES = (
    ("/nope", 404, "Not found"),
    ("/jobs/job_x", 404, "There is no such job"),
    ("/datasets/ds_x", 404, "Not found"),
    ("/models/mdl_x", 404, "Not found"),
    ("/docs/problems/nope", 404, "Not found"),
    ("/jobs/new/nope.train", 404, "Not found"),
    ("/jobs/new/dataset.import_images", 404, "Not found"),
    ("/jobs?cursor=abc", 422, "There is a problem with the settings"),
)


def test_errors_are_pages_that_say_what_next(client: FlaskClient) -> None:
    for path, status, title in ERROR_PAGES:
        page = read(client, path, status=status)
        assert title in page.texts, path
        assert "What you can do" in page.text
        assert any(link.startswith("/docs/problems/") for link in page.links)


def test_a_database_that_is_gone_is_a_page_too(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, min_free_disk=0)
    database = Database(f"sqlite:///{tmp_path / 'gone' / 'aigc.db'}")
    client = create_app(settings, Engine(settings, database, LocalStore(tmp_path), NotedDispatcher())).test_client()
    reply = client.get("/jobs")
    assert reply.status_code == 503
    assert "Not available at the moment" in reply.text
    assert reply.headers["Retry-After"]
    database.dispose()


def test_every_state_is_explained(client: FlaskClient) -> None:
    text = read(client, "/docs").text
    for word in ("Queued", "Running", "Stopping", "Succeeded", "Failed", "Expired", "Cancelled"):
        assert word in text


def test_every_problem_has_a_page(client: FlaskClient) -> None:
    links = read(client, "/docs/problems").links
    for code, topic in TOPICS.items():
        assert f"/docs/problems/{code}" in links
        assert topic.title in read(client, f"/docs/problems/{code}").texts


@pytest.mark.checklist(29)
def test_no_code_is_without_a_page() -> None:
    known = {error.code for error in _errors(AigcError)} | {failures.slug(code) for code in failures.REASONS}
    assert known | set(_fault_codes()) <= set(TOPICS)


def _errors(kind: type[AigcError]) -> Iterator[type[AigcError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _errors(child)


def _fault_codes() -> Iterator[str]:
    """Codes of faults in the sources: ``code="..."``, and the code beside a sentence that is refused."""
    slug = re.compile(r"[a-z]+(-[a-z]+)+")
    for package in ("aigc_models", "jobs", "web"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Call):
                    continue
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                told = [word.value for word in node.keywords if word.arg == "code"]
                told += node.args if name in ("refuse", "_refuse") else []
                for value in told:
                    if isinstance(value, ast.Constant) and slug.fullmatch(str(value.value)):
                        yield str(value.value)


def test_the_api_reference_shows_every_operation_with_this_servers_address(client: FlaskClient) -> None:
    page = read(client, "/docs/api")
    described = client.get("/openapi.json").get_json()
    wanted = {what["operationId"] for verbs in described["paths"].values() for what in verbs.values()}
    assert wanted <= set(page.ids)
    assert "curl &#34;http://localhost/api/v1/jobs&#34;" in client.get("/docs/api").text.replace("&quot;", "&#34;")


def test_workers_and_queues(client: FlaskClient, worker: ActingWorker) -> None:
    ready_dataset(client, worker)
    page = read(client, "/workers")
    assert "Training slot" in page.text
    assert "CPU" in page.text


def test_no_worker_is_said_with_what_to_do(client: FlaskClient) -> None:
    page = read(client, "/workers")
    assert "No worker is running" in page.text


def test_parts_of_pages_come_only_when_they_changed(client: FlaskClient, worker: ActingWorker) -> None:
    tag = client.get("/workers/live").headers["ETag"]
    assert client.get("/workers/live", headers={"If-None-Match": tag}).status_code == 304
    client.post("/api/v1/datasets", json={"starter": "fashion-mnist"}, headers={"Prefer": "wait=0"})
    assert client.get("/workers/live", headers={"If-None-Match": tag}).status_code == 200


def test_tokens_are_shown_once_and_close_the_server(client: FlaskClient, app: Flask) -> None:
    assert "This server is open" in read(client, "/settings/tokens").text
    reply = send(client, "/settings/tokens", {"name": "ci", "scope": "submit", "days": "30"})
    assert reply.status_code == 201
    assert reply.headers["Cache-Control"] == "no-store"
    found = re.search(r"aigc_[\w-]{40,}", reply.text)
    assert found
    app.extensions["aigc_guard"].checked_at = float("-inf")
    assert client.get("/jobs").status_code == 302
    login = client.get("/login?next=/jobs")
    wrong = client.post("/login", data={"csrf_token": token(login.text), "token": "aigc_wrong", "next": "/jobs"})
    assert wrong.status_code == 401
    assert "This token is not known here" in wrong.text
    assert "<title>Error: " in wrong.text
    done = client.post("/login", data={"csrf_token": token(wrong.text), "token": found[0], "next": "/jobs"})
    assert done.location == "/jobs"
    page = read(client, "/jobs")
    assert "Sign out" in page.text
    assert read(client, "/settings/tokens", status=403)


def test_a_token_needs_a_name(client: FlaskClient) -> None:
    reply = send(client, "/settings/tokens", {"name": "", "scope": "read", "days": "zero"})
    assert reply.status_code == 422
    assert "The name must have 1 to 120 printable characters." in reply.text
    assert "Days until it stops working must be between 1 and 3650." in reply.text


def test_tokens_can_be_revoked(client: FlaskClient, app: Flask) -> None:
    made = send(client, "/settings/tokens", {"name": "ci", "scope": "admin", "days": ""})
    form = re.search(r'action="(/settings/tokens/tok_\w+/revoke)"', made.text)
    assert form
    reply = client.post(form[1], data={"csrf_token": token(made.text)})
    assert reply.status_code == 303
    assert "This server is open" in read(client, "/settings/tokens").text
