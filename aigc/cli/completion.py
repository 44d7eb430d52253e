"""``aigc completion``: the script that makes a shell complete commands and options."""

import click
from click.shell_completion import get_completion_class

from aigc.cli.session import Command


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes commands, options, ids and tasks.

    \b
    bash:  echo 'eval "$(aigc completion bash)"' >> ~/.bashrc
    zsh:   echo 'eval "$(aigc completion zsh)"' >> ~/.zshrc
    fish:  aigc completion fish > ~/.config/fish/completions/aigc.fish
    """
    from aigc.cli.root import root

    script = get_completion_class(shell)
    if script is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    click.echo(script(root, {}, "aigc", "_AIGC_COMPLETE").source())
