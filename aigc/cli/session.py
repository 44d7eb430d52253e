"""What every command shares: the server, how to print, and what an error ends with."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import click

from aigc.program import here
from aigc.speech import LANGUAGES, say, speak

if TYPE_CHECKING:
    from rich.console import Console

    from aigc.client import Client

# What people type who know other programs; of each line, the words that a group has are suggested.
SAME = (
    ("view", "show", "get", "status", "info", "describe", "inspect"),
    ("list", "ls", "all"),
    ("delete", "rm", "remove", "del"),
    ("cancel", "stop", "kill", "abort"),
    ("download", "fetch", "save", "pull", "export"),
    ("add", "upload", "import", "create", "new"),
    ("submit", "run", "start", "train"),
    ("logs", "log", "tail"),
    ("watch", "follow", "attach"),
    ("generate", "sample", "predict"),
    ("up", "serve", "start"),
    ("down", "stop", "shutdown"),
)
EXIT_ERROR, EXIT_USAGE, EXIT_JOB_FAILED, EXIT_AUTH, EXIT_NOT_REACHABLE, EXIT_INTERRUPTED = 1, 2, 3, 4, 5, 130


@dataclass
class Session:
    """One call of the command: its global options, its client, its two streams."""

    url: str | None = None
    fields: str | None = None
    quiet: bool = False
    color: bool = True
    language: str | None = None
    token: str | None = None
    _client: "Client | None" = field(default=None, repr=False)

    @property
    def client(self) -> "Client":
        """The client, connected as the options and the environment say."""
        from aigc.client import Client
        from aigc.wire import Patience

        if self._client is None:
            patience = Patience(retries=3, base=0.2)
            try:
                self._client = Client(self.url, self.token, language=self.language, patience=patience)
            except ValueError as error:
                raise click.UsageError(str(error)) from error
        return self._client

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def ask_token(self) -> bool:
        """Ask for an access token where a person sits and none was given; gives whether there is one now."""
        from aigc.address import access_token

        if self.token or access_token() or not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
        self.close()
        self.token = click.prompt(say("Access token"), hide_input=True, err=True)
        return True

    @property
    def wants_json(self) -> bool:
        """Whether stdout is for a program."""
        return self.fields is not None

    def console(self, *, stderr: bool = False) -> "Console":
        """A rich console that writes no control codes where nobody looks or ``NO_COLOR`` is set."""
        from rich.console import Console

        colourless = not self.color or bool(os.environ.get("NO_COLOR"))
        return Console(stderr=stderr, no_color=colourless, highlight=False, soft_wrap=True)

    def say(self, sentence: str, **values: Any) -> None:
        """Tell the person something in their language, on stderr; not with ``-q``."""
        self.tell(say(sentence, **values))

    def tell(self, words: str) -> None:
        """Pass on what is no sentence of ours, such as the server's, on stderr; not with ``-q``."""
        if not self.quiet:
            click.echo(here(words), err=True)

    def show(self, raw: Any, text: str) -> None:
        """Print something: as JSON where asked, else as text."""
        click.echo(self._json(raw) if self.wants_json else here(text))

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]], raw: Sequence[Mapping[str, Any]]) -> None:
        """Print a list: as JSON, as aligned text where nobody looks, as table in a terminal."""
        if self.wants_json:
            click.echo(self._json(raw))
            return
        if self.quiet:
            click.echo("".join(f"{row[0]}\n" for row in rows), nl=False)
            return
        if not sys.stdout.isatty():
            click.echo("".join("\t".join(row) + "\n" for row in rows), nl=False)
            return
        from rich import box
        from rich.table import Table
        from rich.text import Text

        made = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
        for name in head:
            made.add_column(say(name), overflow="fold")
        for row in rows:
            made.add_row(*(Text(cell) for cell in row))
        self.console().print(made)

    def _json(self, raw: Any) -> str:
        if not self.fields or self.fields == "*":
            return json.dumps(raw, ensure_ascii=False, indent=2)
        wanted = [name.strip() for name in self.fields.split(",") if name.strip()]
        picked: Any = [_pick(item, wanted) for item in raw] if isinstance(raw, (list, tuple)) else _pick(raw, wanted)
        return json.dumps(picked, ensure_ascii=False, indent=2)


def _pick(raw: Mapping[str, Any], wanted: Sequence[str]) -> dict[str, Any]:
    unknown = [name for name in wanted if name.split(".")[0] not in raw]
    if unknown:
        sentence = "There is no field called {names}. The fields are: {known}."
        raise click.UsageError(say(sentence, names=", ".join(unknown), known=", ".join(raw)))
    return {name: _dig(raw, name) for name in wanted}


