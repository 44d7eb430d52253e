import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from jobs import collector, staging, storage_lock
from jobs.artifacts import Stored
from jobs.collector import Freed
from jobs.engine import Engine
from jobs.errors import BlobMissing
from jobs.lifecycle import request_cancel
from jobs.removal import delete_job
from jobs.repository import Repository
from jobs.tables import Blob, IdempotencyKey
from jobs.workers import register
from tests.conftest import Clock
from tests.jobs.acting import Actor

DAY = 24 * 3600
GRACE = collector.GRACE.total_seconds()


def shas(actor: Actor) -> set[str]:
    with actor.engine.db.read() as session:
        return set(session.scalars(select(Blob.sha256)))


def test_bytes_that_nothing_names_are_removed_after_the_grace(actor: Actor, clock: Clock) -> None:
    actor.train()
    lease = actor.lease()
    old, new = actor.store("state.safetensors", b"old"), actor.store("state.safetensors", b"new")
    lease.checkpoint(1, [old])
    lease.checkpoint(2, [new])
    clock.advance(GRACE - 1)
    assert collector.collect_blobs(actor.engine) == Freed()
    clock.advance(2)
    assert collector.collectable(actor.engine) == Freed(1, len(b"old"))
    assert collector.collect_blobs(actor.engine) == Freed(1, len(b"old"))
    assert not actor.engine.store.exists(old.sha256)
    assert actor.engine.store.exists(new.sha256)
    assert old.sha256 not in shas(actor)
    assert collector.collect_blobs(actor.engine) == Freed()


def test_bytes_that_two_jobs_share_stay_while_one_names_them(actor: Actor, clock: Clock) -> None:
    first, second = (actor.train(), actor.claim()), (actor.train(), actor.claim())
    for _, claimed in (first, second):
        actor.finish(claimed)
    delete_job(actor.engine, actor.principal, first[0].id)
    clock.advance(GRACE + 1)
    assert collector.collect_blobs(actor.engine) == Freed()
    delete_job(actor.engine, actor.principal, second[0].id)
    assert collector.collect_blobs(actor.engine).files == 2
    files = Repository(actor.engine, actor.principal).artifacts(actor.dataset().job_id)
    assert all(actor.engine.store.exists(file.sha256) for file in files)


def test_naming_marked_bytes_saves_them(actor: Actor, clock: Clock) -> None:
    """Marked by a collector that died before it removed them."""
    actor.train()
    lease = actor.lease()
    file = actor.store("state.safetensors", b"state")
    with actor.engine.db.begin() as session:
        session.add(Blob(sha256=file.sha256, size=file.size, state="deleting", created_at=clock()))
    lease.checkpoint(1, [file])
    assert collector.collect_blobs(actor.engine) == Freed()
    assert actor.row(Blob, file.sha256).state == "live"


def test_naming_bytes_that_are_just_gone_is_refused_until_they_are_put_again(actor: Actor, clock: Clock) -> None:
    actor.train()
    lease = actor.lease()
    file = actor.store("state.safetensors", b"state")
    with actor.engine.db.begin() as session:
        session.add(Blob(sha256=file.sha256, size=file.size, state="deleting", created_at=clock()))
    assert collector.collect_blobs(actor.engine).files == 1
    with pytest.raises(BlobMissing, match=file.sha256):
        lease.checkpoint(1, [file])
    assert actor.job(lease.claim.job_id).checkpoint_step == -1
    lease.checkpoint(1, [actor.store("state.safetensors", b"state")])
    assert actor.job(lease.claim.job_id).checkpoint_step == 1


def test_bytes_of_attempts_that_died_before_naming_them_go_after_a_day(actor: Actor, clock: Clock) -> None:
    clock.now = datetime.now(UTC)  # the store's files carry the host's clock
    actor.dataset()
    orphan = actor.store("x", b"orphan")
    torn = actor.engine.settings.artifacts / "sha256" / ".incoming" / "torn"
    torn.write_bytes(b"half a fi")
    assert collector.collect_orphans(actor.engine) == Freed()
    assert collector.collect_torn(actor.engine) == 0
    clock.advance(DAY + 60)
    assert collector.collect_torn(actor.engine) == 1
    assert collector.collect_orphans(actor.engine) == Freed(1, len(b"orphan"))
    assert not actor.engine.store.exists(orphan.sha256)
    assert not torn.exists()
    assert all(actor.engine.store.exists(sha) for sha in shas(actor))


