"""A job's name, tags and notes on the pages: shown, changed by a plain form, and found again."""

import pytest
from flask.testing import FlaskClient

from tests.web.acting import ActingWorker, ready_dataset, submit_training
from tests.web.reading import Page, read, send


@pytest.fixture
def job(client: FlaskClient, worker: ActingWorker) -> str:
    made = submit_training(client, ready_dataset(client, worker), name="clothes", tags=["a b"], notes="one\n<two>")
    return f"/jobs/{made.get_json()['id']}"


def test_the_page_shows_them(client: FlaskClient, job: str) -> None:
    page = read(client, job)
    assert "/jobs?tag=a+b" in page.links
    assert f"{job}/edit" in page.links
    assert "one &lt;two&gt;" in " ".join(page.html.split())


def test_a_form_changes_them(client: FlaskClient, job: str) -> None:
    form = read(client, f"{job}/edit")
    assert (form.fields["name"], form.fields["tags"]) == ("clothes", "a b")
    assert "<two>" in form.texts[-1] or "&lt;two&gt;" in form.html
    seen = {"seen": form.fields["seen"]}
    sent = send(client, f"{job}/edit", seen | {"name": "shirts", "tags": "a b,基线, c", "notes": "x\r\ny"})
    assert (sent.status_code, sent.headers["Location"]) == (303, job)
    now = client.get(f"/api/v1{job}").get_json()
    assert (now["name"], now["tags"], now["notes"]) == ("shirts", ["a b", "基线", "c"], "x\ny")
    assert "<h1>shirts</h1>" in read(client, job).html


def test_faults_are_told_beside_the_fields(client: FlaskClient, job: str) -> None:
    seen = {"seen": read(client, f"{job}/edit").fields["seen"]}
    sent = send(client, f"{job}/edit", seen | {"name": "", "tags": "x" * 41, "notes": "kept"})
    page = Page(sent.text)
    assert sent.status_code == 422
    assert page.html.index("<title>Error:") > 0
    assert {"#f-name", "#f-tags"} <= set(page.links)
    assert page.has("input", id="f-tags", **{"aria-invalid": "true", "aria-describedby": "h-tags e-tags"})
    assert page.fields["tags"] == "x" * 41
    assert "kept" in page.texts


def test_what_somebody_else_wrote_is_not_lost_unasked(client: FlaskClient, job: str) -> None:
    seen = {"seen": read(client, f"{job}/edit").fields["seen"]}
    client.patch(f"/api/v1{job}", json={"notes": "theirs"})
    mine = {"name": "clothes", "tags": "", "notes": "mine"}
    refused = send(client, f"{job}/edit", seen | mine)
    page = Page(refused.text)
    assert (refused.status_code, "Someone else changed this job" in page.text) == (412, True)
    assert client.get(f"/api/v1{job}").get_json()["notes"] == "theirs"
    again = send(client, f"{job}/edit", {"seen": page.fields["seen"]} | mine)
    assert again.status_code == 303
    assert client.get(f"/api/v1{job}").get_json()["notes"] == "mine"


def test_the_list_is_filtered_by_tag(client: FlaskClient, job: str) -> None:
    other = read(client, "/jobs?tag=none")
    assert "No job matches." in other.text
    page = read(client, "/jobs?tag=a+b")
    assert (job in page.links, page.fields["tag"]) == (True, "a b")
    assert "/jobs?state=failed&tag=a+b" in page.links
    assert "digits-import" not in page.text


def test_without_tags_there_is_nothing_to_choose(client: FlaskClient, worker: ActingWorker) -> None:
    ready_dataset(client, worker)
    assert not read(client, "/jobs").has("select", id="tag")
