"""What an attempt may write, and what becomes of its job."""

import math
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError, OperationalError

from aigc_models.base import Fault
from jobs import lifecycle
from jobs.artifacts import NewFile
from jobs.curves import Point
from jobs.engine import Engine
from jobs.errors import BlobMissing, IncompleteResult, LeaseLost
from jobs.lifecycle import Beat, Failure, Lease, request_cancel, request_pause
from jobs.maintenance import reap
from jobs.repository import Repository
from jobs.tables import Artifact, Dataset, Job, ModelVersion, SchemaInfo
from tests.conftest import Clock, RecordingDispatcher
from tests.jobs.acting import Actor


def test_a_beat_renews_the_lease_and_records_progress(actor: Actor, clock: Clock) -> None:
    actor.train()
    lease = actor.lease()
    clock.advance(5)
    beat = Beat(
        phase="training",
        step=10,
        total=100,
        rate=512.0,
        points=[(9, {"loss": 2.0}), (10, {"loss": 1.5}), (10, {"fid": 90.0})],
        lines=["first", "sec\0ond"],
        phases=["preparing", "training"],
    )
    assert lease.beat(beat) == lifecycle.Signals(cancel=False, pause=False)
    job = actor.job(lease.claim.job_id)
    assert job.lease_until == clock() + timedelta(seconds=30)
    assert (job.phase, job.step, job.total, job.rate, job.progress_at) == ("training", 10, 100, 512.0, clock())
    assert job.metrics == {"loss": 1.5, "fid": 90.0}
    assert [event.data["message"] for event in actor.events(job.id, "log")] == ["first", "second"]
    assert [event.data["phase"] for event in actor.events(job.id, "phase")] == ["preparing", "training"]
    curve = Repository(actor.engine, actor.principal).metrics(job.id)
    assert curve == [Point(9, {"loss": 2.0}), Point(10, {"loss": 1.5, "fid": 90.0})]


def test_events_are_numbered_without_gaps(actor: Actor) -> None:
    actor.train()
    lease = actor.lease()
    for step in range(3):
        lease.beat(Beat(step=step, lines=[f"line {step}", "and another"]))
    job = actor.job(lease.claim.job_id)
    assert [event.seq for event in actor.events(job.id)] == list(range(1, job.last_seq + 1))


def test_an_empty_beat_renews_the_lease_but_no_reader_sees_a_change(actor: Actor, clock: Clock) -> None:
    actor.train()
    lease = actor.lease()
    before = actor.job(lease.claim.job_id)
    clock.advance(5)
    lease.beat()
    after = actor.job(lease.claim.job_id)
    assert (after.version, after.updated_at) == (before.version, before.updated_at)
    assert after.lease_until == clock() + timedelta(seconds=30)


def test_progress_time_stands_still_while_the_step_does(actor: Actor, clock: Clock) -> None:
    actor.train()
    lease = actor.lease()
    lease.beat(Beat(step=1, total=9))
    moved = clock()
    clock.advance(5)
    lease.beat(Beat(step=1, total=9))
    assert actor.job(lease.claim.job_id).progress_at == moved


def test_figures_of_one_step_are_joined_across_beats_and_nan_is_a_gap(actor: Actor) -> None:
    actor.train()
    lease = actor.lease()
    lease.beat(Beat(step=3, points=[(3, {"g_loss": 1.0, "d_loss": math.nan})]))
    lease.beat(Beat(step=3, points=[(3, {"fid": 80.0}), (4, {"g_loss": math.inf})]))
    curve = Repository(actor.engine, actor.principal).metrics(lease.claim.job_id)
    assert curve == [Point(3, {"g_loss": 1.0, "d_loss": None, "fid": 80.0}), Point(4, {"g_loss": None})]


def test_a_checkpoint_replaces_the_one_before(actor: Actor) -> None:
    actor.train()
    lease = actor.lease()
    first, second = actor.store("state.safetensors", b"one"), actor.store("state.safetensors", b"two")
    lease.checkpoint(10, [first])
    lease.checkpoint(20, [second, actor.store("optimiser.safetensors", b"adam")])
    files = Repository(actor.engine, actor.principal).artifacts(lease.claim.job_id, "checkpoint")
    assert [(file.name, file.step) for file in files] == [("optimiser.safetensors", 20), ("state.safetensors", 20)]
    assert actor.job(lease.claim.job_id).checkpoint_step == 20
    assert [event.data for event in actor.events(lease.claim.job_id, "checkpoint")] == [{"step": 10}, {"step": 20}]


