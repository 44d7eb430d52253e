"""Finding a part of a name among very many jobs without reading them all, on both databases alike.

History is cut into blocks of some thousand jobs that were created one after the other, and for every block it is
written down which three characters follow one another somewhere in its names. A search reads only blocks that hold all
threes of the text, the newest first, and what is too new to be in a block. So a text that is nowhere costs a look into
an index, and one that is everywhere costs the first page.

Submitting a job writes nothing of this: the scheduler cuts blocks (:func:`extend`), and what it has not come to yet is
read as it stands. A block is a promise about what is *not* in it; what a removed job leaves behind there is harmless.
"""

import re
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Select, delete, exists, func, insert, select
from sqlalchemy.orm import Session, aliased

from jobs.db import Database
from jobs.engine import Engine
from jobs.paging import Stretch
from jobs.tables import Job, NameBlock, NameGram

BLOCK = 2_048
ROUND = 50  # blocks at a time
# No transaction lasts that long: all jobs of before are there, and are created after it no more.
SETTLED = timedelta(minutes=10)
GRAM = 3
MOST_GRAMS = 8  # of a long text; a few of its threes tell blocks apart as well as all
KINDS = 2**15
FEW = 1_000
MOST_STRETCHES = 16  # what is scattered more widely is read as one
SOONEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
SKEW = timedelta(minutes=10)  # between the clock that ids are made by and the database's
_ID = re.compile(r"(?:job_)?([0-9a-v]{1,26})")


def stretches(session: Session, tenant: str, text: str) -> Sequence[Stretch] | None:
    """The times at which jobs were created whose name or id may hold a text, the newest first; None: at any."""
    wanted = _spread(grams(text))
    last = _end(session, tenant)
    if not wanted or last is None:
        return None
    blocks = select(NameBlock.begins_at, NameBlock.ends_at).join(NameGram, NameGram.block_id == NameBlock.id)
    blocks = blocks.where(NameBlock.tenant_id == tenant, NameGram.gram.in_(wanted))
    blocks = blocks.group_by(NameBlock.id, NameBlock.begins_at, NameBlock.ends_at)
    found = [Stretch(*row) for row in session.execute(blocks.having(func.count() == len(wanted)))]
    return _merged([Stretch(last, LATEST), *found, *_of_ids(session, tenant, text)])


def narrowed(session: Session, rows: Select[Any], within: Sequence[Stretch] | None) -> Select[Any]:
    """A list that is sorted by something else, narrowed to the few jobs that a search finds, if they are few.

    Where they are many, a page of any order is soon full.
    """
    found: list[str] = []
    ids = rows.with_only_columns(Job.id)
    for part in within or ():
        some = ids.where(Job.created_at >= part.begins, Job.created_at < part.ends).limit(FEW - len(found))
        found += session.scalars(some)
        if len(found) == FEW:
            return rows
    return rows if within is None else rows.where(Job.id.in_(found))


def ids_like(text: str) -> tuple[str, str] | None:
    """The bounds of the ids that begin with a text, with their prefix or without; None if none can."""
    found = _ID.fullmatch(text.lower())
    return (f"job_{found[1]}", f"job_{found[1]}~") if found else None


def grams(text: str) -> set[int]:
    """Three characters each, blind to their case, as numbers; two may share one, which makes a search read more."""
    plain = "".join(map(_small, text))
    return {zlib.crc32(plain[at : at + GRAM].encode()) % KINDS for at in range(len(plain) - GRAM + 1)}


def extend(engine: Engine, size: int = BLOCK, settled: timedelta = SETTLED) -> int:
    """Cut blocks from what is old enough, some at a time, and drop the oldest that are empty; gives their number."""
    made = 0
    _prune(engine)
    with engine.db.read() as session:
        found = list(tenants(session))
    for tenant in found:
        while made < ROUND and _cut(engine, tenant, size, settled):
            made += 1
    return made


def renamed(session: Session, db: Database, job: Job) -> None:
    """Write down a new name where its job's block is, in the transaction that gives it and holds the job's row."""
    found = select(NameBlock.id).where(
        NameBlock.tenant_id == job.tenant_id, NameBlock.begins_at <= job.created_at, NameBlock.ends_at > job.created_at
    )
    block = session.scalar(found)
    rows = [{"gram": gram, "block_id": block} for gram in sorted(grams(job.name))]
    if block is not None and rows:
        session.execute(db.insert(NameGram).values(rows).on_conflict_do_nothing())


