"""Accepting jobs: what is refused, what is kept, what is announced."""

from datetime import timedelta

import pytest

from aigc_models import registry
from jobs.curves import Point
from jobs.errors import DatasetNotReady, IdempotencyKeyReused, InvalidParams, UnknownTask, WrongInput
from jobs.lifecycle import Beat, Failure
from jobs.repository import Repository
from jobs.submit import Submission, submit, validate
from jobs.tables import Job, JobInput
from jobs.workers import register
from tests.conftest import Clock, RecordingDispatcher
from tests.jobs.acting import Actor


def test_a_submission_becomes_a_queued_row_that_is_announced(
    actor: Actor, clock: Clock, dispatcher: RecordingDispatcher
) -> None:
    dataset = actor.dataset()
    dispatcher.announced.clear()
    params = {"dataset": dataset.id, "epochs": 3}
    result = submit(actor.engine, actor.principal, Submission("image_vae.train", params))
    row = actor.job(result.job.id)
    assert not result.replayed
    assert (row.tenant_id, row.owner, row.family, row.operation) == ("acme", "ada", "image_vae", "train")
    assert (row.status, row.lane, row.device_kind, row.created_at) == ("queued", "training", "cpu", clock())
    assert row.params["epochs"] == 3
    assert row.params["seed"] == 0  # defaults are kept with the job
    assert (row.dispatched_at, dispatcher.announced) == (clock(), ["training.cpu"])
    assert [event.data for event in actor.events(row.id)] == [{"status": "queued", "by": "ada"}]
    lineage: JobInput = actor.row(JobInput, (row.id, "dataset"))
    assert lineage.dataset_id == dataset.id


def test_a_dead_broker_costs_nothing_but_the_announcement(actor: Actor, dispatcher: RecordingDispatcher) -> None:
    actor.dataset()
    dispatcher.up = False
    row = actor.job(actor.train().id)
    assert (row.status, row.dispatched_at) == ("queued", None)
    assert actor.claim(expected=row.id)


def test_the_announcement_comes_after_the_commit(actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    actor.dataset()
    seen: list[str] = []

    def announce(lane: str, device_kind: str) -> bool:
        claimed = actor.try_claim()  # a worker at once, on a connection of its own
        seen.append(claimed.job_id if claimed else "nothing")
        return True

    monkeypatch.setattr(actor.engine.dispatcher, "announce", announce)
    job = actor.train()
    assert seen == [job.id]
    assert actor.job(job.id).status == "running"


def test_unknown_tasks_are_named_with_the_known_ones() -> None:
    with pytest.raises(UnknownTask, match=r"no task called nonsense\. Run aigc tasks"):
        validate("nonsense", {})


def test_every_wrong_setting_is_told() -> None:
    with pytest.raises(InvalidParams) as caught:
        validate("image_vae.train", {"dataset": "ds_1", "epochs": -1, "epocs": 3})
    assert {fault.pointer for fault in caught.value.faults} == {"/dataset", "/epochs", "/epocs"}
    assert any("Did you mean epochs?" in str(fault) for fault in caught.value.faults)


def test_a_preset_lies_beneath_the_settings() -> None:
    dataset = "ds_" + "0" * 26
    presets = registry.task("image_vae.train").presets
    name = next(iter(presets))
    values = presets[name]
    assert validate("image_vae.train", {"dataset": dataset}, name).model_dump().items() >= dict(values).items()
    assert validate("image_vae.train", {"dataset": dataset, "epochs": 7}, name).model_dump()["epochs"] == 7
    with pytest.raises(InvalidParams) as caught:
        validate("image_vae.train", {"dataset": dataset}, "nonsense")
    assert str(caught.value.faults[0]).startswith("There is no preset called nonsense. The presets are:")


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "a\0b", "x" * 121])
def test_names_must_be_printable(actor: Actor, name: str) -> None:
    with pytest.raises(InvalidParams) as caught:
        actor.train(name=name)
    assert caught.value.faults[0].pointer == "/name"


def test_default_names_say_what_it_is(actor: Actor) -> None:
    model = actor.model()
    assert actor.train().name == "photos-image-vae"
    assert actor.submit("image_vae.generate", {"model": model}).name == "photos-image-vae-generate"
    assert actor.submit("dataset.import_images", {}).name == "dataset-import-images"


def test_inputs_that_do_not_exist_are_told_at_their_setting(actor: Actor) -> None:
    with pytest.raises(InvalidParams) as caught:
        actor.submit("image_vae.train", {"dataset": "ds_" + "0" * 26})
    (fault,) = caught.value.faults
    assert (fault.pointer, fault.code) == ("/dataset", "not-found")


def test_the_dataset_of_another_tenant_does_not_exist(actor: Actor) -> None:
    stranger = actor.as_owner("eve", tenant="other")
    with pytest.raises(InvalidParams) as caught:
        stranger.submit("image_vae.train", {"dataset": actor.dataset().id})
    assert caught.value.faults[0].code == "not-found"


def test_a_dataset_that_is_still_checked_cannot_be_used(actor: Actor) -> None:
    dataset, _ = actor.upload()
    with pytest.raises(DatasetNotReady, match="The dataset photos is still being checked"):
        actor.submit("image_vae.train", {"dataset": dataset.id})


