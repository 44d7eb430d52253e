"""Starting jobs from forms, without JavaScript."""

import io
import json
import re
import zipfile
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient

from aigc_models.image_gan.params import ImageGanTrain
from jobs.artifacts import LocalStore
from jobs.engine import Engine
from jobs.settings import Settings
from jobs.tables import Job
from tests.web.acting import ActingWorker, ready_dataset, submit_training, upload
from tests.web.reading import Page, read, token
from web import create_app

QUICK = ImageGanTrain.presets["quick"]
FORM = "/jobs/new/image_gan.train"


@pytest.fixture
def dataset(client: FlaskClient, worker: ActingWorker) -> str:
    return ready_dataset(client, worker)


def filled(client: FlaskClient, address: str = FORM, **changes: str) -> dict[str, str]:
    """The form's fields as a browser would send them."""
    return read(client, address).fields | changes


def test_every_task_can_be_picked_but_imports(client: FlaskClient) -> None:
    links = read(client, "/jobs/new").links
    for task in ("image_gan.train", "image_gan.generate", "image_gan.evaluate", "image_vae.traverse"):
        assert f"/jobs/new/{task}" in links
    assert not any("dataset." in link for link in links)


def test_what_needs_a_setting_is_offered_where_it_is_made(
    client: FlaskClient, settings: Settings, engine: Engine
) -> None:
    assert "/jobs/new/pretrained_lm.train" not in read(client, "/jobs/new").links
    made = create_app(settings.model_copy(update={"pretrained": settings.home}), engine)
    assert "/jobs/new/pretrained_lm.train" in read(made.test_client(), "/jobs/new").links


def test_an_uploaded_language_model_is_shown_and_can_be_taught(client: FlaskClient, worker: ActingWorker) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("my-model/config.json", "my-model/model.safetensors", "my-model/tokenizer.json"):
            archive.writestr(name, b"{}")
    made = upload(client, packed.getvalue(), "my-model.zip", name="small").get_json()
    assert made["kind"] == "language_model"
    report = {"kind": "language_model", "parameters": 5120, "bytes": 20480, "architecture": "LlamaForCausalLM"}
    report |= {"left_out": ["my-model/run.py"], "left_out_count": 1}
    worker.finish("generation", {"dataset/dataset.json": json.dumps(report).encode(), "dataset/model/a": b"w"})
    page = read(client, f"/datasets/{made['id']}")
    assert "A language model of 5,120 parameters" in page.text
    assert "LlamaForCausalLM" in page.html
    assert "Left in the archive" in page.text
    assert "my-model/run.py" in page.html
    address = f"/jobs/new/pretrained_lm.train?uploaded={made['id']}"
    assert address in page.links
    assert read(client, address).fields["uploaded"] == made["id"]
    assert "/jobs/new/pretrained_lm.train" in read(client, "/jobs/new").links


def test_a_fresh_form(client: FlaskClient, dataset: str) -> None:
    page = read(client, FORM)
    assert page.fields["dataset"] == dataset  # the only one there is
    assert page.fields["_preset"] == page.fields["_base"] == "balanced"
    assert page.has("label", **{"for": "f-epochs"})
    assert page.has("input", id="f-epochs", inputmode="numeric", **{"aria-describedby": "h-epochs"})
    assert page.has("input", id="f-learning_rate", inputmode="decimal")
    assert "digits v1" in page.text
    assert "/datasets/new" in page.links


def test_chinese_sentences_follow_each_other_without_blanks(client: FlaskClient, dataset: str) -> None:
    html = read(client, FORM, Accept_Language="zh-CN").html
    assert "遍历训练图片的次数。1 到 10000。默认值：" in html


def test_values_can_come_from_the_address(client: FlaskClient, dataset: str) -> None:
    page = read(client, f"{FORM}?dataset={dataset}&preset=quick&seed=7")
    assert page.fields["dataset"] == dataset
    assert page.fields["_preset"] == "quick"
    assert page.fields["epochs"] == str(QUICK["epochs"])
    assert page.fields["seed"] == "7"
    assert "Parameters:" in page.text


def test_a_form_makes_a_job(client: FlaskClient, dataset: str) -> None:
    sent = filled(client, f"{FORM}?dataset={dataset}", epochs="3", _name="from a form")
    reply = client.post(FORM, data=sent)
    assert reply.status_code == 303
    job = client.get("/api/v1" + reply.location).get_json()
    assert job["name"] == "from a form"
    assert job["params"]["epochs"] == 3


