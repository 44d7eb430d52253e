"""The description of the API: valid, complete, and true to what the server does."""

import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from aigc_models import registry
from jobs import errors
from tests.web.fuzz import fuzz
from tests.web.serving import new_home
from web import openapi
from web.api import operations
from web.failures import REASONS, slug


def test_it_is_valid(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json
    assert document is not None
    validate(document, cls=OpenAPIV31SpecValidator)
    assert client.get("/api/v1/openapi.json").json == document


def test_it_names_every_route_and_no_other(app: Flask) -> None:
    routes = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/")
    }
    described = {(path, method.upper()) for path, item in openapi.document()["paths"].items() for method in item}
    assert routes == described


def test_every_operation_is_explained() -> None:
    for path, item in openapi.document()["paths"].items():
        for method, entry in item.items():
            assert entry["summary"].endswith("."), (method, path)
            for parameter in entry.get("parameters", []):
                assert "schema" in parameter
                assert parameter["in"] == "path" or parameter["description"], (path, parameter["name"])


def test_submissions_are_described_task_by_task() -> None:
    document = openapi.document()
    body = document["paths"]["/api/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    submittable = {name for name, params in registry.tasks().items() if params.makes != "dataset"}
    assert set(body["discriminator"]["mapping"]) == submittable
    train = document["components"]["schemas"]["SubmitImageGanTrain"]
    assert train["properties"]["task"]["const"] == "image_gan.train"
    assert "params" in train["required"]


def test_statuses_of_errors_are_described_as_problems() -> None:
    for path, item in openapi.document()["paths"].items():
        for entry in item.values():
            for status, reply in entry["responses"].items():
                if int(status) >= 400:
                    assert list(reply["content"]) == ["application/problem+json"], (path, status)


def all_codes() -> set[str]:
    def below(kind: type[errors.AigcError]) -> set[type[errors.AigcError]]:
        return {kind}.union(*(below(child) for child in kind.__subclasses__()))

    return {kind.code for kind in below(errors.AigcError)} | {slug(code) for code in REASONS}


@pytest.mark.checklist(29)
def test_every_code_has_its_help_page(client: FlaskClient) -> None:
    assert all(error for _, what in operations() for error in what.all_errors)
    missing = [code for code in sorted(all_codes()) if client.get(f"/docs/problems/{code}").status_code != 200]
    assert missing == []


@pytest.mark.checklist(35)
def test_the_server_keeps_to_it(tmp_path: Path, empty_database: Path) -> None:
    # A short form, some thousands of cases in 40 seconds; make fuzz-api goes through everything.
    verdict = fuzz(new_home(tmp_path, empty_database), 40, "--max-examples", "1", "--phases", "fuzzing")
    assert (verdict.failures, verdict.server_errors) == (0, 0), verdict.report
    assert verdict.cases >= len(operations())


@pytest.mark.parametrize("path", ["/openapi.json", "/api/v1/openapi.json"])
def test_it_is_sent_once(client: FlaskClient, path: str) -> None:
    etag = client.get(path).headers["ETag"]
    assert client.get(path, headers={"If-None-Match": etag}).status_code == 304


def test_where_a_tag_can_be_named_the_reply_is_said_to_have_one() -> None:
    for path, entries in openapi.document()["paths"].items():
        for method, entry in entries.items():
            asked = {parameter["name"] for parameter in entry.get("parameters", [])}
            if asked & {"If-None-Match", "If-Match"}:
                assert "ETag" in entry["responses"]["200"]["headers"], (method, path)
            if "If-Match" in asked:
                assert "412" in entry["responses"], (method, path)
