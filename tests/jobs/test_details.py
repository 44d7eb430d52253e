"""Names, tags and notes: what is kept of them, who may change them, and that the job does not notice."""

from pathlib import Path

import pytest

from jobs import again, details
from jobs.backup import backup
from jobs.details import Details, change
from jobs.errors import IdempotencyKeyReused, InvalidParams, JobNotFound, VersionMismatch
from jobs.filtering import ORDERS, Sort
from jobs.lifecycle import Beat, request_cancel
from jobs.repository import JobFilter, Repository
from jobs.restore import restore
from jobs.submit import submit
from jobs.verify import verify
from tests.conftest import Clock
from tests.jobs.acting import Actor


@pytest.fixture
def reads(actor: Actor) -> Repository:
    return Repository(actor.engine, actor.principal)


def walked(reads: Repository, sort: Sort, wanted: JobFilter | None = None, limit: int = 2) -> list[str]:
    """Ids of all jobs, read page by page."""
    seen: list[str] = []
    cursor = None
    while True:
        page = reads.jobs(wanted, cursor, limit, sort)
        seen += [job.id for job in page.items]
        if (cursor := page.next_cursor) is None:
            return seen


def test_a_change_keeps_what_it_does_not_name(actor: Actor) -> None:
    job = actor.train(name="digits", tags=["first try", "first try", " 数字 "], notes="  a note\n")
    assert (job.name, job.tags, job.notes) == ("digits", ["first try", "数字"], "a note")
    changed = change(actor.engine, actor.principal, job.id, Details(name=" better "))
    assert (changed.name, changed.tags, changed.notes) == ("better", ["first try", "数字"], "a note")
    changed = change(actor.engine, actor.principal, job.id, Details(tags=[], notes=""))
    row = actor.job(job.id)
    assert (row.name, row.tags, row.notes, row.version) == ("better", None, "", changed.version)


def test_the_job_itself_does_not_notice(actor: Actor) -> None:
    """The attempt goes on, nothing is told to webhooks, and the clock of its state stands still."""
    job = actor.train()
    lease = actor.lease()
    before = actor.job(job.id)
    change(actor.engine, actor.principal, job.id, Details(name="while it runs", tags=["a"], notes="b"))
    after = actor.job(job.id)
    assert (after.version, after.updated_at, after.last_seq) == (before.version + 1, before.updated_at, before.last_seq)
    lease.beat(Beat(step=1, total=2))
    actor.finish(lease.claim)
    done = actor.job(job.id)
    assert (done.status, done.name, done.tags, done.notes) == ("succeeded", "while it runs", ["a"], "b")
    made = Repository(actor.engine, actor.principal).models_made_by([job.id])
    assert Repository(actor.engine, actor.principal).model(made[job.id]).name == "while-it-runs"
    same = change(actor.engine, actor.principal, job.id, Details(name="while it runs"))
    assert same.version == done.version


@pytest.mark.parametrize(
    ("said", "code", "pointer"),
    [
        (Details(name=" "), "invalid-name", "/name"),
        (Details(name="x" * 121), "invalid-name", "/name"),
        (Details(tags=["fine", "a,b"]), "invalid-tag", "/tags/1"),
        (Details(tags=["a、b"]), "invalid-tag", "/tags/0"),
        (Details(tags=[""]), "invalid-tag", "/tags/0"),
        (Details(tags=["x" * 41]), "invalid-tag", "/tags/0"),
        (Details(tags=["\x07"]), "invalid-tag", "/tags/0"),
        (Details(tags=[str(number) for number in range(21)]), "too-many-tags", "/tags"),
        (Details(notes="x" * 10_001), "invalid-notes", "/notes"),
        (Details(notes="a\0b"), "invalid-notes", "/notes"),
    ],
)
def test_what_cannot_be_kept(actor: Actor, said: Details, code: str, pointer: str) -> None:
    job = actor.submit("dataset.import_images", {})
    with pytest.raises(InvalidParams) as caught:
        change(actor.engine, actor.principal, job.id, said)
    assert [(fault.code, fault.pointer) for fault in caught.value.faults] == [(code, pointer)]
    assert actor.job(job.id).version == job.version


def test_tags_as_they_are_typed() -> None:
    assert details.split("a, b,c,d、e\nf, ,") == ["a", "b", "c", "d", "e", "f"]


