"""What a shell may offer where an id or a task is typed: what the server knows, if it answers at once."""

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

from aigc.client import Client
from aigc.errors import ApiError
from aigc.wire import Patience

SECONDS, MOST = 5.0, 50
Offer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _offering(words: Callable[[Client], Iterable[tuple[str, str]]]) -> Offer:
    def offer(context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
        url = getattr(context.find_root().obj, "url", None)
        try:
            with Client(url, timeout=SECONDS, patience=Patience(retries=0)) as client:
                return [CompletionItem(word, help=about) for word, about in words(client) if word.startswith(typed)]
        except (ApiError, OSError, ValueError):  # nobody wants to read of it in the middle of a line
            return []

    return offer


jobs = _offering(
    lambda client: [("@last", ""), *((job.id, f"{job.name} {job.state}") for job in client.jobs.list(limit=MOST))]
)
datasets = _offering(lambda client: [(item.id, item.name) for item in client.datasets.list(limit=MOST)])
models = _offering(
    lambda client: [(item.id, f"{item.name} v{item.version}") for item in client.models.list(limit=MOST)]
)
tasks = _offering(lambda client: [(task.task, task.summary) for task in client.tasks.list()])
