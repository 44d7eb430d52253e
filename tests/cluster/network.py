"""Hosts of their own and the lines between them: network namespaces on a bridge, or loopback with relays.

With namespaces a cut is that of a cable: packets go nowhere, connections hang. Where the kernel does not permit them,
every host reaches the servers through a relay of its own, and a cut stops passing bytes on, which looks the same to
either side for as long as it lasts.
"""

import random
import socket
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

PREFIX = "aigc"


class NotPermitted(RuntimeError):
    """This machine does not let us make namespaces."""


class Network(Protocol):
    """Hosts by name, and where the servers listen."""

    address: str
    kind: str

    def command(self, host: str, command: Sequence[str]) -> list[str]:
        """A command as it is run on a host."""

    def reach(self, host: str, port: int) -> str:
        """``address:port`` of a server as a host reaches it."""

    def cut(self, host: str) -> None:
        """Cut a host off."""

    def mend(self, host: str) -> None:
        """Connect it again."""

    def close(self) -> None:
        """Take everything down."""


class Namespaces:
    """A bridge, and a namespace with one cable to it for each host."""

    kind = "namespaces"

    def __init__(self, hosts: Sequence[str]) -> None:
        dice = random.SystemRandom()
        mark, net = f"{dice.randrange(16**4):04x}", f"10.{dice.randrange(100, 250)}.{dice.randrange(250)}"
        self.address, self._bridge = f"{net}.1", f"{PREFIX}{mark}"
        self._spaces = {host: f"{PREFIX}-{mark}-{host}" for host in hosts}
        self._cables = {host: f"{PREFIX}{mark}{number}" for number, host in enumerate(hosts)}
        try:
            _ip("link", "add", self._bridge, "type", "bridge")
            _ip("addr", "add", f"{self.address}/24", "dev", self._bridge)
            _ip("link", "set", self._bridge, "up")
            for number, host in enumerate(hosts):
                self._plug(host, f"{net}.{number + 11}/24")
        except (subprocess.CalledProcessError, FileNotFoundError) as error:
            self.close()
            raise NotPermitted from error

    def command(self, host: str, command: Sequence[str]) -> list[str]:
        """See :class:`Network`. The host has its name, too."""
        named = ["unshare", "--uts", "sh", "-c", f'hostname {host} && exec "$@"', "sh", *command]
        return ["ip", "netns", "exec", self._spaces[host], *named]

    def reach(self, host: str, port: int) -> str:
        """See :class:`Network`."""
        return f"{self.address}:{port}"

    def cut(self, host: str) -> None:
        """See :class:`Network`."""
        _ip("link", "set", self._cables[host], "down")

    def mend(self, host: str) -> None:
        """See :class:`Network`."""
        _ip("link", "set", self._cables[host], "up")

    def close(self) -> None:
        """See :class:`Network`. Cables go with their namespaces."""
        for space in self._spaces.values():
            subprocess.run(["ip", "netns", "del", space], capture_output=True, check=False)
        for cable in (*self._cables.values(), self._bridge):
            subprocess.run(["ip", "link", "del", cable], capture_output=True, check=False)

    def _plug(self, host: str, address: str) -> None:
        space, cable = self._spaces[host], self._cables[host]
        _ip("netns", "add", space)
        _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", space)
        _ip("link", "set", cable, "master", self._bridge)
        _ip("link", "set", cable, "up")
        _ip("-n", space, "addr", "add", address, "dev", "eth0")
        for device in ("eth0", "lo"):
            _ip("-n", space, "link", "set", device, "up")


class Relays:
    """Loopback with a relay for each host and server."""

    kind = "relays"

    def __init__(self, hosts: Sequence[str]) -> None:
        dice = random.SystemRandom()
        self.address = f"127.{dice.randrange(1, 250)}.{dice.randrange(250)}.1"
        self._lines: dict[tuple[str, int], Relay] = {}
        self._hosts = hosts

    def command(self, host: str, command: Sequence[str]) -> list[str]:
        """See :class:`Network`."""
        return list(command)

    def reach(self, host: str, port: int) -> str:
        """See :class:`Network`."""
        if (host, port) not in self._lines:
            self._lines[host, port] = Relay((self.address, port))
        return "{}:{}".format(*self._lines[host, port].address)

    def cut(self, host: str) -> None:
        """See :class:`Network`."""
        for (whose, _), line in self._lines.items():
            if whose == host:
                line.flowing.clear()

    def mend(self, host: str) -> None:
        """See :class:`Network`."""
        for (whose, _), line in self._lines.items():
            if whose == host:
                line.flowing.set()

    def close(self) -> None:
        """See :class:`Network`."""
        for line in self._lines.values():
            line.close()


class Relay:
    """Passes the bytes of connections on, for as long as they flow."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server, self._listener = server, socket.create_server(("127.0.0.1", 0))
        self.address = self._listener.getsockname()
        self.flowing = threading.Event()
        self.flowing.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections; those there are end with their ends."""
        self.flowing.set()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        self.flowing.wait()
        try:
            server = socket.create_connection(self._server, 5)
            server.settimeout(None)
        except OSError:
            client.close()
            return
        back = threading.Thread(target=self._pass, args=(server, client), daemon=True)
        back.start()
        self._pass(client, server)
        back.join()
        client.close()
        server.close()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self.flowing.wait()
                target.sendall(data)
        for line in (source, target):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)


def connect(hosts: Sequence[str]) -> Network:
    """The best network that this machine permits."""
    try:
        return Namespaces(hosts)
    except NotPermitted:
        return Relays(hosts)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
