"""Restoring over what is there: attempts of before write nothing, jobs that ran start again, nothing is half done."""

import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from jobs import aliases, catalogue, dumping, migrate, pausing, workers
from jobs.backup import backup
from jobs.backup_format import MANIFEST, Manifest
from jobs.db import Database
from jobs.engine import Engine
from jobs.errors import JobNotFound, LeaseLost
from jobs.lifecycle import Beat, Failure, Lease, request_cancel
from jobs.operating import Refused
from jobs.repository import Repository
from jobs.restore import _fence, main, restore
from jobs.storage_lock import keeping
from jobs.tables import Job, SchemaInfo
from jobs.verify import verify
from tests.jobs.acting import Actor


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where the backup goes."""
    return tmp_path / "state"


def epoch(engine: Engine) -> str:
    with engine.db.read() as session:
        return session.get_one(SchemaInfo, 1).epoch


def snapshot(actor: Actor, job_id: str) -> tuple[Any, ...]:
    row = actor.job(job_id)
    return row.status, row.version, row.step, row.attempt, row.lease_id, len(actor.events(job_id))


def assert_writes_nothing(actor: Actor, lease: Lease) -> None:
    """Everything an attempt can do, tried by one that lost its job."""
    job_id, files = lease.claim.job_id, [actor.store("model/weights", b"of a zombie")]
    before = snapshot(actor, job_id)
    for write in (
        lambda: lease.beat(Beat(step=99, total=100)),
        lambda: lease.checkpoint(99, files),
        lambda: lease.sample(99, actor.store("samples.png", b"of a zombie")),
        lambda: lease.succeed({}, files),
        lambda: lease.fail(Failure("internal")),
        lease.cancelled,
        lease.paused,
    ):
        with pytest.raises(LeaseLost):
            write()
    assert snapshot(actor, job_id) == before


def test_a_zombie_of_the_attempt_that_ran_during_the_backup(actor: Actor, state: Path) -> None:
    job = actor.train()
    zombie = actor.lease()
    zombie.checkpoint(5, [actor.store("state", b"five")])
    before = epoch(actor.engine)
    backup(actor.engine, state)
    zombie.checkpoint(9, [actor.store("state", b"nine")])
    manifest, queued = restore(actor.engine, state, force=True)
    assert (manifest.epoch, queued) == (before, 1)
    assert epoch(actor.engine) != before
    row = actor.job(job.id)
    assert (row.status, row.attempt, row.checkpoint_step, row.releases, row.worker_losses) == ("queued", 1, 5, 1, 0)
    assert actor.events(job.id)[-1].data == {"status": "queued", "reason": "restore"}
    assert [attempt.outcome for attempt in actor.attempts(job.id)] == ["released"]
    assert_writes_nothing(actor, zombie)
    actor.engine.db._clock = None  # the database's own: the job was queued again just now
    claim = actor.claim(expected=job.id)
    assert (claim.attempt, claim.resumed_step) == (2, 5)
    assert claim.lease_id.startswith(epoch(actor.engine)[:7])
    assert_writes_nothing(actor, zombie)
    actor.finish(claim)
    assert_writes_nothing(actor, zombie)
    assert verify(actor.engine, deep=True).sound


def test_aliases_cards_and_pauses_come_back(actor: Actor, state: Path) -> None:
    first = actor.model()
    aliases.promote(actor.engine, actor.principal, first, "production")
    catalogue.write_card(actor.engine, actor.principal, first, {"limits": "small"})
    pausing.pause_queue(actor.engine, actor.principal, "training.gpu")
    backup(actor.engine, state)
    aliases.demote(actor.engine, actor.principal, first, "production")
    catalogue.write_card(actor.engine, actor.principal, first, {"limits": "other"})
    pausing.resume_queue(actor.engine, "training.gpu")
    restore(actor.engine, state, force=True)
    reads = Repository(actor.engine, actor.principal)
    name = reads.model(first).name
    assert reads.model(f"{name}@production").card == {"limits": "small"}
    assert reads.pauses.of_queue("training", "gpu")
    assert verify(actor.engine, deep=True).sound


def test_a_zombie_whose_attempt_the_backup_does_not_know(actor: Actor, state: Path) -> None:
    """The counter rewinds, so the next attempt has the zombie's number, but never its lease."""
    job = actor.train()
    backup(actor.engine, state)
    zombie = actor.lease()
    restore(actor.engine, state, force=True)
    assert_writes_nothing(actor, zombie)
    claim = actor.claim(expected=job.id)
    assert (claim.attempt, zombie.claim.attempt) == (1, 1)
    assert_writes_nothing(actor, zombie)
    actor.finish(claim)


