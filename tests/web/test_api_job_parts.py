"""Events, curves, log, samples and files of a job."""

import hashlib

import pytest
from flask.testing import FlaskClient

from jobs.lifecycle import Beat, Failure
from tests.web.acting import PNG, ActingWorker, ready_dataset, submit_training


@pytest.fixture
def job(client: FlaskClient, worker: ActingWorker) -> str:
    made: str = submit_training(client, ready_dataset(client, worker)).get_json()["id"]
    return made


def test_events_in_order_and_after(client: FlaskClient, worker: ActingWorker, job: str) -> None:
    worker.train()
    events = client.get(f"/api/v1/jobs/{job}/events").get_json()["data"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["kind"], events[-1]["kind"]) == ("state", "end")
    page = client.get(f"/api/v1/jobs/{job}/events?after=1&limit=2").get_json()
    assert [event["seq"] for event in page["data"]] == [2, 3]
    assert (page["has_more"], page["next_cursor"]) == (True, "3")
    assert client.get(f"/api/v1/jobs/{job}/events?after=1000").get_json()["data"] == []
    assert client.get(f"/api/v1/jobs/{job}/events?after=-1").status_code == 422


def test_a_finished_job_streams_to_its_end(client: FlaskClient, worker: ActingWorker, job: str) -> None:
    worker.train()
    headers = {"Accept": "text/event-stream", "Last-Event-ID": "2"}
    reply = client.get(f"/api/v1/jobs/{job}/events", headers=headers)
    assert reply.content_type.startswith("text/event-stream")
    assert reply.text.startswith("retry: 1000\n\n")
    ids = [int(line[4:]) for line in reply.text.splitlines() if line.startswith("id: ")]
    assert ids == sorted(ids)
    assert ids[0] == 3
    names = [line[7:] for line in reply.text.splitlines() if line.startswith("event: ")]
    assert {"progress", "metric", "log", "sample"} <= set(names)
    assert names[-1] == "end"


def test_curves_are_thinned_but_keep_their_peaks(client: FlaskClient, worker: ActingWorker, job: str) -> None:
    lease = worker.take("training")
    points = [(step, {"loss": 5.0 if step == 333 else 1.0, "accuracy": 0.5}) for step in range(1_000)]
    lease.beat(Beat(points=points))
    everything = client.get(f"/api/v1/jobs/{job}/metrics").get_json()["data"]
    assert len(everything) == 1_000
    thin = client.get(f"/api/v1/jobs/{job}/metrics?max_points=50&names=loss").get_json()["data"]
    assert 2 <= len(thin) <= 50
    assert {"step": 333, "values": {"loss": 5.0}} in thin
    assert client.get(f"/api/v1/jobs/{job}/metrics?after=997").get_json()["data"][0]["step"] == 998
    assert client.get(f"/api/v1/jobs/{job}/metrics?names=nothing").get_json()["data"] == []
    assert client.get(f"/api/v1/jobs/{job}/metrics?max_points=1").status_code == 422


def test_values_that_json_cannot_hold_are_null(client: FlaskClient, worker: ActingWorker, job: str) -> None:
    worker.take("training").beat(Beat(points=[(1, {"loss": float("nan")})]))
    assert client.get(f"/api/v1/jobs/{job}/metrics").get_json()["data"] == [{"step": 1, "values": {"loss": None}}]


def test_the_log_as_json_and_as_text(client: FlaskClient, worker: ActingWorker, job: str) -> None:
    lease = worker.take("training")
    lease.beat(Beat(lines=["begin", "<script>alert(1)</script>", "end"]))
    lines = client.get(f"/api/v1/jobs/{job}/logs").get_json()["data"]
    assert [line["message"] for line in lines] == ["begin", "<script>alert(1)</script>", "end"]
    found = client.get(f"/api/v1/jobs/{job}/logs?q=END&level=info").get_json()["data"]
    assert [line["message"] for line in found] == ["end"]
    page = client.get(f"/api/v1/jobs/{job}/logs?limit=2").get_json()
    rest = client.get(f"/api/v1/jobs/{job}/logs?after={page['next_cursor']}").get_json()
    assert [line["message"] for line in page["data"] + rest["data"]] == [line["message"] for line in lines]
    text = client.get(f"/api/v1/jobs/{job}/logs", headers={"Accept": "text/plain"})
    assert text.content_type == "text/plain; charset=utf-8"
    assert text.headers["Content-Disposition"].startswith("attachment")
    assert [line.split()[-1] for line in text.text.splitlines()][::2] == ["begin", "end"]


