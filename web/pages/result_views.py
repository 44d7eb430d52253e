"""What a job made, each kind of result shown in its own way: one small view for each, in the order of the page."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.tables import Artifact
from web.pages import (
    augmentation,
    chat,
    dialogues,
    how_to,
    names,
    next_events,
    ranking,
    recommendations,
    sounds,
    table_preview,
    table_quality,
    texts,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Results:
    """What a job left: whose it is, of which family, its figures and its files."""

    job_id: str
    family: str
    metrics: Mapping[str, Any]
    files: Sequence[Artifact]


@dataclass(frozen=True, slots=True)
class View:
    """One part of a page: a template below ``views/``, and what it shows as ``view.shown``.

    The template gets ``standalone`` in a report, where nothing but the page itself can be reached.
    """

    template: str
    shown: Any


# Each looks at results and gives what its template shows, or None where there is nothing of its kind.
BUILDERS: Sequence[tuple[str, Callable[[Results], Any]]] = (
    ("views/ranking.html", lambda made: ranking.of(names.family_title(made.family), made.metrics)),
    ("views/augmentation.html", lambda made: augmentation.of(made.files)),
    ("views/table_quality.html", lambda made: table_quality.of(made.job_id, made.files)),
    ("views/table_preview.html", lambda made: table_preview.of(made.files)),
    ("views/table_columns.html", lambda made: table_quality.of(made.job_id, made.files)),
    ("views/recommendations.html", lambda made: recommendations.of(made.files)),
    ("views/how_to.html", lambda made: how_to.of(made.files)),
    ("views/next_events.html", lambda made: next_events.of(made.files)),
    ("views/reply.html", lambda made: chat.result(made.job_id)),
    ("views/dialogues.html", lambda made: dialogues.of(made.job_id, made.files)),
    ("views/texts.html", lambda made: texts.of(made.files)),
    ("views/sounds.html", lambda made: sounds.of(made.files)),
)


# Pictures of a result that say less than a view of it does, by its template.
SAID: Mapping[str, str] = {"views/table_columns.html": "samples.png"}
# A view with the figures of a result in words and beside others.
EXPLAINS = "views/table_quality.html"


def of(made: Results) -> list[View]:
    """The views of results; files that hold something else than their names promise have none."""
    found = []
    for template, build in BUILDERS:
        try:
            shown = build(made)
        except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
            log.warning("results of %s have no %s: %r", made.job_id, template, error)
            continue
        if shown is not None:
            found.append(View(template, shown))
    return found


def pictures(files: Sequence[Artifact], views: Sequence[View]) -> list[Artifact]:
    """The pictures of a result that no view of it makes superfluous."""
    said = {SAID.get(view.template) for view in views}
    return [file for file in files if file.name not in said]


def explained(views: Sequence[View]) -> bool:
    """Whether a view tells what the figures of a result say."""
    return any(view.template == EXPLAINS for view in views)
