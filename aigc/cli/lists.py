"""Recommendations as a table in a terminal."""

from aigc.cli.session import session
from aigc.notebook import number
from aigc.recommended import HEAD, Recommendations


def show(found: Recommendations) -> None:
    """Print a row for each recommendation; what the model did not know is said on stderr."""
    for one in found:
        if one.unknown:
            session().say("The model does not know: {names}", names=", ".join(one.unknown))
    rows = [[number(cell) for cell in row] for row in found.rows()]
    session().table(HEAD, rows, [one.raw for one in found])
