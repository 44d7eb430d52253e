"""Aliases: ``digits@production`` stands for one version of ``digits``, and moving it is one compare-and-swap."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from jobs.engine import Engine
from jobs.errors import AliasMoved, NotFound, UnknownAlias
from jobs.principal import Principal
from jobs.switches import ALIASES
from jobs.tables import Dataset, ModelAlias, ModelVersion

SIGN = "@"
IN_IDS = "_"  # every id has one, no name does (jobs.naming.slug)
ANY = "*"  # whatever the alias stands for now


def promote(engine: Engine, principal: Principal, model_id: str, alias: str, replaces: str | None = ANY) -> None:
    """Let an alias of its name stand for this model version.

    Args:
        engine: Where.
        principal: The caller.
        model_id: Id of the model version.
        alias: One of :data:`jobs.switches.ALIASES`.
        replaces: Id of the version it must stand for so far, None if it must stand for none.

    Raises:
        UnknownAlias: There is no such alias.
        NotFound: The caller has no such model version.
        AliasMoved: It stands for another version than ``replaces``.
    """
    if alias not in ALIASES:
        raise UnknownAlias(alias=alias, aliases=", ".join(ALIASES))

    def work(session: Session, now: datetime) -> None:
        version = _version(session, principal, model_id)
        to = {"model_id": version.id, "moved_at": now, "moved_by": principal.owner}
        key = {"tenant_id": principal.tenant_id, "name": version.name, "alias": alias}
        if replaces is None or replaces == ANY:
            put = engine.db.insert(ModelAlias).values(**key, **to)
            put = (
                put.on_conflict_do_update(index_elements=list(key), set_=to)
                if replaces
                else put.on_conflict_do_nothing()
            )
            swapped = session.execute(put.returning(ModelAlias.__table__.c.alias)).one_or_none()
        else:
            held = update(ModelAlias).filter_by(**key).where(ModelAlias.model_id == replaces).values(**to)
            swapped = session.execute(held.returning(ModelAlias.alias)).one_or_none()
        if swapped is None:
            raise AliasMoved(alias=alias, name=version.name)

    engine.db.transact(work)


def demote(engine: Engine, principal: Principal, model_id: str, alias: str) -> None:
    """Take an alias from a model version; it stands for none then.

    Raises:
        NotFound: The caller has no such model version, or the alias does not stand for it.
    """
    with engine.db.begin() as session:
        version = _version(session, principal, model_id)
        held = delete(ModelAlias).where(
            ModelAlias.tenant_id == principal.tenant_id, ModelAlias.model_id == version.id, ModelAlias.alias == alias
        )
        if session.execute(held.returning(ModelAlias.alias)).one_or_none() is None:
            raise NotFound(kind="alias", id=f"{version.name}{SIGN}{alias}")


def resolve(session: Session, principal: Principal, reference: str) -> str | None:
    """The id of the model version that a reference means; None if there is none.

    Args:
        session: Only read from.
        principal: The caller.
        reference: An id, ``name@alias``, or a name, which means its newest version.
    """
    name, sign, alias = reference.partition(SIGN)
    if not sign:
        return newest(session, principal, ModelVersion, reference)
    if not reference.isprintable():  # PostgreSQL refuses text with NUL
        return None
    return session.scalar(
        select(ModelAlias.model_id).where(
            ModelAlias.tenant_id == principal.tenant_id, ModelAlias.name == name, ModelAlias.alias == alias
        )
    )


def newest(session: Session, principal: Principal, kind: type[Dataset] | type[ModelVersion], text: str) -> str | None:
    """The id that a text means: itself, or the newest version of a name; of a dataset, the newest that is ready."""
    if IN_IDS in text or not text.isprintable():
        return text
    named = select(kind.id).where(kind.tenant_id == principal.tenant_id, kind.name == text)
    order = [kind.number.desc()] if kind is ModelVersion else [Dataset.ready_at.is_(None), kind.number.desc()]
    return session.scalar(named.order_by(*order).limit(1))


def of_models(session: Session, model_ids: Sequence[str]) -> Mapping[str, list[str]]:
    """The aliases that stand for each of some model versions, ``production`` before ``staging``."""
    found: dict[str, list[str]] = {}
    rows = select(ModelAlias.model_id, ModelAlias.alias).where(ModelAlias.model_id.in_(model_ids))
    for row in session.execute(rows.order_by(ModelAlias.alias)):
        found.setdefault(row.model_id, []).append(row.alias)
    return found


def of_name(session: Session, principal: Principal, name: str) -> Mapping[str, str]:
    """Which model version each alias of a name stands for."""
    rows = select(ModelAlias).where(ModelAlias.tenant_id == principal.tenant_id, ModelAlias.name == name)
    return {row.alias: row.model_id for row in session.scalars(rows)}


def _version(session: Session, principal: Principal, model_id: str) -> ModelVersion:
    mine = select(ModelVersion).where(ModelVersion.id == model_id, ModelVersion.tenant_id == principal.tenant_id)
    version = session.scalar(mine)
    if version is None:
        raise NotFound(kind="model version", id=model_id)
    return version