def test_the_preset_works_without_javascript(client: FlaskClient, dataset: str) -> None:
    reply = client.post(FORM, data=filled(client, f"{FORM}?dataset={dataset}", _preset="quick"))
    assert client.get("/api/v1" + reply.location).get_json()["params"]["epochs"] == QUICK["epochs"]


@pytest.mark.checklist(13)
def test_a_double_click_makes_one_job_and_a_change_another(client: FlaskClient, dataset: str) -> None:
    sent = filled(client, f"{FORM}?dataset={dataset}")
    first, second = client.post(FORM, data=sent), client.post(FORM, data=sent)
    assert first.location == second.location
    third = client.post(FORM, data=sent | {"epochs": "3"})
    assert third.status_code == 303
    assert third.location != first.location


@pytest.mark.checklist(12)
def test_faults_are_listed_beside_their_fields_and_values_stay(client: FlaskClient, dataset: str) -> None:
    sent = filled(client, f"{FORM}?dataset={dataset}", epochs="0", learning_rate="fast", seed="-1", _name="kept")
    reply = client.post(FORM, data=sent)
    assert reply.status_code == 422
    html = reply.text
    assert "<title>Error: " in html
    assert '<div class="alert bad" role="alert" tabindex="-1" id="problems">' in html
    assert '<a href="#f-epochs">Epochs must be between 1 and 10000.</a>' in html
    assert '<a href="#f-learning_rate">Learning rate must be a number.</a>' in html
    assert re.search(r'<details class="more" open>', html)  # the seed's fault would be hidden otherwise
    assert re.search(
        r'id="f-epochs" name="epochs" value="0"[^>]*aria-describedby="h-epochs e-epochs" aria-invalid="true"', html
    )
    assert 'value="fast"' in html
    assert 'value="kept"' in html
    assert f'<option value="{dataset}" selected>' in html
    assert client.get("/api/v1/jobs?task=image_gan.train").get_json()["data"] == []


def test_a_missing_dataset_is_said(client: FlaskClient) -> None:
    reply = client.post(FORM, data=filled(client))
    assert reply.status_code == 422
    assert '<a href="#f-dataset">Dataset is missing. Choose a value.</a>' in reply.text


def test_a_dataset_that_is_not_ready_is_said_beside_its_field(client: FlaskClient) -> None:
    from tests.web.acting import picture_zip, upload

    waiting = upload(client, picture_zip()).get_json()["id"]
    reply = client.post(FORM, data=filled(client) | {"dataset": waiting})
    assert reply.status_code == 422
    assert 'href="#f-dataset"' in reply.text
    assert "is still being checked or was refused" in reply.text


def test_checking_starts_nothing(client: FlaskClient, dataset: str) -> None:
    reply = client.post(FORM, data=filled(client, f"{FORM}?dataset={dataset}", _action="check"))
    assert reply.status_code == 200
    assert "The settings are fine" in reply.text
    assert client.get("/api/v1/jobs?task=image_gan.train").get_json()["data"] == []


@pytest.mark.checklist(14)
def test_duplicating_brings_the_same_values(client: FlaskClient, dataset: str) -> None:
    made = submit_training(client, dataset, preset="quick", name="first").get_json()
    page = read(client, f"{FORM}?from={made['id']}")
    assert page.fields["epochs"] == str(made["params"]["epochs"])
    assert page.fields["dataset"] == dataset
    assert page.fields["_preset"] == ""
    assert page.fields["_name"] == "first"
    reply = client.post(FORM, data=page.fields)
    again = client.get("/api/v1" + reply.location).get_json()
    assert again["params"] == made["params"]


def test_a_form_without_its_token_is_refused(client: FlaskClient, dataset: str) -> None:
    reply = client.post(FORM, data={"dataset": dataset})
    assert reply.status_code == 400
    assert "The form has expired" in reply.text


