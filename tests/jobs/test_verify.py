"""Every kind of damage is found and named with its remedy; a sound installation is called sound."""

import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from jobs import integrity
from jobs.artifacts import NewFile
from jobs.integrity import SETTLE
from jobs.lifecycle import Failure
from jobs.tables import Artifact, Attempt, Blob, Dataset, Job, JobEvent, ModelVersion
from jobs.verify import main, verify
from tests.conftest import Clock
from tests.jobs.acting import Actor

DAY = 24 * 3600


def found(actor: Actor, deep: bool = True) -> set[str]:
    return {finding.check for finding in verify(actor.engine, deep=deep).findings}


def path_of(actor: Actor, file: NewFile) -> Path:
    path = actor.engine.store.local_path(file.sha256)
    assert path is not None
    return path


@pytest.fixture
def weights(actor: Actor) -> NewFile:
    """A model version's file."""
    actor.model()
    return actor.store("weights", b"weights")


def test_a_busy_installation_is_sound(actor: Actor) -> None:
    actor.model()
    actor.train()
    lease = actor.lease()
    lease.checkpoint(3, [actor.store("state", b"state")])
    actor.train()
    report = verify(actor.engine, deep=True)
    assert report.findings == []
    assert (report.contents, report.hashed) == (6, 6)
    assert verify(actor.engine).hashed == 6  # as few as these are all in the sample