def test_an_old_checkpoint_is_ignored(actor: Actor) -> None:
    actor.train()
    lease = actor.lease()
    lease.checkpoint(20, [actor.store("state.safetensors", b"two")])
    lease.checkpoint(20, [actor.store("state.safetensors", b"other")])
    lease.checkpoint(10, [actor.store("state.safetensors", b"one")])
    (file,) = Repository(actor.engine, actor.principal).artifacts(lease.claim.job_id, "checkpoint")
    with actor.engine.store.open(file.sha256) as stream:
        assert stream.read() == b"two"


def test_samples_are_kept_for_every_step(actor: Actor) -> None:
    actor.train()
    lease = actor.lease()
    for step in (5, 10):
        lease.sample(step, actor.store("samples.png", b"png %d" % step))
    files = Repository(actor.engine, actor.principal).artifacts(lease.claim.job_id, "sample")
    assert [(file.name, file.step) for file in files] == [("samples-000005.png", 5), ("samples-000010.png", 10)]
    assert [event.data["step"] for event in actor.events(lease.claim.job_id, "sample")] == [5, 10]


def test_a_training_that_succeeds_registers_its_model_version(actor: Actor, clock: Clock) -> None:
    job = actor.train(name="My Clothes")
    lease = actor.lease()
    lease.checkpoint(5, [actor.store("state.safetensors", b"state")])
    lease.beat(Beat(step=9, total=10, points=[(9, {"loss": 1.0})]))
    files = [actor.store("model/weights.safetensors", b"weights"), actor.store("samples.png", b"png")]
    lease.succeed({"fid": 30.0}, files)
    done = actor.job(job.id)
    assert (done.status, done.step, done.metrics, done.finished_at) == ("succeeded", 10, {"fid": 30.0}, clock())
    (version,) = Repository(actor.engine, actor.principal).models().items
    assert (version.name, version.number, version.family, version.job_id) == ("my-clothes", 1, "image_vae", job.id)
    assert (version.dataset_id, version.metrics) == (actor.dataset().id, {"fid": 30.0})
    (end,) = actor.events(job.id, "end")
    assert (end.terminal, end.data["status"], end.seq) == (True, "succeeded", done.last_seq)
    (attempt,) = actor.attempts(job.id)
    assert (attempt.outcome, attempt.ended_at) == ("succeeded", clock())
    roles = [file.role for file in Repository(actor.engine, actor.principal).artifacts(job.id)]
    assert roles == ["output", "output"]  # the checkpoint has served


def test_versions_of_one_name_are_numbered(actor: Actor) -> None:
    for _ in range(3):
        actor.train(name="clothes")
        actor.finish(actor.claim())
    versions = Repository(actor.engine, actor.principal).models().items
    assert [(version.name, version.number) for version in versions] == [("clothes", 3), ("clothes", 2), ("clothes", 1)]


def test_an_import_that_succeeds_makes_its_dataset_ready(actor: Actor, clock: Clock) -> None:
    made, _ = actor.upload()
    actor.finish(actor.claim("generation"))
    dataset: Dataset = actor.row(Dataset, made.id)
    assert (dataset.ready_at, dataset.report) == (clock(), {"kind": "images", "train": 3})


def test_succeeding_twice_is_succeeding_once(actor: Actor) -> None:
    actor.train()
    lease = actor.lease()
    files = [actor.store("model/weights.safetensors", b"weights")]
    lease.succeed({"fid": 1.0}, files)
    version = actor.job(lease.claim.job_id).version
    lease.succeed({"fid": 1.0}, files)
    assert actor.job(lease.claim.job_id).version == version
    assert len(Repository(actor.engine, actor.principal).models().items) == 1


@pytest.mark.parametrize(("task", "name"), [("model", "samples.png"), ("dataset", "dataset/images.safetensors")])
def test_a_result_without_its_parts_is_refused_whole(actor: Actor, task: str, name: str) -> None:
    if task == "model":
        actor.train()
    else:
        actor.upload()
    lease = actor.lease("training" if task == "model" else "generation")
    with pytest.raises(IncompleteResult):
        lease.succeed({}, [actor.store(name, b"bytes")])
    assert actor.job(lease.claim.job_id).status == "running"
    assert not Repository(actor.engine, actor.principal).artifacts(lease.claim.job_id, "output")


