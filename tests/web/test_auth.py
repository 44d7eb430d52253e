"""Who may do what: an open server on loopback, AIGC_TOKEN, tokens in SQL, scopes, sessions."""

import re
import stat
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr

from jobs import tokens
from jobs.engine import Engine
from jobs.principal import Principal, Scope
from jobs.settings import Settings
from jobs.tables import Job
from jobs.webhooks import Webhook, deliveries
from web import create_app
from web.api import operations
from web.api.render import PREFIX

OPERATOR = Principal("default", "operator")
SECRET = "correct horse battery staple"


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture
def guarded(settings: Settings, engine: Engine) -> Flask:
    """A server with AIGC_TOKEN."""
    own = settings.model_copy(update={"token": SecretStr(SECRET)})
    return create_app(own, replace(engine, settings=own))


def made_token(engine: Engine, scope: Scope, tenant: str = "default", lasts: timedelta | None = None) -> str:
    return tokens.create(engine, Principal(tenant, "ann"), name=scope, scope=scope, expires_in=lasts)[1]


def test_open_on_loopback_while_there_is_no_token(client: FlaskClient) -> None:
    assert client.get("/api/v1/jobs").status_code == 200
    assert client.get("/api/v1/jobs", headers=bearer("anything")).status_code == 401  # a wrong token is never ignored


def test_every_operation_asks_for_the_token(guarded: Flask) -> None:
    client = guarded.test_client()
    for _, what in operations():
        path = PREFIX + re.sub(r"\{(\w+)\}", "x", what.path)
        for headers in ({}, bearer("wrong"), bearer(""), {"Authorization": f"Basic {SECRET}"}):
            reply = client.open(path, method=what.method, headers=headers)
            assert (reply.status_code, reply.get_json()["code"]) == (401, "unauthorized"), (what.method, path)
            assert reply.headers["WWW-Authenticate"].startswith("Bearer")
    assert client.get("/openapi.json").status_code == 401
    assert client.get("/metrics").status_code == 401
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 200
    assert client.get("/api/v1/jobs", headers=bearer(SECRET)).status_code == 200


def test_tokens_from_sql_close_the_server(client: FlaskClient, engine: Engine, settings: Settings) -> None:
    secret = made_token(engine, "submit")
    fresh = create_app(settings, engine).test_client()
    assert fresh.get("/api/v1/jobs").status_code == 401
    assert fresh.get("/api/v1/jobs", headers=bearer(secret)).status_code == 200


def test_an_expired_or_revoked_token_is_none(client: FlaskClient, engine: Engine) -> None:
    expired = made_token(engine, "admin", lasts=timedelta(seconds=-1))
    assert client.get("/api/v1/jobs", headers=bearer(expired)).status_code == 401
    secret = made_token(engine, "admin")
    listed = client.get("/api/v1/tokens", headers=bearer(secret)).get_json()["data"]
    assert client.delete(f"/api/v1/tokens/{listed[0]['id']}", headers=bearer(secret)).status_code == 204
    assert client.get("/api/v1/jobs", headers=bearer(secret)).status_code == 401


def test_scopes_on_every_operation(client: FlaskClient, engine: Engine) -> None:
    allowed: dict[Scope, set[Scope]] = {
        "read": {"read"},
        "submit": {"read", "submit"},
        "admin": {"read", "submit", "admin"},
    }
    secrets = {scope: made_token(engine, scope) for scope in allowed}
    for scope, may in allowed.items():
        for _, what in operations():
            path = PREFIX + re.sub(r"\{(\w+)\}", "x", what.path)
            reply = client.open(path, method=what.method, headers=bearer(secrets[scope]))
            assert (reply.status_code == 403) == (what.scope not in may), (scope, what.method, path)


def test_tokens_are_made_and_shown_once(client: FlaskClient) -> None:
    made = client.post("/api/v1/tokens", json={"name": "ci", "scope": "read", "expires_days": 30})
    assert made.status_code == 201
    assert made.get_json()["secret"].startswith("aigc_")
    assert made.headers["Cache-Control"] == "no-store"
    admin = client.post("/api/v1/tokens", json={"name": "me", "scope": "admin"}, headers={}).get_json()
    listed = client.get("/api/v1/tokens", headers=bearer(admin["secret"])).get_json()["data"]
    assert {token["name"] for token in listed} == {"ci", "me"}
    assert all(token["secret"] is None for token in listed)
    wrong = client.post("/api/v1/tokens", json={"name": "", "scope": "root"}, headers=bearer(admin["secret"]))
    assert (wrong.status_code, len(wrong.get_json()["errors"])) == (422, 2)
    unknown = client.delete(f"/api/v1/tokens/tok_{'0' * 26}", headers=bearer(admin["secret"]))
    assert unknown.status_code == 404