class TestStore:
    def test_missing(self, actor: Actor, weights: NewFile) -> None:
        actor.engine.store.delete(weights.sha256)
        (finding,) = verify(actor.engine).findings
        assert finding.check == "missing"
        assert finding.subject.startswith("output model/weights.safetensors of job_")
        assert weights.sha256 in finding.detail
        assert "Restore a backup" in finding.remedy

    def test_wrong_size(self, actor: Actor, weights: NewFile) -> None:
        os.truncate(path_of(actor, weights), 3)
        assert found(actor, deep=False) == {"wrong-size"}

    def test_other_bytes(self, actor: Actor, weights: NewFile) -> None:
        path_of(actor, weights).write_bytes(b"WEIGHTS")
        assert found(actor) == {"damaged"}

    def test_a_sample_is_hashed_without_deep(
        self, actor: Actor, weights: NewFile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("jobs.verify.SAMPLE", 2)
        assert verify(actor.engine).hashed == 2
        monkeypatch.setattr("jobs.verify.SAMPLE_BYTES", 0)
        assert verify(actor.engine).hashed == 0

    def test_a_link_out_of_the_store(self, actor: Actor, weights: NewFile) -> None:
        staged = actor.engine.settings.staging / "job" / "weights"
        staged.parent.mkdir(parents=True)
        path_of(actor, weights).rename(staged)
        path_of(actor, weights).symlink_to(staged)
        assert found(actor) == {"not-a-file"}

    def test_a_name_that_is_a_passing_path(self, actor: Actor, weights: NewFile) -> None:
        staged = str(actor.engine.settings.staging / "job" / "weights")
        change(actor, update(Artifact).where(Artifact.sha256 == weights.sha256).values(name=staged))
        assert "in-staging" in found(actor)

    def test_orphans_are_told_but_not_wrong(self, actor: Actor, clock: Clock) -> None:
        from datetime import UTC, datetime

        actor.store("x", b"orphan")
        unused = actor.store("x", b"unused")
        with actor.engine.db.begin() as session:
            session.add(Blob(sha256=unused.sha256, size=6, state="live", created_at=clock()))
        clock.now = datetime.now(UTC) + timedelta(days=2)
        report = verify(actor.engine)
        assert {finding.check for finding in report.findings} == {"orphan", "unused"}
        assert report.sound

    def test_what_was_deleted_meanwhile_is_no_finding(
        self, actor: Actor, weights: NewFile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        size: Callable[[str], int | None] = actor.engine.store.size

        def gone(sha256: str) -> int | None:
            change(actor, delete(Artifact).where(Artifact.sha256 == weights.sha256))
            return None if sha256 == weights.sha256 else size(sha256)

        monkeypatch.setattr(actor.engine.store, "size", gone)
        assert "missing" not in found(actor)


def change(actor: Actor, statement: Any) -> None:
    with actor.engine.db.begin() as session:
        session.execute(statement)


class TestRows:
    """Each finding is made by writing what the engine never writes."""

    def test_a_lease_that_nobody_reaps(self, actor: Actor, clock: Clock) -> None:
        actor.train()
        actor.lease()
        clock.advance(31)
        assert found(actor) == set()
        clock.advance(SETTLE.total_seconds())
        assert found(actor) == {"lease-overdue"}

    def test_a_lease_that_is_no_attempts(self, actor: Actor) -> None:
        actor.train()
        actor.lease()
        change(actor, update(Job).where(Job.status == "running").values(lease_id=Job.lease_id + "x"))
        assert found(actor) == {"running-without-attempt", "attempt-left-open"}

    def test_an_attempt_that_never_ended(self, actor: Actor) -> None:
        actor.model()
        change(actor, update(Attempt).values(ended_at=None))
        assert found(actor) == {"attempt-left-open"}

    def test_a_final_job_without_an_end(self, actor: Actor) -> None:
        actor.model()
        change(actor, delete(JobEvent).where(JobEvent.terminal))
        assert found(actor) == {"no-end"}

    def test_an_end_before_the_end(self, actor: Actor, clock: Clock) -> None:
        job = actor.train()
        with actor.engine.db.begin() as session:
            session.add(JobEvent(job_id=job.id, seq=1000, at=clock(), kind="end", terminal=True, data={}))
        assert found(actor) == {"end-before-the-end", "events-ahead"}

    def test_two_ends(self, actor: Actor, clock: Clock) -> None:
        """The database's own index refuses it; the check is for one that lost its index."""
        job = actor.train()
        actor.finish(actor.claim(expected=job.id))
        from sqlalchemy import text

        with actor.engine.db.begin() as session:
            session.execute(text("DROP INDEX uq_job_event_terminal"))
            session.add(JobEvent(job_id=job.id, seq=1000, at=clock(), kind="end", terminal=True, data={}))
            session.flush()
            rows = integrity._ended_twice(clock())
            assert [tuple(row) for row in session.execute(rows)] == [(job.id, 2)]
            session.rollback()

    def test_a_model_version_of_a_job_that_failed(self, actor: Actor) -> None:
        model = actor.model()
        job = actor.train()
        actor.lease().fail(Failure("invalid_data"))
        change(actor, update(ModelVersion).where(ModelVersion.id == model).values(job_id=job.id))
        assert found(actor) == {"model-without-success", "model-without-files"}

    def test_a_ready_dataset_whose_import_failed_or_lost_its_files(self, actor: Actor) -> None:
        dataset = actor.dataset()
        change(actor, delete(Artifact).where(Artifact.job_id == dataset.job_id))
        assert found(actor) == {"dataset-without-files", "upload-lost"}
        failed = actor.train()
        actor.lease().fail(Failure("invalid_data"))
        change(actor, update(Dataset).values(job_id=failed.id))
        assert "dataset-without-success" in found(actor)

    def test_a_checkpoint_that_is_not_there(self, actor: Actor) -> None:
        actor.train()
        actor.lease().checkpoint(3, [actor.store("state", b"state")])
        change(actor, update(Job).where(Job.checkpoint_step == 3).values(checkpoint_step=4))
        assert found(actor) == {"checkpoint-lost"}

    def test_a_blocked_job_that_waits_for_nothing(self, actor: Actor, clock: Clock) -> None:
        job = actor.train()
        change(actor, update(Job).where(Job.id == job.id).values(status="blocked"))
        clock.advance(SETTLE.total_seconds() + 1)
        assert found(actor) == {"blocked-for-ever"}

    def test_a_row_that_points_nowhere(self, actor: Actor) -> None:
        if not actor.engine.db.is_sqlite:
            return  # PostgreSQL lets nobody switch its foreign keys off
        actor.model()
        import sqlite3
        from contextlib import closing

        with closing(sqlite3.connect(str(actor.engine.db.engine.url.database))) as raw:
            raw.execute("DELETE FROM blob")
            raw.commit()
        assert found(actor) == {"dangling-row"}


def test_the_command(actor: Actor, weights: NewFile, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("AIGC_HOME", str(actor.engine.settings.home))
    monkeypatch.setenv("AIGC_DATABASE_URL", actor.engine.settings.database_url)
    assert main(["--deep"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "Everything is sound."
    actor.engine.store.delete(weights.sha256)
    assert main([]) == 1
    told = capsys.readouterr().out
    assert "✕ missing: output model/weights.safetensors of job_" in told
    assert "Remedy: Restore a backup" in told
    assert main(["--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["sound"] is False
    assert report["findings"][0]["check"] == "missing"
