from pathlib import Path

import pytest

from jobs import uploads
from jobs.errors import EmptyFile, FileTooLarge, IdempotencyKeyReused, InvalidParams, NotFound, UnknownTask
from jobs.lifecycle import Failure
from jobs.repository import Repository
from tests.conftest import RecordingDispatcher
from tests.jobs.acting import Actor


def test_an_upload_becomes_a_dataset_under_check(actor: Actor, dispatcher: RecordingDispatcher) -> None:
    dataset, job = actor.upload(
        b"PK content", "Meine Fotos.ZIP", licence="CC0", notes="from\0 a phone", params={"test_percent": 20}
    )
    assert (dataset.name, dataset.number, dataset.kind) == ("meine-fotos", 1, "images")
    assert (dataset.source_name, dataset.source_size) == ("Meine Fotos.ZIP", 10)
    assert (dataset.licence, dataset.notes, dataset.ready_at) == ("CC0", "from a phone", None)
    assert (job.id, job.family, job.operation, job.lane) == (
        dataset.job_id, "dataset", "import_images", "generation",
    )  # fmt: skip
    assert job.params["test_percent"] == 20
    assert dispatcher.announced == ["generation.cpu"]
    (file,) = Repository(actor.engine, actor.principal).artifacts(job.id, "upload")
    assert (file.name, file.media_type, file.sha256) == ("Meine Fotos.ZIP", "application/zip", dataset.source_sha256)


def test_datasets_of_one_name_are_versions(actor: Actor) -> None:
    numbers = [actor.upload(b"%d" % n, "a.zip", name="Coats")[0].number for n in range(3)]
    assert numbers == [1, 2, 3]
    assert actor.upload(filename="b.zip")[0].number == 1


def test_bad_uploads_leave_nothing_behind(actor: Actor) -> None:
    small = actor.with_settings(max_upload=4)
    with pytest.raises(EmptyFile, match=r"a\.zip is empty"):
        actor.upload(b"", "a.zip")
    with pytest.raises(FileTooLarge, match="limit of 4 bytes"):
        small.upload(b"12345")
    with pytest.raises(InvalidParams):
        actor.upload(params={"test_percent": 900})
    with pytest.raises(UnknownTask):
        actor.upload(kind="smells")
    assert Repository(actor.engine, actor.principal).datasets().items == []
    assert Repository(actor.engine, actor.principal).jobs().items == []


def test_one_key_makes_one_dataset(actor: Actor, dispatcher: RecordingDispatcher) -> None:
    first, job = actor.upload(idempotency_key="k1")
    again, same = actor.upload(idempotency_key="k1")
    assert (again.id, same.id, len(dispatcher.announced)) == (first.id, job.id, 1)
    with pytest.raises(IdempotencyKeyReused):
        actor.upload(b"other bytes", idempotency_key="k1")


def test_a_starter_is_imported_once(actor: Actor) -> None:
    first, job = uploads.receive_starter(actor.engine, actor.principal, "fashion-mnist")
    assert (first.name, first.licence, job.status) == ("fashion-mnist", "MIT", "queued")
    assert uploads.receive_starter(actor.engine, actor.principal, "fashion-mnist")[0].id == first.id
    actor.finish(actor.claim("generation"))
    assert uploads.receive_starter(actor.engine, actor.principal, "fashion-mnist")[0].id == first.id
    stranger = actor.as_owner("eve", tenant="other")
    assert uploads.receive_starter(actor.engine, stranger.principal, "fashion-mnist")[0].id != first.id


def test_a_starter_whose_import_failed_is_imported_again(actor: Actor) -> None:
    first, _ = uploads.receive_starter(actor.engine, actor.principal, "fashion-mnist")
    actor.lease("generation").fail(Failure("invalid_data"))
    again, _ = uploads.receive_starter(actor.engine, actor.principal, "fashion-mnist")
    assert (again.id != first.id, again.number) == (True, 2)


def test_an_unknown_starter(actor: Actor) -> None:
    with pytest.raises(NotFound, match="no starter called nonsense"):
        uploads.receive_starter(actor.engine, actor.principal, "nonsense")


def test_the_clients_file_is_copied(actor: Actor, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"content")
    dataset, _ = uploads.receive(actor.engine, actor.principal, uploads.Upload(path, "a.zip"))
    path.write_bytes(b"changed")
    with actor.engine.store.open(dataset.source_sha256) as stream:
        assert stream.read() == b"content"