def test_a_job_that_was_to_be_cancelled_is_cancelled(actor: Actor, state: Path) -> None:
    job = actor.train()
    actor.claim()
    request_cancel(actor.engine, actor.principal, job.id)
    backup(actor.engine, state)
    assert restore(actor.engine, state, force=True)[1] == 0
    assert actor.job(job.id).status == "cancelled"
    assert len(actor.events(job.id, "end")) == 1


def test_what_came_after_the_backup_is_gone_and_what_went_is_back(actor: Actor, state: Path) -> None:
    kept = actor.train()
    backup(actor.engine, state)
    actor.train()
    request_cancel(actor.engine, actor.principal, kept.id)
    restore(actor.engine, state, force=True)
    assert actor.job(kept.id).status == "queued"
    with actor.engine.db.read() as session:
        assert session.query(Job).count() == 2


def test_a_used_database_is_not_replaced_unasked(actor: Actor, state: Path) -> None:
    actor.dataset()
    backup(actor.engine, state)
    with pytest.raises(Refused, match=r"holds 1 jobs, 1 datasets, which a restore replaces\. Add --force"):
        restore(actor.engine, state)


def test_a_live_stack_on_sqlite_is_in_the_way(actor: Actor, state: Path) -> None:
    actor.dataset()
    backup(actor.engine, state)
    workers.register(actor.engine, "worker", "training", "2 cores", "cpu")
    if actor.engine.db.is_sqlite:
        with pytest.raises(Refused, match=rf"still runs on this database: worker {os.getpid()} on .* Stop it"):
            restore(actor.engine, state, force=True)
    else:
        restore(actor.engine, state, force=True)  # its workers drop their attempts and go on


def test_while_a_backup_is_on(actor: Actor, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backup(actor.engine, state)
    monkeypatch.setattr("jobs.restore.keeping", lambda database: keeping(database, patience=0))
    with keeping(actor.engine.db), pytest.raises(Refused, match="A backup or another restore is on"):
        restore(actor.engine, state)


@pytest.mark.parametrize("part", ["database", "list", "bytes", "bytes missing", "manifest"])
def test_a_damaged_backup_changes_nothing(actor: Actor, state: Path, part: str) -> None:
    job = actor.train()
    extra = actor.store("x", b"only in the backup")
    lease = actor.lease()
    lease.checkpoint(1, [extra])
    manifest = backup(actor.engine, state)
    lease.checkpoint(2, [actor.store("x", b"later")])
    actor.engine.store.delete(extra.sha256)  # so that the restore must bring it back
    blob = next(path for path in (state / "blobs").glob("*/*/*") if path.name == extra.sha256)
    damaged = {
        "database": state / manifest.database.file,
        "list": state / manifest.blobs.file,
        "manifest": state / MANIFEST,
    }.get(part, blob)
    if part == "bytes missing":
        damaged.unlink()
    else:
        content = bytearray(damaged.read_bytes())
        content[len(content) // 2] ^= 0x55
        damaged.write_bytes(content)
    before = snapshot(actor, job.id)
    with pytest.raises(Refused, match=r"damaged|is not complete"):
        restore(actor.engine, state, force=True)
    assert snapshot(actor, job.id) == before
    lease.beat(Beat(step=3))  # the attempt still holds its job


def change_manifest(state: Path, **changes: Any) -> None:
    manifest = Manifest.model_validate_json((state / MANIFEST).read_bytes())
    (state / MANIFEST).write_text(manifest.model_copy(update=changes).model_dump_json())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"revision": "9999", "software": "9.1"}, r"has schema 9999 of version 9\.1, but .* Upgrade this installation"),
        ({"format": 99, "software": "9.1"}, r"was made by a newer version \(9\.1\)"),
    ],
)
def test_a_backup_of_a_newer_version(actor: Actor, state: Path, changes: dict[str, Any], sentence: str) -> None:
    backup(actor.engine, state)
    change_manifest(state, **changes)
    with pytest.raises(Refused, match=sentence):
        restore(actor.engine, state)


def test_a_backup_of_the_other_kind_of_database(actor: Actor, state: Path) -> None:
    backup(actor.engine, state)
    change_manifest(state, kind="postgresql" if actor.engine.db.is_sqlite else "sqlite")
    with pytest.raises(Refused, match=r"The backup is one of .* Set AIGC_DATABASE_URL to a database of the same kind"):
        restore(actor.engine, state)


def test_there_is_no_backup(actor: Actor, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="There is no backup at"):
        restore(actor.engine, tmp_path / "nowhere")
    with pytest.raises(Refused, match="is not complete"):
        restore(actor.engine, tmp_path)


