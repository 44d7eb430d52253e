"""Event logs on their page, what comes next in sessions, and drafted how-tos that become a dataset of texts."""

from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from tests.web.acting import ActingWorker, upload
from tests.web.guides import FIGURES, LOG, draft_files, foretold_files, log_files
from tests.web.reading import read, send


def ready_log(client: FlaskClient, worker: ActingWorker, folder: Path) -> str:
    """The id of a log that was uploaded, and read as an import reads it."""
    made = upload(client, LOG.encode(), "log.csv", name="desk", kind="event_log")
    assert made.status_code == 202, made.get_json()
    worker.finish("generation", log_files(folder))
    return str(made.get_json()["id"])


def trained(client: FlaskClient, worker: ActingWorker, folder: Path) -> tuple[str, str]:
    """The ids of a training and of the model version it made."""
    body = {"task": "next_event.train", "params": {"dataset": ready_log(client, worker, folder)}, "name": "Desk"}
    assert client.post("/api/v1/jobs", json=body).status_code == 202
    job = worker.finish("training", {"model/weights.safetensors": b"w", "model/config.json": b"{}"}, **FIGURES)
    return job, str(client.get("/api/v1/models").get_json()["data"][0]["id"])


def made(client: FlaskClient, worker: ActingWorker, operation: str, params: dict[str, Any], files: Any) -> str:
    """The id of a finished job that used a model version."""
    body = {"task": f"next_event.{operation}", "params": params}
    reply = client.post("/api/v1/jobs", json=body)
    assert reply.status_code == 202, reply.get_json()
    return worker.finish("generation", files)


def drafted(client: FlaskClient, worker: ActingWorker, folder: Path) -> str:
    _, model = trained(client, worker, folder)
    return made(client, worker, "draft_how_to", {"model": model}, draft_files())


def settings_of(client: FlaskClient, location: str) -> dict[str, Any]:
    found = client.get("/api/v1" + location).get_json()
    params: dict[str, Any] = client.get(found["links"]["job"].removeprefix("http://localhost")).get_json()["params"]
    return params


def test_a_log_shows_what_was_found_and_can_be_read_otherwise(
    client: FlaskClient, worker: ActingWorker, tmp_path: Path
) -> None:
    dataset = ready_log(client, worker, tmp_path)
    page = read(client, f"/datasets/{dataset}")
    assert "24 events of 8 sessions" in page.text
    assert "The sessions are called like e-mail addresses." in page.texts
    assert "Event: 1 e-mail address" in page.text
    assert "Open &lt;it&gt;" in page.html
    assert "No column says what a session was for" in page.text
    assert [page.fields[f"use-{place}"] for place in range(5)] == ["session", "event", "time", "screen", ""]
    address, form = f"/datasets/{dataset}/log", f"/datasets/{dataset}"
    location = send(client, address, {"mask": "true"}, form=form).headers["Location"]
    assert settings_of(client, location)["mask"] is True
    again = send(client, address, {"use-3": "joined", "use-4": "task"}, form=form).headers["Location"]
    params = settings_of(client, again)
    assert (params["joined_columns"], params["task_column"], params["screen_column"]) == ("page", "user", "none")
    twice = send(client, address, {"use-4": "event"}, form=form)
    assert twice.status_code == 422


def test_a_training_stands_beside_ways_to_count(client: FlaskClient, worker: ActingWorker, tmp_path: Path) -> None:
    job, model = trained(client, worker, tmp_path)
    page = read(client, f"/jobs/{job}")
    assert "Beside simple ways to say what comes next" in page.texts
    assert "Better than every simple way." in page.text
    assert "Of 100 events in new sessions, 66 are the one that the model expected most." in page.text
    assert "Third-order Markov" in page.texts
    shown = read(client, f"/models/{model}")
    assert "Draft how-tos" in shown.texts
    assert "next_event.draft_how_to" in shown.html


def test_a_how_to_is_shown_with_its_evidence(client: FlaskClient, worker: ActingWorker, tmp_path: Path) -> None:
    job = drafted(client, worker, tmp_path)
    page = read(client, f"/jobs/{job}")
    assert "Save &lt;it&gt;" in page.html
    for sentence in (
        "Drafted from 143 sessions · ended as “succeeded”, of 170 for it · usually takes 1 min 35 s",
        "the model expects this end in 92 % of the sessions that go so",
        "143 of 143 sessions · Invoices · 4 s after the event before · without it 41 % end so instead of 92 %",
        "Or, instead of this step: Press Ctrl+O, then Wait – 30 % of the sessions",
        "because of Open the list (80 %)",
        "“Print” after step 1 goes wrong: of the sessions with it, 76 % did not end so, of the others 6 %.",
        "“Help” leads back, mostly to step 3, in 18 % of the sessions.",
        "Sessions that go this way most closely: s-1, s-2",
        "99 %",
    ):
        assert sentence in page.html.replace("&#34;", '"') or sentence in page.text, sentence
    report = read(client, f"/jobs/{job}/report.html")
    assert "Press Ctrl+O" in report.text
    assert "Download how_to.md" not in report.text


def test_drafts_become_a_dataset_of_texts(client: FlaskClient, worker: ActingWorker, tmp_path: Path) -> None:
    job = drafted(client, worker, tmp_path)
    first = send(client, f"/jobs/{job}/how-tos", form=f"/jobs/{job}")
    assert first.status_code == 303
    dataset = client.get("/api/v1" + first.headers["Location"]).get_json()
    assert (dataset["kind"], dataset["version"]) == ("text", 1)
    assert settings_of(client, first.headers["Location"])["shape"] == "documents"
    checking = dataset["links"]["job"].rpartition("/")[2]
    assert send(client, f"/jobs/{checking}/how-tos", form=f"/jobs/{job}").status_code == 404


def test_what_comes_next_is_shown_with_its_reasons(client: FlaskClient, worker: ActingWorker, tmp_path: Path) -> None:
    _, model = trained(client, worker, tmp_path)
    page = read(
        client, f"/jobs/{made(client, worker, 'next_events', {'model': model, 'history': 'x'}, foretold_files())}"
    )
    assert "because of 1. Open <it> (75 %)" in page.text
    assert "The session ends" in page.texts
    assert "The model does not know: Fly" in page.text
    assert "failed 25 %" in page.text
    assert "< 1 %" in page.text
