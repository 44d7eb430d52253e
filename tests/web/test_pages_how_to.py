"""Event logs on their page, what comes next in sessions, and drafted how-tos that become a dataset of texts."""

import io
import json
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from aigc_models.data.how_tos import FILE, PACKED, TEXT, HowTo, Pitfall, Step, Way
from aigc_models.data.log_decoding import read_upload
from aigc_models.data.next_events import FILE as FORETOLD
from aigc_models.data.next_events import Expected, Foretold, Weighed
from aigc_models.dataset.log_params import DatasetImportEventLog
from tests.web.acting import ActingWorker, upload
from tests.web.reading import read, send

LOG = "case,action,when,page,user\n" + "".join(
    f"bo{case}@example.org,{event},2024-05-01 {8 + case:02}:{minute:02}:00,Main,u{case}\n"
    for case in range(8)
    for minute, event in enumerate(("Open <it>", "Write to a@example.org", "保存"))
)
DRAFT = HowTo(
    title="Save <it>",
    language="en",
    outcome="succeeded",
    sessions=143,
    considered=170,
    seconds=95.0,
    chance=0.92,
    steps=[
        Step(1, "Open the list", 1.0, 143, False, screen="Invoices", seconds=4.0, without=0.41),
        Step(2, "Filter", 0.4, 57, True),
        Step(3, "Save", 0.999, 142, False, because=[Weighed("Open the list", 1, 0.8)], either_order=True),
    ],
    ways=[Way(1, 1, ["Press Ctrl+O", "Wait"], 0.3)],
    pitfalls=[
        Pitfall("mistake", "Print", 1, 20, 0.12, 0.76, 0.06),
        Pitfall("back", "Help", 3, 30, 0.18),
    ],
    evidence=["s-1", "s-2"],
    left_out=["Look around"],
)
FIGURES = {"accuracy1": 0.66, "accuracy3": 0.83, "perplexity": 3.2} | {
    f"{name}_{way}": value
    for way, values in {"frequent": (0.1, 0.2, 70.0), "markov1": (0.5, 0.7, 5.4), "markov3": (0.65, 0.82, 4.0)}.items()
    for name, value in zip(("accuracy1", "accuracy3", "perplexity"), values, strict=True)
}


def ready_log(client: FlaskClient, worker: ActingWorker, folder: Path) -> str:
    """The id of a log that was uploaded, and read as an import reads it."""
    made = upload(client, LOG.encode(), "log.csv", name="desk", kind="event_log")
    assert made.status_code == 202, made.get_json()
    file, out = folder / "log.csv", folder / "out"
    (out / "work").mkdir(parents=True)
    file.write_text(LOG, encoding="utf-8")
    params = DatasetImportEventLog().model_dump(mode="json")
    read_upload({"file": str(file), "work": str(out / "work"), "out": str(out), "params": params}, lambda *_: None)
    files = {f"dataset/{path.name}": path.read_bytes() for path in (out / "dataset").iterdir()}
    worker.finish("generation", files)
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
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("01 Save.md", "# How to: Save\n\n1. **Open the list**\n")
    stored = json.dumps({"how_tos": [asdict(DRAFT)]}).encode()
    files = {FILE: stored, TEXT: b"# How to: Save\n", PACKED: packed.getvalue()}
    return made(client, worker, "draft_how_to", {"model": model}, files)


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
    location = send(client, page, f"/datasets/{dataset}/log", mask="true").headers["Location"]
    assert settings_of(client, location)["mask"] is True
    again = send(client, page, f"/datasets/{dataset}/log", **{"use-3": "joined", "use-4": "task"}).headers["Location"]
    params = settings_of(client, again)
    assert (params["joined_columns"], params["task_column"], params["screen_column"]) == ("page", "user", "none")
    twice = send(client, page, f"/datasets/{dataset}/log", **{"use-4": "event"})
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
    page = read(client, f"/jobs/{job}")
    first = send(client, page, f"/jobs/{job}/how-tos")
    assert first.status_code == 303
    dataset = client.get("/api/v1" + first.headers["Location"]).get_json()
    assert (dataset["kind"], dataset["version"]) == ("text", 1)
    assert settings_of(client, first.headers["Location"])["shape"] == "documents"
    training, _ = trained(client, worker, tmp_path / "again")
    assert send(client, page, f"/jobs/{training}/how-tos").status_code == 404


def test_what_comes_next_is_shown_with_its_reasons(client: FlaskClient, worker: ActingWorker, tmp_path: Path) -> None:
    _, model = trained(client, worker, tmp_path)
    because = [Weighed("Open <it>", 1, 0.75)]
    found = Foretold(
        ["Open <it>", "Fly"],
        ["Fly"],
        [Expected("保存", 0.6, because), Expected("", 0.004)],
        because,
        [("Save", 0.9)],
        [("failed", 0.25)],
    )
    files = {FORETOLD: json.dumps({"sessions": [asdict(found)]}).encode()}
    page = read(client, f"/jobs/{made(client, worker, 'next_events', {'model': model, 'history': 'x'}, files)}")
    assert "because of 1. Open <it> (75 %)" in page.text
    assert "The session ends" in page.texts
    assert "The model does not know: Fly" in page.text
    assert "failed 25 %" in page.text
    assert "< 1 %" in page.text