def test_the_model_of_another_family_is_refused(actor: Actor) -> None:
    model = actor.model()
    with pytest.raises(WrongInput, match="photos-image-vae is a model of the family Image VAE, but this task needs"):
        actor.submit("image_gan.generate", {"model": model})


def test_a_gpu_is_used_when_one_is_there(actor: Actor, dispatcher: RecordingDispatcher) -> None:
    register(actor.engine, "worker", "training", "NVIDIA H200", "gpu")
    assert actor.train().device_kind == "gpu"
    assert dispatcher.announced[-1] == "training.gpu"
    assert actor.submit("dataset.import_images", {}).device_kind == "cpu"


class TestIdempotency:
    """One key, one job."""

    def test_the_same_request_gives_the_same_job(self, actor: Actor, dispatcher: RecordingDispatcher) -> None:
        params = {"dataset": actor.dataset().id}
        submission = Submission("image_vae.train", params, idempotency_key="k1")
        first = submit(actor.engine, actor.principal, submission)
        dispatcher.announced.clear()
        again = submit(actor.engine, actor.principal, submission)
        assert (again.job.id, again.replayed, dispatcher.announced) == (first.job.id, True, [])

    def test_it_is_the_content_that_counts_not_how_it_is_written(self, actor: Actor) -> None:
        params = {"dataset": actor.dataset().id}
        first = actor.submit("image_vae.train", params, idempotency_key="k1")
        again = actor.submit("image_vae.train", params | {"seed": 0}, idempotency_key="k1")
        assert again.id == first.id

    def test_another_content_is_refused(self, actor: Actor) -> None:
        actor.train(idempotency_key="k1")
        with pytest.raises(IdempotencyKeyReused):
            actor.train(idempotency_key="k1", params={"seed": 1})
        with pytest.raises(IdempotencyKeyReused):
            actor.train(idempotency_key="k1", name="other")

    def test_keys_belong_to_a_tenant(self, actor: Actor) -> None:
        mine = actor.submit("dataset.import_images", {}, idempotency_key="k1")
        stranger = actor.as_owner("eve", tenant="other")
        theirs = stranger.submit("dataset.import_images", {"test_percent": 20}, idempotency_key="k1")
        assert mine.id != theirs.id

    def test_keys_are_kept_for_a_day(self, actor: Actor, clock: Clock) -> None:
        first = actor.train(idempotency_key="k1")
        clock.advance(24 * 3600 - 1)
        assert actor.train(idempotency_key="k1").id == first.id
        clock.advance(1)
        assert actor.train(idempotency_key="k1", params={"seed": 1}).id != first.id

    def test_a_replay_needs_no_inputs_any_more(self, actor: Actor) -> None:
        params = {"dataset": actor.dataset().id}
        first = actor.submit("image_vae.train", params, idempotency_key="k1")
        with actor.engine.db.begin() as session:
            session.delete(session.get_one(JobInput, (first.id, "dataset")))
            session.delete(session.get_one(type(actor.dataset()), params["dataset"]))
        assert actor.submit("image_vae.train", params, idempotency_key="k1").id == first.id

    @pytest.mark.parametrize("key", ["", "a\nb", "x" * 256])
    def test_keys_must_be_printable(self, actor: Actor, key: str) -> None:
        with pytest.raises(InvalidParams):
            actor.submit("dataset.import_images", {}, idempotency_key=key)


class TestRetry:
    """A finished job's settings once more."""

    @pytest.fixture
    def failed(self, actor: Actor) -> Job:
        job = actor.train()
        lease = actor.lease()
        lease.beat(Beat(step=9, total=20, points=[(4, {"loss": 2.0}), (9, {"loss": 1.0})]))
        lease.checkpoint(5, [actor.store("state.safetensors", b"state")])
        lease.fail(Failure("diverged"))
        return actor.job(job.id)

    def again(self, actor: Actor, failed: Job, from_checkpoint: bool, **changes: object) -> Job:
        return actor.submit(
            "image_vae.train", failed.params | changes, retried_from=failed.id, from_checkpoint=from_checkpoint
        )

    def test_from_the_checkpoint_with_the_curve_up_to_it(self, actor: Actor, failed: Job) -> None:
        job = self.again(actor, failed, from_checkpoint=True)
        claimed = actor.claim(expected=job.id)
        assert claimed.checkpoint is not None
        assert (claimed.attempt, claimed.resumed_step) == (1, 5)
        assert [file.name for file in claimed.checkpoint.files] == ["state.safetensors"]
        assert Repository(actor.engine, actor.principal).metrics(job.id) == [Point(4, {"loss": 2.0})]
        assert actor.job(job.id).retried_from == failed.id

    def test_from_the_start(self, actor: Actor, failed: Job) -> None:
        self.again(actor, failed, from_checkpoint=False)
        assert actor.claim().checkpoint is None

    def test_other_settings_start_anew(self, actor: Actor, failed: Job) -> None:
        self.again(actor, failed, from_checkpoint=True, seed=3)
        assert actor.claim().checkpoint is None


def test_a_deadline_is_kept(actor: Actor, clock: Clock) -> None:
    assert actor.train(expires_in=timedelta(minutes=10)).expires_at == clock() + timedelta(minutes=10)
