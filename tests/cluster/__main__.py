"""``python -m tests.cluster``: cut hosts off in the middle of trainings, connect them again, and count what is lost.

The last line is JSON; the exit status says whether every promise held.

- ``hosts``, ``cuts``: worker hosts, and how often one was cut off while it trained.
- ``lost``: jobs that did not succeed, succeeded twice, or whose files are not what the database says.
- ``moved``, ``refused``: jobs that went on elsewhere from a checkpoint, and attempts of a host that was cut off which
  wrote nothing when it was back.
- with ``--faults N``: ``faults``, struck at random at hosts, lines, database, broker, store and scheduler under load.
"""

import argparse
import hashlib
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import func, select

from jobs.tables import FINAL, Artifact, Attempt, Job, JobEvent
from tests import servers
from tests.cluster.faults import Storm
from tests.cluster.topology import Cluster, Host

HOSTS = ("north", "south")
SECONDS, AFTERWARDS = 90.0, 300.0
T = TypeVar("T")


def main() -> int:
    """Start everything, cut, look, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=int, default=2)
    parser.add_argument("--faults", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="aigccl", dir=servers.fast_directory()) as directory:
        with Cluster(Path(directory), HOSTS) as cluster:
            result: dict[str, Any] = {"hosts": len(HOSTS), "network": cluster.network.kind, "cuts": options.cuts}
            ids, moved = list[str](), 0
            for number in range(options.cuts):
                print(f"cut {number + 1}", flush=True)
                job, side = _cut_one_off(cluster)
                ids += [job, *side]
                moved += 1
            if options.faults:
                storm = Storm(cluster, random.Random(options.seed))
                ids += storm.strike(options.faults)
                result |= {"faults": sum(storm.struck.values()), "kinds": dict(sorted(storm.struck.items()))}
            lost = _lost(cluster, ids)
            result |= {"jobs": len(ids), "moved": moved, "refused": sum(host.refused for host in cluster.hosts)}
        for line in lost:
            print(line)
    result |= {"lost": len(lost), "seconds": round(time.monotonic() - began, 1)}
    good = not lost and result["refused"] >= options.cuts
    print(json.dumps(result | {"good": good}))
    return 0 if good else 1


def _cut_one_off(cluster: Cluster) -> tuple[str, list[str]]:
    """Cut the host of a training off, see the job go on elsewhere and the host refused; gives the jobs."""
    job_id = cluster.submit("train", steps=240, delay=0.05)
    host = _until(lambda: cluster.host_of(job_id), "a host has the job")
    _until(lambda: cluster.job(job_id).checkpoint_step >= 20, "there is a checkpoint")
    before = host.refused
    host.cut()
    saved = cluster.job(job_id).checkpoint_step
    side = [cluster.submit("train", steps=5), cluster.submit("evaluate", steps=5)]
    other: Host = _until(lambda: _elsewhere(cluster, job_id, host), "the job goes on elsewhere")
    assert _resumed(cluster, job_id) >= saved, "the other host went on from an older checkpoint"
    host.mend()
    _until(lambda: host.refused > before, "the host that was cut off writes nothing")
    for each in (job_id, *side):
        _until(lambda each=each: cluster.job(each).status in FINAL, f"{each} ends")  # type: ignore[misc]
    print(f"  {host.name} was cut off; {other.name} went on from step {_resumed(cluster, job_id)}", flush=True)
    return job_id, side


def _elsewhere(cluster: Cluster, job_id: str, host: Host) -> Host | None:
    now = cluster.host_of(job_id)
    return now if now is not None and now is not host else None


def _resumed(cluster: Cluster, job_id: str) -> int:
    with cluster.engine.db.read() as session:
        newest = select(Attempt.resumed_step).where(Attempt.job_id == job_id).order_by(Attempt.number.desc()).limit(1)
        return session.scalar(newest) or 0


def _lost(cluster: Cluster, ids: list[str]) -> list[str]:
    """What broke a promise, one line each."""
    end = time.monotonic() + AFTERWARDS
    while time.monotonic() < end:
        with cluster.engine.db.read() as session:
            open_ = select(func.count()).where(Job.id.in_(ids), Job.status.not_in(FINAL))
            if not session.scalar(open_):
                break
        time.sleep(0.2)
    found = []
    with cluster.engine.db.read() as session:
        for job in session.scalars(select(Job).where(Job.id.in_(ids))):
            if job.status != "succeeded":
                found.append(f"{job.id} is {job.status}: {job.failure}")
            ends = session.scalar(select(func.count()).where(JobEvent.job_id == job.id, JobEvent.terminal))
            won = session.scalar(select(func.count()).where(Attempt.job_id == job.id, Attempt.outcome == "succeeded"))
            if (ends, won) != (1, 1):
                found.append(f"{job.id} has {ends} ends and {won} attempts that succeeded")
        files = session.scalars(select(Artifact).where(Artifact.job_id.in_(ids), Artifact.role == "output")).all()
    for file in files:
        reply = cluster.http.get(f"/api/v1/artifacts/{file.id}/content")
        if hashlib.sha256(reply.content).hexdigest() != file.sha256:
            found.append(f"{file.job_id} {file.name} is not what it was: {reply.status_code}")
    return found if files else [*found, "no job left a file"]


def _until(seen: Callable[[], T | None], what: str) -> T:
    end = time.monotonic() + SECONDS
    while not (found := seen()):
        if time.monotonic() > end:
            raise SystemExit(f"never happened: {what}")
        time.sleep(0.05)
    return found


if __name__ == "__main__":
    sys.exit(main())
