"""Jobs beside each other, and what can be taken away of charts."""

import csv
import io
from xml.etree import ElementTree

import pytest
from flask.testing import FlaskClient

from jobs.lifecycle import Beat
from tests.web.acting import PNG, ActingWorker, ready_dataset, submit_training
from tests.web.reading import read

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def dataset(client: FlaskClient, worker: ActingWorker) -> str:
    return ready_dataset(client, worker)


def trained(client: FlaskClient, worker: ActingWorker, dataset: str, name: str, fid: float) -> str:
    """A finished training with two curves, a sample and figures; its settings carry the seed 7 if it is called odd."""
    seed = {"seed": 7} if name == "odd" else {}
    submit_training(client, dataset, name=name, params={"dataset": dataset, **seed})
    lease = worker.take("training")
    points = [(step, {"g_loss": fid / (1 + step), "d_loss": 0.5}) for step in range(0, 50, 10)]
    lease.beat(Beat(phase="training", step=50, total=50, points=points))
    (sample,) = worker.keep({"samples.png": PNG})
    lease.sample(20, sample)
    lease.succeed(
        {"domain_fid": fid, "domain_fid_baseline": 90.0},
        worker.keep({"model/weights.safetensors": b"w", "samples.png": PNG}),
    )
    return lease.claim.job_id


def generated(client: FlaskClient, worker: ActingWorker) -> str:
    model = client.get("/api/v1/models").get_json()["data"][0]["id"]
    client.post("/api/v1/jobs", json={"task": "image_gan.generate", "name": "more", "params": {"model": model}})
    return worker.finish("generation", {"samples.png": PNG})


def test_curves_figures_settings_and_samples_stand_beside_each_other(
    client: FlaskClient, worker: ActingWorker, dataset: str
) -> None:
    first = trained(client, worker, dataset, "even", 40.0)
    second = trained(client, worker, dataset, "odd", 20.0)
    page = read(client, f"/jobs/compare?ids={first},{second}")
    assert page.has("div", **{"data-chart": f"{first},{second}", "data-names": "g_loss"})
    assert page.html.count('<path class="curve tone1" d="M48') == 2  # one in each chart
    assert "Domain-FID (lower is better) 40 baseline: 90 20 ✓ Best baseline: 90" in page.text
    assert "1 setting differs and is marked." in page.text
    assert "Seed (differs) 0 7" in page.text
    assert page.text.count("Step 20") == 1
    assert page.has("img", alt="Generated samples at step 20")
    assert page.has("img", alt="Picture samples.png that odd made", loading="lazy") is False


def test_jobs_of_different_tasks_can_be_compared(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    training = trained(client, worker, dataset, "even", 40.0)
    page = read(client, f"/jobs/compare?ids={training}&ids={generated(client, worker)}")
    assert "Image GAN · Training" in page.text
    assert "Image GAN · Generation" in page.text
    assert "Model (differs) – even v1" in page.text
    assert "Dataset (differs) digits v1 –" in page.text


def test_jobs_of_the_same_name_are_told_apart(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    first = trained(client, worker, dataset, "even", 40.0)
    second = trained(client, worker, dataset, "even", 20.0)
    page = read(client, f"/jobs/compare?ids={first} {second}")
    assert f"even ({first[-6:]})" in page.text
    assert f"even ({second[-6:]})" in page.text


def test_jobs_without_curves_say_so(client: FlaskClient, dataset: str) -> None:
    ids = [submit_training(client, dataset, name=name).get_json()["id"] for name in ("one", "two")]
    page = read(client, f"/jobs/compare?ids={','.join(ids)}")
    assert "None of these jobs has reported figures by step." in page.text
    assert "All settings are the same." in page.text


def test_what_is_wrong_with_the_ids_is_said(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    job = trained(client, worker, dataset, "even", 40.0)
    assert "easier to tick jobs in the list" in read(client, "/jobs/compare").text
    page = read(client, f"/jobs/compare?ids={job},job_x", status=422)
    assert "<title>Error: Compare jobs" in page.html
    assert "There is no job called job_x. It may have been deleted." in page.text
    assert "There must be at least two jobs to compare." in page.text
    assert page.fields["ids"] == f"{job} job_x"
    read(client, f"/jobs/compare?ids={job},{job}", status=422)
    more = [submit_training(client, dataset, name=f"job {number}").get_json()["id"] for number in range(9)]
    page = read(client, f"/jobs/compare?ids={','.join([*more, 'job_x'])}")
    assert "The address names 10 jobs. Only the first 8 are compared." in page.text
    page = read(client, f"/jobs/compare?ids={','.join([*more[:2], 'job_x'])}")
    assert "There is no job called job_x." in page.text
    assert "job 0" in page.text


def test_one_can_be_left_out(client: FlaskClient, dataset: str) -> None:
    ids = [submit_training(client, dataset, name=f"job {number}").get_json()["id"] for number in range(3)]
    page = read(client, f"/jobs/compare?ids={','.join(ids)}")
    assert f"/jobs/compare?ids={ids[0]},{ids[2]}" in page.links


def test_the_list_lets_one_tick_jobs(client: FlaskClient, dataset: str) -> None:
    job = submit_training(client, dataset, name="one").get_json()["id"]
    page = read(client, "/jobs")
    assert page.has("form", id="pick", method="get", action="/jobs/compare")
    assert page.has("input", type="checkbox", name="ids", value=job, form="pick")
    assert page.has("button", form="pick")
    assert not read(client, "/").has("input", type="checkbox", name="ids")


def test_charts_can_be_saved(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    first = trained(client, worker, dataset, "<even> & more", 40.0)
    second = trained(client, worker, dataset, "=odd()", 20.0)
    page = read(client, f"/jobs/{first}")
    assert f"/jobs/{first}/charts/loss.svg" in page.links
    drawing = client.get(f"/jobs/{first}/charts/loss.svg")
    assert drawing.content_type.startswith("image/svg+xml")
    root = ElementTree.fromstring(drawing.text)
    assert len(root.findall(f".//{SVG}path")) == 4  # two curves, each also in the legend
    assert root.findtext(f"{SVG}title") == "Loss · <even> & more"
    rows = list(csv.reader(io.StringIO(client.get(f"/jobs/{first}/charts/loss.csv").text)))
    assert rows[0] == ["step", "Generator", "Discriminator"]
    assert rows[1] == ["0", "40.0", "0.5"]
    assert len(rows) == 6
    both = f"ids={first},{second}"
    rows = list(csv.reader(io.StringIO(client.get(f"/jobs/compare/g_loss.csv?{both}").text)))
    assert rows[0] == ["step", "<even> & more", "'=odd()"]  # no spreadsheet computes it
    root = ElementTree.fromstring(client.get(f"/jobs/compare/g_loss.svg?{both}").text)
    assert root.findtext(f"{SVG}title") == "Generator"
    for nothing in (f"/jobs/{first}/charts/nope.svg", f"/jobs/compare/nope.csv?{both}", "/jobs/job_x/charts/loss.svg"):
        assert client.get(nothing).status_code == 404


def test_the_hashes_of_the_files_can_be_checked(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    job = trained(client, worker, dataset, "even", 40.0)
    text = client.get(f"/jobs/{job}/SHA256SUMS").text
    files = {file["name"]: file["sha256"] for file in client.get(f"/api/v1/jobs/{job}/artifacts").get_json()["data"]}
    assert f"{files['model/weights.safetensors']}  model/weights.safetensors\n" in text
