"""The client and the command against the real application and database; only the worker is played."""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

import aigc
from aigc.cli import run, settings
from aigc.notebook import FirstRows
from jobs.engine import Engine
from jobs.tables import Job, WebhookDelivery
from jobs.webhooks import Webhook, deliveries
from tests.aigc_models.tables_in import bring, lines
from tests.web.acting import PNG, ActingWorker, picture_zip
from tests.web.reading import read
from tests.web.test_pages_texts import LAMPS, files_of

FORM = "/jobs/new/image_gan.train"


@pytest.fixture
def server(address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[aigc.Client]:
    for name in ("AIGC_TOKEN", "AIGC_TOKEN_FILE", "AIGC_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIGC_URL", address)
    with aigc.Client(address) as made:
        yield made


FAULTS = [
    ("epochs", "0"),
    ("epochs", "many"),
    ("epochs", "1.5"),
    ("batch_size", "1"),
    ("batch_size", "5000"),
    ("learning_rate", "0.5"),
    ("learning_rate", "fast"),
    ("width", "3"),
    ("penalty", "-1"),
    ("seed", "-1"),
]


@pytest.mark.parametrize(("name", "typed"), FAULTS)
def test_form_api_command_and_client_say_the_same(
    server: aigc.Client, client: FlaskClient, dataset: str, capsys: pytest.CaptureFixture[str], name: str, typed: str
) -> None:
    given = {"dataset": dataset, name: settings.decode(server.tasks.get("image_gan.train").fields[name], typed)}
    with pytest.raises(aigc.InvalidParams) as refused:
        server.jobs.submit("image_gan.train", given)
    sentence = str(refused.value)
    reply = client.post("/api/v1/jobs", json={"task": "image_gan.train", "params": given})
    assert [error["detail"] for error in reply.get_json()["errors"]] == [sentence]
    assert reply.get_json()["detail"] == sentence
    assert [flaw.pointer for flaw in refused.value.errors] == [f"/params/{name}"]
    assert run(["submit", "image_gan.train", "-p", f"dataset={dataset}", "-p", f"{name}={typed}"]) == 2
    assert f"Error: {sentence}\n" in capsys.readouterr().err
    page = client.post(FORM, data=read(client, f"{FORM}?dataset={dataset}").fields | {name: typed})
    assert page.status_code == 422
    assert sentence in " ".join(re.sub(r"<[^>]+>", " ", page.text).split())


def test_an_unknown_setting_gets_a_hint(server: aigc.Client, dataset: str) -> None:
    with pytest.raises(aigc.InvalidParams, match="Did you mean epochs") as refused:
        server.jobs.submit("image_gan.train", dataset=dataset, epocs=3)
    assert "/docs/problems/" in refused.value.help_url


def test_a_training_from_submit_to_files(
    server: aigc.Client, worker: ActingWorker, dataset: str, tmp_path: Path
) -> None:
    job = server.jobs.submit("image_gan.train", dataset=server.datasets.get(dataset), epochs=2, name="mine")
    assert job.state in ("queued", "waiting_for_worker")
    training = threading.Thread(target=worker.train)
    training.start()
    job.wait(timeout=30)
    training.join()
    assert job.last_metrics == {"loss": 0.01}
    assert job.dataset == dataset
    assert job.metrics()["loss"][0] == (0, 1.0)
    assert job.samples().steps == [50]
    assert job.samples().files[0]._repr_png_() == PNG
    assert (job.samples()[-1].size, job.samples()[-1].info["step"]) == ((1, 1), 50)
    assert "half way" in job.logs()
    saved = job.download(tmp_path / "all")
    assert {path.name for path in saved} == {"weights.safetensors", "config.json", "samples.png", "report.json"}
    model = server.models.get(str(job.model))
    assert model.metrics == {"loss": 0.01}
    assert [path.read_bytes() for path in model.download(tmp_path / "model") if path.suffix == ".json"] == [b"{}"]
    generation = model.generate(count=4)
    assert generation.params["model"] == model.id
    assert {made.id for made in server.jobs.list()} >= {job.id, generation.id}
    assert server.jobs.list(task="image_gan.generate")[0].id == generation.id


def test_events_to_the_end_and_deliveries(
    server: aigc.Client, worker: ActingWorker, dataset: str, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    job = server.jobs.submit("image_gan.train", dataset=dataset)
    training = threading.Thread(target=worker.train)
    training.start()
    seen = [(event.seq, event.kind) for event in job.events()]
    training.join()
    assert [seq for seq, _ in seen] == list(range(1, len(seen) + 1))
    assert seen[-1][1] == "end"
    assert [event.seq for event in job.events(after=3)] == [seq for seq, _ in seen[3:]]
    listed = ["webhooks", "deliveries", "list", job.id]
    assert run(listed) == 0
    assert capsys.readouterr().out == ""
    with engine.db.begin() as session:
        session.get_one(Job, job.id).webhook = Webhook("https://a.example/in", ("end",)).stored()
    deliveries.enqueue(engine)
    assert run(listed) == 0
    delivery, *rest = capsys.readouterr().out.split("\t")
    assert rest[:3] == [str(len(seen)), "pending", "0"]
    assert run([*listed, "--json", "seq,state"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"seq": len(seen), "state": "pending"}]
    again = ["webhooks", "deliveries", "retry", job.id]
    assert run(again) == 1
    assert f"No delivery of the job {job.id} was given up." in capsys.readouterr().err
    assert run([*again, delivery]) == 0
    assert capsys.readouterr().out == f"{delivery}\n"
    with engine.db.begin() as session:
        session.get_one(WebhookDelivery, delivery).state = "failed"
    assert run(again) == 0
    assert capsys.readouterr().out == f"{delivery}\n"
    assert job.deliveries()[0]["state"] == "pending"


def test_a_webhook_that_is_not_allowed_is_told_in_the_servers_words(
    server: aigc.Client, dataset: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["submit", "image_gan.train", "-p", f"dataset={dataset}", "--webhook", "https://a.example/in"]) == 2
    assert "AIGC_WEBHOOK_HOSTS" in capsys.readouterr().err
    with pytest.raises(aigc.InvalidParams, match="AIGC_WEBHOOK_HOSTS"):
        server.jobs.submit("image_gan.train", dataset=dataset, webhook="https://a.example/in")


def test_an_unchanged_job_is_not_sent_again(server: aigc.Client, dataset: str) -> None:
    job = server.jobs.submit("image_gan.train", dataset=dataset)
    before = server.jobs.get(job.id).raw
    assert server.jobs.get(job.id).raw is before  # 304: the very object of the first reply
    server.jobs.cancel(job.id)
    assert server.jobs.get(job.id).state == "cancelled"


def test_cancel_retry_and_delete(server: aigc.Client, dataset: str) -> None:
    job = server.jobs.submit("image_gan.train", dataset=dataset)
    with pytest.raises(aigc.Conflict):
        job.delete()
    assert job.cancel().state == "cancelled"
    assert job.cancel().state == "cancelled"
    again = job.retry()
    assert again.raw["retried_from"] == job.id
    again.cancel()
    again.delete()
    with pytest.raises(aigc.NotFound, match=f"There is no job called {again.id}"):
        again.refresh()


def test_a_failed_job_says_why(server: aigc.Client, worker: ActingWorker, dataset: str) -> None:
    job = server.jobs.submit("image_gan.train", dataset=dataset)
    worker.fail("training", "diverged")
    with pytest.raises(aigc.JobFailed) as failed:
        job.wait(timeout=30)
    assert failed.value.code == "diverged"
    assert "smaller learning rate" in str(failed.value)
    assert failed.value.help_url.startswith(server.url)
    assert run(["jobs", "watch", job.id, "--exit-status"]) == 3


def test_a_file_that_is_no_dataset_is_refused_by_name(
    server: aigc.Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.zip").touch()
    (tmp_path / "notes.txt").write_bytes(b"\x7fELF\x02\x01\x01 a program by the name of a text")
    for name in ("empty.zip", "notes.txt"):
        with pytest.raises(aigc.ApiError, match=name) as refused:
            server.datasets.upload(tmp_path / name)
        assert run(["datasets", "add", str(tmp_path / name)]) == 1
        assert f"Error: {refused.value}" in capsys.readouterr().err


def test_an_upload_is_checked_and_then_shown(server: aigc.Client, worker: ActingWorker, tmp_path: Path) -> None:
    file = tmp_path / "shirts.zip"
    file.write_bytes(picture_zip())
    checking = threading.Timer(0, check_soon, [worker])
    checking.start()
    made = server.datasets.upload(file, licence="MIT")
    checking.join()
    assert (made.state, made.name, made.raw["licence"]) == ("ready", "shirts", "MIT")
    assert made.report["train"] == 4
    assert made.preview() == PNG


def test_a_table_is_uploaded_looked_at_and_read_again(
    server: aigc.Client, worker: ActingWorker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "people.csv"
    file.write_bytes(lines("id,age,mail", *(f"{n},{n % 50},a{n}@example.com" for n in range(40))))
    checking = threading.Timer(0, read_soon, [worker, tmp_path, file])
    checking.start()
    made = server.datasets.upload(file, kind="table", params={"test_percent": 25})
    checking.join()
    assert (made.kind, made.report["train"], made.report["test"]) == ("table", 30, 10)
    shown = made.preview()
    assert isinstance(shown, FirstRows)
    assert shown.rows[0] == ["0", "0", "a0@example.com"]
    assert "<td>a0@example.com</td>" in shown._repr_html_()
    assert run(["datasets", "show", made.id]) == 0
    assert "mail: identifier, 40 different, likely personal data: email" in capsys.readouterr().out
    checking = threading.Timer(0, read_soon, [worker, tmp_path, file])
    checking.start()
    second = made.revise(drop="mail")
    checking.join()
    assert (second.version, [one["name"] for one in second.report["columns"]]) == (2, ["id", "age"])
    assert run(["datasets", "revise", second.id, "-p", "drop=nothing,else", "-p", "test_percent=99"]) == 1
    assert "Test share must be between 1 and 50." in capsys.readouterr().err
    assert run(["datasets", "add", str(file), "--kind", "images"]) == 1
    assert "holds text, which cannot become a dataset of the kind Images" in capsys.readouterr().err


def test_texts_are_uploaded_and_looked_at(
    server: aigc.Client, worker: ActingWorker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "lamps.jsonl"
    file.write_text(LAMPS, encoding="utf-8")
    files = files_of(LAMPS, file.name, tmp_path / "read")
    checking = threading.Timer(0, finish_soon, [worker, files])
    checking.start()
    made = server.datasets.upload(file, kind="text")
    checking.join()
    assert (made.kind, made.state, made.report["shape"]) == ("text", "ready", "passages")
    shown = made.preview()
    assert isinstance(shown, FirstRows)
    assert shown.columns == ["name", "title", "language", "section", "tags", "text"]
    assert shown.rows[0][:2] == ["P0", "Lamp <0>"]
    assert "Lamp &lt;0&gt;" in shown._repr_html_()
    assert run(["datasets", "show", made.id]) == 0
    told = capsys.readouterr().out
    assert "section: 2 different, garden (12), 客厅 (12)" in told
    assert "likely personal data: email (24)" in told


def read_soon(worker: ActingWorker, directory: Path, file: Path) -> None:
    """Do what the import of a table does, as soon as there is one."""
    while True:
        try:
            lease = worker.take("generation")
        except AssertionError:
            continue
        params = {name: value for name, value in lease.claim.params.items() if name != "seed"}
        made = bring(directory, file.read_bytes(), file.name, **params)
        files = {str(path.relative_to(made.out)): path.read_bytes() for path in made.out.rglob("*") if path.is_file()}
        lease.succeed({}, worker.keep(files))
        return


def finish_soon(worker: ActingWorker, files: Mapping[str, bytes]) -> None:
    """End an import with files that were made before, as soon as there is one."""
    while True:
        try:
            worker.finish("generation", files)
        except AssertionError:
            continue
        return


def check_soon(worker: ActingWorker) -> None:
    """Check a dataset as soon as there is one."""
    while True:
        try:
            worker.check_dataset()
        except AssertionError:
            continue
        return


def test_lists_are_complete(server: aigc.Client, dataset: str, capsys: pytest.CaptureFixture[str]) -> None:
    made = [server.jobs.submit("image_gan.train", dataset=dataset, seed=seed).id for seed in range(5)]
    assert [job.id for job in server.jobs.list(limit=None, task="image_gan.train")] == made[::-1]
    assert run(["jobs", "list", "--state", "queued", "--task", "image_gan.train", "--since", "1h", "-q"]) == 0
    assert capsys.readouterr().out.split() == made[::-1]
    assert run(["jobs", "view", "@last", "--json=id"]) == 0
    assert json.loads(capsys.readouterr().out) == {"id": made[-1]}
    assert run(["jobs", "view", made[0][-8:], "--json=id"]) == 0
    assert json.loads(capsys.readouterr().out) == {"id": made[0]}


def test_every_task_can_be_shown(server: aigc.Client, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tasks"]) == 0
    names = [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()]
    assert "image_gan.train" in names
    for name in names:
        assert run(["tasks", name]) == 0
        shown: Any = capsys.readouterr().out
        assert all(field in shown for field in server.tasks.get(name).fields)


def test_the_servers_sentences_come_in_chinese(server: aigc.Client, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["jobs", "view", "job_" + "0" * 26, "--lang", "zh-CN"]) == 1
    assert re.search(r"[\u4e00-\u9fff]", capsys.readouterr().err)


def test_a_protected_server_wants_a_token(
    server: aigc.Client, engine: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from jobs import tokens
    from jobs.principal import Principal

    _, secret = tokens.create(engine, Principal("default", "operator"), "test", "submit")
    assert run(["jobs", "list"]) == 4
    (tmp_path / "token").write_text(secret)
    monkeypatch.setenv("AIGC_TOKEN_FILE", str(tmp_path / "token"))
    assert run(["jobs", "list"]) == 0
    monkeypatch.setenv("AIGC_TOKEN", "aigc_wrong")
    assert run(["jobs", "list"]) == 4
