"""The pages of datasets, models and workers: reports, versions, cards, aliases, what blocks a deletion, pauses."""

import json

import pytest
from flask.testing import FlaskClient

from jobs import pausing, workers
from jobs.engine import Engine
from jobs.errors import AigcError, Forbidden, InvalidParams, Unavailable
from jobs.principal import Principal
from jobs.workers import DeviceState
from tests.web.acting import DATASET_FILES, PNG, ActingWorker, picture_zip, ready_dataset, submit_training, upload
from tests.web.reading import Page, read, send
from web import problems
from web.pages.problem_examples import EXAMPLES
from web.pages.problem_texts import TOPICS

REPORT = {
    "kind": "images", "train": 90, "test": 10, "channels": 3, "height": 32, "width": 32,
    "classes": ["cats", "狗"], "class_counts": {"cats": 80, "狗": 20}, "class_test_counts": {"cats": 8, "狗": 2},
    "duplicates": 3, "unreadable": 2, "blank": 1, "near_blank": 4, "source_sizes": {"640x480": 99, "32x32": 1},
    "source_formats": {"JPEG": 99, "PNG": 1}, "source_colours": {"colour": 100},
    "examples": {"duplicates": ["cats/7.jpg"], "blank": ["cats/empty.png"], "near_blank": []},
    "metadata": {"any": 5, "gps": 2, "person": 1, "serial": 0, "taken": 5}, "pictures_with_metadata": 0,
    "samples": [{"file": "samples/00.png", "class": "cats", "count": 8}],
    "warnings": [{"message": "{count} images are exact copies of others.", "values": {"count": 3}}],
}  # fmt: skip
CHECKED = {**DATASET_FILES, "dataset/dataset.json": json.dumps(REPORT).encode(), "samples/00.png": PNG}
PIXELS_ONLY = "The dataset holds decoded pixels only."


@pytest.fixture
def dataset(client: FlaskClient, worker: ActingWorker) -> str:
    """A dataset whose check found everything there is to find."""
    made = upload(client, picture_zip(), name="pets", licence="CC0")
    worker.finish("generation", CHECKED)
    return str(made.get_json()["id"])


@pytest.fixture
def models(client: FlaskClient, worker: ActingWorker) -> list[str]:
    """Two versions of one name, the older one first."""
    dataset = ready_dataset(client, worker)
    for _ in range(2):
        submit_training(client, dataset, name="shirts")
        worker.train()
    return [row["id"] for row in client.get("/api/v1/models").get_json()["data"]][::-1]


def buttons(page: Page) -> list[str]:
    """Where the page's forms lead."""
    return [attributes["action"] for tag, attributes in page.tags if tag == "form" and "action" in attributes]


def test_without_a_model_the_trainings_that_make_one_are_named(client: FlaskClient, worker: ActingWorker) -> None:
    assert "There is no model yet. Training makes one." in read(client, "/models").text
    submit_training(client, ready_dataset(client, worker), name="shirts")
    page = read(client, "/models")
    assert "There is no model yet. These trainings make one each:" in page.text
    assert "shirts" in page.text
    assert "Images" in read(client, "/datasets").text  # the kind of the dataset
    worker.train()
    assert "There is no model yet" not in read(client, "/models").text


def test_the_whole_report_is_shown(client: FlaskClient, dataset: str) -> None:
    page = read(client, f"/datasets/{dataset}")
    for said in (
        "Exact duplicates 3", "Unreadable files, left out 2", "Blank images 1", "Nearly blank images 4",
        "640x480: 99, 32x32: 1", "JPEG: 99, PNG: 1", "3 images are exact copies of others.",
        "cats has 4 times as many images as 狗.", "cats 80 8 80 %",
    ):  # fmt: skip
        assert said in " ".join(page.text.split()), said
    assert "cats/7.jpg" in page.html
    assert page.has("img", alt="8 images of cats")


def test_metadata_is_told_and_shown_to_be_gone(client: FlaskClient, dataset: str) -> None:
    page = read(client, f"/datasets/{dataset}")
    for said in ("2 files say where they were taken (GPS).", "1 file names a person.", PIXELS_ONLY):
        assert said in page.text
    assert "serial number" not in page.text
    assert f"/datasets/{dataset}/source/delete" in page.links
    assert send(client, f"/datasets/{dataset}/source/delete").status_code == 303
    page = read(client, f"/datasets/{dataset}")
    assert "The uploaded file was deleted:" in page.text
    assert f"/datasets/{dataset}/source/delete" not in page.links


def test_a_report_of_an_earlier_version_is_shown_as_far_as_it_goes(client: FlaskClient, worker: ActingWorker) -> None:
    page = read(client, f"/datasets/{ready_dataset(client, worker)}")
    assert "Exact duplicates 0" in " ".join(page.text.split())
    assert PIXELS_ONLY not in page.text
    assert "Blank images" not in page.text