def test_the_estimate_and_the_code_follow_what_is_typed(client: FlaskClient, dataset: str) -> None:
    typed = filled(client, f"{FORM}?dataset={dataset}", epochs="3")
    reply = client.get(f"{FORM}/estimate", query_string=typed).get_json()
    assert [label for label, _ in reply["estimate"]] == ["Time", "Based on", "Memory", "Parameters"]
    assert '"epochs": 3' in reply["snippets"]["curl"]
    assert "epochs=3" in reply["snippets"]["python"]
    assert "-p epochs=3" in reply["snippets"]["cli"]
    assert client.get(f"{FORM}/estimate", query_string=typed | {"epochs": "no"}).get_json()["estimate"] == []


def test_a_fresh_form_is_about_the_dataset_it_shows(client: FlaskClient, dataset: str) -> None:
    page = read(client, FORM)
    assert page.has("option", value=dataset, selected="")
    assert f'"dataset": "{dataset}"' in page.text
    assert re.search(r"about \d+ (s|min)\b", page.text)


def test_the_curl_snippet_makes_that_job(client: FlaskClient, dataset: str) -> None:
    typed = filled(client, f"{FORM}?dataset={dataset}", epochs="3", _preset="quick")
    text = client.get(f"{FORM}/estimate", query_string=typed).get_json()["snippets"]["curl"]
    body = text[text.index("-d '") + 4 : text.rindex("'")]
    made = client.post("/api/v1/jobs", data=body, content_type="application/json").get_json()
    reply = client.post(FORM, data=typed | {"csrf_token": token(client.get(FORM).text)})
    assert client.get("/api/v1" + reply.location).get_json()["params"] == made["params"]


def test_a_model_can_generate_from_its_page(client: FlaskClient, worker: ActingWorker, dataset: str) -> None:
    submit_training(client, dataset)
    worker.train()
    model = client.get("/api/v1/models").get_json()["data"][0]["id"]
    page = read(client, f"/models/{model}")
    assert page.fields["model"] == model
    reply = client.post("/jobs/new/image_gan.generate", data=page.fields | {"count": "4", "seed": "3"})
    assert reply.status_code == 303
    there = urlsplit(reply.location)
    assert there.path == f"/models/{model}"
    job = client.get(f"/api/v1/jobs/{parse_qs(there.query)['from'][0]}").get_json()
    assert job["params"]["count"] == 4
    assert job["params"]["seed"] == 3
    page = read(client, reply.location)
    assert job["name"] in page.text
    assert (page.fields["count"], page.fields["seed"]) == ("4", "3")  # ready for the next try
    for setting in (f"model={model}", "count=4", "seed=3"):
        assert setting in page.html


def test_jobs_to_wait_for_are_typed_or_come_with_the_address(client: FlaskClient, dataset: str) -> None:
    first = client.post("/api/v1/jobs", json={"task": "image_gan.train", "params": {"dataset": dataset}}).get_json()[
        "id"
    ]
    page = read(client, f"{FORM}?dataset={dataset}&after={first}")
    assert page.has("input", type="checkbox", name="_after", value=first, checked="")
    assert page.fields["_after"] == ""  # the other ids
    wrong = client.post(FORM, data=page.fields | {"_after": [first, "job_nonsense"]})
    assert wrong.status_code == 422
    assert "There is no job called job_nonsense. It may have been deleted." in wrong.text
    assert Page(wrong.text).fields["_after"] == "job_nonsense"
    assert Page(wrong.text).has("input", type="checkbox", name="_after", value=first, checked="")
    made = client.post(FORM, data=page.fields | {"_after": f" {first} , {first}"})
    job = client.get(f"/api/v1{made.location}").get_json()
    assert (job["state"], job["snapshot"]["after"]) == ("blocked", [first])


def text_of(html: str) -> dict[str, Any]:
    found = re.search(r"<textarea[^>]*name=\"_json\"[^>]*>(.*?)</textarea>", html, re.DOTALL)
    assert found
    body: dict[str, Any] = json.loads(found[1].replace("&#34;", '"'))
    return body


def sent_as_json(client: FlaskClient, text: str, **more: str) -> Any:
    return client.post(FORM, data={"csrf_token": token(client.get(FORM).text), "_key": "k", "_json": text, **more})


