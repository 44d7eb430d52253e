import pytest
from sqlalchemy import select

from jobs.errors import DatasetInUse, JobNotFound, JobStillRunning, ModelInUse, NotFound
from jobs.lifecycle import Beat, delete_job, request_cancel
from jobs.removal import delete_dataset, delete_model
from jobs.repository import Repository
from jobs.tables import Artifact, Attempt, JobEvent, JobInput, Metric
from tests.jobs.acting import Actor


def test_a_job_goes_with_everything_it_left(actor: Actor) -> None:
    job = actor.train(idempotency_key="k1")
    lease = actor.lease()
    lease.beat(Beat(step=1, points=[(1, {"loss": 1.0})]))
    lease.sample(1, actor.store("samples.png", b"png"))
    actor.finish(lease.claim)
    delete_job(actor.engine, actor.principal, job.id)
    with pytest.raises(JobNotFound):
        Repository(actor.engine, actor.principal).job(job.id)
    with actor.engine.db.read() as session:
        for table in (Artifact, Attempt, JobEvent, JobInput, Metric):
            assert session.scalars(select(table).where(table.job_id == job.id)).all() == []
    assert Repository(actor.engine, actor.principal).models().items == []
    assert actor.train(idempotency_key="k1").id != job.id


@pytest.mark.parametrize("status", ["queued", "running"])
def test_what_is_not_finished_stays(actor: Actor, status: str) -> None:
    job = actor.train()
    if status == "running":
        actor.claim()
    with pytest.raises(JobStillRunning, match=f"still {status}"):
        delete_job(actor.engine, actor.principal, job.id)


def test_what_others_stand_on_stays(actor: Actor) -> None:
    model = actor.model()
    training = Repository(actor.engine, actor.principal).model(model).job_id
    reader = actor.submit("image_vae.generate", {"model": model})
    with pytest.raises(ModelInUse, match="used by 1 jobs") as caught:
        delete_job(actor.engine, actor.principal, training)
    assert [fault.where for fault in caught.value.faults] == [{"job": reader.id}]
    with pytest.raises(ModelInUse):
        delete_model(actor.engine, actor.principal, model)
    with pytest.raises(DatasetInUse):
        delete_dataset(actor.engine, actor.principal, actor.dataset().id)
    request_cancel(actor.engine, actor.principal, reader.id)
    delete_job(actor.engine, actor.principal, reader.id)
    delete_model(actor.engine, actor.principal, model)
    delete_dataset(actor.engine, actor.principal, actor.dataset().id)
    reads = Repository(actor.engine, actor.principal)
    assert not any((reads.models().items, reads.datasets().items, reads.jobs().items))


def test_nobody_deletes_what_belongs_to_another_tenant(actor: Actor) -> None:
    model = actor.model()
    training = Repository(actor.engine, actor.principal).model(model).job_id
    stranger = actor.as_owner("eve", tenant="other").principal
    with pytest.raises(JobNotFound):
        delete_job(actor.engine, stranger, training)
    with pytest.raises(NotFound):
        delete_model(actor.engine, stranger, model)
    with pytest.raises(NotFound):
        delete_dataset(actor.engine, stranger, actor.dataset().id)
    assert Repository(actor.engine, actor.principal).model(model)
