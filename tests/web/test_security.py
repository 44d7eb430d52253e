"""Other people's pages: rebound names, foreign origins, headers that keep a browser in line."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from jobs.engine import Engine
from jobs.settings import Settings
from web import create_app
from web.bind_guard import is_loopback
from web.security import host_allowed

UNSAFE = ("POST", "PUT", "PATCH", "DELETE", "PROPFIND")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST"])
def test_names_of_this_machine(client: FlaskClient, host: str) -> None:
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "10.0.0.5", "[::2]", "a b", "", "[::1"])
@pytest.mark.parametrize("path", ["/healthz", "/api/v1/jobs", "/static/x.css"])
def test_rebound_names_are_refused(client: FlaskClient, host: str, path: str) -> None:
    reply = client.get(path, headers={"Host": host})
    assert reply.status_code == 403
    assert "Allow-Origin" not in str(reply.headers)


def test_further_names_are_allowed_by_the_operator(settings: Settings) -> None:
    named = settings.model_copy(update={"allowed_hosts": "models.example, Other.example"})
    assert host_allowed("models.example:443", named)
    assert host_allowed("other.example", named)
    assert not host_allowed("evil.example", named)
    public = settings.model_copy(update={"host": "0.0.0.0"})
    assert host_allowed("192.168.1.7:8000", public)
    assert not host_allowed("rebound.example", public)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("127.8.8.8", True), ("0.0.0.0", False),
     ("::", False), ("192.168.0.1", False), ("example.org", False), ("", False)],
)  # fmt: skip
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize("method", UNSAFE)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://["},
    ],
)
def test_changes_from_other_sites_are_refused(client: FlaskClient, method: str, headers: dict[str, str]) -> None:
    for path in ("/api/v1/jobs", f"/api/v1/jobs/job_{'0' * 26}", "/login", "/nowhere"):
        reply = client.open(path, method=method, headers=headers, json={})
        assert reply.status_code == 403, path


def test_changes_from_our_pages_and_from_programs(client: FlaskClient) -> None:
    path = f"/api/v1/jobs/job_{'0' * 26}/cancel"
    assert client.post(path).status_code == 404
    assert client.post(path, headers={"Origin": "http://localhost"}).status_code == 404
    assert client.post(path, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 404


def test_forms_need_their_token(client: FlaskClient) -> None:
    reply = client.post("/logout", headers={"Origin": "http://localhost"})
    assert reply.status_code == 400
    assert "reload" in reply.text.lower()


@pytest.mark.checklist(21)
@pytest.mark.parametrize("path", ["/healthz", "/api/v1/jobs", "/api/v1/nope", "/nowhere", "/openapi.json"])
def test_headers_of_every_reply(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in headers
    assert {"Accept-Language", "Cookie", "Authorization"} <= set(headers["Vary"].split(", "))


def test_request_ids_are_echoed_when_sane(client: FlaskClient) -> None:
    assert client.get("/healthz", headers={"X-Request-Id": "abc-123"}).headers["X-Request-Id"] == "abc-123"
    for sent in ("<script>", "x" * 100, "a b"):
        given = client.get("/healthz", headers={"X-Request-Id": sent}).headers["X-Request-Id"]
        assert re.fullmatch(r"[0-9a-f]{32}", given)
    problem = client.get("/api/v1/nope", headers={"X-Request-Id": "abc-123"}).get_json()
    assert problem["request_id"] == "abc-123"


def test_a_fault_of_ours_shows_no_trace(settings: Settings, engine: Engine) -> None:
    app: Flask = create_app(settings, engine)

    def broken() -> str:
        raise RuntimeError("secret detail")

    app.add_url_rule("/api/v1/broken", view_func=broken)
    app.add_url_rule("/broken", view_func=broken, endpoint="broken-page")
    for path in ("/api/v1/broken", "/broken"):
        reply = app.test_client().get(path)
        assert reply.status_code == 500
        assert "secret" not in reply.text
        assert "Traceback" not in reply.text
        assert reply.headers["X-Request-Id"] in reply.text


def test_bodies_are_bounded(client: FlaskClient) -> None:
    large = {"name": "x" * (2 * 2**20)}
    assert client.post("/login", data=large).status_code in (400, 413)
    assert client.post("/api/v1/tokens", json=large).status_code == 413