def test_the_form_is_there_as_json_too(client: FlaskClient, dataset: str) -> None:
    page = read(client, f"{FORM}?dataset={dataset}&preset=quick&epochs=3")
    body = text_of(page.html)
    assert body == {"task": "image_gan.train", "params": {"dataset": dataset, "epochs": 3}, "preset": "quick"}
    reply = sent_as_json(client, json.dumps(body | {"name": "from text", "time_limit": 7200}))
    job = client.get("/api/v1" + reply.location).get_json()
    assert job["name"] == "from text"
    assert job["params"]["epochs"] == 3
    assert job["params"]["width"] == QUICK["width"]
    assert sent_as_json(client, json.dumps({"params": {"dataset": dataset}})).status_code == 303  # the page's task


def sent_as_yaml(client: FlaskClient, text: str, **more: str) -> Any:
    return client.post(FORM, data={"csrf_token": token(client.get(FORM).text), "_key": "k", "_yaml": text, **more})


def test_the_form_is_there_as_yaml_too(client: FlaskClient, dataset: str) -> None:
    html = read(client, f"{FORM}?dataset={dataset}&preset=quick&epochs=3").html
    found = re.search(r"<textarea[^>]*name=\"_yaml\"[^>]*>(.*?)</textarea>", html, re.DOTALL)
    assert found
    text = found[1].replace("&#34;", '"')
    assert text == f'task: "image_gan.train"\nparams:\n  dataset: "{dataset}"\n  epochs: 3\npreset: "quick"\n'
    reply = sent_as_yaml(client, f"{text}name: no  # a text in YAML 1.2\ntime_limit: 7200\n")
    job = client.get("/api/v1" + reply.location).get_json()
    assert (job["name"], job["time_limit"]) == ("no", 7200)
    assert (job["params"]["epochs"], job["params"]["width"]) == (3, QUICK["width"])
    rate = f"params: {{dataset: {dataset}, learning_rate: 1e-4, epochs: 010}}"
    checked = Page(sent_as_yaml(client, rate, _action="check").text)
    assert "The settings are fine" in checked.text
    assert (checked.fields["learning_rate"], checked.fields["epochs"]) == ("0.0001", "10")
    assert checked.has("button", id="tab-yaml", **{"aria-selected": "true"})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("params: {", "The text is not YAML: "),
        ("- a", "The body must be a JSON object."),
        ("a: &x [1]\nb: *x", "The text is not YAML: aliases cannot be used at line 2 column 4."),
        (
            "params: {epochs: 1, epochs: 2}",
            "The text is not YAML: the key 'epochs' is there twice at line 1 column 21.",
        ),
        ("params: {1: 2}", "The text is not YAML: a key is no text"),
        ("name: !!python/object/apply:os.getcwd []", "The text is not YAML: could not determine a constructor"),
        ("name: !!binary aGk=", "The text is not YAML: could not determine a constructor"),
        ("[" * 5000, "The text is not YAML: it is too deep."),
        ("params: {epochs: 0}", "Epochs must be between 1 and 10000."),
    ],
)
def test_yaml_that_cannot_be_used_says_why(client: FlaskClient, dataset: str, text: str, sentence: str) -> None:
    reply = sent_as_yaml(client, text)
    assert reply.status_code == 422
    page = Page(reply.text)
    assert sentence in page.text
    assert page.has("a", href="#f-yaml")
    assert client.get("/api/v1/jobs?task=image_gan.train").get_json()["data"] == []


