"""Tables that stand alone: what the scheduler keeps so that nobody reads a long history for it, and who may call."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, SmallInteger, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from jobs.base import Base


class NameBlock(Base):
    """Some thousand jobs of a tenant that were created one after the other: from a time on, and before another."""

    __tablename__ = "name_block"

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[str]
    begins_at: Mapped[datetime]
    ends_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("tenant_id", "ends_at"),)


class NameGram(Base):
    """Three characters that follow one another in a name of a block, as a number; written once, read by the number."""

    __tablename__ = "name_gram"

    gram: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    block_id: Mapped[int] = mapped_column(ForeignKey("name_block.id", ondelete="CASCADE"), primary_key=True)

    __table_args__ = ({"sqlite_with_rowid": False},)


class Tally(Base):
    """A figure that only grows: what happened up to the time in ``tally_mark``. ``labels`` is JSON."""

    __tablename__ = "tally"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    labels: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float]


class TallyMark(Base):
    """One row: up to when ended jobs are in the tallies, and what the store held when it was last counted."""

    __tablename__ = "tally_mark"

    id: Mapped[int] = mapped_column(primary_key=True)
    until: Mapped[datetime]
    stored_files: Mapped[int] = mapped_column(BigInteger, default=0)
    stored_bytes: Mapped[int] = mapped_column(BigInteger, default=0)


class ApiToken(Base):
    """Who may call: only the SHA-256 of the secret is kept."""

    __tablename__ = "api_token"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant_id: Mapped[str]
    owner: Mapped[str]
    name: Mapped[str]
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    scope: Mapped[str] = mapped_column(String(8))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
