"""What a job made, each kind of file shown in its own way: one small view for each, in the order of the page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.tables import Artifact
from web.pages import augmentation, table_preview, table_quality


@dataclass(frozen=True, slots=True)
class View:
    """One part of a page: a template below ``views/``, and what it shows as ``shown``.

    The template gets ``standalone`` in a report, where nothing but the page itself can be reached.
    """

    template: str
    shown: Any


# Each looks at a job's files and gives what its template shows, or None where they are not of its kind.
BUILDERS: Sequence[tuple[str, Callable[[str, Sequence[Artifact]], Any]]] = (
    ("views/augmentation.html", augmentation.of),
    ("views/table_preview.html", table_preview.of),
    ("views/table_quality.html", table_quality.of),
)


def of(job_id: str, files: Sequence[Artifact]) -> list[View]:
    """The views of a job's results; files that hold something else than their names promise have none."""
    found = []
    for template, build in BUILDERS:
        try:
            shown = build(job_id, files)
        except (AttributeError, KeyError, IndexError, TypeError, ValueError):
            continue
        if shown is not None:
            found.append(View(template, shown))
    return found
