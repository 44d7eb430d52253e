"""Addresses that lead inside: whatever they look like, no connection is made.

Each goes through the whole path, from a job's row over the courier to the socket, past a check at
the submission that is left out on purpose: an operator may have changed the list since.
"""

import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import pytest
from sqlalchemy import select

from jobs.engine import Engine
from jobs.errors import InvalidParams
from jobs.settings import Settings
from jobs.tables import WebhookDelivery
from jobs.webhooks import Webhook, accept, networks, receivers, sending
from jobs.webhooks.courier import Courier
from jobs.webhooks.sending import Network
from tests.jobs.acting import Actor
from tests.jobs.receiving import Receiver, answering, receiving

SECONDS = 60.0
PUBLIC = "93.184.216.34"
INSIDE = (
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "169.254.1.1", "100.64.0.1", "100.100.100.200", "192.0.0.192", "168.63.129.16", "198.18.0.1", "224.0.0.1",
    "239.255.255.250", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.51.100.7", "203.0.113.9", "192.88.99.1",
    "::1", "::", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:7f00:1", "::127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "2002:7f00:1::", "2001::1", "2001:0:7f00:1::", "2001:db8::1", "fe80::1",
    "fec0::1", "fc00::1", "fd00:ec2::254", "fd12:3456::1", "ff02::1", "100::1", "5f00::1", "3fff::1",
)  # fmt: skip
LITERAL = tuple(f"[{address}]" if ":" in address else address for address in INSIDE)
TRICKS = (
    "https://2130706433:{port}/",
    "https://0x7f000001:{port}/",
    "https://0x7f.0.0.1:{port}/",
    "https://0x7f.1:{port}/",
    "https://017700000001:{port}/",
    "https://0177.0.0.1:{port}/",
    "https://127.1:{port}/",
    "https://127.0.1:{port}/",
    "https://127.0.0.1.:{port}/",
    "https://127.000.000.001:{port}/",
    "https://0:{port}/",
    "https://127.0.0.1%00.example.org:{port}/",
    "https://[::ffff:127.0.0.1]:{port}/",
    "https://[0:0:0:0:0:ffff:7f00:1]:{port}/",
    "https://[::1%25lo]:{port}/",
    "https://[127.0.0.1]:{port}/",
    "https://[::1:{port}/",
    "https://user@127.0.0.1:{port}/",
    "https://hooks.example.org@127.0.0.1:{port}/",
    "https://hooks.example.org:443@127.0.0.1:{port}/",
    "https://hooks.example.org%40127.0.0.1:{port}/",
    "https://127.0.0.1:{port}#@hooks.example.org/",
    "https://127.0.0.1:{port}\\@hooks.example.org/",
    "https://hooks.example.org\\@127.0.0.1:{port}/",
    "https://127.0.0.1:{port}?@hooks.example.org/",
    "https://hooks.example.org /@127.0.0.1:{port}/",
    "https://hooks.example.org\r\nHost: 127.0.0.1:{port}/",
    "https://hooks.example.org/\r\nX: y",
    "https:///127.0.0.1:{port}/",
    "https:127.0.0.1:{port}/",
    "https:/127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "https://１２７.０.０.１:{port}/",
    "https://①②⑦.⓪.⓪.①:{port}/",
    "https://127。0。0。1:{port}/",
    "https://localhost:{port}/",
    "https://localhost.:{port}/",
    "https://LOCALHOST:{port}/",
    "https://localhost.localdomain:{port}/",
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "HTTP://rebinds.example.org:{port}/",
    "ftp://127.0.0.1:{port}/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/_",
    "dict://127.0.0.1:{port}/",
    "unix:///run/valkey.sock",
    "https+unix://%2Frun%2Fvalkey.sock/",
    "jar:https://127.0.0.1:{port}!/",
    "https://rebinds.example.org:{port}/",
    "https://mixed.example.org:{port}/",
    "https://empty.example.org:{port}/",
    "https://alias.example.org:{port}/",
    "https://scoped.example.org:{port}/",
    "https://127.0.0.1:0/",
    "https://127.0.0.1:99999/",
    "https://127.0.0.1:{port}{port}/",
    "https://",
    "",
)
NAMES = {
    "mixed.example.org": [PUBLIC, "127.0.0.1"],
    "empty.example.org": [],
    "alias.example.org": ["127.0.0.1"],
    "scoped.example.org": ["fe80::1%lo"],
    "localhost": ["127.0.0.1"],
    "localhost.localdomain": ["127.0.0.1"],
}


@dataclass
class Boundary:
    """In the place of name servers and network: loopback is really dialled, the rest of the world is away."""

    names: Mapping[str, list[str]]
    asked: list[str] = field(default_factory=list)
    dialled: list[str] = field(default_factory=list)

    def resolve(self, host: str, _port: int, _seconds: float) -> list[str]:
        self.asked.append(host)
        if host == "rebinds.example.org":  # public at the first look, inside at every further one
            return [PUBLIC] if self.asked.count(host) == 1 else ["127.0.0.1"]
        return self.names[host]

    def dial(self, address: str, port: int, seconds: float) -> socket.socket:
        self.dialled.append(address)
        if address in ("127.0.0.1", "::1"):
            return sending.dial(address, port, seconds)
        raise ConnectionRefusedError