def test_json_can_be_checked_and_shows_in_the_form(client: FlaskClient, dataset: str) -> None:
    text = json.dumps({"params": {"dataset": dataset, "epochs": 5}, "time_limit": 7200, "name": "typed"})
    reply = sent_as_json(client, text, _action="check")
    assert reply.status_code == 200
    page = Page(reply.text)
    assert "The settings are fine" in page.text
    assert page.fields["epochs"] == "5"
    assert page.fields["_time_limit"] == "2 h"
    assert page.fields["_name"] == "typed"
    assert page.has("button", id="tab-json", **{"aria-selected": "true"})
    assert client.get("/api/v1/jobs?task=image_gan.train").get_json()["data"] == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "The text is not JSON: "),
        ("[]", "The body must be a JSON object."),
        ('{"task": "image_vae.train"}', "The text is for the task image_vae.train, but this page is for"),
        ('{"params": {"epochs": 0}}', "Epochs must be between 1 and 10000."),
        ('{"epochs": 3}', "There is no setting called epochs."),
        ('{"after": ["job_06h160jiudoir2gfmma7hcv4mk"]}', "Dataset is missing."),
        ('{"time_limit": "soon"}', "Time limit must be a whole number"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_json_is_said_and_the_text_stays(client: FlaskClient, text: str, sentence: str) -> None:
    reply = sent_as_json(client, text)
    assert reply.status_code == 422
    page = Page(reply.text)
    assert sentence in page.text
    assert "#f-json" in page.links
    assert page.has("button", id="tab-json", **{"aria-selected": "true"})
    assert f">{text}</textarea>" in reply.text.replace("&#34;", '"')


def test_both_sides_follow_each_other(client: FlaskClient, dataset: str) -> None:
    sent = filled(client, f"{FORM}?dataset={dataset}", _name="mine", _time_limit="2h", _preset="quick")
    found = client.post(f"{FORM}/estimate", data=sent).get_json()
    body = json.loads(found["texts"]["json"])
    assert (body["name"], body["time_limit"], body["preset"]) == ("mine", 7200, "quick")
    assert "--name mine" in found["snippets"]["cli"]
    assert "--time-limit 7200s" in found["snippets"]["cli"]
    assert "time_limit=7200" in found["snippets"]["python"]
    other = {"csrf_token": sent["csrf_token"], "_json": json.dumps(body | {"params": {"dataset": dataset, "seed": 9}})}
    found = client.post(f"{FORM}/estimate", data=other).get_json()
    assert found["fields"]["seed"] == "9"
    assert found["fields"]["epochs"] == str(QUICK["epochs"])
    assert found["fields"]["_time_limit"] == "2 h"
    assert found["faults"] == []
    found = client.post(f"{FORM}/estimate", data=other | {"_json": "{"}).get_json()
    assert found["faults"][0].startswith("The text is not JSON")


def test_the_estimate_is_set_right_by_what_jobs_took_here(
    client: FlaskClient, engine: Engine, worker: ActingWorker, dataset: str
) -> None:
    typed = filled(client, f"{FORM}?dataset={dataset}", epochs="3")
    before = dict(client.post(f"{FORM}/estimate", data=typed).get_json()["estimate"])
    for _ in range(3):
        submit_training(client, dataset, params={"dataset": dataset, "epochs": 3})
        job = worker.train()
        with engine.db.begin() as session:
            row = session.get_one(Job, job)
            row.started_at = row.finished_at - timedelta(hours=2) if row.finished_at else None
    found = client.post(f"{FORM}/estimate", data=typed).get_json()["estimate"]
    assert found[:2] == [
        ["Time", "about 2 h"],
        ["Based on", "a reckoning, set right by 3 jobs of this kind that ran here"],
    ]
    assert before["Based on"] == "a reckoning from the settings; too few jobs of this kind ran here to measure it"
    assert "Not counted" not in before
    submit_training(client, dataset)
    now = dict(client.post(f"{FORM}/estimate", data=typed).get_json()["estimate"])
    assert now["Not counted"] == "1 job that runs or waits now"
    twice = client.post(f"{FORM}/estimate", data=typed | {"epochs": "6000"}).get_json()["estimate"]
    assert twice[0][1] != found[0][1]  # longer jobs take longer


def test_webhooks_are_offered_where_the_operator_allows_them(settings: Settings, engine: Engine) -> None:
    from web import create_app

    allowed = settings.model_copy(update={"webhook_hosts": "hooks.example.com"})
    app = create_app(allowed, Engine(allowed, engine.db, LocalStore(allowed.artifacts), engine.dispatcher))
    client = app.test_client()
    dataset = ready_dataset(client, ActingWorker(engine))
    page = read(client, f"{FORM}?dataset={dataset}")
    assert page.has("input", id="f-webhook", name="_webhook", type="url")
    made = client.post(FORM, data=page.fields | {"_webhook": "https://hooks.example.com/x"})
    assert client.get(f"/api/v1{made.location}").get_json()["webhook"]["url"] == "https://hooks.example.com/x"
    wrong = client.post(FORM, data=page.fields | {"_webhook": "https://elsewhere.example.com/x"})
    assert wrong.status_code == 422
    assert "#f-webhook" in Page(wrong.text).links
    assert "Webhooks to elsewhere.example.com are not allowed." in wrong.text


def test_webhooks_are_not_offered_where_they_are_off(client: FlaskClient, dataset: str) -> None:
    assert not read(client, f"{FORM}?dataset={dataset}").has("input", id="f-webhook")