def test_too_little_room(actor: Actor, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backup(actor.engine, state)
    usage = shutil.disk_usage(state)
    monkeypatch.setattr("jobs.restore.shutil.disk_usage", lambda _: usage._replace(free=5))
    with pytest.raises(Refused, match=r"The restore needs .* has only 5 bytes left\. Make room"):
        restore(actor.engine, state)


def test_an_older_schema_is_migrated(actor: Actor, state: Path) -> None:
    actor.model()
    job = actor.train()
    zombie = actor.lease()
    migrate.downgrade(actor.engine.db, "0001")
    try:
        manifest = backup(actor.engine, state)
    finally:
        migrate.upgrade(actor.engine.db)
    assert manifest.revision == "0001"
    restore(actor.engine, state, force=True)
    assert migrate.current(actor.engine.db) == migrate.head()
    assert actor.job(job.id).status == "queued"
    assert_writes_nothing(actor, zombie)


def test_a_restore_cut_off_before_its_end_changes_nothing(
    actor: Actor, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = actor.train()
    backup(actor.engine, state)
    lease = actor.lease()
    before = snapshot(actor, job.id)

    def cut(*_: Any) -> None:
        raise InterruptedError

    if actor.engine.db.is_sqlite:
        monkeypatch.setattr(dumping, "copy_sqlite", cut)
    else:
        script = dumping._script

        def broken(*given: Any) -> Any:
            yield from list(script(*given))[:-1]
            raise InterruptedError

        monkeypatch.setattr(dumping, "_script", broken)
    with pytest.raises(InterruptedError):
        restore(actor.engine, state, force=True)
    assert snapshot(actor, job.id) == before
    lease.beat(Beat(step=1))


def test_postgresql_that_is_busy_is_tried_again(actor: Actor, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A neighbour whose transaction is in the way gets it resolved by PostgreSQL, and the restore comes through."""
    if actor.engine.db.is_sqlite:
        return  # its stack is down
    actor.dataset()
    backup(actor.engine, state)
    feed, tries = dumping._feed, list[str | None]()

    def deadlocked_first(program: str, database: Database, script: Any) -> str | None:
        if not tries:
            tries.append("ERROR:  deadlock detected")
            return tries[0]
        tries.append(feed(program, database, script))
        return tries[-1]

    monkeypatch.setattr(dumping, "_feed", deadlocked_first)
    restore(actor.engine, state, force=True)
    assert tries == ["ERROR:  deadlock detected", None]


def test_a_restore_comes_through_while_everybody_works(actor: Actor, state: Path) -> None:
    """On PostgreSQL it waits for nobody's jobs, only for the transactions under way."""
    if actor.engine.db.is_sqlite:
        return  # its stack is down
    actor.engine.db._clock = None
    actor.dataset()
    backup(actor.engine, state)
    stop, unforeseen = threading.Event(), list[Exception]()

    def work() -> None:
        while not stop.is_set():
            try:
                actor.train()
                if (claim := actor.try_claim()) is not None:
                    lease = Lease(actor.engine, claim)
                    lease.beat(Beat(step=1, points=[(1, {"loss": 1.0})], lines=["line"]))
                    actor.finish(claim)
            except (LeaseLost, JobNotFound, OperationalError):
                pass  # what workers expect; an OperationalError is tried again
            except Exception as error:  # noqa: BLE001 - handed to the test
                unforeseen.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            restore(actor.engine, state, force=True)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert unforeseen == []
    assert verify(actor.engine, deep=True).sound


def test_the_reaper_takes_up_what_a_restore_that_died_left(actor: Actor, state: Path) -> None:
    """On PostgreSQL the leases are taken in the transaction of the restore, the jobs queued after it."""
    if actor.engine.db.is_sqlite:
        return  # one transaction does both
    job = actor.train()
    zombie = actor.lease()
    backup(actor.engine, state)
    dumping.load_postgres(actor.engine.db, dumped(state), lambda schema: _fence("e" * 32, schema))
    assert actor.job(job.id).lease_id != zombie.claim.lease_id
    with pytest.raises(LeaseLost):
        zombie.beat()


def dumped(state: Path) -> Path:
    return state / Manifest.model_validate_json((state / MANIFEST).read_bytes()).database.file


def test_the_command_says_what_it_did(
    actor: Actor, state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    actor.train()
    actor.lease()
    backup(actor.engine, state)
    monkeypatch.setenv("AIGC_HOME", str(actor.engine.settings.home))
    monkeypatch.setenv("AIGC_DATABASE_URL", actor.engine.settings.database_url)
    assert main([str(state)]) == 1
    assert "Add --force" in capsys.readouterr().err
    assert main([str(state), "--force"]) == 0
    told = capsys.readouterr().out
    assert "2 jobs, 1 datasets" in told
    assert "1 jobs ran when it was made and are queued again" in told


def test_leases_of_an_older_epoch_are_found_by_verify(actor: Actor) -> None:
    actor.train()
    actor.lease()
    with actor.engine.db.begin() as session:
        session.execute(update(SchemaInfo).values(epoch="f" * 32))
    assert "lease-of-another-epoch" in {finding.check for finding in verify(actor.engine).findings}
