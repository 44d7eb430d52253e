"""What a caller sees, and what not."""

from typing import Any

import pytest
from sqlalchemy import event

from jobs import positions
from jobs.errors import InvalidParams, JobNotFound, NotFound
from jobs.filtering import ModelFilter
from jobs.lifecycle import Beat, Failure, request_cancel, request_pause
from jobs.repository import JobFilter, QueueState, Repository
from jobs.tables import STATUSES, Dataset
from jobs.workers import beat, register
from tests.conftest import Clock, RecordingDispatcher
from tests.jobs.acting import Actor


@pytest.fixture
def reads(actor: Actor) -> Repository:
    return Repository(actor.engine, actor.principal)


def listed(reads: Repository, **wanted: object) -> list[str]:
    return [job.id for job in reads.jobs(JobFilter(**wanted)).items]  # type: ignore[arg-type]


def test_paging_walks_every_job_once_while_new_ones_arrive(actor: Actor, reads: Repository, clock: Clock) -> None:
    jobs = []
    for number in range(9):
        jobs.append(actor.submit("dataset.import_images", {}).id)
        if number % 3:
            clock.advance(1)  # some share their time
    seen: list[str] = []
    cursor = None
    while True:
        page = reads.jobs(cursor=cursor, limit=2)
        seen += [job.id for job in page.items]
        actor.submit("dataset.import_images", {})
        if (cursor := page.next_cursor) is None:
            break
    assert seen == sorted(jobs, reverse=True)  # ids sort by time


@pytest.mark.parametrize("cursor", ["x", "AAAA", "===", "bm90IGEgY3Vyc29y", "MjAyNi0wMS0wMSBqb2I", "\N{SNOWMAN}"])
def test_a_cursor_of_someone_elses_making_is_refused(reads: Repository, cursor: str) -> None:
    with pytest.raises(InvalidParams) as caught:
        reads.jobs(cursor=cursor)
    assert caught.value.faults[0].code == "invalid-cursor"


def test_lists_can_be_filtered(actor: Actor, reads: Repository, clock: Clock) -> None:
    dataset = actor.dataset()
    clock.advance(60)
    early = actor.train(name="Winter Coats")
    clock.advance(60)
    late = actor.submit("dataset.import_images", {}, name="100%_sure")
    request_cancel(actor.engine, actor.principal, late.id)
    assert listed(reads, states=["queued"]) == [early.id]
    assert listed(reads, states=["queued", "cancelled"]) == [late.id, early.id]
    assert listed(reads, task="image_vae.train") == [early.id]
    assert listed(reads, q="winter") == [early.id]
    assert listed(reads, q="0%_s") == [late.id]
    assert listed(reads, q="100__") == []
    assert listed(reads, q=early.id[4:]) == [early.id]
    assert listed(reads, dataset=dataset.id) == [early.id, dataset.job_id]
    assert listed(reads, created_after=early.created_at) == [late.id]
    assert listed(reads, created_before=late.created_at) == [early.id, dataset.job_id]
    assert listed(reads, task="image_vae") == []


def test_nothing_of_another_tenant_is_seen(actor: Actor) -> None:
    model = actor.model()
    job = actor.row(Dataset, actor.dataset().id).job_id
    reads = Repository(actor.engine, actor.as_owner("eve", tenant="other").principal)
    file = Repository(actor.engine, actor.principal).artifacts(job)[0]
    with pytest.raises(JobNotFound):
        reads.job(job)
    with pytest.raises(JobNotFound):
        reads.metrics(job)
    for look, key in ((reads.artifact, file.id), (reads.dataset, actor.dataset().id), (reads.model, model)):
        with pytest.raises(NotFound, match=key):
            look(key)
    for rows in (reads.artifacts(job), reads.attempts(job), reads.events(job), reads.inputs(job), reads.children(job)):
        assert list(rows) == []
    assert not any((reads.jobs().items, reads.datasets().items, reads.models().items))
    assert reads.models_made_by([job]) == reads.datasets_made_by([job]) == reads.jobs_of_workers() == {}
    assert set(reads.counts().values()) == {0}


