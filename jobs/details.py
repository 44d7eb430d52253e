"""What people call a job: its name, its tags and what they note; none of it changes what the job does."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from aigc_models.base import Fault
from jobs import marks, name_search
from jobs.engine import Engine
from jobs.errors import InvalidParams, JobNotFound
from jobs.naming import LONGEST, is_printable
from jobs.principal import Principal
from jobs.tables import Job

LONGEST_TAG, MOST_TAGS = 40, 20
LONGEST_NOTES = 10_000
CODES = frozenset({"invalid-name", "invalid-tag", "too-many-tags", "invalid-notes"})
COMMA = re.compile("[,，、]")
BETWEEN = re.compile(f"{COMMA.pattern}|[\r\n]")


@dataclass(frozen=True, slots=True)
class Details:
    """What people say of a job; of a change, None where something stays as it is."""

    name: str | None = None
    tags: Sequence[str] | None = None
    notes: str | None = None


def split(typed: str) -> list[str]:
    """Tags as people type them: in one line, with commas between."""
    return [part.strip() for part in BETWEEN.split(typed) if part.strip()]


def unique(tags: Sequence[str]) -> list[str] | None:
    """Tags as they are kept: without blanks around, each once; None where there are none."""
    return list(dict.fromkeys(tag.strip() for tag in tags)) or None


def faults(said: Details) -> list[Fault]:
    """What cannot be kept."""
    found = []
    if said.name is not None and not (is_printable(said.name) and len(said.name.strip()) <= LONGEST):
        sentence = "The name must have 1 to {longest} printable characters."
        found.append(Fault(sentence, {"longest": LONGEST}, "/name", code="invalid-name"))
    tags = said.tags or ()
    for place, tag in enumerate(tags):
        if COMMA.search(tag) or not is_printable(tag) or len(tag) > LONGEST_TAG:
            sentence = "A tag must have 1 to {longest} printable characters and no comma."
            found.append(Fault(sentence, {"longest": LONGEST_TAG}, f"/tags/{place}", code="invalid-tag"))
    if len(tags) > MOST_TAGS:
        sentence = "A job can have at most {most} tags."
        found.append(Fault(sentence, {"most": MOST_TAGS}, "/tags", code="too-many-tags"))
    if said.notes is not None and (len(said.notes) > LONGEST_NOTES or "\0" in said.notes):
        sentence = "The notes may have at most {longest} characters."
        found.append(Fault(sentence, {"longest": LONGEST_NOTES}, "/notes", code="invalid-notes"))
    return found


def mark(job: Job) -> str:
    """A short hash over what people said of a job; it stays the same while the job itself moves on."""
    return marks.of(job.name, job.tags or [], job.notes)


def change(
    engine: Engine, principal: Principal, job_id: str, said: Details, seen: Collection[str] | None = None
) -> Job:
    """Change what people say of a job, in any state.

    Args:
        engine: Where the job is kept.
        principal: Who asks.
        job_id: The job.
        said: What to change.
        seen: If given, the :func:`mark` must be one of these.

    Raises:
        JobNotFound: There is no such job.
        InvalidParams: With one fault for each thing that cannot be kept.
        VersionMismatch: Somebody changed it since it was seen.
    """
    if wrong := faults(said):
        raise InvalidParams(faults=wrong)

    with engine.db.begin() as session:
        job = session.scalar(
            select(Job).where(Job.id == job_id, Job.tenant_id == principal.tenant_id).with_for_update()
        )
        if job is None:
            raise JobNotFound(kind="job", id=job_id)
        before = mark(job)
        marks.check(before, seen, "job")
        if said.name is not None:
            job.name = said.name.strip()
            name_search.renamed(session, engine.db, job)
        if said.tags is not None:
            job.tags = unique(said.tags)
        if said.notes is not None:
            job.notes = said.notes.strip()
        if mark(job) != before:
            job.version += 1  # whoever looks at the job sees it; ``updated_at`` tells of its state only
    return job