def test_licence_and_notes_are_changed_on_the_page(client: FlaskClient, dataset: str) -> None:
    address = f"/datasets/{dataset}"
    reply = send(client, f"{address}/about", {"licence": "CC BY 4.0", "notes": "<b>mine</b>"}, form=address)
    assert reply.status_code == 303
    page = read(client, address)
    assert "CC BY 4.0" in page.text
    assert "<b>mine</b>" in page.text
    assert not page.has("b")


def test_a_new_version_begins_with_the_words_of_the_last(
    client: FlaskClient, worker: ActingWorker, dataset: str
) -> None:
    page = read(client, f"/datasets/{dataset}")
    (link,) = [link for link in page.links if link.startswith("/datasets/new?")]
    form = read(client, link)
    assert (form.fields["name"], form.fields["licence"]) == ("pets", "CC0")
    second = upload(client, picture_zip(4), name="pets").get_json()["id"]
    page = read(client, f"/datasets/{second}")
    worker.check_dataset()
    page = read(client, f"/datasets/{second}")
    assert f"/datasets/{dataset}" in page.links
    assert "Nothing uses this version." in page.text


def test_a_dataset_in_use_says_what_to_delete_first(client: FlaskClient, worker: ActingWorker) -> None:
    dataset = ready_dataset(client, worker)
    submit_training(client, dataset, name="shirts")
    job = worker.train()
    model = client.get("/api/v1/models").get_json()["data"][0]["id"]
    page = read(client, f"/datasets/{dataset}/delete")
    assert "This dataset is in use" in page.text
    assert {f"/models/{model}/delete", f"/jobs/{job}"} <= set(page.links)
    assert f"/datasets/{dataset}/delete" not in buttons(page)
    shown = read(client, f"/datasets/{dataset}")
    assert f"/models/{model}" in shown.links
    assert not shown.has("a", **{"data-dialog": "delete-dialog"})


def test_versions_are_promoted_on_the_page(client: FlaskClient, models: list[str]) -> None:
    first, second = (f"/models/{model}" for model in models)
    assert send(client, f"{first}/promote", {"alias": "production", "replaces": ""}, form=first).status_code == 303
    page = read(client, second)
    assert "instead of v1" in page.text
    assert f"{first}" in page.links
    stale = send(client, f"{second}/promote", {"alias": "production", "replaces": models[1]}, form=second)
    assert stale.status_code == 409
    assert "was moved in the meantime" in stale.text
    moved = send(client, f"{second}/promote", {"alias": "production", "replaces": models[0]}, form=second)
    assert moved.status_code == 303
    assert f"{second}/demote" in buttons(read(client, second))
    assert "production" in read(client, "/models").text
    assert send(client, f"{second}/demote", {"alias": "production"}, form=second).status_code == 303
    assert f"{second}/demote" not in buttons(read(client, second))


def test_an_alias_can_be_chosen_in_a_form(client: FlaskClient, models: list[str]) -> None:
    client.post(f"/api/v1/models/{models[0]}/promote", json={"alias": "staging"})
    form = read(client, "/jobs/new/image_gan.generate?model=shirts@staging")
    assert form.has("option", value="shirts@staging", selected="")
    assert "shirts@staging (v1)" in form.text
    made = client.post("/jobs/new/image_gan.generate", data=form.fields | {"model": "shirts@staging"})
    job = client.get(f"/api/v1{made.location}").get_json()
    assert job["params"]["model"] == models[0]


def test_a_card_is_written_on_the_page(client: FlaskClient, models: list[str]) -> None:
    address = f"/models/{models[0]}"
    page = read(client, address)
    assert "Not written yet." in page.text
    written = {"intended_use": "Drafts", "limits": "No faces", "licence": "", "notes": ""}
    assert send(client, f"{address}/card", written, form=address).status_code == 303
    page = read(client, address)
    assert "Drafts" in page.text
    assert "No faces" in page.text
    assert {f"/api/v1{address}/card", f"/api/v1{address}/archive"} <= set(page.links)


def test_figures_stand_beside_baseline_and_real_data(client: FlaskClient, worker: ActingWorker) -> None:
    submit_training(client, ready_dataset(client, worker))
    figures = {"domain_fid": 330.0, "domain_fid_baseline": 310.0, "domain_fid_floor": 3.0}
    worker.finish("training", {"model/weights.safetensors": b"w"}, **figures)
    model = client.get("/api/v1/models").get_json()["data"][0]["id"]
    text = " ".join(read(client, f"/models/{model}").text.split())
    assert (
        "330 baseline: 310 (independent pixels) real data: 3 (training images) Not better than the baseline"
        in text.replace(" ✕", "")
    )
    assert "Domain-FID 330 is not better than the baseline's 310." in text  # the card says so, too


