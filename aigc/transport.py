"""Carrying out what a flow asks for: over a blocking or an asynchronous HTTP connection."""

import hashlib
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from urllib.parse import urljoin

import anyio
import httpx

from aigc.address import is_loopback
from aigc.errors import ApiError, error_from
from aigc.speech import say, speaking
from aigc.version import __version__
from aigc.wire import Call, ConnectionLost, Flow, Patience, Reply, ReplyCache, Sleep, Tagged, send

T = TypeVar("T")
API = "/api/v1"


@dataclass(frozen=True, slots=True)
class Connection:
    """Which server, with what token, in which language, how patiently."""

    url: str
    token: str | None = None
    language: str | None = None
    timeout: float = 30.0
    patience: Patience = field(default_factory=Patience)

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            sentence = "{url} is no address of a server. Write it as http://127.0.0.1:8000."
            raise ValueError(say(sentence, url=self.url))

    def options(self) -> dict[str, Any]:
        """What httpx's clients are made with. Proxies never stand between us and this machine."""
        headers = {"User-Agent": f"aigc/{__version__}", "Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if self.language:
            headers["Accept-Language"] = self.language
        return {
            "base_url": self.url,
            "headers": headers,
            "timeout": httpx.Timeout(self.timeout, connect=5.0),
            "trust_env": not is_loopback(self.url),
        }


class Transport:
    """Runs flows over a blocking connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.cache = ReplyCache()
        self._http = httpx.Client(**connection.options())

    def request(self, call: Call) -> Reply:
        """Send one request, with its retries."""
        return self.run(send(call, self.connection.patience, self.cache))

    def run(self, flow: Flow[T]) -> T:
        """Drive a flow to its result."""
        with speaking(self.connection.language):
            try:
                effect = next(flow)
                while True:
                    try:
                        result = self._perform(effect)
                    except httpx.TransportError as error:
                        effect = flow.throw(_lost(self.connection, error))
                    else:
                        effect = flow.send(result)
            except StopIteration as stop:
                value: T = stop.value
                return value

    def lines(self, call: Call) -> Iterator[str]:
        """The lines of a reply as they come, until it ends.

        Raises:
            ApiError: The server refused.
            ConnectionLost: The connection broke.
        """
        try:
            with (
                _arguments(call, self.connection) as arguments,
                self._http.stream(**arguments) as response,
            ):
                if response.status_code >= 400:
                    response.read()
                    raise _refused(response)
                yield from response.iter_lines()
        except httpx.TransportError as error:
            raise _lost(self.connection, error) from error

    def _perform(self, effect: Call | Sleep) -> Reply | None:
        if isinstance(effect, Sleep):
            time.sleep(effect.seconds)
            return None
        with _arguments(effect, self.connection) as arguments:
            if effect.save_to is None:
                return _reply(self._http.request(**arguments))
            with self._http.stream(**arguments, follow_redirects=True) as response:
                if response.status_code >= 400:
                    response.read()
                    return _reply(response)
                with effect.save_to.open("wb") as file:
                    digest = hashlib.sha256()
                    for chunk in response.iter_bytes(2**20):
                        digest.update(chunk)
                        file.write(chunk)
                return Reply(200, dict(response.headers), digest.hexdigest())

    def close(self) -> None:
        """Close the connection."""
        self._http.close()


class AsyncTransport:
    """Runs the same flows on an event loop (asyncio or trio)."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.cache = ReplyCache()
        self._http = httpx.AsyncClient(**connection.options())

    async def request(self, call: Call) -> Reply:
        """Send one request, with its retries."""
        return await self.run(send(call, self.connection.patience, self.cache))

    async def run(self, flow: Flow[T]) -> T:
        """Drive a flow to its result."""
        with speaking(self.connection.language):
            try:
                effect = next(flow)
                while True:
                    try:
                        result = await self._perform(effect)
                    except httpx.TransportError as error:
                        effect = flow.throw(_lost(self.connection, error))
                    else:
                        effect = flow.send(result)
            except StopIteration as stop:
                value: T = stop.value
                return value

    async def lines(self, call: Call) -> AsyncIterator[str]:
        """The lines of a reply as they come, until it ends.

        Raises:
            ApiError: The server refused.
            ConnectionLost: The connection broke.
        """
        try:
            with _arguments(call, self.connection) as arguments:
                async with self._http.stream(**arguments) as response:
                    if response.status_code >= 400:
                        await response.aread()
                        raise _refused(response)
                    async for line in response.aiter_lines():
                        yield line
        except httpx.TransportError as error:
            raise _lost(self.connection, error) from error

    async def _perform(self, effect: Call | Sleep) -> Reply | None:
        if isinstance(effect, Sleep):
            await anyio.sleep(effect.seconds)
            return None
        with _arguments(effect, self.connection) as arguments:
            if effect.save_to is None:
                return _reply(await self._http.request(**arguments))
            async with self._http.stream(**arguments, follow_redirects=True) as response:
                if response.status_code >= 400:
                    await response.aread()
                    return _reply(response)
                with effect.save_to.open("wb") as file:
                    digest = hashlib.sha256()
                    async for chunk in response.aiter_bytes(2**20):
                        digest.update(chunk)
                        file.write(chunk)
                return Reply(200, dict(response.headers), digest.hexdigest())

    async def close(self) -> None:
        """Close the connection."""
        await self._http.aclose()


@contextmanager
def _arguments(call: Call, connection: Connection) -> Iterator[dict[str, Any]]:
    arguments: dict[str, Any] = {
        "method": call.method,
        "url": call.path if call.path.startswith("/") else f"{API}/{call.path}",
        "params": list(call.query),
        "headers": dict(call.headers),
        "timeout": httpx.Timeout(connection.timeout + call.wait, connect=5.0),
    }
    if call.json is not None:
        arguments["json"] = call.json
    if call.content is not None:
        arguments["content"] = call.content
    if call.upload is None:
        yield arguments
        return
    with call.upload.path.open("rb") as file:
        yield arguments | _form(call.upload.path, call.upload.fields, file)


def _form(path: Path, fields: Mapping[str, str], file: BinaryIO) -> dict[str, Any]:
    return {"data": dict(fields), "files": {"file": (path.name, file, "application/octet-stream")}}


def _reply(response: httpx.Response) -> Reply:
    kind = response.headers.get("content-type", "")
    body: Any = response.text
    if "json" in kind and response.content:
        try:
            body = response.json()
        except ValueError as error:
            raise error_from(502, dict(response.headers), None) from error
        if response.status_code >= 400 and isinstance(body, dict) and "help_url" in body:
            body["help_url"] = urljoin(str(response.url), str(body["help_url"]))
        if isinstance(body, dict):
            body = Tagged(body)
            body.etag = response.headers.get("etag", "")
    return Reply(response.status_code, dict(response.headers), body)


def _refused(response: httpx.Response) -> ApiError:
    reply = _reply(response)
    return error_from(reply.status, reply.headers, reply.body)


def _lost(connection: Connection, error: httpx.TransportError) -> ConnectionLost:
    with speaking(connection.language):
        if isinstance(error, httpx.ConnectError):
            return ConnectionLost(say("No server answers at {url}. Start one with: aigc up", url=connection.url))
        if isinstance(error, httpx.TimeoutException):
            return ConnectionLost(say("The server at {url} did not answer in time.", url=connection.url))
        reason = str(error) or type(error).__name__
        return ConnectionLost(say("The connection to {url} broke: {reason}.", url=connection.url, reason=reason))
