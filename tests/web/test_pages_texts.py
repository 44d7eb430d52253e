"""What people see of datasets of texts: what was found, in which languages, and the ways to read it otherwise."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from aigc_models.data.text_decoding import read_upload
from aigc_models.dataset.text_params import DatasetImportText
from tests.web.acting import ActingWorker, upload
from tests.web.reading import read, send

LAMPS = "".join(
    json.dumps(
        {
            "id": f"P{n}", "title": f"Lamp <{n}>", "section": ("garden", "客厅")[n % 2],
            "tags": "led, warm", "price": n,
            "description": f"This is lamp {n}. Write to shop{n}@example.org for the details of the warranty.",
        },
        ensure_ascii=False,
    )
    + "\n"
    for n in range(24)
)  # fmt: skip
CHATS = "question,answer\n" + "".join(f"你好，{n} 号在吗？,在的，请问有什么事？\n" for n in (*range(11), 3))
PAGES = json.dumps({"path": "a.md", "sections": [{"h": f"Part {n}", "text": "The text. " * 300} for n in range(20)]})


def files_of(content: str, filename: str, folder: Path) -> dict[str, bytes]:
    """What an import writes."""
    file, out = folder / filename, folder / "out"
    (out / "work").mkdir(parents=True)
    file.write_text(content, encoding="utf-8")
    params = DatasetImportText().model_dump(mode="json")
    read_upload({"file": str(file), "work": str(out / "work"), "out": str(out), "params": params}, lambda *_: None)
    names = ["preview.json", *(f"dataset/{name}" for name in ("dataset.json", "train.jsonl", "test.jsonl"))]
    return {name: (out / name).read_bytes() for name in names}


def ready_texts(client: FlaskClient, worker: ActingWorker, content: str, filename: str, folder: Path) -> str:
    """The id of a dataset that was uploaded, and read as an import reads it."""
    made = upload(client, content.encode(), filename, name="shop", kind="text")
    assert made.status_code == 202, made.get_json()
    worker.finish("generation", files_of(content, filename, folder))
    return str(made.get_json()["id"])


def settings_of(client: FlaskClient, location: str) -> dict[str, Any]:
    """The settings of the import of a dataset at an address."""
    made = client.get("/api/v1" + location).get_json()
    params: dict[str, Any] = client.get(made["links"]["job"].removeprefix("http://localhost")).get_json()["params"]
    return params


def test_passages_show_attributes_lengths_and_personal_data(
    client: FlaskClient, worker: ActingWorker, tmp_path: Path
) -> None:
    dataset = ready_texts(client, worker, LAMPS, "lamps.jsonl", tmp_path)
    address = f"/datasets/{dataset}"
    page = read(client, address)
    for words in (
        "22 texts to learn from, 2 kept for testing.", "Passages", "English: 24 (100 %)",
        "24 e-mail addresses in 24 texts",
        "first in P0, P1", "First 20 texts", "Lamp <0>", "section: garden", "tags: led, warm", "Attribute tags",
        "2 values, several in a text, in 24 texts.", "JSON lines", "utf-8", "Repeated texts", "24 texts",
    ):  # fmt: skip
        assert words in page.text, words
    assert "<0>" not in page.html
    assert page.has("option", value="text", selected="")
    chinese = read(client, f"{address}?lang=zh-CN")
    for words in ("22 篇文本用于学习", "24 篇文本中有 24 个电子邮件地址", "属性 section", "英语", "个字符"):
        assert words in chinese.text, words
    masked = send(client, f"{address}/texts", {"mask": "true"}, form=address)
    assert settings_of(client, masked.location)["mask"] is True
    dropped = send(client, f"{address}/texts", {"repeats": "drop_similar"}, form=address)
    assert settings_of(client, dropped.location)["repeats"] == "drop_similar"


def test_columns_can_be_corrected_on_the_page(client: FlaskClient, worker: ActingWorker, tmp_path: Path) -> None:
    address = f"/datasets/{ready_texts(client, worker, LAMPS, 'lamps.jsonl', tmp_path)}"
    uses = {"description": "text", "title": "attribute", "id": "name", "price": "attribute"}
    order = ("description", "title", "id", "section", "tags", "price")
    page = read(client, address)
    labels = [page.html.index(f">{name}</label>") for name in order]
    assert labels == sorted(labels)
    form = {f"use-{place}": uses.get(name, "") for place, name in enumerate(order)}
    made = send(client, f"{address}/texts", form, form=address)
    settings = settings_of(client, made.location)
    assert (settings["text_column"], settings["name_column"], settings["title_column"]) == ("description", "id", "none")
    assert settings["attribute_columns"] == "title,price"
    twice = send(client, f"{address}/texts", form | {"use-1": "text"}, form=address)
    assert twice.status_code == 422
    assert "Two columns are chosen as Text: description and title." in twice.text


def test_dialogues_and_documents_are_shown_as_such(client: FlaskClient, worker: ActingWorker, tmp_path: Path) -> None:
    address = f"/datasets/{ready_texts(client, worker, CHATS, 'chats.csv', tmp_path / 'a')}"
    page = read(client, address)
    for words in (
        "Dialogues",
        "Asks 你好，0 号在吗？",
        "Answers 在的，请问有什么事？",
        "Chinese: 12 (100 %)",
        "Leave out copies",
    ):
        assert words in page.text, words
    other = ready_texts(client, worker, PAGES + "\n", "pages.jsonl", tmp_path / "b")
    page = read(client, f"/datasets/{other}")
    for words in ("Documents", "Part 0", "19 further parts are not shown.", "none is kept for testing"):
        assert words in page.text, words
    assert len(page.html) < 60_000


def test_other_datasets_have_no_such_form(client: FlaskClient, worker: ActingWorker) -> None:
    from tests.web.acting import ready_dataset

    address = f"/datasets/{ready_dataset(client, worker)}"
    assert send(client, f"{address}/texts", {"mask": "true"}, form=address).status_code == 404


@pytest.mark.parametrize("name", ["synthetic-products", "foundry-help", "small-talk", "shakespeare"])
def test_starters_of_texts_are_offered(client: FlaskClient, name: str) -> None:
    page = read(client, "/datasets/new?kind=text")
    assert page.has("form", method="post", action=f"/datasets/starter/{name}")
