"""An assistant's reply in a terminal."""

from aigc.cli.session import session
from aigc.replied import Reply


def show(found: Reply) -> None:
    """Print what was said, a line for each option and each source."""
    session().show(found.raw, str(found))