def test_a_reference_to_missing_bytes_is_refused_whole(actor: Actor) -> None:
    actor.train()
    lease = actor.lease()
    missing = NewFile("model/weights.safetensors", "0" * 64, 7, "application/octet-stream")
    with pytest.raises(BlobMissing):
        lease.succeed({}, [missing])
    with pytest.raises(BlobMissing):
        lease.checkpoint(3, [missing])
    with pytest.raises(BlobMissing):
        lease.sample(3, missing)
    job = actor.job(lease.claim.job_id)
    assert (job.status, job.checkpoint_step) == ("running", -1)


@pytest.mark.parametrize("name", ["/etc/passwd", "../../x", "model/../../x", "a\0b"])
def test_a_name_that_leaves_its_place_is_refused(actor: Actor, name: str) -> None:
    actor.train()
    lease = actor.lease()
    file = actor.store("x", b"x")
    with pytest.raises(ValueError, match="cannot name an artifact"):
        lease.checkpoint(1, [NewFile(name, file.sha256, file.size, file.media_type)])


@pytest.mark.parametrize("code", ["internal", "host_out_of_memory", "stalled"])
def test_program_faults_are_retried_with_growing_pauses_until_the_budget_is_spent(
    actor: Actor, clock: Clock, code: str
) -> None:
    job = actor.train()
    pauses = []
    for number in (1, 2, 3):
        lease = actor.lease()
        assert lease.claim.attempt == number
        lease.fail(Failure(code, [Fault("It broke at step {step}.", {"step": 3})]), "trace\0back")
        row = actor.job(job.id)
        if number < 3:
            assert (row.status, row.dispatched_at) == ("queued", None)
            pauses.append((row.not_before - clock()).total_seconds())
            assert actor.try_claim() is None  # not before its time
            clock.advance(pauses[-1])
    assert 8 <= pauses[0] <= 12
    assert 16 <= pauses[1] <= 24
    assert (row.status, row.app_failures, row.attempt) == ("failed", 2, 3)
    assert row.failure is not None
    assert row.failure["code"] == code
    assert row.failure["faults"][0]["message"] == "It broke at step {step}."
    attempts = actor.attempts(job.id)
    assert [attempt.outcome for attempt in attempts] == ["retried", "retried", "failed"]
    assert {attempt.stderr_tail for attempt in attempts} == {"traceback"}


@pytest.mark.parametrize("code", ["invalid_data", "timeout"])
def test_hopeless_faults_fail_at_once(actor: Actor, code: str) -> None:
    job = actor.train()
    where = {"row": 14, "values": [math.nan, {"deep": object}]}
    actor.lease().fail(Failure(code, [Fault("Row {row} is wrong.", {"row": 14}, where=where)]))
    row = actor.job(job.id)
    assert (row.status, row.app_failures, row.attempt) == ("failed", 0, 1)
    (end,) = actor.events(job.id, "end")
    assert end.data["code"] == code


def fail_again(actor: Actor, clock: Clock, job: Job, failure: Failure) -> tuple[Lease, Job]:
    """One more attempt that fails; the time of the next one has come afterwards."""
    lease = Lease(actor.engine, actor.claim(expected=job.id))
    lease.fail(failure, "traceback")
    row = actor.job(job.id)
    clock.advance(max(0.0, (row.not_before - clock()).total_seconds()))
    return lease, row


def test_a_batch_that_does_not_fit_is_tried_in_ever_smaller_parts(actor: Actor, clock: Clock) -> None:
    job = actor.train(params={"batch_size": 256})
    failure = Failure("out_of_memory", [Fault("The device ran out of memory.")])
    seen = []
    for number in (1, 2, 3):
        lease, row = fail_again(actor, clock, job, failure)
        seen.append(dict(lease.claim.adjustments))
        assert row.app_failures == min(number, 2)
    assert seen == [{}, {"micro_batches": 2}, {"micro_batches": 4}]
    assert row.status == "failed"
    assert row.adjustments == {"micro_batches": 4}
    assert row.failure is not None
    assert row.failure["suggestion"] == {"params": {"batch_size": 32}}
    assert row.failure["faults"][0]["values"] == {"batch_size": 256, "parts": 4, "suggested": 32}
    told = [event.data.get("adjustments") for event in actor.events(job.id, "state")]
    assert [adjustments for adjustments in told if adjustments] == [{"micro_batches": 2}, {"micro_batches": 4}]
    lines = [event.data["message"] for event in actor.events(job.id, "log")]
    assert ["in 2 parts" in lines[0], "in 4 parts" in lines[1]] == [True, True]


