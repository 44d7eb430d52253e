"""What became of every job, read from the database and the store, not from what processes said."""

import hashlib
from collections import Counter
from dataclasses import asdict, dataclass

from sqlalchemy import select

from jobs.engine import Engine
from jobs.tables import FINAL, Artifact, Attempt, Blob, Job, JobEvent, ModelVersion


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many jobs broke which promise; all zero is the only good one."""

    lost: int
    stuck: int
    finished_twice: int
    wrong_status: int
    bad_artifacts: int

    @property
    def good(self) -> bool:
        """Whether no promise was broken."""
        return not any(asdict(self).values())


def judge(engine: Engine, submitted: set[str]) -> Verdict:
    """Compare what was accepted with what the database holds."""
    with engine.db.read() as session:
        jobs = {job.id: job for job in session.scalars(select(Job).where(Job.id.in_(submitted)))}
        wins = Counter(session.scalars(select(Attempt.job_id).where(Attempt.outcome == "succeeded")))
        ends = Counter(session.scalars(select(JobEvent.job_id).where(JobEvent.terminal)))
        versions = Counter(session.scalars(select(ModelVersion.job_id)))
    finished = {id_ for id_, job in jobs.items() if job.status in FINAL}
    twice = {id_ for id_ in jobs if wins[id_] > 1 or ends[id_] > 1 or versions[id_] > 1}
    wrong = {id_ for id_ in finished if not _truthful(jobs[id_], wins[id_], ends[id_])}
    return Verdict(
        lost=len(submitted - jobs.keys()),
        stuck=len(jobs.keys() - finished),
        finished_twice=len(twice),
        wrong_status=len(wrong),
        bad_artifacts=bad_artifacts(engine),
    )


def _truthful(job: Job, wins: int, ends: int) -> bool:
    """Every job of the run is sound, so it must have succeeded, said so once, and reached its last step."""
    return job.status == "succeeded" and wins == 1 and ends == 1 and job.step == job.total


def bad_artifacts(engine: Engine) -> int:
    """Count referenced files that are missing, of another size, or of another hash."""
    with engine.db.read() as session:
        referenced = select(Blob.sha256, Blob.size).where(Blob.sha256.in_(select(Artifact.sha256)))
        blobs = session.execute(referenced).tuples().all()
    return sum(not _sound(engine, sha256, size) for sha256, size in blobs)


def _sound(engine: Engine, sha256: str, size: int) -> bool:
    if not engine.store.exists(sha256):
        return False
    with engine.store.open(sha256) as stream:
        content = stream.read()
    return len(content) == size and hashlib.sha256(content).hexdigest() == sha256