def test_other_tenants_see_nothing(client: FlaskClient, engine: Engine) -> None:
    from tests.web.acting import ActingWorker, picture_zip, submit_training, upload

    worker = ActingWorker(engine)
    dataset = upload(client, picture_zip()).get_json()["id"]
    worker.check_dataset()
    job = submit_training(client, dataset).get_json()["id"]
    worker.train()
    model = client.get(f"/api/v1/jobs/{job}").get_json()["model"]
    artifact = client.get(f"/api/v1/jobs/{job}/artifacts").get_json()["data"][0]["id"]
    with engine.db.begin() as session:
        session.get_one(Job, job).webhook = Webhook("https://a.example/in").stored()
    deliveries.enqueue(engine)
    delivery = client.get(f"/api/v1/jobs/{job}/deliveries").get_json()["data"][0]["id"]
    ids = {"job_id": job, "dataset_id": dataset, "model_id": model, "artifact_id": artifact, "delivery_id": delivery}
    ids["upload_id"] = client.post("/api/v1/uploads", headers={"Upload-Length": "9"}).headers["Location"].split("/")[-1]
    stranger = bearer(made_token(engine, "admin", tenant="other"))
    token = client.get("/api/v1/tokens", headers=stranger).get_json()["data"][0]["id"]
    own = bearer(made_token(engine, "admin"))
    for _, what in operations():
        for name in re.findall(r"\{(\w+)\}", what.path):
            if name in {"task", "alias", "worker_id", "pause_id", "queue"}:  # workers are shared by all tenants
                continue
            path = PREFIX + what.path.format_map(
                {**ids, "token_id": token, "task": "image_gan.train", "alias": "production"}
            )
            caller = own if name == "token_id" else stranger
            bodies: dict[str, Any] = {"promote": {"alias": "production"}, "feedback": {"verdict": "up"}}
            body = bodies.get(path.rpartition("/")[2], {}) if what.body else None
            piece = (what.method, name) == ("PATCH", "upload_id")
            headers = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"} if piece else {}
            reply = client.open(path, method=what.method, headers=caller | headers, json=None if piece else body)
            assert reply.status_code == 404, (what.method, path)
    for name in ("jobs", "datasets", "models"):
        assert client.get(f"/api/v1/{name}", headers=stranger).get_json()["data"] == []


def signed_in(app: Flask) -> FlaskClient:
    client = app.test_client()
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/login").text)
    assert token is not None
    reply = client.post("/login", data={"token": SECRET, "csrf_token": token[1], "next": "/jobs?state=queued"})
    assert (reply.status_code, reply.headers["Location"]) == (302, "/jobs?state=queued")
    return client


def test_pages_lead_to_the_sign_in(guarded: Flask) -> None:
    reply = guarded.test_client().get("/jobs?state=queued")
    assert reply.status_code == 302
    assert reply.headers["Location"] == "/login?next=/jobs?state%3Dqueued"
    assert guarded.test_client().post("/jobs/new").status_code in (400, 401)


def test_signing_in_and_out(guarded: Flask) -> None:
    client = signed_in(guarded)
    assert client.get("/api/v1/jobs").status_code == 200
    cookie = next(c for c in (client._cookies or {}).values() if c.key.startswith("aigc_session_"))
    assert (cookie.http_only, cookie.same_site, cookie.path) == (True, "Strict", "/")
    assert SECRET not in cookie.value
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/login").text)
    assert token is not None
    assert client.post("/logout", data={"csrf_token": token[1]}).status_code == 302
    assert client.get("/api/v1/jobs").status_code == 401


def test_a_wrong_token_stays_outside(guarded: Flask) -> None:
    client = guarded.test_client()
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/login").text)
    assert token is not None
    reply = client.post("/login", data={"token": "guess", "csrf_token": token[1]})
    assert reply.status_code == 401
    assert "This token is not known here" in reply.text
    assert client.get("/api/v1/jobs").status_code == 401


def test_the_form_token_is_needed(guarded: Flask) -> None:
    assert guarded.test_client().post("/login", data={"token": SECRET}).status_code == 400


@pytest.mark.parametrize(
    "target", ["https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil", "javascript:x"]
)
def test_signing_in_never_leads_to_another_site(client: FlaskClient, target: str) -> None:
    reply = client.get("/login", query_string={"next": target})
    assert (reply.status_code, reply.headers["Location"]) == (302, "/")


def test_changes_by_cookie_must_come_from_our_pages(guarded: Flask) -> None:
    client = signed_in(guarded)
    path = f"/api/v1/jobs/job_{'0' * 26}/cancel"
    assert client.post(path).get_json()["code"] == "cookie-needs-origin"
    assert client.post(path, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 404
    assert client.post(path, headers={"Origin": "http://localhost"}).status_code == 404
    assert client.post(path, headers=bearer(SECRET)).status_code == 404


def test_the_cookie_is_kept_to_tls_where_there_is_tls(guarded: Flask) -> None:
    client = guarded.test_client()
    reply = client.get("/login", base_url="https://localhost")
    (cookie,) = [value for value in reply.headers.getlist("Set-Cookie") if "aigc_session" in value]
    assert cookie.startswith("__Host-aigc_session_")
    assert "Secure" in cookie


def test_the_key_is_the_owners_alone(app: Flask, settings: Settings, engine: Engine) -> None:
    path = settings.home / "secret.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert create_app(settings, engine).secret_key == app.secret_key
    assert [file.name for file in settings.home.glob("secret.key*")] == ["secret.key"]
