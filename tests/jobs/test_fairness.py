"""That owners get equal shares, that nobody waits for ever, and that no owner has more than may run."""

from collections import Counter
from datetime import timedelta

import pytest

from jobs.lifecycle import Lease, request_pause
from jobs.picking import PATIENCE
from jobs.repository import Repository
from jobs.states import QUOTA
from tests.conftest import Clock
from tests.jobs.acting import Actor


def take(actor: Actor, clock: Clock, warm: frozenset[str] = frozenset(), lane: str = "training") -> str | None:
    """What a worker takes next, and ends at once."""
    claimed = actor.try_claim(lane, warm)
    clock.advance(1)
    if claimed is None:
        return None
    Lease(actor.engine, claimed).release("done with it")
    request_pause(actor.engine, actor.principal, claimed.job_id)
    return claimed.job_id


def test_ten_owners_get_equal_shares_however_much_each_submits(actor: Actor, clock: Clock) -> None:
    actor.dataset()
    owners = {}
    for place in range(10):
        who = actor.as_owner(f"owner {place}")
        for _ in range(12 if place else 60):
            owners[who.train().id] = who.principal.owner
    shares: Counter[str] = Counter()
    for _ in range(100):
        job = take(actor, clock)
        assert job is not None
        shares[owners[job]] += 1
    assert len(shares) == 10
    assert max(shares.values()) <= 1.05 * min(shares.values())


def test_a_job_of_low_priority_is_not_starved_by_a_stream_of_urgent_ones(actor: Actor, clock: Clock) -> None:
    actor.dataset()
    bob, young = actor.as_owner("bob"), actor.with_settings(aging_seconds=20)
    actor.train(priority=1)
    low = bob.train(priority=-2)
    order = []
    for _ in range(80):  # a claim a second
        order.append(take(young, clock))
        actor.train(priority=1)
    owners, levels = 2, 3
    assert levels * 20 <= order.index(low.id) <= levels * 20 + owners


def test_neither_is_one_of_the_same_owner(actor: Actor, clock: Clock) -> None:
    young = actor.with_settings(aging_seconds=30)
    low = young.train(priority=0)
    later = young.train(priority=0)
    order = []
    for _ in range(40):
        young.train(priority=1)
        order.append(take(young, clock))
    assert [order.index(job.id) for job in (low, later)] == [30, 31]


def test_the_urgent_goes_first_until_then_also_before_a_backlog(actor: Actor, clock: Clock) -> None:
    backlog = [actor.train().id for _ in range(3)]
    clock.advance(actor.engine.settings.aging_seconds + 1)
    level, above = actor.train(priority=1).id, actor.train(priority=9).id
    places = Repository(actor.engine, actor.principal).queue_position
    assert [places(actor.job(job)) for job in (above, level, *backlog)] == [1, 2, 3, 4, 5]
    assert take(actor, clock) == above
    # Now the backlog has waited for one level of priority: it goes first, as it is older.
    assert [take(actor, clock) for _ in range(4)] == [*backlog, level]


def test_a_cold_model_is_not_starved_by_a_stream_of_warm_ones(actor: Actor, clock: Clock) -> None:
    cold, hot = actor.model(), actor.model()
    waits = actor.submit("image_vae.generate", {"model": cold})
    made = clock()
    actor.submit("image_vae.generate", {"model": hot})
    for _ in range(200):
        actor.submit("image_vae.generate", {"model": hot})
        if take(actor, clock, frozenset({hot}), "generation") == waits.id:
            break
    assert PATIENCE < clock() - made <= PATIENCE + timedelta(seconds=2)


class TestQuota:
    """AIGC_MAX_RUNNING_PER_OWNER, for each lane."""

    @pytest.fixture
    def bounded(self, actor: Actor) -> Actor:
        actor.dataset()
        return actor.with_settings(max_running_per_owner=2)

    def test_an_owner_with_enough_running_is_passed_over(self, bounded: Actor) -> None:
        mine = [bounded.train().id for _ in range(3)]
        theirs = bounded.as_owner("bob").train(priority=-1).id
        leases = [bounded.lease(), bounded.lease()]
        assert bounded.claim(expected=theirs)
        assert bounded.try_claim() is None
        assert bounded.as_owner("ada", tenant="other").try_claim() is None
        leases[0].release("drain")
        assert bounded.claim().job_id in mine

    def test_lanes_are_counted_apart(self, bounded: Actor) -> None:
        for _ in range(3):
            bounded.train()
        bounded.claim()
        bounded.claim()
        job = bounded.submit("dataset.import_images", {})
        assert bounded.claim("generation", job.id)

    def test_the_same_name_in_another_tenant_is_another_owner(self, bounded: Actor) -> None:
        for _ in range(3):
            bounded.submit("dataset.import_images", {})
        stranger = bounded.as_owner("ada", tenant="other").submit("dataset.import_images", {})
        taken = [bounded.claim("generation").job_id for _ in range(3)]
        assert stranger.id in taken
        assert bounded.try_claim("generation") is None

    def test_a_job_says_what_it_waits_for(self, bounded: Actor) -> None:
        bounded.train()
        job = bounded.train()
        bounded.claim()
        reads = Repository(bounded.engine, bounded.principal)
        assert reads.label(bounded.job(job.id)).hint is None
        last = bounded.train()
        bounded.claim()
        reads = Repository(bounded.engine, bounded.principal)
        label = reads.label(bounded.job(last.id))
        assert (label.state, label.hint, label.values) == ("queued", QUOTA, {"count": 2})
        assert reads.starts_in(bounded.job(last.id)) is None
