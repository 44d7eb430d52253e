"""Uploads of texts become documents: files, columns, turns, copies, personal data, faults with their places."""

import gzip
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from aigc_models.base import Fault, InputError
from aigc_models.data import kinds, planted_texts, text_bytes, text_files
from aigc_models.data.starters import STARTERS
from aigc_models.data.text_decoding import PREVIEW, read_upload
from aigc_models.data.texts import Document, Part, TextSet, load_report, load_texts, require_shape, save_texts
from aigc_models.dataset.model import import_text
from aigc_models.dataset.text_params import DatasetImportText
from aigc_models.standalone import LocalRun

Import = Callable[..., tuple[TextSet, dict[str, Any]]]


@pytest.fixture
def bring(tmp_path: Path) -> Import:
    """Reads a text or bytes as an upload, in this process; gives the dataset and its report."""

    def go(content: str | bytes, filename: str = "texts.txt", **settings: Any) -> tuple[TextSet, dict[str, Any]]:
        upload, out = tmp_path / "upload", tmp_path / "out"
        for fresh in (upload, out):
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir()
        (out / "work").mkdir()
        file = upload / filename
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        params = DatasetImportText(**settings).model_dump(mode="json")
        assert kinds.precheck(file, filename, "text") == "text"
        request = {"file": str(file), "work": str(out / "work"), "out": str(out), "params": params}
        read_upload(request, lambda *_: None)
        return load_texts(out / "dataset"), load_report(out / "dataset")

    return go


def all_of(texts: TextSet) -> dict[str, Document]:
    return {document.name: document for document in (*texts.train, *texts.test)}


def said(report: Mapping[str, Any]) -> str:
    return " ".join(one["message"].format(**one["values"]) for one in report["warnings"])


def faults_of(bring: Import, *content: Any, **settings: Any) -> list[Fault]:
    with pytest.raises(InputError) as caught:
        bring(*content, **settings)
    for fault in caught.value.faults:
        assert "{" not in str(fault).replace("{'", "")
    return caught.value.faults


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()


def jsonl(*rows: Any) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


PARAGRAPHS = [f"Lamp number {n} has {n * 7} lumen.\nIt stands in room {n * 3} of the house." for n in range(1, 31)]


