"""Every command and option of ``aigc``; those that start another part are asked for their argparse parsers."""

import argparse
import sys
from collections.abc import Iterator
from importlib import import_module
from unittest.mock import patch

import click

from aigc.cli.root import COMMANDS, root
from scripts.reference.words import Words, code, first_sentence, table

ABOUT = (
    "Ids may be a whole id, a unique beginning or end of one, a name, or `@last`. Data goes to standard output, "
    "messages to standard error. This page is written by `scripts/write_reference.py`."
)
EXITS = (
    (0, "ok"),
    (1, "error"),
    (2, "wrong usage or settings"),
    (3, "the job failed or was cancelled"),
    (4, "a token is needed"),
    (5, "no server answers"),
    (130, "stopped with Ctrl-C"),
)
PARTS = {  # commands that become another module
    "token": "jobs.token_command",
    "worker": "worker.launch",
    "scheduler": "",
    "migrate": "jobs.migrate",
    "backup": "jobs.backup",
    "restore": "jobs.restore",
    "verify": "jobs.verify",
    "gc": "jobs.gc_command",
}
EVERYWHERE = {"--url", "--json", "--quiet", "--no-color", "--lang", "--help", "--version"}


class _Found(Exception):
    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.parser = parser


def page(t: Words) -> str:
    """The options of all commands, then a section for each."""
    rows = [_option(option, t) for option in root.params if isinstance(option, click.Option)]
    head = (t("option"), t("meaning"))
    parts = [
        f"# {t('Command line')}\n\n{t(ABOUT)}\n\n## {t('Options of every command')}\n\n" + table(head, rows),
        f"## {t('Exit codes')}\n\n" + table((t("code"), t("meaning")), [(code(one), t(why)) for one, why in EXITS]),
    ]
    context = click.Context(root, info_name="aigc")
    for name in COMMANDS:
        command = root.get_command(context, name)
        assert command is not None
        parts.append(f"## aigc {name}\n\n")
        parts += [_part(name, t)] if name in PARTS else list(_command(f"aigc {name}", command, t, top=True))
    return "".join(parts)


def _command(name: str, command: click.Command, t: Words, *, top: bool = False) -> Iterator[str]:
    if not top:
        yield f"### {name}\n\n"
    if isinstance(command, click.Group):
        yield _about(command, t)
        for inner, one in command.commands.items():
            yield from _command(f"{name} {inner}", one, t)
        return
    places = [argument.make_metavar(click.Context(command)) for argument in command.params if _is_argument(argument)]
    usage = " ".join([name, *places, "[OPTIONS]" if _own(command) else ""]).strip()
    yield f"{code(usage)}\n\n{_about(command, t)}"
    rows = [_option(option, t) for option in _own(command)]
    if rows:
        yield table((t("option"), t("meaning")), rows)


def _is_argument(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Argument)


def _own(command: click.Command) -> list[click.Option]:
    """Options that this command has and others have not."""
    options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    return [one for one in options if not EVERYWHERE & set(one.opts)]


def _about(command: click.Command, t: Words) -> str:
    paragraphs = (command.help or "").replace("\b", "").split("\n\n")
    return "".join(f"{t(first_sentence(paragraph))}\n\n" for paragraph in paragraphs)


def _option(option: click.Option, t: Words) -> tuple[str, str]:
    takes = "" if option.is_flag else " " + option.make_metavar(click.Context(root))
    shown = f" {t('Default:')} {code(option.default)}" if option.show_default and option.default else ""
    return code(", ".join(option.opts) + takes), t(option.help or "") + shown


def _part(name: str, t: Words) -> str:
    context = click.Context(root)
    command = root.get_command(context, name)
    assert command is not None
    said = _about(command, t)
    if not PARTS[name]:
        return f"{code(f'aigc {name}')}\n\n{said}"
    parser = _parser(PARTS[name])
    inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not inner:
        return f"{code(_usage(f'aigc {name}', parser))}\n\n{said}" + _arguments(parser, t)
    text = said
    helps = {one.dest: one.help or "" for one in inner[0]._choices_actions}
    for sub, one in inner[0].choices.items():
        usage = _usage(f"aigc {name} {sub}", one)
        text += f"### aigc {name} {sub}\n\n{code(usage)}\n\n{t(helps[sub])}\n\n" + _arguments(one, t)
    return text


def _parser(module: str) -> argparse.ArgumentParser:
    """The parser that a module's ``main`` makes, caught when it is about to parse."""

    def caught(self: argparse.ArgumentParser, *_: object, **__: object) -> argparse.Namespace:
        raise _Found(self)

    with patch.object(argparse.ArgumentParser, "parse_args", caught), patch.object(sys, "argv", [module]):
        try:
            import_module(module).main()
        except _Found as found:
            return found.parser
    raise AssertionError(f"{module} parses nothing")


def _usage(name: str, parser: argparse.ArgumentParser) -> str:
    places = [str(action.metavar or action.dest.upper()) for action in parser._actions if not action.option_strings]
    return " ".join([name, *places, "[OPTIONS]" if _arguments_of(parser) else ""]).strip()


def _arguments_of(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [action for action in parser._actions if "--help" not in action.option_strings and action.option_strings]


def _arguments(parser: argparse.ArgumentParser, t: Words) -> str:
    rows = []
    for action in _arguments_of(parser):
        takes = "" if action.nargs == 0 else " " + _takes(action)
        rows.append((code(", ".join(action.option_strings) + takes), t(action.help or "")))
    return table((t("option"), t("meaning")), rows) if rows else ""


def _takes(action: argparse.Action) -> str:
    return (
        "{" + ",".join(map(str, action.choices)) + "}" if action.choices else str(action.metavar or action.dest.upper())
    )
