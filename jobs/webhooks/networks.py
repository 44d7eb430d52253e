"""Which IP addresses a webhook may be sent to, and the look-up of a name, once and within a time limit."""

import ipaddress
import queue
import socket
import threading
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


# Python's is_global changed between releases, so the registries (RFC 6890 and its updates) are written out.
RESERVED = _networks(
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/4", "240.0.0.0/4",
    # of IPv6 only global unicast is public at all; these parts of it reach IPv4 by tunnels or nobody
    "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)  # fmt: skip
GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
# What a company's own network and this machine use: open to receivers that the operator names, and to no other.
INSIDE = _networks(
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "::1/128", "fc00::/7"
)  # fmt: skip
# Where clouds hand out credentials; some of them look public. Never dialled.
METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in ("169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
)


def is_address(text: str) -> bool:
    """Whether this is an IP address in its usual form."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def may_be_dialled(text: str, *, private: bool) -> bool:
    """Whether a webhook may be sent to an IP address.

    Args:
        text: The address.
        private: Whether the receiver may lie inside.
    """
    address = ipaddress.ip_address(text)
    if address in METADATA:
        return False
    if private and _lies_in(address, INSIDE):
        return True
    if isinstance(address, ipaddress.IPv6Address) and address not in GLOBAL_UNICAST:
        return False
    return not _lies_in(address, RESERVED)


def resolve(host: str, port: int, seconds: float) -> list[str]:
    """The IP addresses of a name, in the system's order.

    Raises:
        socket.gaierror: There is no such name.
        TimeoutError: The name servers do not answer; the look-up cannot be stopped and ends by itself.
    """
    found: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.put(list(dict.fromkeys(str(row[4][0]) for row in rows)))
        except OSError as error:
            found.put(error)
        except UnicodeError:  # a label that no name server could be asked for
            found.put(socket.gaierror(socket.EAI_NONAME, "no name"))

    threading.Thread(target=look_up, name="webhook-name", daemon=True).start()
    try:
        answer = found.get(timeout=max(0.0, seconds))
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, OSError):
        raise answer
    return answer


def _lies_in(address: Address, some: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in some)
