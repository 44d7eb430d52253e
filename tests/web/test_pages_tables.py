"""Tables on pages and in the API: choosing the kind, what the check found, and reading the file again."""

import io
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from aigc_models.base import Fault
from aigc_models.data.column_words import split, split_types
from tests.aigc_models.tables_in import bring, lines
from tests.web.acting import ActingWorker, picture_zip, upload
from tests.web.reading import Page, read, send
from web.pages import table_report

CONTENT = lines(
    "id,age,email,city", *(f"{n},{20 + n % 40},user{n}@example.com,{('Kiel', 'Köln', 'NA')[n % 3]}" for n in range(60))
)


def checked(client: FlaskClient, worker: ActingWorker, directory: Path, **params: Any) -> str:
    """The id of a table that was uploaded by the form and really read."""
    fields = read(client, "/datasets/new?kind=table").fields | {name: str(value) for name, value in params.items()}
    form = {**fields, "name": "people", "file": (io.BytesIO(CONTENT), "people.csv")}
    reply = client.post("/datasets/new", data=form, content_type="multipart/form-data")
    assert reply.status_code == 303, Page(reply.text).text
    finish(worker, directory, **params)
    return str(reply.location.rpartition("/")[2])


def finish(worker: ActingWorker, directory: Path, **params: Any) -> None:
    """Do what the import of a table does."""
    made = bring(directory, CONTENT, "people.csv", **params)
    files = {str(path.relative_to(made.out)): path.read_bytes() for path in made.out.rglob("*") if path.is_file()}
    worker.finish("generation", files)


def settings_of(client: FlaskClient, dataset: str) -> dict[str, Any]:
    """The settings of a dataset's import."""
    job = client.get(f"/api/v1/datasets/{dataset}").get_json()["job"]
    found: dict[str, Any] = client.get(f"/api/v1/jobs/{job}").get_json()["params"]
    return found


def test_the_form_follows_the_kind_without_a_script(client: FlaskClient) -> None:
    plain = read(client, "/datasets/new")
    assert "/datasets/new?kind=table" in plain.links
    assert not plain.has("input", name="image_size")
    table = read(client, "/datasets/new?kind=table&name=loans")
    assert table.has("a", href="/datasets/new?kind=table&name=loans", **{"aria-current": "page"})
    assert table.has("input", name="kind", value="table")
    assert table.has("textarea", name="column_types")
    assert not table.has("input", name="image_size")
    assert table.has("input", type="file", accept=".csv,.gz,.parquet,.tsv,.txt")
    assert read(client, "/datasets/new?kind=images").has("input", name="image_size")
    assert read(client, "/datasets/new?kind=table&account=customer").has("input", name="account", value="customer")


@pytest.mark.parametrize(
    ("data", "filename", "kind", "made"),
    [
        (CONTENT, "people.csv", "", "table"),
        (CONTENT, "people.csv", "table", "table"),
        (b"a;b\n1;2\n3;4\n", "noending", "", "table"),
        (picture_zip(), "shirts.zip", "", "images"),
    ],
)
def test_the_content_decides_unless_a_kind_is_chosen(
    client: FlaskClient, data: bytes, filename: str, kind: str, made: str
) -> None:
    reply = upload(client, data, filename, kind=kind)
    assert (reply.status_code, reply.get_json()["kind"]) == (202, made)


def test_a_file_that_cannot_be_what_was_chosen(client: FlaskClient) -> None:
    reply = upload(client, CONTENT, "people.csv", kind="images")
    assert (reply.status_code, reply.get_json()["code"]) == (415, "unsupported-file")
    assert "holds text, which cannot become a dataset of the kind Images" in reply.get_json()["detail"]
    unknown = upload(client, CONTENT, "people.csv", kind="tables")
    assert (unknown.status_code, unknown.get_json()["errors"][0]["pointer"]) == (422, "#/kind")
    wrong = upload(client, CONTENT, "people.csv", kind="table", params='{"test_percent": 90}')
    assert wrong.get_json()["errors"][0]["pointer"] == "#/params/test_percent"


@pytest.mark.checklist(16)
def test_a_broken_table_names_row_column_and_value(client: FlaskClient, worker: ActingWorker) -> None:
    made = upload(client, CONTENT, "people.csv").get_json()["id"]
    where = {"row": 14, "column": "price", "value": "12,90 €"}
    sentence = "Row {row}, column {column}: {value} is not a number. Use a form like 12.90."
    worker.fail("generation", "invalid_data", Fault(sentence, where, where=where, code="bad-cell"))
    page = read(client, f"/datasets/{made}")
    assert "Row 14, column price: 12,90 € is not a number. Use a form like 12.90." in page.text
    assert any(link.startswith("/datasets/new?kind=table") for link in page.links)
    told = client.get(f"/api/v1/datasets/{made}").get_json()["error"]["errors"][0]
    assert (told["where"], told["code"]) == (where, "bad-cell")
    chinese = client.get(f"/datasets/{made}", headers={"Accept-Language": "zh-CN"}).text
    assert "第 14 行，列 price：12,90 € 不是数字。" in chinese


@pytest.mark.checklist(16)
def test_a_table_shows_its_first_rows_and_columns(client: FlaskClient, worker: ActingWorker, tmp_path: Path) -> None:
    dataset = checked(client, worker, tmp_path)
    page = read(client, f"/datasets/{dataset}")
    assert "48 rows to learn from, 12 kept for testing." in page.text
    assert "user0@example.com" in page.text
    assert "user19@example.com" in page.text
    assert "user20@example.com" not in page.text
    assert "email looks like e-mail addresses." in page.text
    assert page.has("div", role="region", tabindex="0", **{"aria-label": "Table of the first rows"})
    assert page.has("svg", role="img", **{"aria-label": "Distribution of age"})
    assert page.has("select", name="type-1", **{"aria-label": "Type of age"})
    assert "NA: 20" in page.text
    listed = read(client, "/datasets").text
    assert "60 rows" in listed


