"""Where a webhook may go: addresses are read by one strict rule, and only what the operator listed is taken."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from aigc_models.base import Fault
from jobs.errors import InvalidParams
from jobs.settings import Settings
from jobs.webhooks import networks

LONGEST = 2_048
PORTS = (443, 8443)
# What is sent is put together from these very parts, so no other reader of addresses has a say.
ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]{2,45}\]|[a-z0-9.-]{1,253})(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>(?:[/?][a-z0-9._~:/?\[\]@!$&'()*+,;=%-]*)?)",
    re.ASCII | re.IGNORECASE,
)
NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)

OFF = "Webhooks are switched off on this server. The operator allows receivers with AIGC_WEBHOOK_HOSTS."
UNREADABLE = (
    "The address of a webhook must read like https://name/path: ASCII, at most {longest} characters, without "
    "user name, fragment, blanks, and numbers other than a plain IP address in the place of the name."
)
NOT_LISTED = "Webhooks to {host} are not allowed. The operator lists the receivers in AIGC_WEBHOOK_HOSTS."
NOT_PRIVATE = (
    "The address {host} is not a public one. The operator lists receivers inside in AIGC_WEBHOOK_ALLOW_PRIVATE."
)
PLAIN = "A webhook needs https. Plain http is only for receivers that AIGC_WEBHOOK_ALLOW_PRIVATE lists with http://."
WRONG_PORT = (
    "Webhooks to port {port} of {host} are not allowed. The ports are 443, 8443 and those listed with the host."
)


@dataclass(frozen=True, slots=True)
class Receiver:
    """An allowed receiver, in the parts that are dialled and sent.

    Attributes:
        private: Whether it may lie inside the company's network or on this machine.
    """

    scheme: str
    host: str
    port: int
    target: str
    private: bool

    @property
    def authority(self) -> str:
        """As the Host header says it."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.port == (443 if self.scheme == "https" else 80)
        return name if usual else f"{name}:{self.port}"


@dataclass(frozen=True, slots=True)
class Policy:
    """Where one may go, and the sentences for where not.

    Attributes:
        hosts: Hosts that the operator lists, as ``AIGC_WEBHOOK_HOSTS`` is written.
        inside: Those of them that may lie inside.
        sentences: The words for each reason, by the names below.
        codes: Codes of the faults: when all is off, and else.
        pointer: Where the address stands in the request.
    """

    hosts: str
    inside: str
    sentences: Mapping[str, str]
    codes: tuple[str, str] = ("webhooks-off", "invalid-webhook")
    pointer: str = "/webhook/url"

    def refused(self, why: str, **values: object) -> InvalidParams:
        """The fault for a reason."""
        code = self.codes[0] if why == "off" else self.codes[1]
        return InvalidParams(faults=[Fault(self.sentences[why], values, self.pointer, code=code)])


SENTENCES: Mapping[str, str] = {
    "off": OFF,
    "unreadable": UNREADABLE,
    "not listed": NOT_LISTED,
    "not private": NOT_PRIVATE,
    "plain": PLAIN,
    "port": WRONG_PORT,
}


def read(url: str, settings: Settings) -> Receiver:
    """Read an address, if webhooks to it are allowed.

    Raises:
        InvalidParams: With the reason.
    """
    return check(url, Policy(settings.webhook_hosts, settings.webhook_allow_private, SENTENCES))


def check(url: str, policy: Policy) -> Receiver:
    """Read an address, if a policy allows it.

    Raises:
        InvalidParams: With the reason.
    """
    if not policy.hosts.strip():
        raise policy.refused("off")
    found = ADDRESS.fullmatch(url) if len(url) <= LONGEST else None
    scheme, host = (found["scheme"].lower(), found["host"].lower()) if found else ("", "")
    port = int(found["port"] or (443 if scheme == "https" else 80)) if found else 0
    if found is None or not _is_host(host) or not 1 <= port <= 65_535:
        raise policy.refused("unreadable", longest=LONGEST)
    inside = _listed(policy.inside)
    private = f"{scheme}://{host}:{port}" in inside or (scheme == "https" and f"{host}:{port}" in inside)
    if not any(_covers(entry, host, port) for entry in _listed(policy.hosts)):
        raise policy.refused("not listed", host=host)
    if scheme != "https" and not private:
        raise policy.refused("plain")
    if port not in PORTS and not private and not _names_port(policy, host, port):
        raise policy.refused("port", host=host, port=port)
    bare = host.strip("[]")
    if networks.is_address(bare) and not networks.may_be_dialled(bare, private=private):
        raise policy.refused("not private", host=host)
    target = found["target"]
    return Receiver(scheme, bare, port, target if target.startswith("/") else f"/{target}", private)


def _is_host(host: str) -> bool:
    """A name, or an IP address as everybody writes it: ``127.1``, ``0x7f000001`` and ``017700000001`` are neither."""
    if host.startswith("["):
        return ":" in host and networks.is_address(host.strip("[]"))
    if NUMBER.fullmatch(host.rpartition(".")[2]):
        return networks.is_address(host)
    return NAME.fullmatch(host) is not None


def _listed(text: str) -> frozenset[str]:
    return frozenset(entry for part in text.split(",") if (entry := part.strip().lower()))


def _covers(entry: str, host: str, port: int) -> bool:
    """Whether an entry such as ``example.org``, ``*.example.org``, ``example.org:9443`` or ``*`` names a host."""
    name = entry.removesuffix(f":{port}")
    if name.startswith("*.") and not networks.is_address(host.strip("[]")):
        return host.endswith(name[1:])
    return name in (host, "*")


def _names_port(policy: Policy, host: str, port: int) -> bool:
    entries = _listed(policy.hosts)
    return any(entry.endswith(f":{port}") and _covers(entry, host, port) for entry in entries)