def test_the_gallery_moves_until_all_is_done(client: FlaskClient, worker: ActingWorker, models: list[str]) -> None:
    address = f"/models/{models[0]}"
    assert "What you generate appears here." in read(client, address).text
    job = client.post(f"/api/v1{address}/generate", json={"params": {"count": 4, "seed": 9}}).get_json()["id"]
    assert f'data-live="{address}/recent"' in read(client, address).html
    part = client.get(f"{address}/recent")
    same = client.get(f"{address}/recent", headers={"If-None-Match": part.headers["ETag"]})
    assert (same.status_code, same.data) == (304, b"")
    worker.finish("generation", {"samples.png": PNG})
    page = read(client, address)
    assert "data-live" not in page.html
    assert "Seed 9" in " ".join(page.text.split())
    again = read(client, f"{address}?from={job}")
    assert (again.fields["count"], again.fields["seed"]) == ("4", "9")


def test_a_model_in_use_says_what_to_do_first(client: FlaskClient, models: list[str]) -> None:
    address = f"/models/{models[0]}"
    client.post(f"/api/v1{address}/promote", json={"alias": "production"})
    job = client.post(f"/api/v1{address}/generate", json={}).get_json()["id"]
    page = read(client, f"{address}/delete")
    assert "This model is in use" in page.text
    assert f"/jobs/{job}" in page.links
    assert "take the alias away" in page.text
    assert f"{address}/delete" not in buttons(page)


def test_workers_are_paused_and_resumed_on_the_page(client: FlaskClient, worker: ActingWorker, engine: Engine) -> None:
    page = read(client, "/workers")
    assert f"/workers/{worker.id}/pause" not in buttons(page)  # it has not said yet what it computes on
    workers.beat(engine, worker.id, device=DeviceState("cpu", 8 * 10**9, 3 * 10**9))
    page = read(client, "/workers")
    assert "3 GB of 8 GB" in " ".join(page.text.split())
    assert "free" in page.text
    submit_training(client, ready_dataset(client, worker))
    worker.take("training")
    assert send(client, f"/workers/{worker.id}/pause", form="/workers").location == "/workers"
    page = read(client, "/workers")
    assert "It ends its job and takes no other." in page.text
    assert f"/workers/{worker.id}/resume" in buttons(page)
    send(client, "/queues/training.cpu/pause", form="/workers")
    assert "/queues/training.cpu/resume" in buttons(read(client, "/workers"))
    for path in (f"/workers/{worker.id}/resume", "/queues/training.cpu/resume"):
        assert send(client, path, form="/workers").status_code == 303
    assert not any("resume" in action for action in buttons(read(client, "/workers")))


def test_a_pause_of_a_worker_that_is_gone_can_be_ended(
    client: FlaskClient, worker: ActingWorker, engine: Engine
) -> None:
    workers.beat(engine, worker.id, device=DeviceState("GPU-7"))
    pausing.pause_slot(engine, Principal("default", "ada"), worker.id)
    workers.leave(engine, worker.id)
    page = read(client, "/workers")
    assert "Paused, and not running now" in page.text
    assert "paused by ada" in page.text
    assert "No worker is running" in page.text
    (action,) = [action for action in buttons(page) if action.startswith("/pauses/")]
    assert send(client, action, form="/workers").status_code == 303
    assert "Paused, and not running now" not in read(client, "/workers").text


def test_jobs_that_no_worker_serves_are_told(client: FlaskClient, worker: ActingWorker, engine: Engine) -> None:
    submit_training(client, ready_dataset(client, worker))
    workers.leave(engine, worker.id)
    workers.register(engine, "worker", "generation", "CPU", "cpu")
    assert "1 job waits in training.cpu, which no worker serves" in read(client, "/workers").text


def test_every_problem_has_cause_remedy_and_example(client: FlaskClient) -> None:
    assert set(EXAMPLES) == set(TOPICS)
    assert [code for code, topic in TOPICS.items() if not (topic.meaning and topic.remedies)] == []
    page = read(client, "/docs/problems/unauthorized")
    assert "curl http://localhost/api/v1/jobs" in page.html
    assert "HTTP 401" in page.text


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("status", [403, 404, 413, 422, 429, 500, 503])
def test_every_error_has_a_page_with_cause_remedy_and_request(client: FlaskClient, status: int, language: str) -> None:
    errors: dict[int, type[AigcError]] = {
        403: Forbidden, 404: problems.UnknownAddress, 413: problems.BodyTooLarge,
        422: InvalidParams, 429: problems.TooManyRequests, 500: problems.Internal, 503: Unavailable,
    }  # fmt: skip
    app = client.application
    with app.test_request_context("/somewhere", headers={"Accept-Language": language, "X-Request-Id": "req-7"}):
        app.preprocess_request()
        reply = problems.response(errors[status](path="/somewhere", limit="1 MB"))
    assert (reply.status_code, reply.mimetype) == (status, "text/html")
    page = Page(reply.get_data(as_text=True))
    assert page.has("html", lang=language)
    assert ("Why" if language == "en" else "原因") in page.text
    assert ("What you can do" if language == "en" else "您可以这样做") in page.text or page.has("ul")
    assert "req-7" in page.text
    assert reply.headers.get("Retry-After") == problems.RETRY_AFTER.get(status)
