"""The list of jobs and a job's page, from waiting to its end."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from aigc_models.base import Fault
from jobs import workers
from jobs.engine import Engine
from jobs.lifecycle import Beat, Failure
from jobs.principal import Principal
from jobs.tables import Job
from tests.web.acting import PNG, ActingWorker, ready_dataset, submit_training
from tests.web.crowd import crowd
from tests.web.reading import read, send


def new_job(client: FlaskClient, dataset: str, **more: object) -> str:
    return str(submit_training(client, dataset, **more).get_json()["id"])


@pytest.fixture
def dataset(client: FlaskClient, worker: ActingWorker) -> str:
    return ready_dataset(client, worker)


def test_an_empty_list_says_how_to_begin(client: FlaskClient) -> None:
    assert "Nothing here yet." in read(client, "/jobs").text
    page = read(client, "/jobs?q=nothing")
    assert "No job matches." in page.text
    assert "Clear filters" in page.text


@pytest.mark.checklist(23)
def test_filters_are_in_the_address_and_count(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    new_job(client, dataset, name="first one")
    worker.train()
    new_job(client, dataset, name="second one")
    page = read(client, "/jobs?q=one&state=queued")
    assert "second one" in page.text
    assert "first one" not in page.text
    assert page.fields["q"] == "one"
    assert page.has("a", href="/jobs?state=queued&q=one", **{"aria-current": "true"})
    assert "/jobs?q=one" in page.links
    assert "/jobs?state=failed&q=one" in page.links
    assert "Queued 1" in " ".join(page.text.split())


def test_days_filter_and_days_that_are_none_do_not(client: FlaskClient, engine: Engine, dataset: str) -> None:
    job = new_job(client, dataset, name="of january")
    new_job(client, dataset, name="of today")
    with engine.db.begin() as session:
        session.get_one(Job, job).created_at = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)
    page = read(client, "/jobs?since=2026-01-31&until=2026-01-31")
    assert "of january" in page.text
    assert "of today" not in page.text
    assert page.fields["since"] == "2026-01-31"
    assert "/jobs?state=failed&since=2026-01-31&until=2026-01-31" in page.links
    assert "No job matches." in read(client, "/jobs?until=2026-01-30").text
    assert "of today" in read(client, "/jobs?since=yesterday").text


def test_counts_end_where_nobody_reads_on(client: FlaskClient, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd(engine, Principal("default", "operator"), 30)
    exact = read(client, "/jobs")
    assert "All 30" in " ".join(exact.text.split())
    for module in ("jobs.repository", "web.pages.job_list"):
        monkeypatch.setattr(f"{module}.MOST_COUNTED", 5)
    words = " ".join(read(client, "/jobs").text.split())
    assert re.search(r"All \d+\+", words)
    assert "Succeeded 5+" in words


def test_the_list_can_be_saved_as_it_is_filtered(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    job = new_job(client, dataset, name="=电商(1)")
    worker.train()
    new_job(client, dataset, name="other")
    address = next(link for link in read(client, "/jobs?state=succeeded&q=(1").links if link.startswith("/jobs.csv"))
    reply = client.get(address)
    assert reply.headers["Content-Disposition"] == 'attachment; filename="jobs.csv"'
    text = reply.data.decode("utf-8-sig")  # Excel takes it for another encoding without the mark
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["id"] == job
    assert row["name"] == "'=电商(1)"  # no spreadsheet computes it
    assert row["task"] == "image_gan.train"
    assert row["state"] == "succeeded"
    assert float(row["seconds"]) >= 0
    assert row["url"] == f"http://localhost/jobs/{job}"


def test_the_whole_list_can_be_saved(client: FlaskClient, dataset: str) -> None:
    ids = [new_job(client, dataset, name=f"row no. {number}") for number in range(101)]
    rows = list(csv.DictReader(io.StringIO(client.get("/jobs.csv?q=row+no.").text)))
    assert [row["id"] for row in rows] == list(reversed(ids))


def test_seldom_states_can_be_filtered_when_a_job_is_in_them(client: FlaskClient, dataset: str) -> None:
    job = new_job(client, dataset)
    assert "/jobs?state=paused" not in read(client, "/jobs").links
    send(client, f"/jobs/{job}/pause", form=f"/jobs/{job}")
    assert "/jobs?state=paused" in read(client, "/jobs").links


def test_the_list_is_read_page_by_page_and_back(client: FlaskClient, dataset: str) -> None:
    ids = [new_job(client, dataset, name=f"job number {number}") for number in range(45)]
    address, seen, older = "/jobs", [], []
    while address:
        page = read(client, address)
        seen += rows_of(page.html)
        older.append(address)
        address = next((found["href"] for tag, found in page.tags if found.get("rel") == "next" and tag == "a"), "")
    assert seen[:45] == list(reversed(ids))
    assert len(seen) == len(set(seen)) == 46
    for before in reversed(older[:-1]):
        newer = next(found["href"] for tag, found in page.tags if found.get("rel") == "prev")
        page = read(client, newer)
        assert rows_of(page.html) == rows_of(read(client, before).html)


def rows_of(html: str) -> list[str]:
    return re.findall(r"row-(job_\w+)", html)


def test_new_jobs_are_counted_and_move_no_row(client: FlaskClient, dataset: str) -> None:
    new_job(client, dataset, name="shown")
    live = re.search(r'data-live="([^"]+)"', read(client, "/jobs").html)
    assert live
    address = live[1].replace("&amp;", "&")
    tag = client.get(address).headers["ETag"]
    assert client.get(address, headers={"If-None-Match": tag}).status_code == 304
    new_job(client, dataset, name="later")
    reply = client.get(address, headers={"If-None-Match": tag})
    assert reply.status_code == 200
    assert "1 new job" in reply.text
    assert "shown" in reply.text
    assert "later" not in reply.text


def test_a_waiting_job_says_how_many_are_ahead(client: FlaskClient, dataset: str) -> None:
    new_job(client, dataset)
    new_job(client, dataset)
    page = read(client, f"/jobs/{new_job(client, dataset)}")
    assert "Waiting for a free worker. 2 jobs are ahead." in page.text
    assert page.has("meta", **{"http-equiv": "refresh"})
    assert f"/jobs/{page_id(page.html)}/cancel" in page.links


def page_id(html: str) -> str:
    found = re.search(r'data-live="/jobs/(job_\w+)/live"', html)
    assert found
    return found[1]


@pytest.mark.checklist(24)
def test_a_job_without_a_worker_says_what_to_start(client: FlaskClient, engine: Engine, worker: ActingWorker) -> None:
    job = new_job(client, ready_dataset(client, worker))
    workers.leave(engine, worker.id)
    with engine.db.begin() as session:
        row = session.get_one(Job, job)
        row.created_at -= timedelta(minutes=1)
        row.not_before -= timedelta(minutes=1)
    assert "No worker is running. Start one with: aigc worker" in read(client, f"/jobs/{job}").text


def test_a_running_job_shows_where_it_is(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    job = new_job(client, dataset, name="digits")
    lease = worker.take("training")
    points = [(step, {"g_loss": 2.0 - step / 100, "d_loss": 0.7}) for step in range(1, 63)]
    lease.beat(Beat(phase="training", step=62, total=100, points=points, lines=["epoch 1"], phases=["training"]))
    (sample,) = worker.keep({"samples.png": PNG})
    lease.sample(50, sample)
    page = read(client, f"/jobs/{job}")
    assert "<title>62 % · digits · AIGC Foundry</title>" in page.html
    assert "Training · step 62 of 100 · 62 %" in page.text
    assert page.has("progress", value="62", max="100", **{"class": "progress"})
    assert page.has("li", **{"class": "now", "aria-current": "step"})
    assert "epoch 1" in page.html
    assert page.has("div", **{"data-names": "g_loss,d_loss"})
    assert "Generated samples at step 50" in page.html
    assert re.search(r'class="curve tone0" d="M', page.html)
    assert "model (when finished)" in page.text


@pytest.mark.checklist(8)
def test_the_moving_part_is_sent_only_when_it_changed(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    job = new_job(client, dataset)
    lease = worker.take("training")
    lease.beat(Beat(phase="training", step=1, total=100))
    first = client.get(f"/jobs/{job}/live")
    tag = first.headers["ETag"]
    assert client.get(f"/jobs/{job}/live", headers={"If-None-Match": tag}).status_code == 304
    lease.beat(Beat(phase="training", step=2, total=100))
    changed = client.get(f"/jobs/{job}/live", headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert "step 2 of 100" in changed.text
    assert "<html" not in changed.text


def test_the_clock_is_no_change(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    job = new_job(client, dataset)
    worker.take("training").beat(Beat(phase="training", step=1, total=100))
    earlier, later = (client.get(f"/jobs/{job}/live") for _ in range(2))
    assert earlier.headers["ETag"] == later.headers["ETag"]
    token = r'(name="csrf_token" value=)"[^"]+"'  # signed with the time, and no part of what is shown
    assert re.sub(token, r"\1", earlier.text) == re.sub(token, r"\1", later.text)


def test_a_finished_training_shows_its_result_first(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    job = new_job(client, dataset, preset="quick")
    lease = worker.take("training")
    files = worker.keep({"model/weights.safetensors": b"w", "model/config.json": b"{}", "samples.png": PNG})
    lease.succeed({"domain_fid": 12.5, "domain_fid_shuffled": 80.0, "other_figure": 3.0}, files)
    page = read(client, f"/jobs/{job}")
    assert "Finished in" in page.text
    assert page.text.index("Result") < page.text.index("Settings used")
    assert "Generate with this model" in page.text
    assert "12.5" in page.text
    assert "data-live" not in re.search(r'<div class="stack" id="live"[^>]*>', page.html)[0]  # type: ignore[index]
    assert not page.has("meta", **{"http-equiv": "refresh"})
    assert "Cancel job" not in page.texts[:40]
    model = client.get("/api/v1/models").get_json()["data"][0]["id"]
    assert f"/models/{model}" in page.links
    assert "default: " in page.text  # the quick preset differs from the default


def test_a_failed_job_says_why_and_what_helps(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    job = new_job(client, dataset)
    worker.fail(
        "training",
        "diverged",
        Fault("The loss became NaN at step {step}. Choose a lower learning rate, or another loss.", {"step": 120}),
    )
    page = read(client, f"/jobs/{job}")
    assert "The training went wrong" in page.text
    assert "The loss became NaN at step 120." in page.text
    assert "/docs/problems/diverged" in page.links
    assert page.has("form", method="post", action=f"/jobs/{job}/retry")
    assert page.has("li", **{"class": "bad"})


@pytest.mark.checklist(14)
def test_retry_starts_at_once_and_links_back(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    job = new_job(client, dataset, name="digits")
    worker.fail("training", "diverged")
    reply = send(client, f"/jobs/{job}/retry", form=f"/jobs/{job}")
    assert reply.status_code == 303
    assert reply.location != f"/jobs/{job}"
    page = read(client, reply.location)
    assert "Started again from" in page.text
    assert f"/jobs/{job}" in page.links


def test_cancel_asks_once(client: FlaskClient, dataset: str) -> None:
    job = new_job(client, dataset)
    assert "Cancel this job?" in read(client, f"/jobs/{job}/cancel").text
    reply = send(client, f"/jobs/{job}/cancel")
    assert reply.location == f"/jobs/{job}"
    page = read(client, reply.location)
    assert re.search(r"Cancelled at \d\d:\d\d UTC\.", page.text)
    assert client.get(f"/jobs/{job}/cancel").location == f"/jobs/{job}"
    assert send(client, f"/jobs/{job}/cancel", form="/jobs/new/image_gan.train").location == f"/jobs/{job}"


def test_a_running_job_that_was_cancelled_is_stopping(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    job = new_job(client, dataset)
    lease = worker.take("training")
    send(client, f"/jobs/{job}/cancel")
    page = read(client, f"/jobs/{job}")
    assert "Stopping" in page.text
    assert "The worker is finishing the current step." in page.text
    lease.cancelled()
    assert "Cancelled" in read(client, f"/jobs/{job}").text


def test_deleting_asks_and_goes_to_the_list(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    job = new_job(client, dataset)
    assert client.get(f"/jobs/{job}/delete").location == f"/jobs/{job}"
    worker.fail("training", "diverged")
    reply = send(client, f"/jobs/{job}/delete")
    assert reply.location == "/jobs"
    assert client.get(f"/jobs/{job}").status_code == 404


def test_the_log_can_be_downloaded(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    job = new_job(client, dataset)
    worker.take("training").beat(Beat(lines=[f"line {number}" for number in range(700)]))
    reply = client.get(f"/jobs/{job}/log")
    assert reply.mimetype == "text/plain"
    assert reply.text.splitlines()[699].endswith("line 699")
    shown = re.findall(r'id="line-\d+"', client.get(f"/jobs/{job}").text)
    assert len(shown) == 200


def test_what_jobs_write_cannot_become_markup(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    job = new_job(client, dataset, name="<script>alert(1)</script>")
    worker.take("training").beat(Beat(lines=["<img src=x onerror=alert(1)>"]))
    html = client.get(f"/jobs/{job}").text
    assert "<script>alert" not in html
    assert "<img src=x" not in html


def test_files_show_their_size_and_sum(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    new_job(client, dataset)
    page = read(client, f"/jobs/{worker.train()}")
    assert "1 KB" in page.text
    assert "model/weights.safetensors" in page.text
    assert any(link.startswith("/api/v1/artifacts/art_") for link in page.links)


def test_a_job_is_held_and_goes_on_without_a_script(client: FlaskClient, dataset: str) -> None:
    job = new_job(client, dataset)
    assert "Resume" not in read(client, f"/jobs/{job}").text
    assert send(client, f"/jobs/{job}/pause", form=f"/jobs/{job}").location == f"/jobs/{job}"
    page = read(client, f"/jobs/{job}")
    assert "Paused" in page.text
    assert "Stopped with its state kept. It can go on from there." in page.text
    assert not page.has("form", action=f"/jobs/{job}/pause")
    assert send(client, f"/jobs/{job}/resume", form=f"/jobs/{job}").location == f"/jobs/{job}"
    assert read(client, f"/jobs/{job}").has("form", action=f"/jobs/{job}/pause")


def test_holding_needs_the_forms_token(client: FlaskClient, dataset: str) -> None:
    job = new_job(client, dataset)
    for what in ("pause", "resume"):
        assert client.post(f"/jobs/{job}/{what}").status_code == 400
    assert client.get(f"/api/v1/jobs/{job}").get_json()["state"] == "queued"


def test_a_job_that_ended_meanwhile_is_shown_as_it_ended(
    client: FlaskClient, worker: ActingWorker, dataset: str
) -> None:
    job = new_job(client, dataset)
    worker.train()
    for what in ("pause", "resume"):
        reply = send(client, f"/jobs/{job}/{what}", form="/jobs/new/image_gan.train")
        assert (reply.status_code, reply.location) == (303, f"/jobs/{job}")


def test_a_waiting_job_links_to_what_it_waits_for(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    first = new_job(client, dataset, name="the first")
    page = read(client, f"/jobs/{first}")
    (link,) = [link for link in page.links if link.startswith("/jobs/new/image_gan.generate")]
    form = read(client, link)
    assert "the first (when it is trained)" in form.text
    made = client.post("/jobs/new/image_gan.generate", data=form.fields)
    assert made.status_code == 303
    assert made.location in read(client, f"/jobs/{first}").links
    page = read(client, made.location)
    assert "Waiting for the first." in page.text
    assert f"/jobs/{first}" in page.links
    tag = client.get(f"{made.location}/live").headers["ETag"]
    worker.fail("training", "diverged")
    assert client.get(f"{made.location}/live", headers={"If-None-Match": tag}).status_code == 200
    page = read(client, made.location)
    assert "Cancelled because the job it waited for, the first, ended as failed." in page.text
    assert f"/jobs/{first}" in page.links


@pytest.mark.checklist(15)
def test_a_cancelled_job_goes_on_from_its_checkpoint(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    job = new_job(client, dataset)
    lease = worker.take("training")
    lease.checkpoint(20, worker.keep({"state.safetensors": b"state"}))
    client.post(f"/api/v1/jobs/{job}/cancel")
    lease.cancelled()
    page = read(client, f"/jobs/{job}")
    assert "Continue from step 20" in page.text
    reply = send(client, f"/jobs/{job}/retry", {"from": "checkpoint"}, form=f"/jobs/{job}")
    again = client.get(f"/api/v1{reply.location}").get_json()
    assert again["retried_from"] == job
    assert worker.take("training").claim.resumed_step == 20


def test_a_job_page_shows_what_held_at_its_submission(client: FlaskClient, dataset: str) -> None:
    job = new_job(client, dataset, preset="quick")
    used = client.get(f"/api/v1/jobs/{job}").get_json()["snapshot"]["inputs"]["dataset"]
    page = read(client, f"/jobs/{job}")
    assert "Preset quick" in page.text
    assert used["sha256"][:12] in page.html


def test_a_waiting_job_says_when_it_starts(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    for _ in range(3):
        new_job(client, dataset)
        worker.train()
    new_job(client, dataset)
    worker.take("training")
    assert re.search(
        r"Waiting for a free worker\. Starts in (about )?\d", read(client, f"/jobs/{new_job(client, dataset)}").text
    )


def test_the_log_can_be_searched_and_filtered(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    job = new_job(client, dataset)
    lease = worker.take("training")
    lease.beat(Beat(phase="training", step=1, total=9, lines=["Epoch 1: 50% done", "epoch 2", "nothing <b> else"]))
    page = read(client, f"/jobs/{job}?q=EPOCH")
    assert log_of(page.html) == ["Epoch 1: 50% done", "epoch 2"]
    assert page.fields["q"] == "EPOCH"
    assert page.has("div", **{"data-live": f"/jobs/{job}/live?q=EPOCH"})
    assert f"/jobs/{job}#log" in page.links
    assert log_of(client.get(f"/jobs/{job}/live?q=50%25").text) == ["Epoch 1: 50% done"]
    assert log_of(read(client, f"/jobs/{job}?q=<b>").html) == ["nothing &lt;b&gt; else"]
    assert "No line matches." in read(client, f"/jobs/{job}?q=5_").text
    assert "No line matches." in read(client, f"/jobs/{job}?level=warning").text
    assert len(log_of(read(client, f"/jobs/{job}?level=nonsense").html)) == 3


def log_of(html: str) -> list[str]:
    return re.findall(r'<span id="line-\d+"[^>]*><time[^>]*>[^<]*</time> (.*)\n</span>', html)


def test_warnings_are_marked_and_found(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    job = new_job(client, dataset)
    lease = worker.take("training")
    lease.beat(Beat(phase="training", step=1, total=9, lines=["as usual"]))
    lease.fail(Failure("out_of_memory"))  # what is changed for the next attempt is a warning
    page = read(client, f"/jobs/{job}?level=warning")
    (line,) = log_of(page.html)
    assert line.startswith("[warning] ")
    assert page.has("option", value="warning", selected="")


def test_only_the_newest_lines_are_shown(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    job = new_job(client, dataset)
    lease = worker.take("training")
    lease.beat(Beat(phase="training", step=1, total=9, lines=[f"line {number}" for number in range(201)]))
    page = read(client, f"/jobs/{job}")
    assert "Only the newest 200 lines are shown." in page.text
    assert log_of(page.html) == [f"line {number}" for number in range(1, 201)]


def test_a_wrapped_log_stays_wrapped(client: FlaskClient, dataset: str) -> None:
    job = new_job(client, dataset)
    assert read(client, f"/jobs/{job}?wrap=1").has("input", id="log-wrap", checked="")
    assert not read(client, f"/jobs/{job}").has("input", id="log-wrap", checked="")


def test_only_long_jobs_offer_to_call_back(
    client: FlaskClient, engine: Engine, worker: ActingWorker, dataset: str
) -> None:
    job = new_job(client, dataset)
    lease = worker.take("training")
    with engine.db.begin() as session:
        row = session.get_one(Job, job)
        assert row.started_at is not None
        row.started_at = row.started_at - timedelta(seconds=30)
    lease.beat(Beat(phase="training", step=90, total=100))
    assert not read(client, f"/jobs/{job}").has("button", id="notify")
    lease.beat(Beat(phase="training", step=5, total=100))
    assert read(client, f"/jobs/{job}").has("button", id="notify", hidden="")
