"""What settings say need not be kept goes, in batches, with a line for each; what something needs stays."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, select

from jobs import collector, gc_command, removal, retention
from jobs.errors import NotFound
from jobs.gc_command import main
from jobs.lifecycle import Beat, Failure, Lease, request_cancel
from jobs.operating import Refused
from jobs.repository import Repository
from jobs.storage_lock import keeping
from jobs.tables import Artifact, Dataset, Job, JobDependency, JobEvent, Metric, WebhookDelivery
from jobs.verify import verify
from tests.conftest import Clock
from tests.jobs.acting import Actor

DAY = 24 * 3600


def count(actor: Actor, table: Any, *guards: Any) -> int:
    with actor.engine.db.read() as session:
        return session.scalar(select(func.count()).select_from(table).where(*guards)) or 0


def exists(actor: Actor, job_id: str) -> bool:
    return count(actor, Job, Job.id == job_id) == 1


def removed(actor: Actor, dry_run: bool = False, **settings: int) -> dict[str, int]:
    every = dict.fromkeys(("retain_jobs_days", "retain_samples_days", "retain_events_days", "keep_checkpoints_days"), 0)
    done = retention.apply(actor.with_settings(**(every | settings)).engine, dry_run)
    return {each.what: each.count for each in done}


def failed(actor: Actor) -> str:
    job = actor.train()
    lease = actor.lease()
    for step in (1, 2, 3):
        lease.sample(step, actor.store("samples.png", f"sample {step}".encode()))
    lease.checkpoint(3, [actor.store("state", b"state")])
    lease.beat(Beat(step=3, total=9, points=[(step, {"loss": 1.0}) for step in (1, 2, 3)], lines=["one", "two"]))
    lease.fail(Failure("invalid_data"))
    assert actor.job(job.id).status == "failed"
    return job.id


def test_for_ever_is_the_default_but_for_checkpoints(actor: Actor, clock: Clock) -> None:
    job = failed(actor)
    clock.advance(10_000 * DAY)
    done = {each.what: each.count for each in retention.apply(actor.engine)}
    assert done == {"checkpoint files": 1}
    assert exists(actor, job)


class TestJobs:
    def test_finished_jobs_go_with_their_files(self, actor: Actor, clock: Clock) -> None:
        job, dataset = failed(actor), actor.dataset()
        young_model = actor.model()  # keeps the dataset
        clock.advance(9 * DAY)
        assert removed(actor, retain_jobs_days=10) == {"jobs": 0}
        clock.advance(2 * DAY)
        younger = actor.train()
        actor.finish(actor.claim(expected=younger.id))
        assert removed(actor, dry_run=True, retain_jobs_days=10)["jobs"] == 2
        assert exists(actor, job)
        assert removed(actor, retain_jobs_days=10) == {"jobs": 2}
        assert not exists(actor, job)
        with pytest.raises(NotFound):
            Repository(actor.engine, actor.principal).model(young_model)
        for table in (Artifact, JobEvent, Metric):
            assert count(actor, table, table.job_id == job) == 0
        assert exists(actor, dataset.job_id)  # the younger training reads it
        assert collector.collect_blobs(actor.engine).files > 0
        assert verify(actor.engine, deep=True).sound

    def test_what_another_job_reads_stays_until_that_is_gone(self, actor: Actor, clock: Clock) -> None:
        model = actor.model()
        trained_by = Repository(actor.engine, actor.principal).model(model).job_id
        clock.advance(5 * DAY)
        reader = actor.submit("image_vae.generate", {"model": model, "count": 1})
        clock.advance(6 * DAY)
        assert removed(actor, retain_jobs_days=10) == {"jobs": 0}
        request_cancel(actor.engine, actor.principal, reader.id)
        clock.advance(11 * DAY)
        # Reader, then the model's training, then the dataset's import: each sets the next one free.
        assert removed(actor, retain_jobs_days=10) == {"jobs": 3}
        assert not exists(actor, trained_by)
        assert count(actor, Dataset) == 0

    def test_running_waiting_and_paused_jobs_stay_whatever_their_age(self, actor: Actor, clock: Clock) -> None:
        running = actor.train()
        actor.claim(expected=running.id)
        waiting = actor.train()
        clock.advance(1000 * DAY)
        removed(actor, retain_jobs_days=1)
        assert exists(actor, running.id)
        assert exists(actor, waiting.id)

    def test_what_a_job_waits_for_or_goes_on_from_stays(self, actor: Actor, clock: Clock) -> None:
        needed, original = failed(actor), failed(actor)
        clock.advance(11 * DAY)
        waiting, again = actor.train(), actor.train()
        with actor.engine.db.begin() as session:
            session.add(JobDependency(job_id=waiting.id, needs_id=needed, field=None))
            session.get_one(Job, again.id).retried_from = original
        assert removed(actor, retain_jobs_days=10, keep_checkpoints_days=1)["jobs"] == 0
        assert count(actor, Artifact, Artifact.job_id == original, Artifact.role == "checkpoint") == 1
        request_cancel(actor.engine, actor.principal, again.id)
        assert removed(actor, retain_jobs_days=10) == {"jobs": 1}
        assert exists(actor, needed)

    def test_what_a_webhook_has_still_to_tell_stays(self, actor: Actor, clock: Clock) -> None:
        job = failed(actor)
        with actor.engine.db.begin() as session:
            row = session.get_one(Job, job)
            row.webhook, row.webhook_seq = {"url": "https://example.org"}, row.last_seq - 1
        clock.advance(11 * DAY)
        assert removed(actor, retain_jobs_days=10) == {"jobs": 0}
        assert count(actor, Metric, Metric.job_id == job) == 3
        with actor.engine.db.begin() as session:
            row = session.get_one(Job, job)
            row.webhook_seq = row.last_seq
            session.add(_delivery(row, "pending", clock))
        assert removed(actor, retain_jobs_days=10) == {"jobs": 0}
        with actor.engine.db.begin() as session:
            session.scalars(select(WebhookDelivery)).one().state = "delivered"
        assert removed(actor, retain_jobs_days=10) == {"jobs": 2}  # with the import that only it needed

    def test_one_that_comes_into_use_at_the_last_moment_stays(
        self, actor: Actor, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model = actor.model()
        clock.advance(11 * DAY)
        delete_job: Callable[..., None] = removal.delete_job

        def used_first(*given: Any) -> None:
            monkeypatch.setattr(retention, "delete_job", delete_job)
            actor.submit("image_vae.generate", {"model": model, "count": 1})
            delete_job(*given)

        monkeypatch.setattr(retention, "delete_job", used_first)
        assert removed(actor, retain_jobs_days=10) == {"jobs": 0}
        assert Repository(actor.engine, actor.principal).model(model).id == model


def _delivery(job: Job, state: str, clock: Clock) -> WebhookDelivery:
    now = clock()
    return WebhookDelivery(
        id=f"whd_{state}", tenant_id=job.tenant_id, job_id=job.id, seq=1, state=state, attempts=1, next_at=now,
        created_at=now, finished_at=now if state != "pending" else None,
    )  # fmt: skip


class TestParts:
    def test_samples_but_for_the_last(self, actor: Actor, clock: Clock) -> None:
        job = failed(actor)
        clock.advance(11 * DAY)
        assert removed(actor, dry_run=True, retain_samples_days=10) == {"samples": 2}
        assert removed(actor, retain_samples_days=10) == {"samples": 2}
        with actor.engine.db.read() as session:
            kept = session.scalars(select(Artifact.step).where(Artifact.job_id == job, Artifact.role == "sample"))
            assert list(kept) == [3]
        assert removed(actor, retain_samples_days=10) == {"samples": 0}

    def test_samples_of_a_running_job_stay(self, actor: Actor, clock: Clock) -> None:
        actor.train()
        lease = actor.lease()
        for step in (1, 2):
            lease.sample(step, actor.store("samples.png", b"sample"))
        clock.advance(11 * DAY)
        assert removed(actor, retain_samples_days=10) == {"samples": 0}

    def test_the_log_goes_and_the_history_stays(self, actor: Actor, clock: Clock) -> None:
        job = failed(actor)
        with actor.engine.db.begin() as session:
            session.add(_delivery(session.get_one(Job, job), "delivered", clock))
        clock.advance(11 * DAY)
        assert removed(actor, retain_events_days=10) == {"events": 6, "webhook deliveries": 1}
        assert {event.kind for event in actor.events(job)} == {"state", "end"}
        assert verify(actor.engine).sound

    def test_events_that_a_webhook_has_still_to_tell_stay(self, actor: Actor, clock: Clock) -> None:
        job = failed(actor)
        with actor.engine.db.begin() as session:
            session.get_one(Job, job).webhook = {"url": "https://example.org"}
        clock.advance(11 * DAY)
        assert removed(actor, retain_events_days=10)["events"] == 0

    def test_checkpoints_of_what_failed_or_was_cancelled(self, actor: Actor, clock: Clock) -> None:
        job = failed(actor)
        paused = actor.train()
        lease = actor.lease()
        lease.checkpoint(1, [actor.store("state", b"state")])
        clock.advance(11 * DAY)
        assert removed(actor, keep_checkpoints_days=10) == {"checkpoint files": 1}
        assert count(actor, Artifact, Artifact.job_id == job, Artifact.role == "checkpoint") == 0
        assert count(actor, Artifact, Artifact.job_id == paused.id, Artifact.role == "checkpoint") == 1


def test_a_job_whose_checkpoint_is_gone_begins_anew(actor: Actor, clock: Clock) -> None:
    job = failed(actor)
    params = {"dataset": actor.dataset().id}
    goes_on = actor.submit("image_vae.train", params, retried_from=job, from_checkpoint=True)
    assert actor.job(goes_on.id).checkpoint_step == 3
    request_cancel(actor.engine, actor.principal, goes_on.id)
    clock.advance(31 * DAY)
    assert removed(actor, keep_checkpoints_days=30) == {"checkpoint files": 2}
    anew = actor.submit("image_vae.train", params, retried_from=job, from_checkpoint=True)
    assert actor.job(anew.id).checkpoint_step == -1
    assert verify(actor.engine).sound


def test_no_transaction_removes_more_than_a_batch(actor: Actor, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 10)
    job = actor.train()
    lease = actor.lease()
    lease.beat(Beat(points=[(step, {"loss": 1.0}) for step in range(35)], lines=["line"] * 35))
    Lease(actor.engine, lease.claim).fail(Failure("invalid_data"))
    clock.advance(11 * DAY)
    counts: list[int] = []

    def note(_connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("DELETE"):
            counts.append(cursor.rowcount)

    event.listen(actor.engine.db.engine, "after_cursor_execute", note)
    assert removed(actor, retain_jobs_days=10) == {"jobs": 2}
    event.remove(actor.engine.db.engine, "after_cursor_execute", note)
    assert not exists(actor, job.id)
    assert max(counts) == 10
    assert sum(counts) == 35 + 35 + 3  # figures, lines, two jobs and the dataset one of them had made


def test_every_removal_is_a_line_in_the_audit_log(actor: Actor, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    job = failed(actor)
    clock.advance(11 * DAY)
    with caplog.at_level(logging.INFO, "aigc.audit"):
        removed(actor, retain_samples_days=10, keep_checkpoints_days=10)
        removed(actor, retain_jobs_days=10)
    told = caplog.text
    assert f"removed sample job={job} name=samples-000001.png" in told
    assert f"removed checkpoint job={job} name=state" in told
    assert f"removed job={job} tenant=acme" in told


class TestCommand:
    def test_it_says_what_it_frees(self, actor: Actor, clock: Clock) -> None:
        failed(actor)
        clock.advance(31 * DAY)
        planned = gc_command.collect(actor.engine, dry_run=True)
        assert planned[0] == "Would remove 1 checkpoint files (AIGC_KEEP_CHECKPOINTS_DAYS)"
        assert count(actor, Artifact, Artifact.role == "checkpoint") == 1
        done = gc_command.collect(actor.engine, dry_run=False)
        assert done[:2] == [
            "Removed 1 checkpoint files (AIGC_KEEP_CHECKPOINTS_DAYS)",
            "Removed 1 files, 5 bytes, that nothing names any more",
        ]

    def test_during_a_backup(self, actor: Actor) -> None:
        with keeping(actor.engine.db), pytest.raises(Refused, match="A backup or a restore is on"):
            gc_command.collect(actor.engine, dry_run=False)

    def test_as_a_program(
        self, actor: Actor, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("AIGC_HOME", str(actor.engine.settings.home))
        monkeypatch.setenv("AIGC_DATABASE_URL", actor.engine.settings.database_url)
        assert main(["--dry-run"]) == 0
        assert "Would remove 0 files, 0 bytes, that nothing names any more" in capsys.readouterr().out
        monkeypatch.setenv("AIGC_DATABASE_URL", "sqlite:////nowhere/aigc.db")
        assert main([]) == 1
        assert "There is no database at /nowhere/aigc.db. Set AIGC_HOME" in capsys.readouterr().err


def test_a_retention_of_days_is_longer_than_any_lease(actor: Actor) -> None:
    assert timedelta(days=1).total_seconds() > actor.engine.settings.lease_seconds
