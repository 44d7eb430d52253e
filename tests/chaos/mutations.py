"""``python -m tests.chaos.mutations``: ten guards are taken out of a copy of the source, one at a time.

Each time the tests that hold the guard must turn red; they are green on the copy before. A mutation whose
anchor does not occur exactly once is a fault of this file, not a guard that was found.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
COPIED = ("aigc_models", "jobs", "migrations", "tests", "worker")
SECONDS = 120
GREEN, RED = 0, 1  # of pytest; anything else means that it could not run the tests
# A test that noticed says so by an assertion; a NameError would only mean that the mutation is no program.
NOTICED = re.compile(r"^E +(assert |AssertionError|Failed: DID NOT RAISE)", re.MULTILINE)


class Misplaced(Exception):
    """An anchor does not occur exactly once, or the tests cannot be run or are red without any mutation."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One textual change; ``before`` must occur exactly once in the file."""

    file: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Mutation:
    """A guard taken away, and the tests that must notice."""

    name: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


ALL = (
    Mutation(
        "the lease guard of a success",
        (
            Edit(
                "jobs/lifecycle.py",
                "        job = self._write(session, move, now)\n",
                "        from jobs.moves import Rule\n"
                "        move = replace(move, rule=Rule(), bound={})\n"
                "        job: Any = apply(session, self.claim.job_id, move, now)\n"
                "        if job is None:\n            raise LeaseLost\n",
            ),
        ),
        ("tests/backends/test_fences.py::test_a_late_end_changes_nothing[sqlite-succeed]",),
    ),
    Mutation(
        "the lease guard of a heartbeat",
        (
            Edit(
                "jobs/lifecycle.py",
                "        row = self._write(session, beats.renewal(self._engine.settings, beat, metrics, now), now)\n",
                "        move = beats.renewal(self._engine.settings, beat, metrics, now)\n"
                "        from jobs.moves import Rule\n"
                "        move = replace(move, rule=Rule(), bound={})\n"
                "        row: Any = apply(session, self.claim.job_id, move, now)\n"
                "        if row is None:\n            raise LeaseLost\n",
            ),
        ),
        ("tests/backends/test_fences.py::test_a_late_beat_renews_nothing[sqlite-beat]",),
    ),
    Mutation(
        "the reaper's look at the clock",
        (
            Edit("jobs/maintenance.py", 'Job.status == "running", Job.lease_until < now)', 'Job.status == "running")'),
            Edit("jobs/maintenance.py", "lease_id == lease_id, Job.lease_until < now)", "lease_id == lease_id,)"),
        ),
        ("tests/jobs/test_maintenance.py::TestReap::test_a_lease_that_holds_is_left_alone[sqlite]",),
    ),
    Mutation(
        "announcing after the commit, not before",
        (
            Edit(
                "jobs/submit.py",
                "        job = _insert(session, now, order)\n",
                "        job = _insert(session, now, order)\n"
                "        engine.dispatcher.announce(job.lane, job.device_kind)\n",
            ),
        ),
        ("tests/jobs/test_submit.py::test_the_announcement_comes_after_the_commit[sqlite]",),
    ),
    Mutation(
        "bytes on the disk before they have their name",
        (Edit("jobs/artifacts.py", "        os.fsync(writing.fileno())\n", ""),),
        ("tests/jobs/test_artifacts.py::test_the_file_is_on_disk_before_it_has_its_name",),
    ),
    Mutation(
        "marking a row after the broker took its message, not before",
        (
            Edit(
                "jobs/maintenance.py",
                "    announced = engine.dispatcher.waiting(lane, kind)\n",
                "    with engine.db.begin() as session:\n"
                "        session.execute(update(Job).where(Job.id.in_(due)).values(dispatched_at=now))\n"
                "    announced = engine.dispatcher.waiting(lane, kind)\n",
            ),
        ),
        (
            "tests/jobs/test_maintenance.py::TestRedispatch::test_what_a_dead_broker_missed_is_announced_when_it_is_back[sqlite]",
        ),
    ),
    Mutation(
        "the request to cancel, read with each heartbeat",
        (Edit("jobs/lifecycle.py", "cancel=row.cancel_requested_at is not None", "cancel=False"),),
        ("tests/jobs/test_lifecycle.py::test_cancel_reaches_the_worker_with_its_next_beat[sqlite]",),
    ),
    Mutation(
        "the tenant in what a caller may ask for",
        (
            Edit(
                "jobs/requesting.py",
                "select(Job).where(Job.id == job_id, Job.tenant_id == principal.tenant_id)",
                "select(Job).where(Job.id == job_id)",
            ),
        ),
        ("tests/jobs/test_requesting.py::test_nobody_reaches_another_tenants_job[sqlite]",),
    ),
    Mutation(
        "the unique key of a request (SQLite has one writer at a time and does not need it)",
        (
            Edit(
                "migrations/versions/0001_create_tables.py",
                '        sa.PrimaryKeyConstraint("tenant_id", "key", name=op.f("pk_idempotency_key")),\n',
                "",
            ),
        ),
        ("tests/backends/test_races.py::test_two_clients_that_both_found_a_key_unused_make_one_job[postgresql]",),
    ),
    Mutation(
        "the reaper's amnesty",
        (Edit("jobs/maintenance.py", "        if now < self._reaps_from:\n            return 0\n", ""),),
        ("tests/jobs/test_maintenance.py::TestReap::test_nothing_is_reaped_for_one_lease_after_the_start[sqlite]",),
    ),
)


