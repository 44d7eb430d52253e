"""What became of every job, read from the database and the store, not from what processes said."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from jobs.engine import Engine
from jobs.tables import FINAL, Artifact, Attempt, Blob, Job, JobEvent, ModelVersion
from tests.chaos.load import PRINCIPAL, Allowed

COMMITS = ("succeed", "fail", "release", "cancelled", "paused", "checkpoint", "sample")
MOST_OVERDUE = 10.0
IMPORTS = "dataset"


@dataclass(frozen=True, slots=True)
class Findings:
    """Which jobs (or files) broke which promise; all empty is the only good end.

    Attributes:
        lost: Accepted, but there is no row, or a final row without its last event.
        unasked: Rows that nobody submitted, or that one submission made twice.
        stuck: Not final although nothing was wrong any more and nothing moved.
        late: Final, but later than allowed.
        finished_twice: More than one end, one success or one result; or a result of a job that was cancelled.
        wrong_status: An end that the job's fate does not allow, or that its row, events and attempts tell differently.
        bad_artifacts: Referenced files that are missing, of another size, or of another hash.
        too_many_runs: More attempts than losses, failures and releases account for, or more runs than attempts.
        resumed_too_early: Attempts that did not begin at the last checkpoint that was committed.
    """

    lost: list[str]
    unasked: list[str]
    stuck: list[str]
    late: list[str]
    finished_twice: list[str]
    wrong_status: list[str]
    bad_artifacts: list[str]
    too_many_runs: list[str]
    resumed_too_early: list[str]

    def counts(self) -> dict[str, int]:
        """How many of each."""
        return {name: len(found) for name, found in asdict(self).items()}


@dataclass
class Records:
    """Everything the database holds of the jobs of a run."""

    jobs: dict[str, Job]
    attempts: dict[str, list[Attempt]] = field(default_factory=lambda: defaultdict(list))
    events: dict[str, list[JobEvent]] = field(default_factory=lambda: defaultdict(list))
    versions: Counter[str] = field(default_factory=Counter)

    @classmethod
    def read(cls, engine: Engine) -> "Records":
        """Read it."""
        mine = (Job.owner == PRINCIPAL.owner, Job.family != IMPORTS)
        with engine.db.read() as session:
            records = cls({job.id: job for job in session.scalars(select(Job).where(*mine))})
            for attempt in session.scalars(select(Attempt).order_by(Attempt.number)):
                records.attempts[attempt.job_id].append(attempt)
            for event in session.scalars(select(JobEvent).order_by(JobEvent.seq)):
                records.events[event.job_id].append(event)
            records.versions.update(session.scalars(select(ModelVersion.job_id)))
        return records

    def ends(self, job: str) -> int:
        """How often it has ended."""
        return sum(event.terminal for event in self.events[job])

    def wins(self, job: str) -> int:
        """How many of its attempts have succeeded."""
        return sum(attempt.outcome == "succeeded" for attempt in self.attempts[job])


def judge(engine: Engine, records: Records, accepted: Mapping[str, Allowed], due: Mapping[str, datetime]) -> Findings:
    """Compare what was accepted with what the database holds.

    Args:
        engine: For the store.
        records: What the database holds.
        accepted: Every job that a user was told of, and how it may end.
        due: When they should have been final.
    """
    known = [job for id_, job in records.jobs.items() if id_ in accepted]
    final = [job for job in known if job.status in FINAL]
    unended = [job.id for job in final if records.ends(job.id) == 0]
    return Findings(
        lost=sorted(accepted.keys() - records.jobs.keys()) + unended,
        unasked=sorted(records.jobs.keys() - accepted.keys()),
        stuck=[job.id for job in known if job.status not in FINAL],
        late=[job.id for job in final if job.finished_at and job.id in due and job.finished_at > due[job.id]],
        finished_twice=[job.id for job in known if _twice(records, job)],
        wrong_status=[job.id for job in final if not _truthful(records, job, accepted[job.id])],
        bad_artifacts=bad_artifacts(engine),
        too_many_runs=[job.id for job in known if _too_many(records, job)],
        resumed_too_early=[job.id for job in known if _too_early(records, job.id)],
    )


def _twice(records: Records, job: Job) -> bool:
    wins, made = records.wins(job.id), records.versions[job.id]
    return max(wins, records.ends(job.id), made) > 1 or (job.status != "succeeded" and (wins > 0 or made > 0))


def _truthful(records: Records, job: Job, allowed: Allowed) -> bool:
    """Whether the end is one that is allowed, and row, last event and attempts tell the same."""
    if job.status not in allowed.statuses:
        return False
    last, attempts = records.events[job.id][-1], records.attempts[job.id]
    same = last.terminal and last.data["status"] == job.status and all(each.outcome for each in attempts)
    if job.status == "failed":
        return same and (job.failure or {}).get("code") == allowed.code
    if job.status == "succeeded":
        makes = job.operation == "train"
        return same and records.wins(job.id) == 1 and job.step == job.total and records.versions[job.id] == makes
    return same


def _too_many(records: Records, job: Job) -> bool:
    attempts = records.attempts[job.id]
    ended = Counter(attempt.outcome for attempt in attempts)
    allowed = 1 + job.app_failures + job.worker_losses + job.releases + ended["paused"]
    said = [event.data["message"] for event in records.events[job.id] if event.kind == "log"]
    runs = len({line for line in said if line.startswith("pid ")})
    exact = ended["lost"] == job.worker_losses and len(attempts) == job.attempt
    return not exact or len(attempts) > allowed or runs > len(attempts)


def _too_early(records: Records, job: str) -> bool:
    """Whether an attempt resumed from another step than the last checkpoint before it."""
    saved, begun = None, []
    for event in records.events[job]:
        if event.kind == "checkpoint":
            saved = event.data["step"]
        elif event.kind == "state" and event.data["status"] == "running" and "worker" in event.data:
            begun.append(saved)
    return any(attempt.resumed_step != step for attempt, step in zip(records.attempts[job], begun, strict=False))


def recoveries(records: Records, deaths: Iterable[tuple[str, float]]) -> tuple[list[float], list[float]]:
    """Seconds from each death of a supervisor until its job was taken away, and until the next attempt began.

    The second one holds the wait for a free slot, too, which in a chaos run may just be under another fault.
    """
    place = {
        attempt.lease_id: (id_, index) for id_, tries in records.attempts.items() for index, attempt in enumerate(tries)
    }
    reaped, recovered = [], []
    for lease, died in deaths:
        if lease not in place:
            continue
        job, index = place[lease]
        tries = records.attempts[job]
        if tries[index].outcome == "lost" and index + 1 < len(tries):
            ended = tries[index].ended_at
            assert ended is not None
            reaped.append(ended.timestamp() - died)
            recovered.append(tries[index + 1].started_at.timestamp() - died)
    return reaped, recovered


def cancel_times(records: Records) -> list[float]:
    """Seconds from each accepted request to the end of its job."""
    asked = [job for job in records.jobs.values() if job.cancel_requested_at and job.finished_at]
    return [(job.finished_at - job.cancel_requested_at).total_seconds() for job in asked]  # type: ignore[operator]


def percentile(values: Sequence[float], share: float = 0.99) -> float | None:
    """The nearest-rank percentile, or None of nothing."""
    if not values:
        return None
    return round(sorted(values)[min(len(values) - 1, int(share * len(values)))], 2)


def bad_artifacts(engine: Engine) -> list[str]:
    """Referenced files that are missing, of another size, or of another hash."""
    with engine.db.read() as session:
        named = select(Artifact.sha256, Artifact.size, Blob.size, Blob.state).join(Blob, Blob.sha256 == Artifact.sha256)
        files = session.execute(named.distinct()).all()
    return [row.sha256 for row in files if not _sound(engine, *row)]


def _sound(engine: Engine, sha256: str, size: int, blob_size: int, state: str) -> bool:
    if state != "live" or size != blob_size or not engine.store.exists(sha256):
        return False
    digest, length = hashlib.sha256(), 0
    with engine.store.open(sha256) as stream:
        while chunk := stream.read(2**20):
            digest.update(chunk)
            length += len(chunk)
    return length == size and digest.hexdigest() == sha256


def keep(records: Records, path: Path) -> None:
    """Write rows and histories down, for whoever looks into a bad run."""

    def row(item: Any) -> dict[str, Any]:
        return {column.key: getattr(item, column.key) for column in item.__table__.columns}

    told = [
        {
            "job": row(job),
            "attempts": list(map(row, records.attempts[id_])),
            "events": list(map(row, records.events[id_])),
        }
        for id_, job in records.jobs.items()
    ]
    path.write_text(json.dumps(told, default=str, indent=1))


def refused(calls: Sequence[str]) -> dict[str, Any]:
    """How many writes of stale leases changed nothing."""
    commits = sum(call in COMMITS for call in calls)
    return {"stale_commits_refused": commits, "stale_beats_refused": len(calls) - commits}