def _small(character: str) -> str:
    small = character.lower()
    return small if len(small) == 1 else character


def _spread(found: set[int]) -> list[int]:
    chosen = sorted(found)
    return chosen[:: -(-len(chosen) // MOST_GRAMS)] if chosen else []


def _end(session: Session, tenant: str) -> datetime | None:
    last: datetime | None = session.scalar(select(func.max(NameBlock.ends_at)).where(NameBlock.tenant_id == tenant))
    return last


def _of_ids(session: Session, tenant: str, text: str) -> Iterator[Stretch]:
    """When the jobs were created whose id begins so: ids sort by time, up to the difference of two clocks."""
    bounds = ids_like(text)
    if bounds is None:
        return
    among = select(Job.created_at).where(Job.id >= bounds[0], Job.id < bounds[1], Job.tenant_id == tenant)
    first = session.scalar(among.order_by(Job.id).limit(1))
    last = session.scalar(among.order_by(Job.id.desc()).limit(1))
    if first is not None and last is not None:
        yield Stretch(min(first, last) - SKEW, max(first, last) + SKEW)


def _merged(found: Sequence[Stretch]) -> list[Stretch]:
    """The same times as few stretches that do not overlap, the newest first."""
    merged: list[Stretch] = []
    for one in sorted(found, key=lambda each: each.ends, reverse=True):
        if merged and (one.ends >= merged[-1].begins or len(merged) == MOST_STRETCHES):
            merged[-1] = Stretch(min(one.begins, merged[-1].begins), merged[-1].ends)
        else:
            merged.append(one)
    return merged


def tenants(session: Session) -> Iterator[str]:
    """Every tenant, by a look into the index for each."""
    tenant: str | None = ""
    while (tenant := session.scalar(select(func.min(Job.tenant_id)).where(Job.tenant_id > tenant))) is not None:
        yield tenant


def _cut(engine: Engine, tenant: str, size: int, settled: timedelta) -> bool:
    def work(session: Session, now: datetime) -> bool:
        begins = _end(session, tenant) or SOONEST
        later = select(Job.created_at).where(Job.tenant_id == tenant, Job.created_at >= begins).order_by(Job.created_at)
        ends = session.scalar(later.offset(size).limit(1))
        if ends is not None and ends == session.scalar(later.limit(1)):  # more at one moment than fit
            ends = session.scalar(later.where(Job.created_at > ends).limit(1))
        if ends is None or ends > now - settled:
            return False
        _write(session, NameBlock(tenant_id=tenant, begins_at=begins, ends_at=ends))
        return True

    return bool(engine.db.transact(work))


def _write(session: Session, block: NameBlock) -> None:
    session.add(block)
    session.flush()
    named = select(Job.name).where(
        Job.tenant_id == block.tenant_id, Job.created_at >= block.begins_at, Job.created_at < block.ends_at
    )
    # Whoever gives a job a new name meanwhile waits for the block, and finds it then.
    names = session.scalars(named.with_for_update(read=True, key_share=True))
    found: set[int] = set().union(*map(grams, names))
    if found:
        rows: list[dict[str, Any]] = [{"gram": gram, "block_id": block.id} for gram in sorted(found)]
        session.connection().execute(insert(NameGram), rows)


def _prune(engine: Engine) -> None:
    """Drop old blocks that hold no job any more; what is left still covers one unbroken time."""
    inside = (Job.tenant_id == NameBlock.tenant_id, Job.created_at >= NameBlock.begins_at)
    held = exists().where(*inside, Job.created_at < NameBlock.ends_at)
    earlier = aliased(NameBlock)
    first = ~exists().where(earlier.tenant_id == NameBlock.tenant_id, earlier.ends_at < NameBlock.ends_at)

    def work(session: Session, _now: datetime) -> int:
        empty = session.scalars(select(NameBlock.id).where(first, ~held)).all()
        session.execute(delete(NameGram).where(NameGram.block_id.in_(empty)))
        session.execute(delete(NameBlock).where(NameBlock.id.in_(empty)))
        return len(empty)

    while engine.db.transact(work):
        pass
