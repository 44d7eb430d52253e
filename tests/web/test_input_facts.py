"""What the dataset that is chosen brings into a form: its columns to choose from, and likely personal data."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.web.acting import ActingWorker, upload
from tests.web.reading import read

FORM = "/jobs/new/table_vae.train"
COLUMNS = [("Id", "identifier"), ("Day", "datetime"), ("Age", "integer"), ("Status", "categorical"), ("Note", "text")]
CAUTION = "people v1 has likely personal data in Status, neither masked nor dropped. A model may repeat it."


def table(client: FlaskClient, worker: ActingWorker, name: str, personal: str = "", drop: str = "") -> str:
    """The id of a table with these columns, one of them perhaps with personal data, or without one."""
    columns = [
        {"name": column, "type": type_, "personal": "email" if column == personal else "", "masked": False}
        for column, type_ in COLUMNS
        if column != drop
    ]
    made = upload(client, b"a,b\n1,2\n3,4\n5,6\n", "data.csv", name=name, kind="table").get_json()["id"]
    report = {"kind": "table", "train": 80, "test": 20, "columns": columns, "warnings": []}
    worker.finish("generation", {"dataset/dataset.json": json.dumps(report).encode()})
    return str(made)


def offered(client: FlaskClient, address: str, name: str) -> list[str]:
    """The values that a select list of a page offers."""
    html = read(client, address).html
    _, _, rest = html.partition(f'<select id="f-{name}"')
    return [part.partition('"')[0] for part in rest.partition("</select>")[0].split('<option value="')[1:]]


def asked(client: FlaskClient, task: str, **sent: str) -> dict[str, Any]:
    """What a form is told while someone fills it in."""
    found: dict[str, Any] = client.get(f"/jobs/new/{task}/estimate", query_string=sent).get_json()
    return found


def test_columns_are_chosen_from_the_table(client: FlaskClient, worker: ActingWorker) -> None:
    assert read(client, FORM).has("input", name="target")  # nothing is there to choose from
    people = table(client, worker, "people")
    for task in ("table_vae.train", "table_gan.train", "table_study.augment", "table_gan.evaluate"):
        assert offered(client, f"/jobs/new/{task}?dataset={people}", "target") == ["", "Day", "Age", "Status"]
    assert "Status（类别）" in read(client, f"{FORM}?dataset={people}", Accept_Language="zh-CN").html


def test_which_columns_are_offered_depends_on_what_they_are_for(client: FlaskClient, worker: ActingWorker) -> None:
    people = table(client, worker, "people")
    assert offered(client, f"{FORM}?dataset={people}", "time_column") == ["", "Day", "Age"]
    accounts = f"{FORM}?dataset={people}&account_column=Id"
    assert offered(client, accounts, "account_column") == ["", *(name for name, _ in COLUMNS)]
    assert read(client, accounts).fields["account_column"] == "Id"


def test_another_table_brings_its_own_columns(client: FlaskClient, worker: ActingWorker) -> None:
    people = table(client, worker, "people")
    fewer = table(client, worker, "fewer", drop="Age")
    told = asked(client, "table_vae.train", dataset=fewer, target="Age")["columns"]
    assert [value for value, _ in told["target"]] == ["", "Day", "Status"]
    assert [value for value, _ in asked(client, "table_vae.train", dataset=people)["columns"]["time_column"]] == [
        *("", "Day", "Age")
    ]
    assert asked(client, "table_vae.train")["columns"] == {}
    # Without a script the form comes back with the columns of the table that was sent, and with what was typed.
    sent = read(client, f"{FORM}?dataset={people}").fields | {"dataset": fewer, "target": "Age"}
    reply = client.post(FORM, data=sent)
    assert reply.status_code == 422
    assert '<option value="Age" selected>' in reply.text
    assert "The columns are: Id, Day, Status, Note." in reply.text


def test_personal_data_is_told_wherever_a_model_learns_it(client: FlaskClient, worker: ActingWorker) -> None:
    people = table(client, worker, "people", personal="Status")
    link = f"/datasets/{people}#personal"
    assert "personal" in read(client, f"/datasets/{people}").ids
    assert asked(client, "table_vae.train", dataset=people)["notes"] == [[CAUTION, link]]
    assert asked(client, "table_study.augment", dataset=people)["notes"] == []  # it keeps no model
    body = {"task": "table_vae.train", "params": {"dataset": people}, "name": "rows"}
    job = client.post("/api/v1/jobs", json=body).get_json()["id"]
    worker.finish("training", {"model/weights.safetensors": b"w", "model/config.json": b"{}"})
    model = client.get(f"/api/v1/jobs/{job}").get_json()["model"]
    for address in (f"{FORM}?dataset={people}", f"/jobs/{job}", f"/models/{model}"):
        page = read(client, address)
        assert CAUTION in page.text
        assert link in page.links
    assert "既未遮盖，也未去除" in read(client, address, Accept_Language="zh-CN").text
    assert "personal data" not in read(client, f"{FORM}?dataset={table(client, worker, 'clean', drop='Note')}").text


def test_columns_that_are_not_learnt_are_not_warned_of(client: FlaskClient, worker: ActingWorker) -> None:
    for column, settings, told in (
        ("Id", {}, 0),
        ("Note", {}, 0),
        ("Note", {"text_columns": "empty"}, 0),
        ("Note", {"text_columns": "repeat"}, 1),
    ):
        made = table(client, worker, "people", personal=column)
        assert len(asked(client, "table_vae.train", dataset=made, **settings)["notes"]) == told


@pytest.mark.parametrize(
    ("kind", "report", "told"),
    [
        ("text", {"personal": [{"kind": "email", "pieces": 3, "documents": 2}], "masked": False}, True),
        ("text", {"personal": [{"kind": "email", "pieces": 3, "documents": 2}], "masked": True}, False),
        ("interactions", {"personal": "email", "hashed": False, "users": 1, "items": 1, "events": 1}, True),
        ("interactions", {"personal": "", "hashed": True}, False),
    ],
)
def test_other_kinds_tell_of_it_too(
    client: FlaskClient, worker: ActingWorker, kind: str, report: dict[str, Any], told: bool
) -> None:
    made = upload(client, b"a,b\n1,2\n3,4\n5,6\n", "data.csv", name="mine", kind=kind).get_json()["id"]
    worker.finish("generation", {"dataset/dataset.json": json.dumps({"kind": kind, "train": 9, **report}).encode()})
    task = {"text": "text_transformer.train", "interactions": "sasrec.train"}[kind]
    found = asked(client, task, dataset=made)["notes"]
    sentence = "mine v1 has likely personal data that is not masked. A model may repeat it."
    assert [one for one, _ in found] == ([sentence] if told else [])
