"""The client: ``aigc.Client()`` and, for event loops, ``aigc.AsyncClient()``."""

from types import TracebackType
from typing import Any, Self

from aigc import async_nouns, async_resources, nouns, resources
from aigc.address import access_token, server_url
from aigc.transport import AsyncTransport, Connection, Transport
from aigc.wire import Call, Patience


def connection(url: str | None = None, token: str | None = None, **options: Any) -> Connection:
    """Where and how to connect: arguments first, then the environment.

    Args:
        url: Address of the server; ``AIGC_URL``, a stack running here, or http://127.0.0.1:8000.
        token: Access token; ``AIGC_TOKEN`` or the file ``AIGC_TOKEN_FILE``.
        options: ``language``, ``timeout`` (seconds), ``patience``.
    """
    return Connection(server_url(url), token or access_token(), **options)


class Client:
    """A server, over a blocking connection. Use it as context manager or let it live as long as the program.

    Args:
        url: Address; without one ``AIGC_URL``, a stack that runs here, else http://127.0.0.1:8000.
        token: Access token; without one ``AIGC_TOKEN`` or the file ``AIGC_TOKEN_FILE``.
        language: Language of the server's sentences, such as ``zh-CN``.
        timeout: Seconds to wait for a reply.
        patience: How often and how long to try again.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        language: str | None = None,
        timeout: float = 30.0,
        patience: Patience | None = None,
    ) -> None:
        made = connection(url, token, language=language, timeout=timeout, patience=patience or Patience())
        self._api = resources.Api(Transport(made))
        self.url = made.url
        self.jobs = nouns.Jobs(self._api)
        self.datasets = nouns.Datasets(self._api)
        self.models = nouns.Models(self._api)
        self.tasks = nouns.Tasks(self._api)
        self.workers = nouns.Workers(self._api)
        self.queues = nouns.Queues(self._api)

    def get(self, path: str) -> Any:
        """The parsed reply to a GET of any address below ``/api/v1``, or from the root with a leading slash."""
        return self._api.json(Call("GET", path))

    def close(self) -> None:
        """Close the connection."""
        self._api.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<aigc.Client {self.url}>"


class AsyncClient:
    """The same for asyncio and trio: same names, awaited. Arguments as for :class:`Client`."""

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        language: str | None = None,
        timeout: float = 30.0,
        patience: Patience | None = None,
    ) -> None:
        made = connection(url, token, language=language, timeout=timeout, patience=patience or Patience())
        self._api = async_resources.AsyncApi(AsyncTransport(made))
        self.url = made.url
        self.jobs = async_nouns.AsyncJobs(self._api)
        self.datasets = async_nouns.AsyncDatasets(self._api)
        self.models = async_nouns.AsyncModels(self._api)
        self.tasks = async_nouns.AsyncTasks(self._api)
        self.workers = async_nouns.AsyncWorkers(self._api)
        self.queues = async_nouns.AsyncQueues(self._api)

    async def get(self, path: str) -> Any:
        """The parsed reply to a GET of any address below ``/api/v1``, or from the root with a leading slash."""
        return await self._api.json(Call("GET", path))

    async def close(self) -> None:
        """Close the connection."""
        await self._api.transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<aigc.AsyncClient {self.url}>"