def _dig(raw: Any, dotted: str) -> Any:
    for name in dotted.split("."):
        raw = raw.get(name) if isinstance(raw, Mapping) else None
    return raw


def session() -> Session:
    """The session of the command that runs."""
    return cast(Session, click.get_current_context().find_root().obj)


def report(error: Exception) -> int:
    """Say an API error on stderr, sentence by sentence as the server put it, and give the exit code."""
    from aigc import errors

    complain(str(error))
    if isinstance(error, errors.ApiError) and error.help_url.startswith("http"):
        click.echo(say("Help: {address}", address=error.help_url), err=True)
    if isinstance(error, errors.ApiError) and error.request_id and error.status >= 500:
        click.echo(say("Request id: {id}", id=error.request_id), err=True)
    if isinstance(error, errors.Unauthorized):
        if error.status == 401:
            click.echo(say("Set AIGC_TOKEN, or AIGC_TOKEN_FILE to a file that holds the token."), err=True)
        return EXIT_AUTH
    if isinstance(error, errors.NotReachable):
        return EXIT_NOT_REACHABLE
    return EXIT_JOB_FAILED if isinstance(error, errors.JobFailed) else EXIT_ERROR


def complain(words: str) -> None:
    """Say on stderr what went wrong."""
    click.echo(here(say("Error: {words}", words=words)), err=True)


def confirm_deletion(ids: Sequence[str], *, yes: bool) -> None:
    """Ask before something is gone for good; where nobody can be asked, ``--yes`` must be there."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(say("Deleting cannot be undone. Say --yes where nobody can be asked."))
    click.confirm(say("Delete {what} and all files of it?", what=", ".join(ids)), abort=True, err=True)


Callback = Callable[[click.Context, click.Parameter, Any], None]


def _into(name: str) -> Callback:
    def keep(context: click.Context, _parameter: click.Parameter, value: Any) -> None:
        root = context.find_root()
        if value is not None and value is not False:
            setattr(root.obj, name, value)

    return keep


def _spoken(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value:
        if value.replace("_", "-").split("-")[0].lower() not in LANGUAGES:
            sentence = "There is no language {tag}. The languages are: en, zh-CN."
            raise click.BadParameter(say(sentence, tag=value), context, parameter)
        speak(value)
        _into("language")(context, parameter, value)


def _no_color(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    root = context.find_root()
    root.obj.color = root.obj.color and not value


def shared_options() -> list[click.Option]:
    """The options every command takes, before or after its name."""
    common: dict[str, Any] = {"expose_value": False, "is_eager": True}
    return [
        click.Option(
            ["--url"],
            metavar="URL",
            help="Address of the server (else AIGC_URL, a stack running here, or http://127.0.0.1:8000).",
            callback=_into("url"),
            **common,
        ),
        click.Option(
            ["--json", "fields"],
            metavar="[FIELDS]",
            help="Print JSON, all of it or the named fields: --json=id,state.",
            callback=_into("fields"),
            **common,
        ),
        click.Option(["-q", "--quiet"], is_flag=True, help="Print no messages.", callback=_into("quiet"), **common),
        click.Option(["--no-color"], is_flag=True, help="No colours.", callback=_no_color, **common),
        click.Option(
            ["--lang", "language"],
            metavar="TAG",
            help="Language of all messages (else AIGC_LANG): en, zh-CN.",
            callback=_spoken,
            envvar="AIGC_LANG",
            **common,
        ),
    ]


class Command(click.Command):
    """A command with the shared options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += shared_options()


class Group(click.Group):
    """A group whose commands all have the shared options."""

    command_class = Command
    group_class = type

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += shared_options()

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest for an unknown name one that looks like it, or that says the same in other programs."""
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-"):
            raise click.UsageError(_unknown([*ctx.command_path.split()[1:], args[0]], known), ctx)
        return super().resolve_command(ctx, args)


def _unknown(path: Sequence[str], known: Sequence[str]) -> str:
    from difflib import get_close_matches

    *group, name = path
    alike = [word for words in SAME for word in words if name in words and word in known]
    near = [*alike, *get_close_matches(name, known, n=1)][:1]
    if near:
        sentence = "There is no command called {name}. Did you mean {command}?"
        return say(sentence, name=" ".join(path), command=" ".join(["aigc", *group, *near]))
    listed = say("The commands are: {names}.", names=", ".join(known))
    return f"{say('There is no command called {name}.', name=' '.join(path))} {listed}"
