"""The top of the command: names of the commands, and where each lives."""

from importlib import import_module

import click

from aigc.cli.session import Group
from aigc.version import __version__

COMMANDS = {
    "up": "aigc.cli.up:up",
    "down": "aigc.cli.down:down",
    "demo": "aigc.cli.demo:demo",
    "submit": "aigc.cli.submit:submit",
    "tasks": "aigc.cli.tasks:tasks",
    "jobs": "aigc.cli.jobs:jobs",
    "datasets": "aigc.cli.datasets:datasets",
    "models": "aigc.cli.models:models",
    "workers": "aigc.cli.workers:workers",
    "queues": "aigc.cli.workers:queues",
    "webhooks": "aigc.cli.webhooks:webhooks",
    "open": "aigc.cli.browse:open_page",
    "token": "aigc.cli.processes:token",
    "worker": "aigc.cli.processes:worker",
    "scheduler": "aigc.cli.processes:scheduler",
    "migrate": "aigc.cli.processes:migrate",
    "backup": "aigc.cli.storage:backup",
    "restore": "aigc.cli.storage:restore",
    "verify": "aigc.cli.storage:verify",
    "gc": "aigc.cli.storage:gc",
    "scale": "aigc.cli.storage:scale",
    "doctor": "aigc.cli.doctor:doctor",
    "completion": "aigc.cli.completion:completion",
}


class Root(Group):
    """Loads a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order of first use, not of the alphabet."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, name = place.split(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.command(cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="%(prog)s %(version)s")
def root() -> None:
    """Train and use your own generative models on your own data.

    Try it: aigc demo. Then open the address it prints.

    Exit codes: 0 ok, 1 error, 2 wrong usage or settings, 3 the job failed or was cancelled,
    4 a token is needed, 5 no server answers, 130 stopped with Ctrl-C.
    """
