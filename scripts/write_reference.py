"""Write the pages of docs/reference/ that follow from the code.

.venv/bin/python scripts/write_reference.py
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from pydantic_core import PydanticUndefined

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from aigc.cli.processes import PASSED_ON  # noqa: E402
from aigc.cli.root import root  # noqa: E402
from aigc.cli.session import shared_options  # noqa: E402
from jobs.settings import Settings  # noqa: E402

HEAD = """# Settings

Environment variables, read once when a process starts. All processes of one installation must agree on them.
This page is written by `scripts/write_reference.py`.

| variable | default | meaning |
|---|---|---|
"""
CLI_HEAD = """# Command line

Every command of `aigc`, as `aigc COMMAND --help` explains it. This page is written by `scripts/write_reference.py`.

Data goes to stdout, messages go to stderr. In a terminal lists are tables and a job has a bar; in a pipe lists are
lines with tabs between the columns, progress is a line every ten seconds, and there are no control codes.

## For every command

{options}

| variable | meaning |
|---|---|
| `AIGC_URL` | Address of the server. |
| `AIGC_TOKEN`, `AIGC_TOKEN_FILE` | Access token, or a file that holds it. A token is never an option, where others \
could read it; in a terminal it is asked for. |
| `AIGC_LANG` | Language of all messages: `en`, `zh-CN`. |
| `NO_COLOR` | No colours. |

| exit code | meaning |
|---|---|
| 0 | It went well. |
| 1 | Something went wrong; the message says what and how to mend it. |
| 2 | The command or the settings cannot be used as they are. |
| 3 | The job failed or was cancelled (`submit --watch`, `jobs watch --exit-status`). |
| 4 | A token is needed, or it may not do this. |
| 5 | No server answers. |
| 130 | Stopped with Ctrl-C. Jobs go on. |

"""
CLIENT_HEAD = """# Python client

`import aigc`, with `aigc-foundry` or with [`aigc-client`](../../client/README.md) alone. `AsyncClient` has the same
names, awaited. What is not told here is in `raw`, the server's own JSON. This page is written by
`scripts/write_reference.py`.

"""
CLIENT = {
    "client": ("Client",),
    "nouns": ("Jobs", "Datasets", "Models", "Tasks"),
    "resources": ("Job", "Samples", "Artifact", "Dataset", "Model"),
    "records": (
        "JobRecord",
        "DatasetRecord",
        "ModelRecord",
        "ArtifactRecord",
        "TaskRecord",
        "Curves",
        "Event",
        "LogLine",
    ),
    "wire": ("Patience",),
    "errors": (
        *("ApiError", "Flaw", "NotFound", "InvalidParams", "Conflict", "RateLimited", "Unavailable"),
        *("NotReachable", "Unauthorized", "JobFailed", "DamagedFile", "WaitTimeout"),
    ),
}
BASES = {"JobRecord": "Job", "DatasetRecord": "Dataset", "ModelRecord": "Model", "ArtifactRecord": "Artifact"}


def settings_page() -> str:
    """A row for every setting."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, "", PydanticUndefined) else f"`{field.default}`"
        if field.default_factory is not None:
            default = "number of cores"
        rows.append(f"| `AIGC_{name.upper()}` | {default} | {field.description} |\n")
    return HEAD + "".join(rows)


def cli_page() -> str:
    """A part for every command, with its arguments and options."""
    shared = {option.name for option in shared_options()}
    own = [parameter for parameter in root.params if parameter.name in shared]
    parts = [CLI_HEAD.format(options=_option_table(own))]
    for name, command in _commands(root, "aigc"):
        parts.append(f"## {name}\n\n```text\n{_usage(name, command)}\n```\n\n{_help(command)}\n\n")
        options = [one for one in command.params if isinstance(one, click.Option) and one.name not in shared]
        if options:
            parts.append(_option_table(options) + "\n\n")
        elif command.context_settings == PASSED_ON:
            parts.append(f"`{name} --help` shows its options.\n\n")
    return "".join(parts).rstrip() + "\n"


def _commands(group: click.Group, prefix: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group, info_name=prefix)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _commands(command, f"{prefix} {name}")
        elif command is not None:
            yield f"{prefix} {name}", command


def _usage(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name)
    return " ".join([name, *command.collect_usage_pieces(context)])


def _help(command: click.Command) -> str:
    text = click.unstyle(command.help or "").replace("\n    ", "\n")
    blocks = [part.strip("\n") for part in text.split("\n\n")]
    marked = [f"```text\n{part[2:].strip(chr(10))}\n```" if part.startswith("\b\n") else part for part in blocks]
    return "\n\n".join(marked).strip()


def _option_table(options: list[click.Parameter]) -> str:
    rows = []
    for option in options:
        record = option.get_help_record(click.Context(root, info_name="aigc"))
        if record is not None:
            names, meaning = (text.replace("|", "\\|") for text in record)
            rows.append(f"| `{names}` | {meaning} |")
    return "\n".join(["| option | meaning |", "|---|---|", *rows])


def client_page() -> str:
    """A part for every class a person meets, with its methods."""
    parts = [CLIENT_HEAD]
    for module, names in CLIENT.items():
        tree = ast.parse((ROOT / "aigc" / f"{module}.py").read_text(encoding="utf-8"))
        classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
        parts += [_class(classes[name]) for name in names]
    return "".join(parts).rstrip() + "\n"


def _class(node: ast.ClassDef) -> str:
    title = f"{BASES[node.name]}: what it knows" if node.name in BASES else node.name
    lines = [f"## {title}\n\n{_words(node)}\n"]
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and not item.name.startswith("_"):
            lines.append(f"\n**`{_signature(item)}`**  \n{_words(item)}\n")
        elif isinstance(item, ast.AnnAssign) and not getattr(item.target, "id", "_").startswith("_"):
            lines.append(f"\n**`{ast.unparse(item)}`**\n")
    return "".join(lines) + "\n"


def _signature(node: ast.FunctionDef) -> str:
    arguments = ast.parse(ast.unparse(node)).body[0]
    assert isinstance(arguments, ast.FunctionDef)
    listed = arguments.args
    (listed.posonlyargs or listed.args)[:1] = []  # self
    returns = f" -> {ast.unparse(node.returns)}" if node.returns is not None else ""
    if any(getattr(mark, "id", "") == "property" for mark in node.decorator_list):
        return f"{node.name}{returns}".replace("'", "")
    said = ast.unparse(listed).removeprefix("/, ")
    return f"{node.name}({said}){returns.replace(chr(39), '')}"


def _words(node: ast.ClassDef | ast.FunctionDef) -> str:
    """A docstring as text: its sections as lists."""
    text = (ast.get_docstring(node) or "").replace(":class:", "").replace(":meth:", "")
    lines = []
    for line in text.splitlines():
        if line.strip() in ("Args:", "Attributes:", "Raises:"):
            lines.append(f"*{line.strip()}*\n")
        elif line.startswith("    ") and not line.startswith("     ") and ": " in line:
            lines.append(f"- {line.strip()}")
        else:
            lines.append(line)
    return "\n".join(lines).replace("``", "`")


PAGES = {
    ROOT / "docs" / "reference" / "settings.md": settings_page,
    ROOT / "docs" / "reference" / "cli.md": cli_page,
    ROOT / "docs" / "reference" / "client.md": client_page,
}


def main() -> None:
    """Write all pages."""
    for path, page in PAGES.items():
        path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
