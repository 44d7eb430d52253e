"""The table of what people think of an assistant's replies."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from jobs.base import Base

VERDICTS = ("up", "down")


class ReplyFeedback(Base):
    """A person's thumb for one reply, and what would have been better.

    Question and answer are copied, and neither job nor model version is referred to by a key, so that what was learnt
    from people outlives both.
    """

    __tablename__ = "reply_feedback"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant_id: Mapped[str]
    owner: Mapped[str]
    model_id: Mapped[str] = mapped_column(String(40))
    job_id: Mapped[str] = mapped_column(String(40))
    verdict: Mapped[str] = mapped_column(String(8))
    question: Mapped[str] = mapped_column(Text)
    answer: Mapped[str] = mapped_column(Text)
    better: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]

    __table_args__ = (
        CheckConstraint(f"verdict IN {VERDICTS}", name="verdict"),
        UniqueConstraint("tenant_id", "job_id", "owner"),
        Index("ix_reply_feedback_model", "tenant_id", "model_id", "created_at", "id"),
    )
