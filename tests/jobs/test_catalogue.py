"""What is kept about datasets and model versions, on both databases."""

from typing import Any

import pytest

from jobs import aliases, catalogue, integrity
from jobs.errors import DatasetInUse, DatasetNotReady, NotFound
from jobs.removal import delete_dataset
from jobs.repository import Repository
from jobs.tables import Dataset, ModelVersion
from tests.jobs.acting import Actor


def test_a_second_upload_of_a_name_is_its_next_version(actor: Actor) -> None:
    first, _ = actor.upload(b"one", name="Photos")
    second, _ = actor.upload(b"two", name="photos")
    other, _ = actor.upload(b"two", name="scans")
    assert (first.number, second.number, other.number) == (1, 2, 1)
    found = catalogue.versions(actor.engine, actor.principal, Dataset, "photos")
    assert [row.id for row in found] == [second.id, first.id]
    page = Repository(actor.engine, actor.principal).datasets(name="photos")
    assert [row.id for row in page.items] == [second.id, first.id]


def test_use_stays_with_the_version(actor: Actor) -> None:
    model = actor.model()
    old = actor.dataset()
    new, job = actor.upload(b"newer", name=old.name)
    actor.finish(actor.claim("generation", job.id))
    used = catalogue.users_of_dataset(actor.engine, actor.principal, old.id)
    assert ([row.id for row in used.models], used.count) == ([model], 1)
    assert not catalogue.users_of_dataset(actor.engine, actor.principal, new.id)
    with pytest.raises(DatasetInUse) as refused:
        delete_dataset(actor.engine, actor.principal, old.id)
    assert [user["id"] for user in refused.value.values["users"]] == [used.jobs[0].id]
    delete_dataset(actor.engine, actor.principal, new.id)


def test_who_uses_a_model_version(actor: Actor) -> None:
    model = actor.model()
    assert not catalogue.users_of_model(actor.engine, actor.principal, model)
    drawn = actor.submit("image_vae.generate", {"model": model})
    aliases.promote(actor.engine, actor.principal, model, "staging")
    used = catalogue.users_of_model(actor.engine, actor.principal, model)
    assert ([job.id for job in used.jobs], used.count, used.aliases) == ([drawn.id], 1, ["staging"])


def test_licence_and_notes_can_be_written_anew(actor: Actor) -> None:
    made = actor.dataset()
    catalogue.describe_dataset(actor.engine, actor.principal, made.id, {"licence": "CC0", "notes": "by\0 hand"})
    catalogue.describe_dataset(actor.engine, actor.principal, made.id, {"licence": "CC BY 4.0"})
    row: Dataset = actor.row(Dataset, made.id)
    assert (row.licence, row.notes, row.name) == ("CC BY 4.0", "by hand", made.name)


def test_a_card_keeps_what_was_written(actor: Actor) -> None:
    model = actor.model()
    catalogue.write_card(actor.engine, actor.principal, model, {"intended_use": "Drafts", "limits": "Small"})
    catalogue.write_card(actor.engine, actor.principal, model, {"limits": " ", "licence": "CC0"})
    row: ModelVersion = actor.row(ModelVersion, model)
    assert row.card == {"intended_use": "Drafts", "licence": "CC0"}


def test_an_uploaded_file_can_be_deleted_and_its_dataset_stays(actor: Actor) -> None:
    made, job = actor.upload(b"with a place in it")
    with pytest.raises(DatasetNotReady):
        catalogue.drop_source(actor.engine, actor.principal, made.id)
    actor.finish(actor.claim("generation", job.id))
    catalogue.drop_source(actor.engine, actor.principal, made.id)
    reads = Repository(actor.engine, actor.principal)
    assert reads.artifacts(job.id, role="upload") == []
    assert reads.dataset(made.id).source_dropped_at is not None
    assert [row.name for row in reads.artifacts(job.id, role="output")]
    assert list(integrity.logical(actor.engine.db)) == []
    actor.submit("image_vae.train", {"dataset": made.id})


def test_nobody_else_can_change_them(actor: Actor) -> None:
    model, stranger = actor.model(), actor.as_owner("eve", "other")
    engine, who = stranger.engine, stranger.principal
    changes: list[Any] = [
        lambda: catalogue.describe_dataset(engine, who, actor.dataset().id, {"notes": "x"}),
        lambda: catalogue.write_card(engine, who, model, {"limits": "x"}),
        lambda: catalogue.drop_source(engine, who, actor.dataset().id),
    ]
    for change in changes:
        with pytest.raises(NotFound):
            change()
    assert catalogue.users_of_dataset(engine, who, actor.dataset().id).count == 0
