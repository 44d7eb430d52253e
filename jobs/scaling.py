"""``python -m jobs.scaling``, which ``aigc scale`` starts: how many workers each queue needs, and why.

Jobs come at some rate and take some time, more or less by chance; how long they wait then follows from the number of
slots. Source: Erlang's C formula for slots whose times are exponential, scaled for other spreads by the mean of the two
squared coefficients of variation (Allen and Cunneen's approximation; Gross et al., Fundamentals of Queueing Theory).
"""

import argparse
import json
import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from aigc_models import registry
from jobs import durations, name_search, workers, workforce
from jobs.dispatch import DEVICE_KINDS, LANES
from jobs.engine import Engine
from jobs.operating import run
from jobs.program import here
from jobs.tables import Job

MOST_JOBS = 2_000  # that are looked at in a queue, the latest
FEWEST = 5  # with fewer nobody can tell
MOST_SLOTS = 1_000
SHARE = 0.95  # of the jobs start within the wait that was asked for
BUSIEST = 0.9  # a share of their time that slots are planned to be busy, at most
WAIT = {"training": timedelta(minutes=30), "generation": timedelta(seconds=10)}


@dataclass(frozen=True, slots=True)
class Load:
    """What came to a queue lately.

    Attributes:
        arrivals: Jobs a second.
        seconds: Mean time that one takes a slot.
        spread: Standard deviation of that time as a share of the mean.
        waiting: Jobs that wait now.
        slots: Live slots now.
        jobs: How many jobs the times are of.
    """

    arrivals: float
    seconds: float
    spread: float
    waiting: int
    slots: int
    jobs: int