@pytest.fixture
def listener() -> Iterator[Receiver]:
    """On all of this machine's own addresses, where a request that slips through would arrive."""
    with receiving(answering(), host="::" if socket.has_dualstack_ipv6() else "0.0.0.0") as started:
        yield started


def corpus(port: int) -> tuple[list[str], dict[str, list[str]]]:
    """All addresses, and what their names lead to."""
    names = dict(NAMES)
    found = [trick.replace("{port}", str(port)) for trick in TRICKS]
    found += [f"https://{address}:{port}/" for address in LITERAL]
    for number, address in enumerate(INSIDE):
        names[f"inside{number}.example.org"] = [address]
        found.append(f"https://inside{number}.example.org:{port}/")
    return found, names


def settings_for(settings: Settings, listener: Receiver) -> Settings:
    """Every host and the listener's port are listed: the list is not what keeps requests out here."""
    return settings.model_copy(update={"webhook_hosts": f"*,localhost,*:{listener.port}"})


def test_no_address_of_the_corpus_leads_inside(engine: Engine, actor: Actor, listener: Receiver) -> None:
    settings = settings_for(engine.settings, listener)
    urls, names = corpus(listener.port)
    boundary, dataset = Boundary(names), actor.dataset().id
    for url in urls:
        actor.submit("image_vae.train", {"dataset": dataset}, webhook=Webhook(url, ("state",)))
    courier = Courier(replace(engine, settings=settings), Network(boundary.resolve, boundary.dial))
    while courier.tick():
        assert courier.rest(SECONDS)
    with engine.db.read() as session:
        rows = session.scalars(select(WebhookDelivery)).all()
    assert len(rows) == len(urls) >= 60
    assert {(row.state, row.attempts, row.http_status) for row in rows} == {("pending", 1, None)}
    assert all(row.error for row in rows)
    assert listener.connections == []
    assert set(boundary.dialled) <= {PUBLIC}
    assert boundary.asked.count("rebinds.example.org") == 1


def test_the_corpus_would_be_seen(engine: Engine, actor: Actor, listener: Receiver) -> None:
    """The same path with the one receiver that the operator opened: the listener hears of it."""
    settings = settings_for(engine.settings, listener)
    settings = settings.model_copy(update={"webhook_allow_private": f"http://alias.example.org:{listener.port}"})
    boundary = Boundary(NAMES)
    hook = Webhook(f"http://alias.example.org:{listener.port}/", ("state",))
    actor.submit("image_vae.train", {"dataset": actor.dataset().id}, webhook=hook)
    courier = Courier(replace(engine, settings=settings), Network(boundary.resolve, boundary.dial))
    courier.tick()
    assert courier.rest(SECONDS)
    assert (boundary.dialled, len(listener.got)) == (["127.0.0.1"], 1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(listener: Receiver, status: int) -> None:
    headers = (f"Location: http://127.0.0.1:{listener.port}/", f"Refresh: 0; url=http://127.0.0.1:{listener.port}/")
    with receiving(answering(status, b"", *headers)) as outside:
        allowed = Settings(webhook_hosts="127.0.0.1", webhook_allow_private=f"http://127.0.0.1:{outside.port}")
        outcome = sending.post(receivers.read(outside.url(), allowed), {}, b"{}", Network())
    assert outcome == sending.Outcome(status, sending.REDIRECTS)
    assert (len(outside.got), listener.connections) == (1, [])


def test_a_submission_refuses_what_can_be_known_at_once() -> None:
    settings = Settings(webhook_hosts="*,*:1234,localhost")
    urls, names = corpus(1234)
    by_name = [url for url in urls if any(f"//{name}:" in url.lower() for name in (*names, "rebinds.example.org"))]
    for url in (rest := [url for url in urls if url not in by_name]):
        with pytest.raises(InvalidParams):
            accept(settings, url)
    assert len(rest) >= 60


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "192.168.0.9", "172.20.0.1", "100.64.0.1", "::1", "fd00::1"]
)
def test_what_lies_inside_can_be_opened(address: str) -> None:
    assert networks.may_be_dialled(address, private=True)
    assert not networks.may_be_dialled(address, private=False)


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "100.100.100.200", "fd00:ec2::254", "224.0.0.1", "0.0.0.0", "fe80::1"]
)
def test_metadata_and_what_is_no_host_never(address: str) -> None:
    assert not networks.may_be_dialled(address, private=True)


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "2606:2800:220:1::1", "2a00:1450:4001::5e"])
def test_the_rest_of_the_world_is_open(address: str) -> None:
    assert networks.may_be_dialled(address, private=False)