def test_the_text_of_the_log_in_parts(client: FlaskClient, worker: ActingWorker, job: str) -> None:
    lease = worker.take("training")
    lease.beat(Beat(lines=["begin", "数字"]))
    plain = {"Accept": "text/plain"}
    whole = client.get(f"/api/v1/jobs/{job}/logs", headers=plain)
    assert (whole.headers["Accept-Ranges"], whole.content_length) == ("bytes", len(whole.data))
    half = len(whole.data) // 2
    part = client.get(f"/api/v1/jobs/{job}/logs", headers=plain | {"Range": f"bytes={half}-"})
    assert (part.status_code, part.data) == (206, whole.data[half:])
    assert part.headers["Content-Range"] == f"bytes {half}-{len(whole.data) - 1}/{len(whole.data)}"
    assert client.get(f"/api/v1/jobs/{job}/logs", headers=plain | {"Range": "bytes=-3"}).data == whole.data[-3:]
    beyond = client.get(f"/api/v1/jobs/{job}/logs", headers=plain | {"Range": "bytes=9999-"})
    assert (beyond.status_code, beyond.get_json()["code"]) == (416, "range-not-satisfiable")
    known = plain | {"If-None-Match": whole.headers["ETag"]}
    assert client.get(f"/api/v1/jobs/{job}/logs", headers=known).status_code == 304
    lease.beat(Beat(lines=["more"]))
    added = client.get(f"/api/v1/jobs/{job}/logs", headers=plain | {"Range": f"bytes={len(whole.data)}-"})
    assert (added.status_code, added.data.split()[-1]) == (206, b"more")
    changed = plain | {"Range": "bytes=0-1", "If-Range": whole.headers["ETag"]}
    assert client.get(f"/api/v1/jobs/{job}/logs", headers=changed).status_code == 200


def test_levels_of_the_log(client: FlaskClient, worker: ActingWorker, job: str) -> None:
    lease = worker.take("training")
    lease.beat(Beat(lines=["said"]))
    lease.checkpoint(1, worker.keep({"state": b"state"}))
    lease.fail(Failure("diverged"))  # tried again with half the learning rate, which the log says as a warning

    def levels(query: str) -> set[str]:
        return {line["level"] for line in client.get(f"/api/v1/jobs/{job}/logs{query}").get_json()["data"]}

    assert levels("") == levels("?level=info") == {"info", "warning"}
    assert levels("?level=warning") == {"warning"}
    assert levels("?level=error") == set()
    assert client.get(f"/api/v1/jobs/{job}/logs?level=loud").status_code == 422


def test_curves_with_many_figures_keep_to_the_limit(client: FlaskClient, worker: ActingWorker, job: str) -> None:
    def figures(step: int) -> dict[str, float]:
        return {f"figure_{number}": float(step * (number + 3) % 101) for number in range(20)}

    worker.take("training").beat(Beat(points=[(step, figures(step)) for step in range(100)]))
    points = client.get(f"/api/v1/jobs/{job}/metrics?max_points=10").get_json()["data"]
    assert (len(points), points[0]["step"], points[-1]["step"]) == (10, 0, 99)


def test_samples_and_files_by_page(client: FlaskClient, worker: ActingWorker, job: str) -> None:
    worker.train()
    samples = client.get(f"/api/v1/jobs/{job}/samples").get_json()["data"]
    assert [(sample["name"], sample["step"]) for sample in samples] == [("samples-000050.png", 50)]
    assert samples[0]["sha256"] == hashlib.sha256(PNG).hexdigest()
    outputs = client.get(f"/api/v1/jobs/{job}/artifacts?role=output").get_json()["data"]
    assert {file["role"] for file in outputs} == {"output"}
    seen, cursor = [], ""
    while True:
        page = client.get(f"/api/v1/jobs/{job}/artifacts?limit=2{cursor}").get_json()
        seen += [file["id"] for file in page["data"]]
        if not page["has_more"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert sorted(seen) == sorted({*seen})
    assert len(seen) == len(samples) + len(outputs)
    assert client.get(f"/api/v1/jobs/{job}/artifacts?role=none").status_code == 422


def test_unchanged_lists_are_not_sent_again(client: FlaskClient, worker: ActingWorker, job: str) -> None:
    worker.train()
    for part in ("events", "metrics", "logs", "samples", "artifacts"):
        first = client.get(f"/api/v1/jobs/{job}/{part}")
        again = client.get(f"/api/v1/jobs/{job}/{part}", headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b""), part
