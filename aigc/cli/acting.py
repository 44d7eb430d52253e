"""Doing one thing to several jobs, datasets or models: what is refused does not stop the rest."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from aigc.cli.session import EXIT_USAGE, report, session
from aigc.client import Client
from aigc.errors import ApiError, InvalidParams, Unauthorized
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


def edited(words: Mapping[str, Any], change: Callable[[Mapping[str, Any]], Record]) -> int:
    """Change what was named of a thing, and say so.

    Args:
        words: What to write by name; None for what stays.
        change: Does it, given those to write.
    """
    changes = {name: value for name, value in words.items() if value is not None}
    if not changes:
        raise click.UsageError(say("Name something to change; --help shows what there is."))
    try:
        item = change(changes)
    except InvalidParams as error:
        report(error)
        return EXIT_USAGE
    session().show(item.raw, say("{id} changed", id=item.id))
    return 0


def deleted(item: Record) -> str:
    """What to tell after a deletion."""
    return say("{id} deleted", id=item.id)
