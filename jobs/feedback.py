"""Thumbs for replies: kept by person, listed by model version, and made the next version of a dataset."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from aigc_models.base import Fault
from jobs.engine import Engine
from jobs.errors import InvalidParams, NothingLearnt
from jobs.ids import new_id
from jobs.paging import LIMIT, Page, newest, page
from jobs.principal import Principal
from jobs.tables import Dataset, Job
from jobs.uploads import Upload, receive
from jobs.verdicts import VERDICTS, ReplyFeedback

LONGEST = 10_000
MOST_EXPORTED = 100_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What somebody thinks of a reply.

    Attributes:
        verdict: ``up`` or ``down``.
        question: What was asked.
        answer: What was said.
        better: What should have been said, if anything.
    """

    verdict: str
    question: str
    answer: str
    better: str = ""


def give(engine: Engine, principal: Principal, job: Job, model_id: str, said: Verdict) -> None:
    """Keep a verdict; it takes the place of what the same person said of the same reply before.

    Raises:
        InvalidParams: There is no such verdict, or the better answer is too long.
    """
    if said.verdict not in VERDICTS:
        fault = Fault("The verdict must be one of: {choices}.", {"choices": ", ".join(VERDICTS)}, "/verdict")
        raise InvalidParams(faults=[fault])
    if len(said.better) > LONGEST or "\0" in said.better:
        fault = Fault("The better answer may have at most {longest} characters.", {"longest": LONGEST}, "/better")
        raise InvalidParams(faults=[fault])
    told = {"verdict": said.verdict, "question": said.question, "answer": said.answer, "better": said.better.strip()}

    def work(session: Session, now: datetime) -> None:
        key = {"tenant_id": principal.tenant_id, "job_id": job.id, "owner": principal.owner}
        to = {**told, "model_id": model_id, "created_at": now}
        put = engine.db.insert(ReplyFeedback).values(id=new_id("fbk"), **key, **to)
        session.execute(put.on_conflict_do_update(index_elements=list(key), set_=to))

    engine.db.transact(work)


def take_back(engine: Engine, principal: Principal, job_id: str) -> None:
    """Forget what this person said of a reply."""
    with engine.db.begin() as session:
        session.execute(
            delete(ReplyFeedback).where(
                ReplyFeedback.tenant_id == principal.tenant_id,
                ReplyFeedback.job_id == job_id,
                ReplyFeedback.owner == principal.owner,
            )
        )


def of_jobs(engine: Engine, principal: Principal, job_ids: Sequence[str]) -> dict[str, ReplyFeedback]:
    """What this person said of some replies, by job."""
    rows = select(ReplyFeedback).where(
        ReplyFeedback.tenant_id == principal.tenant_id,
        ReplyFeedback.owner == principal.owner,
        ReplyFeedback.job_id.in_(job_ids),
    )
    with engine.db.read() as session:
        return {row.job_id: row for row in session.scalars(rows)}


def of_model(
    engine: Engine, principal: Principal, model_id: str, cursor: str | None = None, limit: int = LIMIT
) -> Page[ReplyFeedback]:
    """What everybody said of a model version's replies, the newest first."""
    rows = select(ReplyFeedback).where(
        ReplyFeedback.tenant_id == principal.tenant_id, ReplyFeedback.model_id == model_id
    )
    with engine.db.read() as session:
        return page(session, rows, newest(ReplyFeedback), cursor, limit)


def learnt(rows: Sequence[ReplyFeedback]) -> list[tuple[str, str]]:
    """Questions with the answers that people want: those they liked, and those they wrote themselves."""
    pairs = [(row.question, row.better or (row.answer if row.verdict == "up" else "")) for row in rows]
    return [(question, answer) for question, answer in dict.fromkeys(pairs) if question.strip() and answer.strip()]


def make_dataset(engine: Engine, principal: Principal, model_id: str, name: str) -> tuple[Dataset, Job]:
    """Queue the import of what people want to hear, as the next version of a dataset of dialogues.

    Raises:
        NothingLearnt: Nobody liked a reply, or wrote a better one.
    """
    rows = select(ReplyFeedback).where(
        ReplyFeedback.tenant_id == principal.tenant_id, ReplyFeedback.model_id == model_id
    )
    with engine.db.read() as session:
        kept = session.scalars(rows.order_by(ReplyFeedback.created_at, ReplyFeedback.id).limit(MOST_EXPORTED)).all()
    pairs = learnt(kept)
    if not pairs:
        raise NothingLearnt
    lines = [json.dumps({"question": question, "answer": answer}, ensure_ascii=False) for question, answer in pairs]
    with TemporaryDirectory() as directory:
        path = Path(directory) / "feedback.jsonl"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        upload = Upload(path, path.name, name, "text", notes="Made of what people thought of replies.")
        return receive(engine, principal, upload)