@pytest.mark.parametrize(
    ("kind", "form", "english", "chinese"),
    [
        ("continuous", ",", "decimal comma", "小数点写作逗号"),
        ("continuous", ",.", "decimal comma, point between thousands", "小数点写作逗号、千位之间是句点"),
        ("integer", ".,", "comma between thousands", "千位之间是逗号"),
        ("datetime", "%d.%m.%Y %H:%M", "like 31.12.2026 23:59", "例如 31.12.2026 23:59"),
    ],
)
def test_how_cells_are_written_is_said_in_words(app: Flask, kind: str, form: str, english: str, chinese: str) -> None:
    for language, told in (("en", english), ("zh-CN", chinese)):
        with app.test_request_context(headers={"Accept-Language": language}):
            assert table_report._facts({"type": kind, "format": form})[0][1] == told


def test_the_preview_is_json_rows(client: FlaskClient, worker: ActingWorker, tmp_path: Path) -> None:
    address = f"/api/v1/datasets/{checked(client, worker, tmp_path)}/preview"
    found = client.get(address)
    assert found.content_type == "application/json"
    assert found.get_json()["columns"] == ["id", "age", "email", "city"]
    assert found.get_json()["rows"][0] == ["0", "20", "user0@example.com", "Kiel"]
    assert len(found.get_json()["rows"]) == 20
    assert client.get(address, headers={"Accept": "image/png"}).status_code == 406
    assert client.get(address, headers={"If-None-Match": found.headers["ETag"]}).status_code == 304


def test_types_are_corrected_in_a_second_step(client: FlaskClient, worker: ActingWorker, tmp_path: Path) -> None:
    dataset = checked(client, worker, tmp_path, test_percent=30)
    address = f"/datasets/{dataset}"
    wish = {"columns": "all", "type-0": "integer", "mask-2": "true", "account": "city"}
    reply = send(client, f"{address}/columns", wish, form=address)
    assert reply.status_code == 303
    made = client.get(f"/api/v1{reply.location}").get_json()
    assert (made["name"], made["version"], made["state"]) == ("people", 2, "checking")
    params = settings_of(client, made["id"])
    assert split_types(params["column_types"]) == [("id", "integer")]
    assert (params["mask"], params["account"], params["test_percent"]) == ("email", "city", 30)
    finish(worker, tmp_path, **{name: params[name] for name in ("column_types", "mask", "account", "test_percent")})
    page = read(client, reply.location)
    assert "Masked" in page.text
    assert "@example.com" not in page.text
    assert page.has("option", value="integer", selected="")
    still = {"columns": "all", "mask-2": "true", "account": "city"}  # as a browser sends what stays ticked
    again = send(client, f"{reply.location}/columns", still | {"drop-3": "true", "type-1": "text"}, form=reply.location)
    params = settings_of(client, again.location.rpartition("/")[2])
    assert dict(split_types(params["column_types"])) == {"id": "integer", "age": "text"}
    assert (params["mask"], params["drop"]) == ("email", "city")


def test_buttons_of_a_hint_mask_and_drop(client: FlaskClient, worker: ActingWorker, tmp_path: Path) -> None:
    address = f"/datasets/{checked(client, worker, tmp_path)}"
    page = read(client, address)
    assert page.has("button", name="mask", value="2")
    token = page.fields["csrf_token"]
    for pressed in ("mask", "drop"):
        reply = client.post(f"{address}/columns", data={"csrf_token": token, pressed: "2"})
        params = settings_of(client, reply.location.rpartition("/")[2])
        assert split(params[pressed]) == ["email"]
    assert client.post(f"{address}/columns", data={"csrf_token": token, "mask": "99"}).status_code == 303


def test_the_next_version_over_the_api(client: FlaskClient, worker: ActingWorker, tmp_path: Path) -> None:
    dataset = checked(client, worker, tmp_path)
    address = f"/api/v1/datasets/{dataset}/versions"
    headers = {"Prefer": "wait=0"}
    made = client.post(address, json={"params": {"drop": "id"}}, headers=headers)
    assert (made.status_code, made.get_json()["version"]) == (202, 2)
    wrong = client.post(address, json={"params": {"dorp": "id"}}, headers=headers)
    assert (wrong.status_code, wrong.get_json()["errors"][0]["pointer"]) == (422, "#/params/dorp")
    assert client.delete(f"/api/v1/datasets/{dataset}/source").status_code == 204
    gone = client.post(address, json={"params": {"drop": "id"}}, headers=headers)
    assert (gone.status_code, gone.get_json()["code"]) == (409, "source-deleted")
    assert client.post(f"/api/v1/datasets/ds_{'0' * 26}/versions", json={}).status_code == 404
    page = read(client, f"/datasets/{dataset}")
    assert "The uploaded file was deleted" in page.text
    assert not page.has("button", name="mask")


def test_starters_of_tables_come_with_their_settings(client: FlaskClient) -> None:
    made = client.post("/api/v1/datasets", json={"starter": "credit"}, headers={"Prefer": "wait=0"}).get_json()
    assert (made["kind"], settings_of(client, made["id"])["drop"]) == ("table", "rownames")
    assert read(client, "/").has("form", action="/datasets/starter/cdnow")
    assert read(client, "/datasets/new?kind=table").has("form", action="/datasets/starter/credit")
    assert not read(client, "/datasets/new?kind=images").has("form", action="/datasets/starter/credit")
