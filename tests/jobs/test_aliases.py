"""Aliases of model versions, on both databases."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from jobs import aliases, integrity
from jobs.errors import AliasMoved, InvalidParams, ModelHasAlias, NotFound, UnknownAlias
from jobs.removal import delete_job, delete_model
from jobs.repository import Repository
from tests.jobs.acting import Actor


def two_versions(actor: Actor) -> tuple[str, str]:
    """Two versions of one name."""
    found = []
    for _ in range(2):
        claim = actor.claim(expected=actor.train(name="digits").id)
        actor.finish(claim)
        found.append(Repository(actor.engine, actor.principal).models_made_by([claim.job_id])[claim.job_id])
    return found[0], found[1]


def meant(actor: Actor, reference: str) -> str:
    return Repository(actor.engine, actor.principal).model(reference).id


def test_an_alias_stands_for_one_version_and_moves(actor: Actor) -> None:
    first, second = two_versions(actor)
    aliases.promote(actor.engine, actor.principal, first, "production")
    aliases.promote(actor.engine, actor.principal, first, "staging")
    assert meant(actor, "digits@production") == meant(actor, "digits@staging") == first
    aliases.promote(actor.engine, actor.principal, second, "production")
    assert (meant(actor, "digits@production"), meant(actor, "digits@staging")) == (second, first)
    aliases.demote(actor.engine, actor.principal, second, "production")
    with pytest.raises(NotFound):
        meant(actor, "digits@production")
    with pytest.raises(NotFound):
        aliases.demote(actor.engine, actor.principal, second, "production")


def test_a_move_counts_on_what_the_alias_stood_for(actor: Actor) -> None:
    first, second = two_versions(actor)
    with pytest.raises(AliasMoved):
        aliases.promote(actor.engine, actor.principal, second, "production", replaces=first)
    aliases.promote(actor.engine, actor.principal, first, "production", replaces=None)
    with pytest.raises(AliasMoved):
        aliases.promote(actor.engine, actor.principal, second, "production", replaces=None)
    assert meant(actor, "digits@production") == first
    aliases.promote(actor.engine, actor.principal, second, "production", replaces=first)
    assert meant(actor, "digits@production") == second


def test_of_several_who_promote_at_once_one_wins(actor: Actor) -> None:
    first, second = two_versions(actor)

    def swap(model: str) -> bool:
        try:
            aliases.promote(actor.engine, actor.principal, model, "production", replaces=None)
        except AliasMoved:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        won = list(pool.map(swap, [first, second] * 3))
    assert won.count(True) == 1
    assert meant(actor, "digits@production") == [first, second][won.index(True) % 2]


def test_a_job_takes_the_version_that_the_alias_stands_for_at_that_moment(actor: Actor) -> None:
    first, second = two_versions(actor)
    aliases.promote(actor.engine, actor.principal, first, "production")
    early = actor.submit("image_vae.generate", {"model": "digits@production"})
    aliases.promote(actor.engine, actor.principal, second, "production")
    late = actor.submit("image_vae.generate", {"model": "digits@production"})
    assert (early.params["model"], late.params["model"]) == (first, second)
    reads = Repository(actor.engine, actor.principal)
    assert [reads.inputs(job.id)[0].model_id for job in (early, late)] == [first, second]


def test_an_alias_of_nothing_is_a_fault_of_its_setting(actor: Actor) -> None:
    with pytest.raises(InvalidParams) as refused:
        actor.submit("image_vae.generate", {"model": "digits@staging"})
    (fault,) = refused.value.faults
    assert (fault.pointer, fault.code, fault.values["id"]) == ("/model", "not-found", "digits@staging")


def test_what_an_alias_stands_for_is_not_deleted(actor: Actor) -> None:
    first, _ = two_versions(actor)
    aliases.promote(actor.engine, actor.principal, first, "staging")
    job = Repository(actor.engine, actor.principal).model(first).job_id
    for delete, id_ in ((delete_model, first), (delete_job, job)):
        with pytest.raises(ModelHasAlias):
            delete(actor.engine, actor.principal, id_)
    aliases.demote(actor.engine, actor.principal, first, "staging")
    delete_model(actor.engine, actor.principal, first)


def test_aliases_of_others_mean_nothing(actor: Actor) -> None:
    first, _ = two_versions(actor)
    aliases.promote(actor.engine, actor.principal, first, "production")
    stranger = actor.as_owner("eve", "other")
    with pytest.raises(NotFound):
        meant(stranger, "digits@production")
    with pytest.raises(NotFound):
        aliases.promote(stranger.engine, stranger.principal, first, "production")
    with pytest.raises(UnknownAlias):
        aliases.promote(actor.engine, actor.principal, first, "best")
    assert list(integrity.logical(actor.engine.db)) == []


@pytest.mark.parametrize("reference", ["digits@", "@production", "a\0b@production", "digits@production@staging"])
def test_odd_references_name_nothing(actor: Actor, reference: str) -> None:
    with pytest.raises(NotFound):
        meant(actor, reference)