def check(chosen: Sequence[Mutation] = ALL) -> tuple[int, list[str]]:
    """Try mutations; gives how many were caught, and the names of those that were not.

    Raises:
        Misplaced: This file does not fit the source any more.
    """
    tests = sorted({test for mutation in chosen for test in mutation.tests})
    with tempfile.TemporaryDirectory(prefix="aigc-mutations-") as directory:
        places = [Path(directory) / str(number) for number in range(len(chosen) + 1)]
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            sound = pool.submit(_outcome, _copy(places[0]), tests)
            mutated = [_mutated(place, mutation) for place, mutation in zip(places[1:], chosen, strict=True)]
            outcomes = list(pool.map(_outcome, mutated, [mutation.tests for mutation in chosen]))
        if sound.result() != GREEN:
            raise Misplaced("the tests are not green without a mutation")
    survivors = [mutation.name for mutation, outcome in zip(chosen, outcomes, strict=True) if outcome != RED]
    return len(chosen) - len(survivors), survivors


def _copy(place: Path) -> Path:
    place.mkdir()
    for name in COPIED:
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", place)
    return place


def _mutated(place: Path, mutation: Mutation) -> Path:
    _copy(place)
    for edit in mutation.edits:
        file = place / edit.file
        text = file.read_text(encoding="utf-8")
        if text.count(edit.before) != 1:
            raise Misplaced(f"{mutation.name}: {edit.before!r} occurs {text.count(edit.before)} times in {edit.file}")
        file.write_text(text.replace(edit.before, edit.after), encoding="utf-8")
    return place


def _outcome(place: Path, tests: Sequence[str]) -> int:
    """The exit status of pytest on a copy.

    Raises:
        Misplaced: The tests could not be run at all.
    """
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", *tests]
    environment = os.environ | {"PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command, cwd=place, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    noticed = done.returncode == RED and NOTICED.search(done.stdout)
    if not noticed and (done.returncode != GREEN or "skipped" in done.stdout.splitlines()[-1]):
        raise Misplaced(f"{' '.join(tests)}:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    return done.returncode


def main() -> int:
    """Try all, and say which were caught."""
    caught, survivors = check()
    print(json.dumps({"mutations": caught + len(survivors), "mutations_caught": caught, "survivors": survivors}))
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
