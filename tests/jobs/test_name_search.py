"""The search of names: what it finds is what a look at every job finds, however history is cut."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from jobs import details, name_search, removal
from jobs.lifecycle import request_cancel
from jobs.paging import Stretch
from jobs.repository import JobFilter, Repository, Sort
from jobs.tables import Job, NameBlock, NameGram
from tests.conftest import Clock
from tests.jobs.acting import Actor

NAMES = ("Winter Coats", "wintry-night", "coat 7", "春天的外套", "ÄRGER", "a", "coat_7", "summer-100%", "night coat")
ASKED = ("coat", "WINT", "nothing", "的外套", "ärger", "a", "_7", "100%", "ght co", "job_", "coats and more")


@pytest.fixture
def reads(actor: Actor) -> Repository:
    return Repository(actor.engine, actor.principal)


def populate(actor: Actor, clock: Clock, count: int) -> list[Job]:
    """Jobs with few names, some created at one moment."""
    dice, made = random.Random(7), []
    for _ in range(count):
        made.append(actor.submit("dataset.import_images", {}, name=dice.choice(NAMES)))
        clock.advance(dice.choice((0, 0, 1, 60)))
    clock.advance(3600)
    return made


def walked(reads: Repository, wanted: JobFilter, sort: Sort) -> list[str]:
    """All pages of a list."""
    seen: list[str] = []
    cursor = None
    while True:
        page = reads.jobs(wanted, cursor, 3, sort)
        seen += [job.id for job in page.items]
        if (cursor := page.next_cursor) is None:
            return seen


def blocks(actor: Actor) -> int:
    with actor.engine.db.read() as session:
        return session.scalar(select(func.count()).select_from(NameBlock)) or 0


def test_every_text_is_found_as_without_blocks(actor: Actor, reads: Repository, clock: Clock) -> None:
    populate(actor, clock, 40)
    sorts: Sequence[Sort] = ("-created_at", "created_at", "name", "-finished_at")
    before = {(text, sort): walked(reads, JobFilter(q=text), sort) for text in ASKED for sort in sorts}
    assert len(before["coat", "name"]) > 10
    assert before["nothing", "name"] == []
    assert name_search.extend(actor.engine, size=4) > 3
    assert {key: walked(reads, JobFilter(q=key[0]), key[1]) for key in before} == before
    states = JobFilter(q="coat", states=("cancelled",))
    request_cancel(actor.engine, actor.principal, before["coat", "created_at"][2])
    assert walked(reads, states, "-created_at") == [before["coat", "created_at"][2]]


def test_only_blocks_that_may_hold_a_text_are_read(actor: Actor, clock: Clock) -> None:
    for number in range(40):
        actor.submit("dataset.import_images", {}, name="needle" if number == 9 else f"straw {number}")
        clock.advance(1)
    clock.advance(3600)
    made = name_search.extend(actor.engine, size=5)
    assert made == 7  # the newest are in none
    with actor.engine.db.read() as session:
        found = name_search.stretches(session, "acme", "needle")
        assert found is not None
        assert len(found) == 2
        assert found[0].ends == name_search.LATEST
        assert (found[1].ends - found[1].begins) == timedelta(seconds=5)
        assert name_search.stretches(session, "acme", "ne") is None
        assert name_search.stretches(session, "another", "needle") is None


def test_what_is_scattered_is_read_as_one() -> None:
    some = [Stretch(2 * number, 2 * number + 1) for number in range(100)]
    merged = name_search._merged(some)
    assert len(merged) == name_search.MOST_STRETCHES
    assert merged[0] == some[-1]
    assert merged[-1].begins == 0
    assert name_search._merged([Stretch(0, 5), Stretch(5, 9), Stretch(20, 21)]) == [Stretch(20, 21), Stretch(0, 9)]


def test_a_new_name_is_found_where_its_job_is_old(actor: Actor, reads: Repository, clock: Clock) -> None:
    first, *_ = populate(actor, clock, 12)
    name_search.extend(actor.engine, size=3)
    assert reads.jobs(JobFilter(q="quite another")).items == []
    details.change(actor.engine, actor.principal, first.id, details.Details(name="Quite Another Name"))
    assert [job.id for job in reads.jobs(JobFilter(q="quite another")).items] == [first.id]


def test_jobs_are_found_by_the_beginning_of_their_id(actor: Actor, reads: Repository, clock: Clock) -> None:
    jobs = populate(actor, clock, 12)
    name_search.extend(actor.engine, size=3)
    for job in (jobs[1], jobs[-1]):
        for text in (job.id, job.id[4:], job.id.upper(), job.id[:-2]):
            assert job.id in [one.id for one in reads.jobs(JobFilter(q=text), limit=100).items]
        assert reads.jobs(JobFilter(q=job.id[10:])).items == []


def test_what_is_too_new_is_in_no_block(actor: Actor, clock: Clock) -> None:
    for _ in range(9):
        actor.submit("dataset.import_images", {})
    assert name_search.extend(actor.engine, size=2) == 0
    clock.advance(1)
    actor.submit("dataset.import_images", {})
    assert name_search.extend(actor.engine, size=2) == 0
    clock.advance(3600)
    assert name_search.extend(actor.engine, size=2) == 1  # all of one moment are in one
    assert name_search.extend(actor.engine, size=2) == 0


def test_blocks_of_removed_jobs_are_dropped(actor: Actor, reads: Repository, clock: Clock) -> None:
    jobs = populate(actor, clock, 30)
    name_search.extend(actor.engine, size=4)
    before = blocks(actor)
    for job in jobs[:20]:
        request_cancel(actor.engine, actor.principal, job.id)
        removal.delete_job(actor.engine, actor.principal, job.id)
    name_search.extend(actor.engine, size=4)
    assert 0 < blocks(actor) < before
    with actor.engine.db.read() as session:
        ids = select(NameBlock.id)
        assert session.scalar(select(func.count()).where(NameGram.block_id.not_in(ids))) == 0
    assert {job.id for job in jobs[20:] if "coat" in job.name.lower()} == set(
        walked(reads, JobFilter(q="coat"), "name")
    )


def test_tenants_have_blocks_of_their_own(actor: Actor, clock: Clock) -> None:
    other = actor.as_owner("eve", tenant="zeta")
    for _ in range(4):
        actor.submit("dataset.import_images", {}, name="of acme")
        other.submit("dataset.import_images", {}, name="of zeta")
        clock.advance(1)
    clock.advance(3600)
    name_search.extend(actor.engine, size=2)
    for one, mine, foreign in ((actor, "acme", "zeta"), (other, "zeta", "acme")):
        reads = Repository(one.engine, one.principal)
        assert len(reads.jobs(JobFilter(q=mine)).items) == 4
        assert reads.jobs(replace(JobFilter(), q=foreign)).items == []
