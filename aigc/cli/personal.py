"""What is told of likely personal data in a dataset, with the command that hides it."""

import csv
import io
import shlex
from collections.abc import Iterable

from aigc.cli.session import session
from aigc.library import Dataset
from aigc.speech import say

MOST_NAMED = 5


def tell(item: Dataset) -> None:
    """Say on stderr that a dataset holds likely personal data, and what to do; nothing where it is hidden."""
    columns, setting = _found(item)
    if not setting:
        return
    command = f"aigc datasets revise {item.name} -p {shlex.quote(setting)}"
    if not columns:
        sentence = "{name} has likely personal data that is not masked. Mask it: {command}"
        session().say(sentence, name=item.name, command=command)
        return
    more = len(columns) - MOST_NAMED
    named = ", ".join(columns[:MOST_NAMED]) + (f", {say('and {count} more', count=more)}" if more > 0 else "")
    sentence = "{name} has likely personal data in {columns}. Mask it: {command}"
    session().say(sentence, name=item.name, columns=named, command=command)


def _found(item: Dataset) -> tuple[list[str], str]:
    """The columns with likely personal data that is not hidden, and the setting of the import that hides it."""
    report = item.report
    if item.kind == "table":
        columns = [str(one["name"]) for one in report.get("columns") or () if one.get("personal")]
        return columns, f"mask={_joined(columns)}" if columns else ""
    if not report.get("personal") or report.get("masked") or report.get("hashed"):
        return [], ""
    return [], "hash_users=true" if item.kind == "interactions" else "mask=true"


def _joined(names: Iterable[str]) -> str:
    """Names as the import takes them: those with a comma in them in quotation marks."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(list(names))
    return text.getvalue()