def test_a_rung_is_written_with_the_move_that_queues_the_job_or_not_at_all(
    actor: Actor, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = actor.train()
    lease = actor.lease()
    _lose_reply(monkeypatch, actor.engine)
    with pytest.raises(DBAPIError):
        lease.fail(Failure("out_of_memory"))
    lease.fail(Failure("out_of_memory"))  # once more, as its reply was lost
    row = actor.job(job.id)
    assert (row.status, row.adjustments, row.app_failures) == ("queued", {"micro_batches": 2}, 1)
    clock.advance(60)
    stale, again = lease, actor.lease()
    with pytest.raises(LeaseLost):
        stale.beat()
    with actor.engine.db.begin() as session:
        session.execute(update(Job).where(Job.id == job.id).values(lease_id="another"))
    with pytest.raises(LeaseLost):
        again.fail(Failure("out_of_memory"))
    assert actor.job(job.id).adjustments == {"micro_batches": 2}


def test_no_retries_means_no_ladder(actor: Actor, clock: Clock) -> None:
    actor = actor.with_settings(max_app_failures=0)
    job = actor.train(params={"batch_size": 256})
    _, row = fail_again(actor, clock, job, Failure("out_of_memory"))
    assert (row.status, row.adjustments) == ("failed", {})
    assert row.failure is not None
    assert row.failure["suggestion"] == {"params": {"batch_size": 128}}


def test_a_diverged_training_goes_back_to_its_checkpoint_once(actor: Actor, clock: Clock) -> None:
    job = actor.train(params={"learning_rate": 0.002})
    failure = Failure("diverged", [Fault("The loss became NaN at step {step}.", {"step": 70})])
    lease = Lease(actor.engine, actor.claim(expected=job.id))
    lease.checkpoint(50, [actor.store("state.safetensors", b"state")])
    lease.fail(failure)
    row = actor.job(job.id)
    assert (row.status, row.app_failures, row.adjustments) == ("queued", 1, {"learning_rate_factor": 0.5})
    (line,) = actor.events(job.id, "log")
    assert line.data["message"].startswith("The loss became NaN. Going back to step 50 with the learning rate halved")
    clock.advance(60)
    lease, row = fail_again(actor, clock, job, failure)
    assert (lease.claim.resumed_step, lease.claim.adjustments) == (50, {"learning_rate_factor": 0.5})
    assert (row.status, row.app_failures, row.attempt) == ("failed", 1, 2)
    assert row.failure is not None
    assert row.failure["faults"][0]["values"] == {"step": 70, "suggested": "0.0005"}
    assert row.failure["suggestion"] == {"params": {"learning_rate": 0.0005}}


def test_both_remedies_can_be_needed(actor: Actor, clock: Clock) -> None:
    job = actor.train()
    fail_again(actor, clock, job, Failure("diverged"))
    _, row = fail_again(actor, clock, job, Failure("out_of_memory"))
    assert row.adjustments == {"micro_batches": 2, "learning_rate_factor": 0.5}


def test_faults_of_the_program_and_losses_of_workers_have_budgets_of_their_own(actor: Actor, clock: Clock) -> None:
    job = actor.train()
    for _ in range(2):
        fail_again(actor, clock, job, Failure("internal"))
        actor.claim(expected=job.id)
        clock.advance(31)
        reap(actor.engine)
    row = actor.job(job.id)
    assert (row.status, row.app_failures, row.worker_losses, row.attempt) == ("queued", 2, 2, 4)
    actor.claim(expected=job.id)
    clock.advance(31)
    reap(actor.engine)
    row = actor.job(job.id)
    assert (row.status, row.worker_losses) == ("failed", 3)
    assert row.failure is not None
    assert row.failure["code"] == "poisoned"


def test_a_time_limit_counts_what_all_attempts_ran_and_not_what_they_waited(actor: Actor, clock: Clock) -> None:
    job = actor.train(time_limit=timedelta(minutes=10))
    lease = actor.lease()
    assert (lease.claim.time_limit, lease.claim.time_left) == (600, 600)
    clock.advance(20)
    lease.fail(Failure("internal"))
    clock.advance(3600)
    lease = Lease(actor.engine, actor.claim(expected=job.id))
    assert lease.claim.time_left == 580
    clock.advance(29)
    lease.release("drain")
    clock.advance(50)
    assert actor.claim(expected=job.id).time_left == 551
    clock.advance(1000)
    reap(actor.engine)
    assert actor.claim(expected=job.id).time_left == 0
    actor.train()
    assert actor.claim().time_left is None


def test_a_full_disk_is_waited_for_and_not_counted(actor: Actor, clock: Clock) -> None:
    job = actor.train()
    lease = actor.lease()
    lease.checkpoint(7, [actor.store("state.safetensors", b"state")])
    lease.release("drain")
    for _ in range(4):
        lease = actor.lease()
        assert lease.claim.resumed_step == 7
        lease.fail(Failure("disk_full"))
        row = actor.job(job.id)
        assert (row.status, row.app_failures, row.checkpoint_step) == ("queued", 0, 7)
        assert row.not_before - clock() >= timedelta(seconds=200)
        clock.advance(600)


def test_an_unknown_failure_code_is_a_fault_of_the_program(actor: Actor) -> None:
    actor.train()
    with pytest.raises(ValueError, match="no such failure code"):
        actor.lease().fail(Failure("gremlins"))


def test_release_gives_the_job_back_uncounted_and_announces_it(actor: Actor, dispatcher: RecordingDispatcher) -> None:
    job = actor.train()
    lease = actor.lease()
    dispatcher.announced.clear()
    lease.release("drain")
    row = actor.job(job.id)
    assert (row.status, row.releases, row.app_failures, row.worker_losses) == ("queued", 1, 0, 0)
    assert dispatcher.announced == ["training.cpu"]
    lease.release("drain")  # once more, as after a lost reply
    assert actor.job(job.id).releases == 1
    assert actor.claim(expected=job.id).attempt == 2


def test_cancel_reaches_the_worker_with_its_next_beat(actor: Actor) -> None:
    job = actor.train()
    lease = actor.lease()
    request_cancel(actor.engine, actor.principal, job.id)
    assert lease.signals().cancel
    assert lease.beat().cancel
    lease.cancelled()
    assert actor.job(job.id).status == "cancelled"
    assert actor.attempts(job.id)[0].outcome == "cancelled"


def test_a_worker_cannot_cancel_or_pause_what_nobody_asked_for(actor: Actor) -> None:
    actor.train()
    lease = actor.lease()
    with pytest.raises(LeaseLost):
        lease.cancelled()
    with pytest.raises(LeaseLost):
        lease.paused()
    assert actor.job(lease.claim.job_id).status == "running"


@pytest.mark.parametrize("end", ["release", "retry"])
def test_what_would_be_queued_again_is_cancelled_if_a_user_asked_for_it(actor: Actor, end: str) -> None:
    job = actor.train()
    lease = actor.lease()
    request_cancel(actor.engine, actor.principal, job.id)
    if end == "release":
        lease.release("drain")
    else:
        lease.fail(Failure("internal"))
    assert actor.job(job.id).status == "cancelled"
    assert len(actor.events(job.id, "end")) == 1


def test_a_success_beats_a_cancel_that_came_too_late(actor: Actor) -> None:
    job = actor.train()
    claim = actor.claim()
    request_cancel(actor.engine, actor.principal, job.id)
    actor.finish(claim)
    assert actor.job(job.id).status == "succeeded"


def test_pause_and_resume_go_on_from_the_checkpoint(actor: Actor, dispatcher: RecordingDispatcher) -> None:
    job = actor.train()
    lease = actor.lease()
    request_pause(actor.engine, actor.principal, job.id)
    assert lease.beat().pause
    lease.checkpoint(7, [actor.store("state.safetensors", b"state")])
    lease.paused()
    assert actor.job(job.id).status == "paused"
    assert actor.try_claim() is None
    dispatcher.announced.clear()
    lifecycle.resume(actor.engine, actor.principal, job.id)
    assert dispatcher.announced == ["training.cpu"]
    assert actor.claim(expected=job.id).resumed_step == 7


def test_a_cancel_that_comes_while_the_worker_pauses_is_not_forgotten(actor: Actor) -> None:
    job = actor.train()
    lease = actor.lease()
    request_pause(actor.engine, actor.principal, job.id)
    request_cancel(actor.engine, actor.principal, job.id)
    lease.paused()
    lease.paused()  # as after a COMMIT whose answer was lost
    assert actor.job(job.id).status == "cancelled"
    assert len(actor.events(job.id, "end")) == 1


def test_curves_are_whole_after_a_loss_and_nothing_is_doubled(actor: Actor, clock: Clock) -> None:
    job = actor.train()
    lease = actor.lease()
    lease.beat(Beat(step=12, total=20, points=[(step, {"loss": 1.0 / step}) for step in (2, 5, 8, 11)]))
    lease.checkpoint(6, [actor.store("state.safetensors", b"state")])
    clock.advance(31)
    assert reap(actor.engine) == 1
    again = actor.lease()
    assert (again.claim.resumed_step, actor.job(job.id).step) == (6, 6)
    again.beat(Beat(step=20, points=[(step, {"loss": 1.0 / step}) for step in (7, 10, 13, 16, 19)]))
    steps = [point.step for point in Repository(actor.engine, actor.principal).metrics(job.id)]
    assert steps == [2, 5, 7, 10, 13, 16, 19]


def test_a_late_winner_writes_nothing(actor: Actor, clock: Clock) -> None:
    job = actor.train()
    slow = actor.claim()
    clock.advance(31)
    reap(actor.engine)
    fast = actor.claim(expected=job.id)
    actor.finish(fast, fid=1.0)
    with pytest.raises(LeaseLost):
        actor.finish(slow, fid=2.0)
    assert actor.job(job.id).metrics == {"fid": 1.0}
    assert [attempt.outcome for attempt in actor.attempts(job.id)] == ["lost", "succeeded"]


def test_success_whose_reply_was_lost_is_recognised(actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    actor.train()
    lease = actor.lease()
    files = [actor.store("model/weights.safetensors", b"weights")]
    _lose_reply(monkeypatch, actor.engine)
    with pytest.raises(DBAPIError):
        lease.succeed({"fid": 1.0}, files)
    assert actor.job(lease.claim.job_id).status == "succeeded"
    lease.succeed({"fid": 1.0}, files)
    assert len(actor.events(lease.claim.job_id, "end")) == 1


def test_a_failure_in_the_middle_leaves_nothing_behind(actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    actor.train()
    lease = actor.lease()

    def broken(*_: Any) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr("jobs.results.register_model", broken)
    with pytest.raises(RuntimeError):
        lease.succeed({}, [actor.store("model/weights.safetensors", b"weights")])
    with actor.engine.db.read() as session:
        assert session.scalar(select(Job.status).where(Job.id == lease.claim.job_id)) == "running"
        assert session.scalars(select(ModelVersion)).all() == []
        assert session.scalars(select(Artifact).where(Artifact.job_id == lease.claim.job_id)).all() == []


def test_the_clock_of_the_database_decides(actor: Actor, clock: Clock) -> None:
    """A worker that renews in time keeps its job, whatever other clocks say."""
    job = actor.train()
    lease = actor.lease()
    for _ in range(5):
        clock.advance(29)
        lease.beat()
        assert reap(actor.engine) == 0
    assert actor.job(job.id).attempt == 1


def _lose_reply(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> None:
    """The next COMMIT reaches the database, its answer never comes back."""
    dialect = engine.db.engine.dialect
    real, lost = dialect.do_commit, iter([True])

    def commit(connection: Any) -> None:
        real(connection)
        if next(lost, False):
            raise OperationalError("COMMIT", {}, ConnectionResetError("server closed the connection"))

    monkeypatch.setattr(dialect, "do_commit", commit)


def test_a_restore_with_a_new_epoch_makes_other_leases(actor: Actor) -> None:
    actor.train()
    actor.train()
    before = actor.claim()
    with actor.engine.db.begin() as session:
        session.execute(update(SchemaInfo).values(epoch="f" * 32))
    after = actor.claim()
    assert after.lease_id.startswith("fffffff")
    assert not before.lease_id.startswith("fffffff")
    assert len(after.lease_id) == 39
    with actor.engine.db.begin() as session:
        session.execute(update(SchemaInfo).values(epoch="0" * 32))


def test_the_last_beat_can_come_with_the_end(actor: Actor) -> None:
    actor.train()
    lease = actor.lease()
    last = Beat(step=10, total=10, points=[(10, {"loss": 0.5})], lines=["done"])
    files = [actor.store("model/weights.safetensors", b"weights")]
    lease.succeed({}, files, last)
    lease.succeed({}, files, last)
    job = actor.job(lease.claim.job_id)
    assert (job.status, job.step, job.total, job.metrics) == ("succeeded", 10, 10, {"loss": 0.5})
    assert [event.kind for event in actor.events(job.id)][-2:] == ["log", "end"]
    assert Repository(actor.engine, actor.principal).metrics(job.id) == [Point(10, {"loss": 0.5})]