def test_of_two_changes_the_later_one_is_told(actor: Actor) -> None:
    job = actor.train()
    seen = {details.mark(job)}
    actor.claim()  # what the job does meanwhile is no obstacle
    change(actor.engine, actor.principal, job.id, Details(notes="first"), seen)
    with pytest.raises(VersionMismatch):
        change(actor.engine, actor.principal, job.id, Details(notes="second"), seen)
    assert actor.job(job.id).notes == "first"


def test_only_the_own_tenant_changes_and_sees_tags(actor: Actor, reads: Repository) -> None:
    job = actor.submit("dataset.import_images", {}, tags=["mine"])
    other = actor.as_owner("eve", tenant="other")
    with pytest.raises(JobNotFound):
        change(other.engine, other.principal, job.id, Details(name="taken"))
    assert Repository(other.engine, other.principal).tags() == []
    assert reads.tags() == [("mine", 1)]


def test_jobs_are_found_by_all_their_tags(actor: Actor, reads: Repository) -> None:
    one = actor.submit("dataset.import_images", {}, tags=["a", "100%", "数字"]).id
    two = actor.submit("dataset.import_images", {}, tags=["a", "b"]).id
    actor.submit("dataset.import_images", {})
    for tags, found in ((["a"], [two, one]), (["a", "b"], [two]), (["数字"], [one]), (["100%"], [one]), (["A"], [])):
        assert walked(reads, "-created_at", JobFilter(tags=tags)) == found
    assert reads.tags() == [("a", 2), *sorted([("100%", 1), ("b", 1), ("数字", 1)])]
    assert reads.tags(limit=1) == [("a", 2)]


def test_every_order_is_walked_once(actor: Actor, reads: Repository, clock: Clock) -> None:
    ids = {}
    for name in ("beta", "alpha", "alpha", "gamma", "beta"):
        job = actor.submit("dataset.import_images", {}, name=name)
        ids[job.id] = name
        clock.advance(1)
    ended = list(ids)[1::2]
    for job_id in reversed(ended):
        request_cancel(actor.engine, actor.principal, job_id)
        clock.advance(1)
    by_name = sorted(ids, key=lambda job_id: (ids[job_id], job_id))
    assert walked(reads, "name") == by_name
    assert walked(reads, "-name") == by_name[::-1]
    assert walked(reads, "created_at") == list(ids)
    assert walked(reads, "-created_at") == list(ids)[::-1]
    assert walked(reads, "-finished_at")[:2] == ended
    assert walked(reads, "finished_at")[:2] == ended[::-1]
    assert set(walked(reads, "finished_at")) == set(walked(reads, "-finished_at")) == set(ids)


def test_a_cursor_belongs_to_its_order(actor: Actor, reads: Repository) -> None:
    for _ in range(2):
        actor.submit("dataset.import_images", {})
    cursors = {sort: reads.jobs(limit=1, sort=sort).next_cursor for sort in ORDERS}
    for sort in ORDERS:
        for other, cursor in cursors.items():
            if other == sort:
                assert len(reads.jobs(cursor=cursor, limit=5, sort=sort).items) == 1
            else:
                with pytest.raises(InvalidParams):
                    reads.jobs(cursor=cursor, limit=5, sort=sort)


def test_keys_cover_them(actor: Actor) -> None:
    one = actor.submit("dataset.import_images", {}, idempotency_key="k", tags=["a"])
    assert actor.submit("dataset.import_images", {}, idempotency_key="k", tags=["a"]).id == one.id
    with pytest.raises(IdempotencyKeyReused):
        actor.submit("dataset.import_images", {}, idempotency_key="k", tags=["b"])


def test_a_duplicate_keeps_the_tags_alone(actor: Actor) -> None:
    job = actor.train(tags=["a"], notes="of this one")
    copy = submit(actor.engine, actor.principal, again.duplicate(actor.engine, actor.principal, job)).job
    assert (copy.tags, copy.notes) == (["a"], "")


def test_a_backup_carries_them(actor: Actor, tmp_path: Path) -> None:
    job = actor.train(tags=["a"], notes="b")
    backup(actor.engine, tmp_path / "state")
    change(actor.engine, actor.principal, job.id, Details(name="later", tags=[], notes=""))
    restore(actor.engine, tmp_path / "state", force=True)
    row = actor.job(job.id)
    assert (row.name, row.tags, row.notes) == (job.name, ["a"], "b")
    assert verify(actor.engine).sound
