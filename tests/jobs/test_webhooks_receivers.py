"""Which receivers are allowed, by what the operator lists; and what a refusal says."""

import pytest

from jobs.errors import InvalidParams
from jobs.settings import Settings
from jobs.webhooks import DEFAULT_EVENTS, Webhook, accept, of, receivers


def refusal(url: str, **settings: str) -> str:
    with pytest.raises(InvalidParams) as refused:
        receivers.read(url, Settings(**settings))  # type: ignore[arg-type]  # all of them are text
    (fault,) = refused.value.faults
    assert fault.pointer == "/webhook/url"
    assert fault.code == ("webhooks-off" if fault.message == receivers.OFF else "invalid-webhook")
    return fault.message


def test_off_until_the_operator_lists_hosts() -> None:
    assert refusal("https://hooks.example.org/") == receivers.OFF
    assert "AIGC_WEBHOOK_HOSTS" in receivers.OFF
    assert refusal("https://hooks.example.org/", webhook_hosts=" ") == receivers.OFF
    assert refusal("https://hooks.example.org/", webhook_allow_private="hooks.example.org:443") == receivers.OFF


@pytest.mark.parametrize(
    ("listed", "url", "allowed"),
    [
        ("hooks.example.org", "https://hooks.example.org/in", True),
        ("hooks.example.org", "https://HOOKS.example.org/in", True),
        (" Hooks.Example.Org ,b.example", "https://hooks.example.org", True),
        ("hooks.example.org", "https://hooks.example.org:8443/", True),
        ("hooks.example.org", "https://a.hooks.example.org/", False),
        ("hooks.example.org", "https://hooks.example.org.evil.example/", False),
        ("hooks.example.org", "https://evilhooks.example.org/", False),
        ("*.example.org", "https://a.example.org/", True),
        ("*.example.org", "https://a.b.example.org/", True),
        ("*.example.org", "https://example.org/", False),
        ("*.example.org", "https://evilexample.org/", False),
        ("example.org:9443", "https://example.org:9443/", True),
        ("example.org:9443", "https://example.org/", False),
        ("*.example.org:9443", "https://a.example.org:9443/", True),
        ("*", "https://anything.example/", True),
        ("*", "https://93.184.216.34/", True),
        ("*.34", "https://93.184.216.34/", False),
    ],
)
def test_lists(listed: str, url: str, allowed: bool) -> None:
    if allowed:
        assert receivers.read(url, Settings(webhook_hosts=listed)).scheme == "https"
    else:
        assert refusal(url, webhook_hosts=listed) == receivers.NOT_LISTED


def test_ports_are_few_unless_listed() -> None:
    assert refusal("https://a.example:22/", webhook_hosts="a.example") == receivers.WRONG_PORT
    assert refusal("https://a.example:22/", webhook_hosts="a.example,b.example:22") == receivers.WRONG_PORT
    assert receivers.read("https://a.example:22/", Settings(webhook_hosts="a.example:22")).port == 22


def test_http_only_for_receivers_that_are_listed_so() -> None:
    hosts = "a.example,127.0.0.1"
    assert refusal("http://a.example/", webhook_hosts=hosts) == receivers.PLAIN
    assert refusal("http://a.example/", webhook_hosts=hosts, webhook_allow_private="a.example:80") == receivers.PLAIN
    opened = Settings(webhook_hosts=hosts, webhook_allow_private="http://a.example:80, 127.0.0.1:9000")
    assert receivers.read("http://a.example/x", opened).private
    assert receivers.read("https://127.0.0.1:9000/", opened).private
    assert not receivers.read("https://a.example/", opened).private
    assert refusal("https://127.0.0.1/", webhook_hosts=hosts) == receivers.NOT_PRIVATE


def test_the_parts_are_sent_as_they_were_checked() -> None:
    found = receivers.read("HTTPS://A.Example:8443?token=X%20y", Settings(webhook_hosts="a.example"))
    assert (found.authority, found.target) == ("a.example:8443", "/?token=X%20y")
    six = receivers.read("https://[2606:2800:220:1::1]/p", Settings(webhook_hosts="*"))
    assert (six.host, six.authority, six.target) == ("2606:2800:220:1::1", "[2606:2800:220:1::1]", "/p")


def test_too_long() -> None:
    assert refusal("https://a.example/" + "x" * 2_048, webhook_hosts="*") == receivers.UNREADABLE


def test_what_is_kept_and_shown(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = Settings(home=tmp_path_factory.mktemp("home"), webhook_hosts="a.example")
    hook = accept(settings, "https://a.example/in?token=secret", ["end", "log", "end"], "https://server.example")
    assert hook.events == ("log", "end")
    assert (hook.shown, of(hook.stored())) == ("https://a.example/in?…", hook)
    assert accept(settings, "https://a.example/in").events == DEFAULT_EVENTS
    assert Webhook("https://a.example/in").shown == "https://a.example/in"
    assert of(None) is None