def test_counts_are_by_status(actor: Actor, reads: Repository) -> None:
    actor.train()
    actor.train()
    actor.claim()
    assert reads.counts() == {
        "blocked": 0, "queued": 1, "running": 1, "paused": 0, "succeeded": 1, "failed": 0, "cancelled": 0,
    }  # fmt: skip


def test_imports_are_counted_apart_without_a_look_at_all_jobs_of_a_status(actor: Actor, reads: Repository) -> None:
    actor.train()
    actor.upload(filename="b.zip")
    said: list[tuple[str, Any]] = []
    note = event.listens_for(actor.engine.db.engine, "before_cursor_execute")
    note(lambda *told: said.append((told[2], told[3])))
    assert {status: count for status, count in reads.counts(imports=False).items() if count} == {"queued": 1}
    assert reads.counts()["queued"] == 2
    if actor.engine.db.is_sqlite:  # PostgreSQL knows how many rows there are, and chooses by that
        asked = next(one for one in said if "count(" in one[0])
        with actor.engine.db.read() as session:
            plan = [row[3] for row in session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {asked[0]}", asked[1])]
        looks = [line for line in plan if line.startswith("SEARCH job")]
        by_tenant = [line for line in looks if "tenant_id=?" in line]
        assert (len(looks), len(by_tenant)) == (2 * len(STATUSES), len(STATUSES))
        assert all("COVERING INDEX" in line for line in by_tenant)


def test_datasets_tell_their_state(actor: Actor, reads: Repository) -> None:
    made, job = actor.upload(filename="a.zip")
    assert reads.dataset_state(made) == "checking"
    actor.finish(actor.claim("generation"))
    assert reads.dataset_state(made) == "ready"  # though the row at hand is older
    assert reads.dataset_state(reads.dataset(made.id)) == "ready"
    refused, job = actor.upload(b"other", filename="b.zip")
    actor.lease("generation").fail(Failure("invalid_data"))
    assert reads.dataset_state(refused) == "refused"
    assert [dataset.id for dataset in reads.datasets().items] == [refused.id, made.id]
    assert [dataset.id for dataset in reads.datasets(ready_only=True).items] == [made.id]
    assert reads.datasets(kind="tables").items == []
    assert reads.datasets_made_by([job.id]) == {job.id: refused.id}


def test_lineage_leads_from_the_dataset_to_what_was_generated(actor: Actor, reads: Repository) -> None:
    dataset = actor.dataset()
    model = actor.model()
    training = reads.model(model).job_id
    generated = actor.submit("image_vae.generate", {"model": model})
    again = actor.train(retried_from=training)
    assert [(row.field, row.model_id) for row in reads.inputs(generated.id)] == [("model", model)]
    assert [job.id for job in reads.children(training)] == [again.id, generated.id]
    assert {job.id for job in reads.children(dataset.job_id)} == {training, again.id}
    assert reads.models(wanted=ModelFilter(family="image_gan")).items == []
    assert [version.id for version in reads.models(wanted=ModelFilter(family="image_vae")).items] == [model]


class TestLabel:
    def label(self, actor: Actor, job_id: str) -> str:
        return Repository(actor.engine, actor.principal).label(actor.job(job_id)).state

    def test_a_job_without_workers_says_so_after_a_while(self, actor: Actor, clock: Clock) -> None:
        job = actor.train()
        assert self.label(actor, job.id) == "queued"
        clock.advance(11)
        assert self.label(actor, job.id) == "waiting_for_worker"
        other = register(actor.engine, "worker", "generation", "cpu", "cpu")
        scheduler = register(actor.engine, "scheduler", None, None, None)
        assert self.label(actor, job.id) == "waiting_for_worker"
        worker = register(actor.engine, "worker", "training", "cpu", "cpu")
        assert self.label(actor, job.id) == "queued"
        clock.advance(14)
        beat(actor.engine, worker)
        assert self.label(actor, job.id) == "queued"
        beat(actor.engine, worker, draining=True)
        assert self.label(actor, job.id) == "waiting_for_worker"
        assert other != scheduler

    def test_a_dead_broker_is_told(self, actor: Actor, clock: Clock, dispatcher: RecordingDispatcher) -> None:
        actor.dataset()
        register(actor.engine, "worker", "training", "cpu", "cpu")
        dispatcher.up = False
        job = actor.train()
        assert self.label(actor, job.id) == "queued"
        clock.advance(6)
        assert self.label(actor, job.id) == "broker_down"

    def test_a_retry_that_waits(self, actor: Actor, clock: Clock) -> None:
        job = actor.train()
        actor.lease().fail(Failure("internal"))
        assert self.label(actor, job.id) == "waiting_retry"
        clock.advance(13)
        assert self.label(actor, job.id) == "queued"

    def test_who_looked_at_the_clock_before_a_job_came_sees_it_queued(self, actor: Actor, clock: Clock) -> None:
        reads, first = Repository(actor.engine, actor.principal), actor.train()
        assert reads.label(actor.job(first.id)).state == "queued"
        clock.advance(1)
        later = actor.job(actor.train().id)
        assert reads.label(later).state == "queued"
        assert reads.queue_position(later) == 2

    def test_a_running_job(self, actor: Actor, clock: Clock) -> None:
        job = actor.train()
        lease = actor.lease()
        assert self.label(actor, job.id) == "running"
        clock.advance(31)
        assert self.label(actor, job.id) == "stalled"
        lease.beat()
        request_pause(actor.engine, actor.principal, job.id)
        assert self.label(actor, job.id) == "pausing"
        request_cancel(actor.engine, actor.principal, job.id)
        assert self.label(actor, job.id) == "cancelling"
        lease.cancelled()
        assert self.label(actor, job.id) == "cancelled"


class TestQueuePosition:
    def places(self, actor: Actor, jobs: list[str]) -> list[int | None]:
        reads = Repository(actor.engine, actor.principal)
        return [reads.queue_position(actor.job(job)) for job in jobs]

    def test_it_is_the_order_in_which_workers_claim(self, actor: Actor, clock: Clock) -> None:
        actor.dataset()
        jobs = []
        for priority in (0, 0, 5, -1):
            jobs.append(actor.train(priority=priority).id)
            clock.advance(1)
        assert self.places(actor, jobs) == [2, 3, 1, 4]
        assert actor.claim().job_id == jobs[2]
        assert self.places(actor, jobs) == [1, 2, None, 3]

    def test_owners_take_turns(self, actor: Actor, clock: Clock) -> None:
        actor.dataset()
        mine = [actor.train().id for _ in range(5)]
        clock.advance(1)
        other = actor.as_owner("bob").train().id
        assert self.places(actor, [mine[0], mine[1], mine[2], mine[4], other]) == [1, 3, 4, 6, 2]
        assert actor.claim().job_id == mine[0]
        clock.advance(1)
        assert self.places(actor, [mine[1], mine[2], other]) == [2, 3, 1]
        assert actor.claim().job_id == other

    def test_a_long_line_is_counted_to_its_cap_but_right_for_who_comes_soon(
        self, actor: Actor, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        actor.dataset()
        flood = [actor.train().id for _ in range(8)]
        clock.advance(1)
        other = actor.as_owner("bob").train().id
        assert self.places(actor, [flood[0], flood[1], flood[7], other]) == [1, 3, 9, 2]
        monkeypatch.setattr(positions, "CAP", 4)
        assert self.places(actor, [flood[0], flood[1], flood[7], other])[::3] == [1, 2]

    def test_alone_it_is_the_same_as_in_the_whole_line(self, actor: Actor, clock: Clock) -> None:
        actor.dataset()
        bob, jobs = actor.as_owner("bob"), list[str]()

        def same_at_each() -> bool:
            """Whether each job is told the same place both ways, and whether age alone decided."""
            reads = Repository(actor.engine, actor.principal)
            rows = [actor.job(job) for job in jobs]
            assert [reads.queue_position(row, alone=True) for row in rows] == self.places(actor, jobs)
            with actor.engine.db.read() as session:
                return [positions.by_age(session, row) for row in rows] == self.places(actor, jobs)

        for _ in range(2):  # two at the same time, then two more
            jobs += [actor.train().id, actor.train().id]
            clock.advance(1)
        assert same_at_each()
        jobs.append(bob.train().id)
        assert not same_at_each()
        request_cancel(actor.engine, bob.principal, jobs.pop())
        assert same_at_each()
        jobs.append(actor.train(priority=1).id)
        assert not same_at_each()

    def test_a_whole_list_costs_one_look(self, actor: Actor) -> None:
        jobs = [actor.train() for _ in range(5)]
        reads = Repository(actor.engine, actor.principal)
        first = reads.queue_position(jobs[0])
        actor.train(priority=9)  # came later than the look
        assert [first, *(reads.queue_position(job) for job in jobs[1:])] == [1, 2, 3, 4, 5]


class TestEta:
    def eta(self, actor: Actor, job_id: str) -> float | None:
        return Repository(actor.engine, actor.principal).eta(actor.job(job_id))

    def test_it_is_reckoned_from_the_steps_so_far(self, actor: Actor, clock: Clock) -> None:
        job = actor.train()
        lease = actor.lease()
        assert self.eta(actor, job.id) is None
        clock.advance(20)
        lease.beat(Beat(step=100, total=500))
        assert self.eta(actor, job.id) == 80.0
        clock.advance(7)
        lease.beat(Beat(step=100, total=500))
        assert self.eta(actor, job.id) == 80.0  # the same row reads the same at any time

    def test_it_follows_the_speed_of_lately(self, actor: Actor, clock: Clock) -> None:
        job = actor.train()
        lease = actor.lease()
        clock.advance(20)
        lease.beat(Beat(step=100, total=500, rate=2.5))
        assert self.eta(actor, job.id) == (80 + 160) / 2

    def test_it_is_absent_rather_than_wrong(self, actor: Actor, clock: Clock) -> None:
        job = actor.train()
        lease = actor.lease()
        clock.advance(1)
        lease.beat(Beat(step=2, total=500))
        assert self.eta(actor, job.id) is None
        clock.advance(10)
        lease.beat(Beat(step=10, total=500))
        assert self.eta(actor, job.id) == 539.0

    def test_a_resumed_attempt_reckons_from_where_it_began(self, actor: Actor, clock: Clock) -> None:
        job = actor.train()
        lease = actor.lease()
        clock.advance(1000)
        lease.beat(Beat(step=400, total=500))
        lease.checkpoint(400, [actor.store("state.safetensors", b"state")])
        lease.release("drain")
        again = actor.lease()
        clock.advance(20)
        again.beat(Beat(step=420, total=500))
        assert self.eta(actor, job.id) == 80.0


def test_events_come_in_pages_and_kinds(actor: Actor, reads: Repository) -> None:
    job = actor.train()
    actor.lease().beat(Beat(lines=["a", "b", "c"]))
    assert [event.seq for event in reads.events(job.id, after=1, limit=2)] == [2, 3]
    assert [event.data["message"] for event in reads.events(job.id, kinds=["log"])] == ["a", "b", "c"]


def test_curves_are_thinned_and_chosen_by_name(actor: Actor, reads: Repository) -> None:
    job = actor.train()
    lease = actor.lease()
    lease.beat(Beat(points=[(step, {"loss": float(step == 57), "fid": 1.0}) for step in range(100)]))
    assert len(reads.metrics(job.id)) == 100
    thinned = reads.metrics(job.id, names=["loss"], max_points=10)
    assert len(thinned) <= 10
    assert thinned[0].step == 0
    assert thinned[-1].step == 99
    assert any(point.values == {"loss": 1.0} for point in thinned)
    assert [point.step for point in reads.metrics(job.id, after=97)] == [98, 99]
    assert reads.metrics(job.id, names=["unknown"]) == []


def test_queues_and_workers(actor: Actor, reads: Repository) -> None:
    actor.train()
    actor.train()
    node = register(actor.engine, "worker", "training", "2 cores", "cpu")
    actor.worker = node
    claimed = actor.claim()
    assert reads.queues()[0] == QueueState("training.cpu", "training", "cpu", queued=1, running=1, workers=1)
    assert [queue.name for queue in reads.queues()] == [
        "training.cpu", "training.gpu", "generation.cpu", "generation.gpu",
    ]  # fmt: skip
    assert [worker.device for worker in reads.workers()] == ["2 cores"]
    assert reads.jobs_of_workers() == {node: claimed.job_id}
    assert [attempt.number for attempt in reads.attempts(claimed.job_id)] == [1]
