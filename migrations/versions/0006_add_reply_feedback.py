"""Add what people think of an assistant's replies.

Only an addition: the version before works on this schema, too.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reply_feedback",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("tenant_id", sa.String(length=255), nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("model_id", sa.String(length=40), nullable=False),
        sa.Column("job_id", sa.String(length=40), nullable=False),
        sa.Column("verdict", sa.String(length=8), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("better", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("verdict IN ('up', 'down')", name=op.f("ck_reply_feedback_verdict")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reply_feedback")),
        sa.UniqueConstraint("tenant_id", "job_id", "owner", name=op.f("uq_reply_feedback_tenant_id_job_id_owner")),
    )
    op.create_index("ix_reply_feedback_model", "reply_feedback", ["tenant_id", "model_id", "created_at", "id"])


def downgrade() -> None:
    op.drop_table("reply_feedback")
