"""One request to receivers of every kind: obliging, slow, endless, dying, with the wrong name."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.webhooks import sending
from jobs.webhooks.receivers import Receiver
from jobs.webhooks.sending import Network, Outcome, post
from tests.jobs.receiving import NAME, Certificate, Got, Play, answering, receiving

BODY = b'{"seq":1}'


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate.make(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def network(certificate: Certificate) -> Network:
    return Network(resolve=lambda *_: ["127.0.0.1"], tls=certificate.of_client)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "SECONDS", 0.5)


def to(port: int, host: str = NAME, scheme: str = "https") -> Receiver:
    return Receiver(scheme, host, port, "/in?key=1", private=True)


def test_a_request_is_whole_and_goes_to_the_checked_address(certificate: Certificate, network: Network) -> None:
    with receiving(answering(200, b"thanks"), certificate) as receiver:
        assert post(to(receiver.port), {"webhook-id": "dlv_1"}, BODY, network) == Outcome(200)
    (got,) = receiver.got
    assert got.line == "POST /in?key=1 HTTP/1.1"
    assert got.headers["host"] == f"{NAME}:{receiver.port}"
    assert (got.headers["content-type"], got.headers["webhook-id"], got.body) == ("application/json", "dlv_1", BODY)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (200, None),
        (204, None),
        (301, sending.REDIRECTS),
        (400, sending.ANSWERED_BADLY),
        (410, sending.IS_GONE),
        (503, sending.ANSWERED_BADLY),
    ],
)
def test_the_status_decides(certificate: Certificate, network: Network, status: int, error: str | None) -> None:
    with receiving(answering(status), certificate) as receiver:
        assert post(to(receiver.port), {}, BODY, network) == Outcome(status, error)


def _raw(*parts: bytes) -> Play:
    def play(_got: Got, link: socket.socket) -> None:
        for part in parts:
            link.sendall(part)

    return play


def _endless(head: bytes) -> Play:
    def play(_got: Got, link: socket.socket) -> None:
        link.sendall(head)
        while True:
            link.sendall(b"x" * 4096)

    return play


@pytest.mark.parametrize(
    ("play", "outcome"),
    [
        pytest.param(_raw(), Outcome(error=sending.HUNG_UP), id="no word"),
        pytest.param(_raw(b"HTTP/1.1"), Outcome(error=sending.NO_HTTP), id="half a word"),
        pytest.param(_raw(b"220 mail.example ESMTP\r\n"), Outcome(error=sending.NO_HTTP), id="mail"),
        pytest.param(_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx"), Outcome(200), id="dies in the body"),
        pytest.param(_raw(b"HTTP/1.1 200 OK\r\nX: y\r\n"), Outcome(200), id="dies in the headers"),
        pytest.param(_raw(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 OK\r\n\r\n"), Outcome(202), id="interim answer"),
        pytest.param(_endless(b"HTTP/1.1 200 OK\r\n\r\n"), Outcome(200), id="endless body"),
        pytest.param(_endless(b"HTTP/1.1 200 OK\r\nX: "), Outcome(200), id="endless header"),
        pytest.param(_endless(b""), Outcome(error=sending.NO_HTTP), id="endless first line"),
    ],
)
def test_receivers_that_misbehave(certificate: Certificate, network: Network, play: Play, outcome: Outcome) -> None:
    with receiving(play, certificate) as receiver:
        assert post(to(receiver.port), {}, BODY, network) == outcome


def test_a_reset_is_no_answer(network: Network) -> None:
    def reset(_got: Got, link: socket.socket) -> None:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")

    with receiving(reset) as receiver:
        outcome = post(to(receiver.port, scheme="http"), {}, BODY, network)
    assert outcome == Outcome(error=sending.HUNG_UP)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("secure", [True, False])
def test_a_receiver_that_says_nothing(certificate: Certificate, network: Network, secure: bool) -> None:
    with receiving(certificate=certificate if secure else None) as receiver:
        outcome = post(to(receiver.port, scheme=receiver.scheme), {}, BODY, network)
    assert outcome == Outcome(error=sending.TOO_SLOW)


@pytest.mark.usefixtures("impatient")
def test_the_time_is_for_everything_together(network: Network) -> None:
    """Each byte comes well within the limit, all of them never."""

    def drip(_got: Got, link: socket.socket) -> None:
        link.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while not receiver.ended.wait(0.05):
            link.sendall(b"x")

    with receiving(drip) as receiver:
        outcome = post(to(receiver.port, scheme="http"), {}, BODY, network)
    assert outcome == Outcome(error=sending.TOO_SLOW)


@pytest.mark.usefixtures("impatient")
def test_a_receiver_that_does_not_finish_the_handshake(network: Network) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        outcome = post(to(silent.getsockname()[1]), {}, BODY, network)
    assert outcome == Outcome(error=sending.TOO_SLOW)


@pytest.mark.usefixtures("impatient")
def test_name_servers_that_do_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: ended.wait() and [])
    assert post(to(443), {}, BODY, Network()) == Outcome(error=sending.TOO_SLOW)
    ended.set()


def test_names_that_do_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert post(to(443), {}, BODY, Network()) == Outcome(error=sending.NO_NAME)


def test_the_system_resolves_names_once() -> None:
    found = Network().resolve("localhost", 443, 5)
    assert set(found) <= {"127.0.0.1", "::1"}
    assert len(found) == len(set(found)) > 0


def test_nobody_listens(network: Network) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    assert post(to(port), {}, BODY, network) == Outcome(error=sending.NO_CONNECTION)


def test_a_second_address_is_tried(certificate: Certificate) -> None:
    with receiving(answering(), certificate) as receiver:
        network = Network(resolve=lambda *_: ["127.0.0.2", "127.0.0.1"], tls=certificate.of_client)
        assert post(to(receiver.port), {}, BODY, network) == Outcome(204)


@pytest.mark.parametrize("trusting", [True, False])
def test_certificates_must_be_known_and_of_that_name(certificate: Certificate, trusting: bool) -> None:
    with receiving(answering(), certificate) as receiver:
        own = Network(resolve=lambda *_: ["127.0.0.1"], tls=certificate.of_client)
        network = own if trusting else Network(resolve=own.resolve)
        outcome = post(to(receiver.port, "other.test" if trusting else NAME), {}, BODY, network)
    assert outcome == Outcome(error=sending.BAD_CERTIFICATE)
    assert receiver.got == []


def test_a_receiver_without_tls_gets_nothing(network: Network) -> None:
    with receiving(answering()) as receiver:
        assert post(to(receiver.port), {}, BODY, network).error is not None
    assert receiver.got == []


def test_proxies_of_the_environment_are_not_used(
    certificate: Certificate, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving(answering()) as proxy, receiving(answering(), certificate) as receiver:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url())
        assert post(to(receiver.port), {}, BODY, network) == Outcome(204)
    assert (proxy.connections, len(receiver.got)) == ([], 1)


def test_large_bodies_arrive(certificate: Certificate, network: Network) -> None:
    body = b"x" * 2**20
    with receiving(answering(), certificate) as receiver:
        assert post(to(receiver.port), {}, body, network) == Outcome(204)
    assert receiver.got[0].body == body


def test_certificates_are_made_with_openssl(tmp_path: Path) -> None:
    made = Certificate.make(tmp_path)
    checks: list[Callable[[], object]] = [made.of_server, made.of_client]
    assert all(check() for check in checks)