@dataclass(frozen=True, slots=True)
class Advice:
    """How many slots a queue needs; ``reasons`` say why, one sentence each."""

    queue: str
    slots: int
    needed: int
    load: Load
    wait_seconds: float
    reasons: Sequence[str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="aigc scale", description="Say how many workers each queue needs, and why.")
    parser.add_argument("--advice", action="store_true", help="what it does anyway")
    parser.add_argument(
        "--wait", type=_time, help="longest wait of 95 jobs in 100 (default: 30m; 10s in the lane generation)"
    )
    parser.add_argument("--since", type=_time, default=timedelta(hours=6), help="time that is looked at (default: 6h)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args(arguments)

    def work(engine: Engine) -> int:
        with engine.db.read() as session:
            found = advise(session, engine.db.now(session), chosen.since, chosen.wait)
        if chosen.json:
            print(json.dumps({"queues": [asdict(one) for one in found]}, indent=2))
        else:
            print(here("\n".join(_text(one) for one in found) or "No jobs came lately, so nothing can be told."))
        return 0

    return run(work)


def advise(session: Session, now: datetime, since: timedelta, wait: timedelta | None = None) -> list[Advice]:
    """Advice for every queue that had jobs lately or has some now."""
    nodes, found = workers.live(session, now), list[Advice]()
    for lane in LANES:
        for kind in DEVICE_KINDS:
            slots = sum((node.lane, node.device_kind) == (lane, kind) and not node.draining for node in nodes)
            load = _load(session, (lane, kind), now - since, now, slots)
            if load.jobs or load.waiting or load.arrivals:
                found.append(reckon(f"{lane}.{kind}", load, wait or WAIT[lane]))
    return found


def reckon(queue: str, load: Load, wait: timedelta) -> Advice:
    """How many slots keep to a wait, and are through with what waits now in about that time."""
    target, reasons = wait.total_seconds(), list[str]()
    if load.jobs < FEWEST:
        reasons.append(f"Only {load.jobs} jobs have ended lately, which is too few to reckon with.")
        needed = max(load.slots, 1 if load.waiting or load.arrivals else 0)
        return Advice(queue, load.slots, needed, load, target, reasons)
    work = load.arrivals * load.seconds
    reasons.append(
        f"{load.arrivals * 3600:.1f} jobs an hour came, and one takes {_said(load.seconds)} (spread {load.spread:.1f}):"
        f" {work:.2f} slots are at work on average."
    )
    needed = steady(load, target)
    fewer = _late(load, needed - 1, target) if needed > max(1, math.ceil(work)) else 1.0
    reasons.append(
        f"With {needed}, {_late(load, needed, target):.1%} of the jobs wait longer than {_said(target)}"
        + (f"; with {needed - 1}, {fewer:.1%} would." if needed > 1 else ".")
    )
    drain = max(target, 2 * load.seconds)
    backlog = math.ceil(work + load.waiting * load.seconds / drain)
    if backlog > needed:
        reasons.append(
            f"{load.waiting} jobs wait now: with {backlog} they are done in about {_said(drain)}, else they take"
            f" {_said(load.waiting * load.seconds / max(needed - work, 0.1))}."
        )
        needed = backlog
    return Advice(queue, load.slots, min(needed, MOST_SLOTS), load, target, reasons)


def steady(load: Load, target: float) -> int:
    """The fewest slots with which few enough jobs wait too long, and no slot is always busy."""
    work = load.arrivals * load.seconds
    slots = max(1, math.ceil(work / BUSIEST))
    while slots < MOST_SLOTS and _late(load, slots, target) > 1 - SHARE:
        slots += 1
    return slots


def _late(load: Load, slots: int, target: float) -> float:
    """The share of jobs that wait longer than that."""
    work = load.arrivals * load.seconds
    if slots <= work or slots < 1:
        return 1.0
    scale = (1 + load.spread**2) / 2  # arrivals by chance have a squared coefficient of 1
    leaving = (slots - work) / load.seconds
    return erlang_c(slots, work) * math.exp(-leaving * target / max(scale, 0.1))


def erlang_c(slots: int, work: float) -> float:
    """The probability that a job must wait at all, in slots at work on average (``work < slots``)."""
    blocked = 1.0  # Erlang's B by its recursion, which overflows nowhere
    for number in range(1, slots + 1):
        blocked = work * blocked / (number + work * blocked)
    return blocked / (1 - work / slots * (1 - blocked))


def _load(session: Session, queue: tuple[str, str], since: datetime, now: datetime, slots: int) -> Load:
    here_ = (Job.lane == queue[0], Job.device_kind == queue[1])
    tasks = [name.partition(".") for name in registry.tasks()]
    ended = select(Job.started_at, Job.finished_at).where(
        Job.family.in_(sorted({family for family, _, _ in tasks})),
        Job.operation.in_(sorted({operation for _, _, operation in tasks})),
        Job.status == "succeeded",
        Job.finished_at >= since,
        *here_,
    )
    rows = session.execute(ended.order_by(Job.finished_at.desc()).limit(MOST_JOBS)).all()
    times = [(row.finished_at - row.started_at).total_seconds() for row in rows if row.started_at is not None]
    mean = max(statistics.fmean(times), 1e-3) if times else 0.0
    spread = statistics.pstdev(times) / mean if times else 0.0
    came = sum(
        session.scalar(select(func.count()).where(Job.tenant_id == tenant, Job.created_at >= since, *here_)) or 0
        for tenant in name_search.tenants(session)
    )
    waiting = workforce.count_jobs(session, Job.status == "queued", *here_)
    return Load(came / (now - since).total_seconds(), mean, spread, waiting, slots, len(times))


def _text(one: Advice) -> str:
    verdict = "enough" if one.needed <= one.slots else f"start {one.needed - one.slots} more"
    head = f"{one.queue}: {one.slots} slots now, {one.needed} needed: {verdict}."
    return "\n".join([head, *(f"  {reason}" for reason in one.reasons)])


def _said(seconds: float) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _time(text: str) -> timedelta:
    found = durations.parse(text)
    if not found:
        raise argparse.ArgumentTypeError(durations.NO_TIME.format(text=text))
    return found


if __name__ == "__main__":
    sys.exit(main())
