"""Written texts on the pages: the prompt marked, what each was asked to be, files to take away; texts as they come."""

from pathlib import Path

from flask.testing import FlaskClient

from aigc_models.data.text_results import MOST_SHOWN, WrittenText, save_texts
from jobs.lifecycle import Beat
from tests.web.acting import ActingWorker, ready_dataset, submit_training
from tests.web.reading import read

MODEL = {"model/weights.safetensors": b"w", "model/config.json": b"{}"}


def finish(client: FlaskClient, worker: ActingWorker, texts: list[WrittenText], directory: Path) -> str:
    """A finished job that wrote these; gives its id."""
    submit_training(client, ready_dataset(client, worker), name="texts")
    made = directory / "made"
    made.mkdir()
    save_texts(texts, {"params": {}}, made)
    return worker.finish("training", MODEL | {path.name: path.read_bytes() for path in made.iterdir()})


def test_a_text_is_shown_behind_its_prompt(client: FlaskClient, worker: ActingWorker, tmp_path: Path) -> None:
    wrote = WrittenText(
        " goes on\n\nwith <b>lines</b>.",
        7,
        prompt="This & that",
        attributes={"section": ["games"], "tags": ["2d", "arcade"]},
        ended="length",
        scores={"looks_real": 0.734, "attributes_kept": 0.5},
    )
    page = read(client, f"/jobs/{finish(client, worker, [wrote, WrittenText('你好。', 8)], tmp_path)}")
    assert "<mark>This &amp; that</mark> goes on\n\nwith &lt;b&gt;lines&lt;/b&gt;." in page.html
    assert (
        "section: games · tags: 2d, arcade · looks real: 73 % · attributes kept: 50 % · seed 7 · cut at the most tokens"
        in page.text
    )
    assert "你好。" in page.texts
    for name in ("texts.txt", "texts.jsonl"):
        assert f"Download {name}" in page.text


def test_of_many_texts_the_first_are_shown(client: FlaskClient, worker: ActingWorker, tmp_path: Path) -> None:
    many = [WrittenText(f"text {number}", number) for number in range(MOST_SHOWN + 3)]
    job = finish(client, worker, many, tmp_path)
    page = read(client, f"/jobs/{job}")
    assert "3 further texts are in the files." in page.text
    report = read(client, f"/jobs/{job}/report.html")
    assert "text 99" in report.text
    assert "Download texts.txt" not in report.text


def test_a_sentence_between_two_says_where_it_lies(client: FlaskClient, worker: ActingWorker, tmp_path: Path) -> None:
    step = WrittenText("In between.", 1, attributes={"from": ["One."], "to": ["Two."]}, about="50 %")
    page = read(client, f"/jobs/{finish(client, worker, [step], tmp_path)}")
    assert "50 % · From: One. · To: Two. · seed 1" in page.text


def test_the_newest_text_of_a_training_is_shown_and_the_earlier_ones_are_linked(
    client: FlaskClient, worker: ActingWorker
) -> None:
    job = submit_training(client, ready_dataset(client, worker)).get_json()["id"]
    lease = worker.take("training")
    lease.beat(Beat(phase="training", step=20, total=100))
    for step, text in ((10, "first words"), (20, "more <i>words</i>")):
        (sample,) = worker.keep({"text.txt": text.encode()})
        lease.sample(step, sample)
    page = read(client, f"/jobs/{job}")
    assert "What it writes now" in page.text
    assert "more <i>words</i>" in page.text
    assert "first words" not in page.text
    assert page.html.count(">Step 10</a>") == 1


def test_files_that_are_no_texts_are_not_shown(client: FlaskClient, worker: ActingWorker) -> None:
    submit_training(client, ready_dataset(client, worker))
    job = worker.finish("training", {**MODEL, "texts.json": b'{"texts": [{"text": 1}], "total": "x"}'})
    assert client.get(f"/jobs/{job}").status_code == 200