def test_an_import_runs_confined_and_leaves_nothing_behind(tmp_path: Path) -> None:
    upload, run = tmp_path / "upload", LocalRun(tmp_path / "out")
    upload.mkdir()
    run.inputs = {"upload": upload}
    (upload / "texts.txt").write_text("\n\n".join(PARAGRAPHS), encoding="utf-8")
    assert import_text(DatasetImportText(), run) == {"train_texts": 27.0, "test_texts": 3.0}
    texts = load_texts(run.out_dir / "dataset")
    require_shape(texts, "dialogues", "passages")
    with pytest.raises(InputError) as refused:
        require_shape(texts, "documents")
    assert (refused.value.faults[0].code, refused.value.faults[0].pointer) == ("wrong-text-shape", "/dataset")
    assert sorted(path.name for path in run.out_dir.iterdir()) == ["dataset", PREVIEW]
    preview = json.loads((run.out_dir / PREVIEW).read_text(encoding="utf-8"))
    assert (preview["columns"], len(preview["texts"])) == (["name", "title", "language", "text"], 20)
    assert preview["rows"][0] == ["1", "", "en", PARAGRAPHS[0]]
    (upload / "texts.txt").unlink()
    (upload / "rows.jsonl").write_text(jsonl({"text": "a"}) + "{broken\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        import_text(DatasetImportText(), run)
    (fault,) = caught.value.faults
    assert (fault.code, fault.where) == ("bad-json", {"file": "rows.jsonl", "line": 2, "value": "{broken"})


def test_a_plain_text_is_cut_as_is_asked_for(bring: Import) -> None:
    text = "\ufeff" + "\r\n\r\n".join(PARAGRAPHS).replace("room", "r\0oom", 3)
    texts, report = bring(text)
    documents = all_of(texts)
    assert (texts.shape, len(documents)) == ("passages", 30)
    assert documents["4"].text == PARAGRAPHS[1]
    assert report["languages"] == {"en": 30}
    assert "3 signs that mean nothing" in said(report)
    lines, _ = bring(text, divide="lines")
    assert len(all_of(lines)) == 60
    running, report = bring(text, divide="running", test_percent=20)
    (head,), (tail,) = running.train, running.test
    whole = "\n\n".join(PARAGRAPHS)
    assert head.text + tail.text == whole
    assert head.text.endswith("\n")
    assert 0.15 * len(whole) < len(tail.text) < 0.25 * len(whole)
    assert "its end is kept for testing" in said(report)
    words, _ = bring("one two three four five six seven eight nine ten", divide="running", test_percent=20)
    assert (words.train[0].text, words.test[0].text) == ("one two three four five six seven ", "eight nine ten")
    single, _ = bring("one line\nanother line\n")
    assert [document.text for document in all_of(single).values()] == ["one line", "another line"]


def test_the_split_is_fixed_and_never_parts_copies(bring: Import) -> None:
    long = " ".join(f"word{n}" for n in range(80))
    near = [f"{long} and the end {n}" for n in range(4)]
    rows = [{"text": text} for text in (*PARAGRAPHS, *PARAGRAPHS[:6], *near)]
    first, report = bring(jsonl(*rows), "a.jsonl", test_percent=30)
    second, _ = bring(gzip.compress(jsonl(*rows).encode()), "b.jsonl.gz", test_percent=30)
    assert first == second
    assert (report["duplicates"], report["near_duplicates"]) == (6, 3)
    assert report["train"] + report["test"] == 40
    assert 8 <= report["test"] <= 12
    assert not {one.text for one in first.train} & {one.text for one in first.test}
    assert len({long in one.text for one in first.train}) + len({long in one.text for one in first.test}) == 3
    same, report = bring(jsonl(*rows), "a.jsonl", repeats="drop_same")
    assert (len(all_of(same)), report["dropped"]) == (34, 6)
    similar, report = bring(jsonl(*rows), "a.jsonl", repeats="drop_similar")
    assert (len(all_of(similar)), report["dropped"]) == (31, 9)
    assert "9 texts that repeat others were left out" in said(report)


def test_texts_from_one_template_are_split_all_the_same(bring: Import) -> None:
    long = " ".join(f"word{n}" for n in range(80))
    texts, report = bring("\n".join([*(f"{long} and the end {n}" for n in range(50)), f"{long} and the end 7"]))
    assert (report["train"], report["test"]) == (46, 5)
    assert "Nearly all texts are near-copies" in said(report)
    assert not {one.text for one in texts.train} & {one.text for one in texts.test}
    same, report = bring("the same line\n" * 30)
    assert (len(same.train), same.test) == (30, ())
    assert "All texts repeat each other" in said(report)


def test_rows_have_attributes_titles_ids_and_languages(bring: Import) -> None:
    rows = [
        {
            "sku": f"P{n}", "name": f"Lamp {n}", "section": ("home", "garden")[n % 2],
            "tags": "led, warm" if n % 3 else "",
            "description": f"This is the lamp with number {n}, and it is for the garden.", "price": n, "note": None,
        }
        for n in range(40)
    ]  # fmt: skip
    texts, report = bring(jsonl(*rows), "lamps.jsonl")
    lamp = all_of(texts)["P4"]
    assert (lamp.title, lamp.language) == ("Lamp 4", "en")
    assert lamp.attributes == {"section": ("home",), "tags": ("led", "warm")}
    assert "tags" not in all_of(texts)["P3"].attributes
    assert report["columns"]["uses"] == {"text": "description", "title": "name", "name": "sku"}
    assert report["columns"]["others"] == ["price", "note"]
    tags = next(one for one in report["attributes"] if one["name"] == "tags")
    assert (tags["multiple"], tags["documents"], tags["values"][0]) == (True, 26, ["led", 26])
    named, _ = bring(
        jsonl(*rows), "lamps.jsonl", attribute_columns="PRICE, tags", list_separator="none", title_column="3"
    )
    assert all_of(named)["P4"].attributes == {"price": ("4",), "tags": ("led, warm",)}
    assert all_of(named)["P4"].title == "home"
    bare, _ = bring(jsonl(*rows), "lamps.jsonl", attribute_columns="none", language="DE")
    assert (all_of(bare)["P4"].attributes, all_of(bare)["P4"].language) == ({}, "de")
    csv = "正文;类别;lang\n" + "".join(
        f'"这是第{n}盏灯，\n很亮。";{"客厅" if n % 2 else "花园"};zh_CN\n' for n in range(20)
    )
    chinese, report = bring(csv.encode("gb18030"), "灯.csv")
    assert report["source"]["encodings"] == {"gb18030": 1}
    assert report["source"]["delimiter"] == ";"
    assert all_of(chinese)["3"].text == "这是第1盏灯，\n很亮。"
    assert (report["languages"], all_of(chinese)["3"].attributes) == ({"zh": 20}, {"类别": ("客厅",)})


def test_questions_with_answers_and_turns_become_dialogues(bring: Import) -> None:
    pairs = "question,answer,topic\n" + "".join(f"What is {n}?,It is {n}.,{'ab'[n % 2]}\n" for n in range(12))
    texts, report = bring(pairs, "faq.csv")
    (turns, answer), *more = all_of(texts)["4"].exchanges()
    assert (texts.shape, [turn.text for turn in turns], answer, more) == ("dialogues", ["What is 2?"], "It is 2.", [])
    assert all_of(texts)["4"].attributes == {"topic": ("a",)}
    assert report["parts"] == {"train": 2 * report["train"], "test": 2 * report["test"]}
    rows = "thread,speaker,message\n" + "".join(
        f"t{n},customer,Hello from {n}\nt{n},customer,It is broken\nt{n},Anna,Sorry to hear\n" for n in range(6)
    )
    texts, report = bring(rows, "chats.csv")
    assert report["roles"] == {"customer": "user", "Anna": "assistant"}
    first = all_of(texts)["t0"]
    assert [(turn.role, turn.text) for turn in first.parts] == [
        ("user", "Hello from 0\nIt is broken"),
        ("assistant", "Sorry to hear"),
    ]
    _, report = bring(rows, "chats.csv", answering_role="Customer")
    assert report["roles"] == {"customer": "assistant", "Anna": "user"}
    assert "6 dialogues have no answer" in said(report)
    (fault,) = faults_of(bring, rows, "chats.csv", answering_role="Bob")
    assert (fault.code, fault.pointer) == ("unknown-role", "/answering_role")
    chat = [
        {
            "id": n,
            "messages": [
                {"role": "system", "content": "Be kind."},
                {"from": "human", "value": f"你好 {n}"},
                {"role": "gpt", "content": "你好！"},
            ],
        }
        for n in range(5)
    ]
    texts, _ = bring(jsonl(*chat), "chat.jsonl")
    assert [turn.role for turn in all_of(texts)["3"].parts] == ["system", "user", "assistant"]
    play = "Anna: Hello\nwith a second line\nBert: Good day\n\n甲：你好\n乙：再见"
    texts, report = bring(play, shape="dialogues")
    assert all_of(texts)["1"].parts[0].text == "Hello\nwith a second line"
    assert len(all_of(texts)) == 2


def test_a_zip_of_pages_keeps_headings_folders_and_encodings(bring: Import) -> None:
    files: dict[str, str | bytes] = {
        "help/en/start.md": "---\ntitle: Getting started\n---\nWhat to do at the start\n\n# Start `now`\n\nText.\n\n"
        "```\n# no heading\n```\n\nSub\n---\n\nmore",
        "help/en/page.html": "<html><head><title>T</title></head><body><nav>menu</nav><h1>Page &amp; more</h1>"
        "<p>One<br>two and the</p><script>x()</script><h2>Next</h2><ul><li>a<li>b</ul></body></html>",
        "help/zh/开始.txt": "这里是帮助。\n请看下一页。".encode("gb18030"),
        "help/zh/big5.html": '<meta charset="big5"><h1>說明</h1><p>這裡是說明，請看下一頁。</p>'.encode("big5"),
        "help/picture.png": b"\x89PNG",
        "__MACOSX/help/._start.md": b"\0\0",
    }  # fmt: skip
    texts, report = bring(zipped(files), "help.zip")
    documents = all_of(texts)
    assert texts.shape == "documents"
    assert set(documents) == {name for name in files if name.startswith("help/") and not name.endswith("png")}
    start = documents["help/en/start.md"]
    assert start.title == "Getting started"
    assert [(part.level, part.heading) for part in start.parts] == [(0, ""), (1, "Start now"), (2, "Sub")]
    assert "# no heading" in start.parts[1].text
    assert [path for path, _ in start.headings()] == [(), ("Start now",), ("Start now", "Sub")]
    page = documents["help/en/page.html"]
    assert (page.title, page.parts[0].text) == ("Page & more", "One\ntwo and the")
    assert page.parts[1].text == "- a\n- b"
    assert documents["help/zh/big5.html"].parts[0].heading == "說明"
    assert {document.language for document in documents.values()} == {"en", "zh"}
    assert documents["help/zh/开始.txt"].attributes == {"folder": ("zh",)}
    assert report["source"]["encodings"]["gb18030"] == 1
    assert "1 files are no texts and were left out, such as help/picture.png." in said(report)
    passages, _ = bring(zipped({"pos/a.txt": "good\n\nfine", "neg/b.txt": "bad"}), "reviews.zip", shape="passages")
    assert {one.text: one.attributes["folder"] for one in all_of(passages).values()} == {
        "good\n\nfine": ("pos",),
        "bad": ("neg",),
    }
    packed, _ = bring(zipped({"rows.jsonl": jsonl({"text": "a b"}, {"text": "c d"}), "x.png": b""}), "rows.zip")
    assert len(all_of(packed)) == 2


def test_what_is_written_is_read_again(bring: Import, tmp_path: Path) -> None:
    rows = [
        {
            "name": f"a/{n}.md",
            "title": f"Page {n}",
            "language": "en",
            "sections": [{"text": f"Intro {n}"}, {"h": "How to", "text": f"Do it {n} times"}],
            "attributes": {"kind": ["x", "y"]},
        }
        for n in range(12)
    ]
    texts, _ = bring(jsonl(*rows), "pages.jsonl")
    assert all_of(texts)["a/3.md"].parts[1].heading == "How to"
    written = (tmp_path / "out" / "dataset" / "train.jsonl").read_bytes()
    again, _ = bring(written, "train.jsonl")
    assert {one.name: one for one in texts.train} == all_of(again)


def test_a_dataset_that_breaks_the_rules_is_not_written(tmp_path: Path) -> None:
    good = Document("a", (Part("text"),))
    for texts in (
        TextSet("passages", (), (good,)),
        TextSet("passages", (good,), (good,)),
        TextSet("passages", (Document("b", (Part(" "),)),), ()),
        TextSet("passages", (Document("b", ()),), ()),
        TextSet("dialogues", (good,), ()),
    ):
        with pytest.raises(ValueError, match=r"document|role"):
            save_texts(texts, {}, tmp_path / "dataset")
    assert not (tmp_path / "dataset").exists()
    save_texts(TextSet("passages", (good,), ()), {"train": 7}, tmp_path / "dataset")
    report = load_report(tmp_path / "dataset")
    assert (report["train"], report["test"], report["kind"], len(report["hash"])) == (1, 0, "text", 64)


def test_the_planted_words_are_in_the_made_up_products(bring: Import) -> None:
    products = planted_texts.plant(200, 3)
    assert products == planted_texts.plant(200, 3) != planted_texts.plant(200, 4)
    for product in products:
        sections, tags = planted_texts.planted_in(product.description)
        assert sections == {product.section}
        assert tags == set(product.tags.split(", "))
    starter = STARTERS["synthetic-products"]
    whole = "".join(json.dumps(asdict(product)) + "\n" for product in planted_texts.plant())
    assert gzip.decompress(starter.path.read_bytes()).decode() == whole
    texts, _ = bring(starter.path.read_bytes(), starter.filename)
    assert texts.attribute_names() == ("section", "tags")


def test_the_bundled_help_and_small_talk_are_in_both_languages(bring: Import) -> None:
    starter = STARTERS["foundry-help"]
    texts, report = bring(starter.path.read_bytes(), starter.filename)
    assert texts.shape == "documents"
    languages: dict[str, list[str]] = {name.partition("/")[0]: [] for name in all_of(texts)}
    for name, page in all_of(texts).items():
        assert page.title, name
        assert page.language == name.partition("/")[0]
        languages[page.language].append(name.partition("/")[2])
    assert set(languages) == {"en", "zh"}
    assert set(languages["zh"]) <= set(languages["en"])
    assert "how-to/bring-your-own-texts.md" in languages["zh"]
    starter = STARTERS["small-talk"]
    texts, report = bring(starter.path.read_bytes(), starter.filename)
    assert (texts.shape, len(all_of(texts)), set(report["languages"])) == ("dialogues", 777, {"en", "zh"})
    assert all(any(dialogue.exchanges()) for dialogue in all_of(texts).values())


def test_personal_data_is_pointed_out_and_masked(bring: Import) -> None:
    rows = [{"text": f"Write to anna{n}@example.org or call +49 30 1234567{n % 10}, please."} for n in range(12)]
    rows.append({"text": "My card is 4111 1111 1111 1111 and my id 11010519491231002X; pi is 3.4111111111111111"})
    texts, report = bring(jsonl(*rows), "mail.jsonl")
    found = {one["kind"]: (one["pieces"], one["documents"]) for one in report["personal"]}
    assert found == {"email": (12, 12), "phone": (12, 12), "card": (1, 1), "national_id": (1, 1)}
    assert report["personal"][0]["first"] == ["1", "2", "3", "4", "5"]
    assert not report["masked"]
    masked, report = bring(jsonl(*rows), "mail.jsonl", mask=True)
    assert report["masked"]
    assert all_of(masked)["2"].text == "Write to [email] or call [phone], please."
    assert all_of(masked)["13"].text.startswith("My card is [card] and my id [national_id]; pi is 3.41")
    everything = " ".join(document.text for document in all_of(texts).values())
    assert "anna3@example.org" in everything


def test_faults_name_file_line_and_value(bring: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    mixed = "".join(f"Größe {n} paßt\n" for n in range(9)).encode() + "Maß voll\n".encode("latin-1")
    (fault,) = faults_of(bring, mixed)
    assert (fault.code, fault.where["line"]) == ("mixed-encoding", 10)
    kept, report = bring(mixed, skip_broken=True)
    assert (len(all_of(kept)), report["left_out"]) == (9, 1)
    (fault,) = faults_of(bring, "Maß voll\n".encode("latin-1") * 2 + "Größe\n".encode())
    assert (fault.code, fault.where["line"], fault.where["value"]) == ("mixed-encoding", 3, "Größe")
    latin, report = bring("Die Maße sind für alle da, weil das Öl fehlt.\n".encode("latin-1") * 2)
    assert report["source"]["encodings"] == {"cp1252": 1}
    assert "Maße" in all_of(latin)["1"].text
    faults = faults_of(bring, "id,text\n1,fine\n2,\n3\n4,good\n", "a.csv")
    assert [(fault.code, fault.where.get("row")) for fault in faults] == [("wrong-cell-count", 4), ("cell-missing", 3)]
    faults = faults_of(bring, jsonl({"text": "a"}, {"text": " "}, 7), "a.jsonl")
    assert [(fault.code, fault.where["line"]) for fault in faults] == [("bad-json", 3), ("cell-missing", 2)]
    (fault,) = faults_of(bring, "id,label\n1,a\n", "a.csv", text_column="text")
    assert (fault.code, fault.pointer) == ("unknown-column", "/text_column")
    (fault,) = faults_of(bring, "a,b\nsome words,more words\nsome words,more words\n", "a.csv")
    assert (fault.code, fault.pointer) == ("column-unclear", "/text_column")
    (fault,) = faults_of(bring, "question,other\na,b\n", "a.csv", shape="dialogues")
    assert (fault.code, fault.pointer) == ("column-unclear", "/answer_column")
    (fault,) = faults_of(bring, "text,body\na,b\n", "a.csv", text_column="body", title_column="body")
    assert fault.code == "column-twice"
    (fault,) = faults_of(bring, " \n\n \n")
    assert fault.code == "dataset-empty"
    (fault,) = faults_of(bring, "hello", shape="dialogues")
    assert (fault.code, fault.where["line"]) == ("cell-missing", 1)
    (fault,) = faults_of(bring, "straight text " * 400 + "\x01\x02\x03\x04" * 400)
    assert fault.code == "not-text"
    (fault,) = faults_of(bring, zipped({"a.md": "# A\n\ntext", "b.md": " "}), "a.zip")
    assert (fault.code, fault.where) == ("dataset-empty", {"file": "b.md"})
    monkeypatch.setattr(text_files, "LONGEST", 1000)
    (fault,) = faults_of(bring, "x" * 2000)
    assert (fault.code, fault.where) == ("cell-too-long", {"file": "texts.txt"})
    assert len(all_of(bring("x" * 2000, divide="running")[0])) == 2
    monkeypatch.setattr(text_bytes, "MOST_BYTES", 1000)
    (fault,) = faults_of(bring, "x y z " * 500, divide="running")
    assert fault.code == "dataset-too-large"


def test_half_characters_and_deep_json_do_no_harm(bring: Import) -> None:
    texts, _ = bring('{"text": "half \\ud83d sign \\u0000 and words"}\n{"text": "other text here"}\n', "a.jsonl")
    assert all_of(texts)["1"].text == "half \ufffd sign  and words"
    faults = faults_of(bring, '{"text": "a"}\n' + "[" * 100_000 + "\n", "a.jsonl")
    assert faults[0].code == "bad-json"


@pytest.mark.parametrize("content", [b"MZ\x90\0" + bytes(range(256)) * 30, b"%PDF-1.7 text", b""])
def test_what_only_has_the_name_of_a_text_is_refused_at_once(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        kinds.precheck(path, "notes.txt", "text")
    assert caught.value.faults[0].code in ("unsupported-file", "dataset-empty")
