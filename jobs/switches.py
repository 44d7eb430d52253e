"""Tables of what people set by hand: which model version an alias names, and who takes no new jobs."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from jobs.base import Base

ALIASES = ("production", "staging")


class ModelAlias(Base):
    """The one model version of a name that an alias stands for; its key lets there be no second one."""

    __tablename__ = "model_alias"

    tenant_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    alias: Mapped[str] = mapped_column(String(16), primary_key=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("model_version.id"))
    moved_at: Mapped[datetime]
    moved_by: Mapped[str]

    __table_args__ = (
        CheckConstraint(f"alias IN {ALIASES}", name="alias"),
        Index("ix_model_alias_model_id", "model_id"),
    )


class LanePause(Base):
    """Who takes no new jobs of a queue: the slot on one device of a host, or with both empty every slot.

    A slot is named by where it is, not by its id, so that it stays paused when its process starts again.
    """

    __tablename__ = "lane_pause"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    lane: Mapped[str] = mapped_column(String(16))
    device_kind: Mapped[str] = mapped_column(String(8))
    host: Mapped[str]
    device_name: Mapped[str]
    paused_at: Mapped[datetime]
    paused_by: Mapped[str]

    __table_args__ = (
        CheckConstraint("(host = '') = (device_name = '')", name="whole"),
        UniqueConstraint("lane", "device_kind", "host", "device_name"),
    )
