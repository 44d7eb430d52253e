"""The random histories of :mod:`tests.backends.test_state_machine`, with a job that waits and jobs that are held."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import select

from jobs import graph
from jobs.errors import JobAlreadyFinished, JobCancelling, JobPausing, NeededJobFailed
from jobs.lifecycle import request_pause, resume
from jobs.tables import FINAL, JobDependency
from tests.backends.test_state_machine import Expected, Histories


class Graphs(Histories):
    """The second job may wait for the first; both may be paused at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.needs: dict[str, str] = {}

    @precondition(lambda self: not self.jobs)
    @rule()
    def submit(self) -> None:
        self.jobs[self.actor.train().id] = Expected()

    @precondition(lambda self: len(self.jobs) == 1)
    @rule()
    def submit_after(self) -> None:
        ((first, needed),) = self.jobs.items()
        if needed.status in ("failed", "cancelled"):
            with pytest.raises(NeededJobFailed):
                self.actor.train(after=[first])
            return
        job = self.actor.train(after=[first]).id
        self.jobs[job] = Expected("queued" if needed.status == "succeeded" else "blocked")
        if needed.status != "succeeded":
            self.needs[job] = first

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def pause(self, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.jobs)))
        job = self.jobs[id_]
        if job.status in FINAL or job.cancel:
            with pytest.raises((JobAlreadyFinished, JobCancelling)):
                request_pause(self.actor.engine, self.actor.principal, id_)
            return
        request_pause(self.actor.engine, self.actor.principal, id_)
        if job.status == "running":
            job.pause = True
        else:
            job.status, job.pause = "paused", False

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def go_on(self, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.jobs)))
        job = self.jobs[id_]
        if job.status in FINAL or (job.status == "running" and (job.cancel or job.pause)):
            with pytest.raises((JobAlreadyFinished, JobCancelling, JobPausing)):
                resume(self.actor.engine, self.actor.principal, id_)
            return
        resume(self.actor.engine, self.actor.principal, id_)
        if job.status == "paused":
            need = self.jobs.get(self.needs.get(id_, ""))
            job.status = "blocked" if need is not None and need.status not in FINAL else "queued"
            job.not_before = 0

    @rule()
    def unblock(self) -> None:
        assert graph.unblock(self.actor.engine) == 0  # whoever ended a job has seen to what waits for it

    @invariant()
    def a_chain_is_settled_first(self) -> None:
        """Says what follows from the rule that has just run; the other invariants, later in the alphabet, look."""
        for id_, need in self.needs.items():
            job, needed = self.jobs[id_], self.jobs[need].status
            if job.status in ("blocked", "paused") and needed in ("failed", "cancelled"):
                job.status = "cancelled"
            elif job.status == "blocked" and needed == "succeeded":
                job.status = "queued"

    @invariant()
    def nothing_ran_before_what_it_needs(self) -> None:
        with self.database.read() as session:
            assert dict(session.execute(select(JobDependency.job_id, JobDependency.needs_id)).all()) == self.needs
        for id_, need in self.needs.items():
            assert not self.jobs[id_].attempts or self.jobs[need].status == "succeeded"


def test_graphs(database_url: str) -> None:
    machine = type("GraphsHere", (Graphs,), {"url": database_url})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=15, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