def test_putting_old_bytes_again_makes_them_new(actor: Actor, clock: Clock) -> None:
    orphan = actor.store("x", b"orphan")
    path = actor.engine.store.local_path(orphan.sha256)
    assert path is not None
    os.utime(path, (0, 0))
    clock.now = datetime.now(UTC)
    actor.store("x", b"orphan")
    assert collector.collect_orphans(actor.engine) == Freed()


def test_an_orphan_that_is_named_while_it_is_looked_at_stays(
    actor: Actor, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.now = datetime.now(UTC) + timedelta(days=2)
    actor.train()
    lease = actor.lease()
    file = actor.store("state.safetensors", b"state")
    found = collector.orphans

    def name_it(engine: Engine) -> Iterator[Sequence[Stored]]:
        for some in found(engine):
            lease.checkpoint(1, [file])
            yield some

    monkeypatch.setattr(collector, "orphans", name_it)
    assert collector.collect_orphans(actor.engine) == Freed()
    assert actor.engine.store.exists(file.sha256)
    assert actor.row(Blob, file.sha256).state == "live"


def test_a_referenced_row_that_is_marked_all_the_same_starves_nobody(
    actor: Actor, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "BATCH", 1)
    actor.train()
    lease = actor.lease()
    kept, old = actor.store("state.safetensors", b"kept"), actor.store("x", b"old")
    lease.checkpoint(1, [kept])
    with actor.engine.db.begin() as session:
        session.get_one(Blob, kept.sha256).state = "deleting"
        session.add(Blob(sha256=old.sha256, size=old.size, state="deleting", created_at=clock()))
    assert collector.collect_blobs(actor.engine) == Freed(1, len(b"old"))
    assert actor.engine.store.exists(kept.sha256)


def test_nothing_is_collected_while_a_backup_is_on(actor: Actor, clock: Clock) -> None:
    file = actor.store("x", b"old")
    with actor.engine.db.begin() as session:
        session.add(Blob(sha256=file.sha256, size=file.size, state="deleting", created_at=clock()))
    with storage_lock.keeping(actor.engine.db):
        collector.prune(actor.engine)
        collector.sweep(actor.engine)
        with pytest.raises(storage_lock.StoreBusy):
            collector.collect_blobs(actor.engine)
        assert actor.engine.store.exists(file.sha256)
    collector.prune(actor.engine)
    assert not actor.engine.store.exists(file.sha256)


def test_an_upload_whose_bytes_are_collected_before_they_are_named_is_put_again(
    actor: Actor, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, puts = actor.engine.store.put, []

    def put_and_lose(path: Path) -> tuple[str, int]:
        found = put(path)
        puts.append(found)
        if len(puts) == 1:
            actor.engine.store.delete(found[0])
        return found

    monkeypatch.setattr(actor.engine.store, "put", put_and_lose)
    dataset, _ = actor.upload(b"bytes")
    assert len(puts) == 2
    assert actor.engine.store.exists(dataset.source_sha256)


def test_abandoned_working_directories_go_after_a_day(actor: Actor, clock: Clock) -> None:
    running, over = actor.train(), actor.train()
    lease_id = actor.claim(expected=running.id).lease_id
    request_cancel(actor.engine, actor.principal, over.id)
    root = actor.engine.settings.staging
    current = staging.directory(actor.engine.settings, running.id, 1, lease_id)
    for name in (current.name, f"{running.id}.0.abcdef", f"{over.id}.1.abcdef"):
        (root / name / "out").mkdir(parents=True)
    (root / "uploads").mkdir()
    (root / "uploads" / "upload-cut-off").touch()
    clock.now = datetime.now(UTC)
    assert collector.collect_staging(actor.engine) == 0
    clock.advance(DAY + 60)
    assert collector.collect_staging(actor.engine) == 3
    assert {path.name for path in root.iterdir()} == {current.name, "uploads"}
    assert not list((root / "uploads").iterdir())


def test_old_keys_and_silent_workers_are_forgotten(actor: Actor, clock: Clock) -> None:
    actor.submit("dataset.import_images", {}, idempotency_key="k1")
    register(actor.engine, "worker", "training", "cpu", "cpu")
    clock.advance(DAY + 1)
    actor.submit("dataset.import_images", {}, idempotency_key="k2")
    fresh = register(actor.engine, "worker", "training", "cpu", "cpu")
    collector.prune(actor.engine)
    collector.sweep(actor.engine)
    with actor.engine.db.read() as session:
        assert session.scalars(select(IdempotencyKey.key)).all() == ["k2"]
    assert [node.id for node in Repository(actor.engine, actor.principal).workers()] == [fresh]


def test_the_grace_is_longer_than_a_lease(actor: Actor) -> None:
    assert timedelta(seconds=actor.engine.settings.lease_seconds) < collector.GRACE
