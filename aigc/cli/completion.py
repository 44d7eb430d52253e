"""``aigc completion``: the script that makes a shell complete commands and options."""

import click
from click.shell_completion import get_completion_class

from aigc.cli.session import Command


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a completion script. For bash: eval "$(aigc completion bash)"."""
    from aigc.cli.root import root

    script = get_completion_class(shell)
    if script is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    click.echo(script(root, {}, "aigc", "_AIGC_COMPLETE").source())
