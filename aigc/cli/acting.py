"""Doing one thing to several jobs, datasets or models: what is refused does not stop the rest."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import click

from aigc.cli.session import report, session
from aigc.client import Client
from aigc.errors import ApiError, Unauthorized
from aigc.records import Record
from aigc.speech import say

R = TypeVar("R", bound=Record)


def each(
    texts: Sequence[str], find: Callable[[Client, str], R], act: Callable[[R], R], tell: Callable[[R], str]
) -> int:
    """Find what each text means, act on it, tell what came of it; gives the worst exit code."""
    worst = 0
    done: list[R] = []
    for text in texts:
        try:
            done.append(act(find(session().client, text)))
        except Unauthorized:
            raise
        except ApiError as error:
            worst = max(worst, report(error))
        else:
            if not session().wants_json:
                click.echo(tell(done[-1]))
    if session().wants_json:
        session().show([item.raw for item in done], "")
    return worst


def deleted(item: Record) -> str:
    """What to tell after a deletion."""
    return say("{id} deleted", id=item.id)
