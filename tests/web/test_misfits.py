"""What a dataset cannot give is refused when a job is submitted: the same sentence by form, API and check."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from jobs.engine import Engine
from tests.web.acting import ActingWorker, upload
from tests.web.reading import Page, read, send

LOANS = {
    "kind": "table",
    "train": 80,
    "test": 20,
    "columns": [
        {"name": "Id", "type": "identifier"},
        {"name": "Age", "type": "integer"},
        {
            "name": "Status",
            "type": "categorical",
            "distinct": 2,
            "top": [{"value": "good", "count": 70}, {"value": "bad", "count": 30}],
        },
    ],
    "warnings": [],
}
PRODUCTS = {
    "kind": "text",
    "train": 90,
    "test": 10,
    "attributes": [
        {"name": "section", "different": 3, "values": [["games", 40], ["garden", 30], ["kitchen", 20]]},
        {"name": "brand", "different": 900, "values": [["Acme", 3]]},
    ],
    "warnings": [],
}
TRAINED = {"model/weights.safetensors": b"w", "model/config.json": b"{}"}


def dataset(client: FlaskClient, worker: ActingWorker, report: dict[str, Any], name: str) -> None:
    """A dataset with such a report."""
    made = upload(client, b"a,b\n1,2\n3,4\n5,6\n", "data.csv", name=name, kind=report["kind"])
    assert made.status_code == 202, made.get_json()
    worker.finish("generation", {"dataset/dataset.json": json.dumps(report).encode()})


@pytest.fixture
def loans(client: FlaskClient, worker: ActingWorker) -> str:
    dataset(client, worker, LOANS, "loans")
    return "loans"


@pytest.fixture
def writer(client: FlaskClient, worker: ActingWorker) -> str:
    dataset(client, worker, PRODUCTS, "products")
    body = {"task": "text_transformer.train", "params": {"dataset": "products"}, "name": "writer"}
    assert client.post("/api/v1/jobs", json=body).status_code == 202
    worker.finish("training", TRAINED)
    return "writer"


def refused(client: FlaskClient, task: str, params: dict[str, Any]) -> tuple[str, str]:
    """The sentence and its pointer; the check says the same, and nothing is made."""
    body = {"task": task, "params": params}
    replies = [client.post(f"/api/v1/jobs{query}", json=body) for query in ("", "?validate_only=true")]
    assert [reply.status_code for reply in replies] == [422, 422]
    (told,), (checked,) = (reply.get_json()["errors"] for reply in replies)
    assert told == checked
    return told["detail"], told["pointer"]


TARGETS = (
    ("Statos", "There is no column Statos to predict. Did you mean Status? The columns are: Id, Age, Status."),
    (
        "Id",
        (
            "The column Id holds identifiers or free text, which cannot be predicted. Choose one with categories or "
            "numbers."
        ),
    ),
)


@pytest.mark.parametrize(("target", "sentence"), TARGETS)
def test_a_column_that_cannot_be_predicted(client: FlaskClient, loans: str, target: str, sentence: str) -> None:
    for task in ("table_vae.train", "table_gan.train", "table_study.augment"):
        assert refused(client, task, {"dataset": loans, "target": target}) == (sentence, "#/params/target")
    for action in ("", "check"):
        sent = send(client, "/jobs/new/table_vae.train", {"dataset": loans, "target": target, "_action": action})
        assert sent.status_code == 422
        assert sentence in Page(sent.text).text
    fine = {"task": "table_vae.train", "params": {"dataset": loans, "target": "Status"}}
    assert client.post("/api/v1/jobs?validate_only=true", json=fine).status_code == 200


def test_a_condition_that_no_row_can_meet(client: FlaskClient, worker: ActingWorker, loans: str) -> None:
    body = {"task": "table_vae.train", "params": {"dataset": loans}, "name": "rows"}
    assert client.post("/api/v1/jobs", json=body).status_code == 202
    worker.finish("training", TRAINED)
    for wish, sentence in (
        ("Statuss=good", "The table has no column Statuss. Did you mean Status?"),
        ("Status=gut", "The column Status has no value gut. Some it has: good, bad."),
        ("Id=7", "The column Id holds identifier and cannot be asked for. Choose another column."),
        (
            "Status",
            'Conditions cannot be read at "Status". Write them as Column=value, with commas between, or as JSON.',
        ),
    ):
        wrong = {"model": "rows", "conditions": wish}
        assert refused(client, "table_vae.generate", wrong) == (sentence, "#/params/conditions")
    for wish, sentence in (
        ("Agf < 7", "The table has no column Agf. Did you mean Age?"),
        ("Status < 7", "The column Status holds categorical, which cannot be compared. Choose numbers or dates."),
        (
            "Age / 2 = 3",
            'The constraint "Age / 2 = 3" cannot be read. Sums, differences and products of columns can be',
        ),
    ):
        wrong = {"model": "rows", "constraints": wish}
        told, pointer = refused(client, "table_vae.generate", wrong)
        assert (told[: len(sentence)], pointer) == (sentence, "#/params/constraints")
    rules = "2 * Age * Age <= 9000; unique(Status, Age)"
    fine = {
        "model": "rows",
        "constraints": rules,
        "conditions": "Status=good, Age=about thirty",
    }  # how numbers are written the job knows
    assert client.post("/api/v1/jobs", json={"task": "table_vae.generate", "params": fine}).status_code == 202


def test_a_column_of_accounts_that_is_not_there(client: FlaskClient, loans: str) -> None:
    wrong = {"dataset": loans, "account_column": "Customer", "time_column": "Age"}
    sentence = "The table has no column Customer. Its columns are: Id, Age, Status."
    assert refused(client, "table_vae.train", wrong) == (sentence, "#/params/account_column")


def test_an_attribute_that_no_training_text_has(client: FlaskClient, writer: str) -> None:
    sentence = (
        "No training text has section=gmes. Did you mean games? See all 3 values with: aigc datasets show products"
    )
    wrong = {"model": writer, "attributes": "section=gmes"}
    assert refused(client, "text_transformer.generate", wrong) == (sentence, "#/params/attributes")
    reply = client.post("/api/v1/models/writer/generate", json={"params": {"attributes": "section=gmes"}})
    assert (reply.status_code, reply.get_json()["errors"][0]["detail"]) == (422, sentence)
    assert sentence in Page(send(client, "/jobs/new/text_transformer.generate", wrong).text).text
    said, _ = refused(client, "text_transformer.generate", {"model": writer, "attributes": "section=zzz"})
    assert said.startswith("No training text has section=zzz. The commonest values are: games, garden, kitchen.")
    said, _ = refused(client, "text_transformer.generate", {"model": writer, "attributes": "colour=red"})
    assert said.startswith("The model knows no attribute called colour.")


def test_what_a_report_does_not_tell_is_left_to_the_job(client: FlaskClient, writer: str) -> None:
    for wish in ("brand=Nobody", "section=GAMES, brand=Acme", "title=Anything"):
        body = {"task": "text_transformer.generate", "params": {"model": writer, "attributes": wish}}
        assert client.post("/api/v1/jobs", json=body).status_code == 202


def test_a_training_that_has_not_ended_is_asked_for_its_dataset(
    client: FlaskClient, worker: ActingWorker, engine: Engine
) -> None:
    dataset(client, worker, PRODUCTS, "products")
    body = {"task": "text_transformer.train", "params": {"dataset": "products"}}
    training = client.post("/api/v1/jobs", json=body).get_json()["id"]
    said, _ = refused(client, "text_transformer.generate", {"model": training, "attributes": "section=gmes"})
    assert "Did you mean games?" in said


def test_a_check_looks_at_inputs_as_well(client: FlaskClient) -> None:
    said, _ = refused(client, "table_vae.train", {"dataset": "nobody"})
    assert said == "There is no dataset called nobody. It may have been deleted."


def test_imports_are_hidden_until_they_are_asked_for(client: FlaskClient, loans: str) -> None:
    page = read(client, "/jobs")
    assert "There are imports of datasets only. Show imports" in page.text
    assert "loans-import" not in page.text
    assert (
        client.post("/api/v1/jobs", json={"task": "table_vae.train", "params": {"dataset": loans}}).status_code == 202
    )
    hidden = read(client, "/jobs")
    assert "loans-import" not in hidden.text
    shown = read(client, "/jobs?imports=1")
    assert "loans-import" in shown.text
    assert 'name="imports" value="1" checked' in shown.html
    assert ["All 1 " in hidden.text, "All 2 " in shown.text] == [True, True], "what is hidden is not counted"
    assert "state=succeeded&amp;imports=1" in shown.html, "a filter keeps it"
    assert "loans-import" in read(client, "/jobs?task=dataset.import_table").text
    listed = {given: client.get(f"/api/v1/jobs{given}").get_json()["data"] for given in ("", "?imports=false")}
    assert [len(jobs) for jobs in listed.values()] == [2, 1]


def test_models_are_filtered(client: FlaskClient, worker: ActingWorker, writer: str, loans: str) -> None:
    body = {"task": "table_vae.train", "params": {"dataset": loans}, "name": "rows"}
    assert client.post("/api/v1/jobs", json=body).status_code == 202
    worker.finish("training", TRAINED)
    for query, names in {
        "": {"writer", "rows"},
        "?family=table_vae": {"rows"},
        "?q=WRIT": {"writer"},
        "?q=100%25": set(),
    }.items():
        page = read(client, f"/models{query}")
        assert {name for name in ("writer", "rows") if f">{name}</a>" in page.html} == names, query
        found = client.get(f"/api/v1/models{query}").get_json()["data"]
        assert {model["name"] for model in found} == names
    assert "No model matches. Clear filters" in read(client, "/models?use=reply").text
    assert client.get("/api/v1/models?operation=reply").get_json()["data"] == []
    assert len(client.get("/api/v1/models?operation=generate").get_json()["data"]) == 2


def test_a_mistyped_task_is_told_the_one_that_was_meant(client: FlaskClient) -> None:
    asked = client.get("/api/v1/tasks/table_vae.trian")
    sent = client.post("/api/v1/jobs", json={"task": "table_vae.trian", "params": {}})
    assert [asked.status_code, sent.status_code] == [404, 422]
    for reply in (asked.get_json(), sent.get_json()):
        assert reply["detail"] == (
            "There is no task called table_vae.trian. Did you mean table_vae.train? List them with: aigc tasks"
        )
        assert client.get(urlsplit(reply["type"]).path).status_code == 200, "its help is there"
