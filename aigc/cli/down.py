"""``aigc down``: stop the stack that runs on a home directory, from whichever terminal."""

from pathlib import Path

import click

from aigc.address import Running, home_directory
from aigc.cli.session import Command, complain, session
from aigc.cli.up import home_option
from aigc.stack import background
from aigc.stack.home import StackError, near


@click.command(cls=Command)
@home_option
@click.option("--now", is_flag=True, help="Give running jobs no time to save; they go on from their last checkpoint.")
def down(home: Path | None, now: bool) -> int:
    """Stop what aigc up started on this machine, in the background or in another terminal.

    Running jobs save their state and go on at the next start. Where nothing runs, nothing is done.
    """
    place = home.expanduser().absolute() if home else home_directory()

    def tell(running: Running) -> None:
        session().say("Stopping process {pid}, state in {home}", pid=running.pid, home=near(place))

    try:
        stopped = background.stop(place, tell, at_once=now)
    except StackError as error:
        complain(str(error))
        return error.exit_code
    if stopped is None:
        session().say("No stack runs on {home}.", home=near(place))
    else:
        session().say("Stopped. All state is kept.")
    return 0
