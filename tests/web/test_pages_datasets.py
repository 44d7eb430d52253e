"""Uploading and looking at datasets and models."""

import io

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from aigc_models.base import Fault
from tests.web.acting import ActingWorker, picture_zip, ready_dataset, submit_training
from tests.web.reading import read, send


def upload(client: FlaskClient, data: bytes, filename: str = "shirts.zip", **more: str) -> TestResponse:
    fields = read(client, f"/datasets/new?kind={more.pop('kind', '')}").fields | more
    fields.pop("file", None)
    form = {**fields, "file": (io.BytesIO(data), filename)} if filename else fields
    return client.post("/datasets/new", data=form, content_type="multipart/form-data")


def test_no_dataset_yet(client: FlaskClient) -> None:
    page = read(client, "/datasets")
    assert "There is no dataset yet." in page.text
    assert page.has("form", method="post", action="/datasets/starter/fashion-mnist")


def test_an_upload_is_checked_and_then_ready(client: FlaskClient, worker: ActingWorker) -> None:
    reply = upload(client, picture_zip(), name="Shirts", licence="CC0", notes="from me")
    assert reply.status_code == 303
    page = read(client, reply.location)
    assert "Checking" in page.text
    assert page.has("meta", **{"http-equiv": "refresh"})
    part = client.get(f"{reply.location}/live")
    assert client.get(f"{reply.location}/live", headers={"If-None-Match": part.headers["ETag"]}).status_code == 304
    worker.check_dataset()
    page = read(client, reply.location)
    assert "Ready" in page.text
    assert "4 images to learn from, 2 kept for testing." in page.text
    assert "CC0" in page.text
    assert "from me" in page.text
    assert any(link.startswith("/jobs/new/image_gan.train?dataset=ds_") for link in page.links)
    assert "shirts v1" in read(client, "/datasets").text.replace("Shirts", "shirts")


def test_settings_of_the_import_reach_it(client: FlaskClient) -> None:
    reply = upload(client, picture_zip(), kind="images", image_size="32", colour="grey", skip_broken="true")
    dataset = client.get("/api/v1" + reply.location).get_json()
    params = client.get(dataset["links"]["job"].removeprefix("http://localhost")).get_json()["params"]
    assert (params["image_size"], params["colour"], params["skip_broken"]) == (32, "grey", True)


@pytest.mark.checklist(16)
def test_faulty_uploads_say_what_is_wrong_and_keep_what_was_typed(client: FlaskClient) -> None:
    for data, filename, sentence in (
        (b"", "empty.zip", "The file empty.zip is empty (0 bytes)."),
        (b"%PDF-1.4 nothing", "paper.pdf", "The file paper.pdf looks like a PDF document."),
    ):
        reply = upload(client, data, filename, name="kept")
        assert reply.status_code in (415, 422), filename
        assert sentence in reply.text
    reply = upload(client, b"", "empty.zip", name="kept")
    assert '<a href="#f-file">' in reply.text
    assert 'value="kept"' in reply.text
    assert "<title>Error: " in reply.text


def test_an_upload_above_the_limit_is_refused_before_it_is_read(client: FlaskClient) -> None:
    reply = client.post(
        "/datasets/new",
        input_stream=io.BytesIO(b"--x"),
        content_type="multipart/form-data; boundary=x",
        environ_overrides={"CONTENT_LENGTH": str(6 * 2**20)},
    )
    assert reply.status_code == 413
    assert "The file is larger than the limit of" in reply.text


def test_a_form_without_a_file_says_so(client: FlaskClient) -> None:
    reply = upload(client, b"", "")
    assert reply.status_code == 422
    assert "Choose a file first." in reply.text


def test_wrong_settings_of_the_import_are_said_beside_them(client: FlaskClient) -> None:
    reply = upload(client, picture_zip(), kind="images", image_size="3")
    assert reply.status_code == 422
    assert '<a href="#f-image_size">Image size must be 8 or more.</a>' in reply.text or "#f-image_size" in reply.text


@pytest.mark.checklist(16)
def test_a_refused_dataset_lists_every_fault_with_its_file(client: FlaskClient, worker: ActingWorker) -> None:
    reply = upload(client, picture_zip())
    sentence = "The image {file} is cut off or damaged. Replace it or leave it out."
    faults = [Fault(sentence, {"file": f"shirt/{n}.png"}, where={"file": f"shirt/{n}.png"}) for n in range(3)]
    worker.fail("generation", "invalid_data", *faults)
    page = read(client, reply.location)
    assert "Refused" in page.text
    for number in range(3):
        assert f"The image shirt/{number}.png is cut off or damaged." in page.text
    assert "/docs/problems/invalid-data" in page.links


def test_the_starter_comes_in_one_click_and_once(client: FlaskClient) -> None:
    first = send(client, "/datasets/starter/fashion-mnist", form="/datasets")
    second = send(client, "/datasets/starter/fashion-mnist", form="/datasets/new")
    assert first.status_code == 303
    assert first.location == second.location


def test_a_dataset_in_use_is_not_deleted(client: FlaskClient, worker: ActingWorker) -> None:
    dataset = ready_dataset(client, worker)
    submit_training(client, dataset)
    page = read(client, f"/datasets/{dataset}")
    assert "Used by" in page.text
    assert any(link.startswith("/jobs/job_") for link in page.links)
    asked = read(client, f"/datasets/{dataset}/delete")
    assert "This dataset is in use" in asked.text
    assert any(link.startswith("/jobs/job_") for link in asked.links)
    reply = send(client, f"/datasets/{dataset}/delete", form="/datasets/new")
    assert reply.status_code == 409
    assert "The dataset is in use" in reply.text
    assert 'href="/jobs/job_' in reply.text


def test_a_dataset_can_be_deleted(client: FlaskClient, worker: ActingWorker) -> None:
    dataset = ready_dataset(client, worker)
    assert send(client, f"/datasets/{dataset}/delete").location == "/datasets"
    assert client.get(f"/datasets/{dataset}").status_code == 404


def test_models_show_figures_origin_and_files(client: FlaskClient, worker: ActingWorker) -> None:
    assert "There is no model yet." in read(client, "/models").text
    dataset = ready_dataset(client, worker)
    submit_training(client, dataset, name="Shirts GAN")
    job = worker.train()
    assert "shirts-gan" in read(client, "/models").text
    model = client.get("/api/v1/models").get_json()["data"][0]["id"]
    page = read(client, f"/models/{model}")
    assert f"/jobs/{job}" in page.links
    assert f"/datasets/{dataset}" in page.links
    assert "model/weights.safetensors" in page.text
    assert f"/jobs/new/image_gan.evaluate?model={model}" in page.links
    assert send(client, f"/models/{model}/delete").location == "/models"
    assert client.get(f"/models/{model}").status_code == 404
