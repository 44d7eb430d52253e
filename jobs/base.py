"""The base of all tables: names for every constraint, and how Python's types are kept."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Connection, MetaData, String, event
from sqlalchemy.orm import DeclarativeBase

from jobs.db import UtcDateTime


class Base(DeclarativeBase):
    """Declarative base with names for every constraint, so that migrations can change them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own declaration
        datetime: UtcDateTime,
        dict[str, Any]: JSON(none_as_null=True),
        list[Any]: JSON,
        str: String(255),
    }


@event.listens_for(Base.metadata, "before_create")
def _keep_conditions(metadata: MetaData, connection: Connection, **_options: object) -> None:
    """Give PostgreSQL the conditions of partial indexes, which the tables say once, for SQLite.

    Saying them with ``postgresql_where`` loads that dialect, 2 MB that an embedded installation can do without.
    """
    if connection.dialect.name == "postgresql":
        for index in (index for table in metadata.sorted_tables for index in table.indexes):
            where = index.dialect_options["sqlite"]["where"]
            if where is not None:
                index.dialect_kwargs["postgresql_where"] = where
