"""Times as they are typed: 30s, 90m, 2h, 3d, 1w."""

import click

from aigc.speech import say

UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def seconds(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    """A typed time in seconds."""
    if value is None:
        return None
    text = value.strip()
    number, unit = (text, "s") if text.isdigit() else (text[:-1], text[-1:])
    if not number.isdigit() or unit not in UNITS:
        raise click.BadParameter(say("{text} is no time. Write 30s, 90m, 2h or 1d.", text=text))
    return int(number) * UNITS[unit]
