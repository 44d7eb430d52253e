"""The files of next-event models that pages read: drafted how-tos, and what comes next in sessions."""

from collections.abc import Sequence

from aigc_models.data import how_tos, next_events
from aigc_models.data.how_tos import HowTo
from aigc_models.data.next_events import Foretold
from jobs.tables import Artifact
from web import result_files


def drafts(files: Sequence[Artifact]) -> list[HowTo] | None:
    """The how-tos a job drafted; None where it drafted none."""
    stored = result_files.document(files, how_tos.FILE)
    return how_tos.parse_how_tos(stored) if stored is not None else None


def foretold(files: Sequence[Artifact]) -> list[Foretold] | None:
    """What a job said comes next; None where it said nothing."""
    stored = result_files.document(files, next_events.FILE)
    return next_events.parse_next_events(stored) if stored is not None else None
