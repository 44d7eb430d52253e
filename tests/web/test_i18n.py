"""Languages: who gets which, and that nothing is left in English."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from flask import Flask
from flask.testing import FlaskClient

from aigc_models.base import Fault
from tests.web.acting import ActingWorker, ready_dataset, submit_training
from tests.web.reading import read
from web import i18n, translate

ROOT = Path(__file__).resolve().parents[2]
# Two English words in a row, outside code; names of formats and products stay as they are everywhere.
ENGLISH = re.compile(r"\b[A-Za-z]{2,} [a-z]{2,}\b")
NAMES = re.compile(r"AIGC Foundry|Fashion-MNIST|NumPy \.npz|aigc worker|aigc token create|Zalando SE")


@pytest.mark.parametrize(
    ("asked", "tag"),
    [("zh", "zh-CN"), ("zh-CN", "zh-CN"), ("zh_Hans_CN", "zh-CN"), ("ZH-hans", "zh-CN"), ("en-GB", "en"), ("fr", None)],
)
def test_tags(asked: str, tag: str | None) -> None:
    assert translate.tag_of(asked) == tag


@pytest.mark.checklist(18)
def test_the_browser_decides_at_first(client: FlaskClient) -> None:
    assert read(client, "/jobs", Accept_Language="zh-CN,zh;q=0.9").has("html", lang="zh-CN")
    assert read(client, "/jobs", Accept_Language="fr, zh-TW;q=0.5").has("html", lang="zh-CN")
    assert read(client, "/jobs", Accept_Language="fr").has("html", lang="en")


@pytest.mark.checklist(18)
def test_a_choice_is_remembered_and_wins(client: FlaskClient) -> None:
    assert read(client, "/jobs?lang=zh").has("html", lang="zh-CN")
    assert read(client, "/jobs").has("html", lang="zh-CN")
    assert read(client, "/jobs", Accept_Language="en").has("html", lang="zh-CN")
    assert read(client, "/jobs?lang=en").has("html", lang="en")
    assert read(client, "/jobs?lang=xx").has("html", lang="en")


def test_the_switch_keeps_the_address(client: FlaskClient) -> None:
    page = read(client, "/jobs?state=failed&q=a%26b&lang=en")
    assert "/jobs?state=failed&q=a%26b&lang=zh-CN" in page.links
    assert page.has("a", lang="zh-CN", hreflang="zh-CN")


def test_one_thing_is_said_as_one(app: Flask) -> None:
    many, one = "{count} images are exact copies of others.", "1 image is an exact copy of another."
    with app.test_request_context("/"):
        assert translate.say(many, {"count": 1}) == one
        assert translate.say(many, {"count": 2}) == "2 images are exact copies of others."
    with app.test_request_context("/?lang=zh"):
        assert "1" in translate.say(many, {"count": 1})
        assert "image" not in translate.say(many, {"count": 1})


def test_what_counts_things_has_a_form_for_one() -> None:
    """Where a sentence goes on with a noun in the plural after its count, English says one of them otherwise."""
    counted = re.compile(r"(?<!One of )\{count\}( [a-z]+)? [a-z]+s\b(?! of)")
    written = _catalog("en"), _catalog("zh_Hans")
    sentences = {message.id for message in written[1] if isinstance(message.id, str) and message.id}
    told = {message.id for message in written[0] if message.context == translate.ONE}
    assert told <= sentences
    assert [text for text in sentences - told if counted.search(text)] == []


def _catalog(locale: str) -> Catalog:
    with (i18n.DIRECTORY / locale / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file)


def test_numbers_of_things_have_their_forms(app: Flask) -> None:
    with app.test_request_context("/"):
        assert i18n.plural("{count} row", "{count} rows", 1) == "1 row"
        assert i18n.plural("{count} row", "{count} rows", 4454) == "4,454 rows"
    with app.test_request_context("/?lang=zh"):
        assert i18n.plural("{count} row", "{count} rows", 3) == "3 行"


def test_api_errors_speak_the_readers_language(client: FlaskClient) -> None:
    reply = client.post("/api/v1/jobs", json={"task": "image_gan.train"}, headers={"Accept-Language": "zh"})
    assert reply.headers["Content-Language"] == "zh-CN"
    assert reply.get_json()["errors"][0]["detail"] == "缺少数据集。请选择一个值。"


@pytest.mark.checklist(18)
def test_every_sentence_is_translated() -> None:
    """Run as its own process: collecting imports the whole web package's declarations anew."""
    command = [sys.executable, str(ROOT / "scripts" / "extract_messages.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_gaps_are_the_same_in_every_language() -> None:
    gap = re.compile(r"\{(\w*)\}")
    for source, said in vars(i18n.load("zh_Hans"))["_catalog"].items():
        if source:
            text = source[0] if isinstance(source, tuple) else source
            assert set(gap.findall(said)) == set(gap.findall(text)), text


@pytest.mark.checklist(18)
def test_no_english_is_left_on_pages(client: FlaskClient, worker: ActingWorker) -> None:
    dataset = ready_dataset(client, worker)
    running = str(submit_training(client, dataset).get_json()["id"])
    finished = worker.train()
    client.post("/api/v1/jobs", json={"task": "image_gan.train", "params": {"dataset": dataset}})
    failed = worker.fail("training", "diverged", Fault("The loss became NaN.", {"step": 3}))
    model = client.get("/api/v1/models").get_json()["data"][0]["id"]
    assert finished == running
    client.get("/?lang=zh")
    paths = [
        "/", "/jobs", "/jobs?state=cancelled", "/jobs/new", "/jobs/new/image_gan.train", "/jobs/new/image_vae.traverse",
        f"/jobs/{finished}", f"/jobs/{failed}", f"/jobs/{failed}/delete", f"/jobs/{finished}/report.html",
        f"/jobs/selected?do=delete&ids={failed}", f"/jobs/selected?do=cancel&ids={finished}",
        f"/jobs/compare?ids={finished},{failed},job_x", "/jobs/compare", "/datasets", "/datasets/new",
        f"/datasets/{dataset}", "/models", f"/models/{model}", "/workers", "/settings/tokens", "/docs",
        "/docs/problems", "/docs/problems/diverged", "/docs/api",
    ]  # fmt: skip
    for path in paths:
        left = [text for text in read(client, path).texts if ENGLISH.search(NAMES.sub("", text))]
        assert left == [], path
    for path, status in (("/nope", 404), ("/jobs/job_x", 404)):
        left = [text for text in read(client, path, status=status).texts if ENGLISH.search(NAMES.sub("", text))]
        assert left == [], path


def test_estimates_speak_the_readers_language(client: FlaskClient, worker: ActingWorker) -> None:
    dataset = ready_dataset(client, worker)
    reply = client.get(f"/jobs/new/image_gan.train/estimate?dataset={dataset}&_preset=quick&_base=quick&lang=zh")
    assert [label for label, _ in json.loads(reply.text)["estimate"]] == ["时间", "依据", "内存", "参数量"]
