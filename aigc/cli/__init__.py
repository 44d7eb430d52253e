"""The command ``aigc``: everything the web pages do, for terminals and scripts, over the same HTTP API."""

import io
import os
import re
import sys
from collections.abc import Sequence

import click

from aigc.cli.session import EXIT_ERROR, EXIT_INTERRUPTED, Session, complain, report

_FIELD_LIST = re.compile(r"[a-z_]+(\.[a-z_0-9]+)*(,[a-z_]+(\.[a-z_0-9]+)*)*")
FIELDS = frozenset(
    {
        "adjustments", "alias", "aliases", "artifacts", "at", "attempt", "attempts", "because", "card",
        "code", "code_version", "created_at", "curves", "data", "dataset", "description", "detail", "device",
        "device_kind", "device_name", "differs", "draining", "energy", "error", "expires_at", "family", "field",
        "fields", "files", "finished_at", "fix", "free_disk", "heartbeat_at", "hint", "history", "host",
        "http_status", "id", "item", "items", "job", "judgements", "kind", "lane", "level", "licence", "links", "makes",
        "media_type", "memory_free", "memory_total", "message", "metrics", "model", "name", "next_at", "notes",
        "object", "operation", "params", "path", "paused", "pid", "place", "presets", "progress", "queue",
        "queued", "report", "retried_from", "role", "running", "schema", "seed", "seq", "sha256", "size", "snapshot",
        "source",
        "started_at", "state", "step", "summary", "tags", "task", "time_limit", "title", "temperature", "unfit",
        "unknown", "user", "utilisation", "values", "verdict", "version", "watts", "webhook", "well", "what", "worker",
        "workers",
    }
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit with its code; the codes are listed in ``aigc --help``."""
    sys.exit(run(sys.argv[1:] if arguments is None else list(arguments)))


def run(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    from aigc.errors import ApiError, Unauthorized
    from aigc.program import here
    from aigc.speech import speaking

    current = Session()
    with speaking("en"):
        try:
            try:
                return _outcome(arguments, current)
            except Unauthorized as error:
                if error.status == 401 and current.ask_token():
                    return _outcome(arguments, current)
                return report(error)
        except click.exceptions.Exit as ended:
            return ended.exit_code
        except click.ClickException as error:
            shown = io.StringIO()
            error.show(shown)
            click.echo(here(shown.getvalue()), err=True, nl=False)
            return error.exit_code
        except (click.Abort, KeyboardInterrupt):
            return EXIT_INTERRUPTED
        except BrokenPipeError:  # `aigc jobs list | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except ApiError as error:
            return report(error)
        except OSError as error:
            complain(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "))
            return EXIT_ERROR
        finally:
            current.close()


def _outcome(arguments: Sequence[str], current: Session) -> int:
    from aigc.cli.root import root

    outcome = root.main(args=join_fields(arguments), prog_name="aigc", standalone_mode=False, obj=current)
    return outcome if isinstance(outcome, int) else 0


def join_fields(arguments: Sequence[str]) -> list[str]:
    """Write ``--json id,state`` as ``--json=id,state`` and a bare ``--json`` as one that names no fields.

    So that neither ``aigc --json jobs list`` nor ``aigc jobs view --json @last`` loses an argument.
    """
    from aigc.cli.root import COMMANDS

    joined: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == "--":
            return [*joined, argument, *rest]
        if argument == "--json":
            follows = rest[0] if rest else ""
            fields = (
                bool(_FIELD_LIST.fullmatch(follows)) and {name.split(".")[0] for name in follows.split(",")} <= FIELDS
            )
            in_command = any(not each.startswith("-") for each in joined)  # `worker` is a field and a command
            argument = f"--json={rest.pop(0) if fields and (in_command or follows not in COMMANDS) else '*'}"
        joined.append(argument)
    return joined
