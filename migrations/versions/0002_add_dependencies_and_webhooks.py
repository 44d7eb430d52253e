"""Add what jobs wait for, what recovery changed, time limits, webhooks and their deliveries.

Only additions, with defaults: the version before works on this schema, too.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job", sa.Column("snapshot", sa.JSON(), server_default="{}", nullable=False))
    op.add_column("job", sa.Column("adjustments", sa.JSON(), server_default="{}", nullable=False))
    op.add_column("job", sa.Column("time_limit_seconds", sa.Integer(), nullable=True))
    op.add_column("job", sa.Column("webhook", sa.JSON(), nullable=True))
    op.add_column("job", sa.Column("webhook_seq", sa.Integer(), server_default="0", nullable=False))
    op.create_index("ix_job_history", "job", ["family", "operation", "status", "finished_at"])
    op.create_index(
        "ix_job_webhook",
        "job",
        ["id"],
        sqlite_where=sa.text("webhook IS NOT NULL AND webhook_seq < last_seq"),
        postgresql_where=sa.text("webhook IS NOT NULL AND webhook_seq < last_seq"),
    )
    op.add_column("worker_node", sa.Column("free_disk", sa.BigInteger(), nullable=True))
    _create_job_dependency()
    _create_webhook_delivery()


def downgrade() -> None:
    op.drop_table("webhook_delivery")
    op.drop_table("job_dependency")
    op.drop_column("worker_node", "free_disk")
    op.drop_index("ix_job_webhook", "job")
    op.drop_index("ix_job_history", "job")
    for column in ("webhook_seq", "webhook", "time_limit_seconds", "adjustments", "snapshot"):
        op.drop_column("job", column)


def _create_job_dependency() -> None:
    op.create_table(
        "job_dependency",
        sa.Column("job_id", sa.String(length=40), nullable=False),
        sa.Column("needs_id", sa.String(length=40), nullable=False),
        sa.Column("field", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_job_dependency_job_id_job"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["needs_id"], ["job.id"], name=op.f("fk_job_dependency_needs_id_job")),
        sa.PrimaryKeyConstraint("job_id", "needs_id", name=op.f("pk_job_dependency")),
    )
    op.create_index("ix_job_dependency_needs_id", "job_dependency", ["needs_id"])


def _create_webhook_delivery() -> None:
    op.create_table(
        "webhook_delivery",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("tenant_id", sa.String(length=255), nullable=False),
        sa.Column("job_id", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('pending', 'delivered', 'failed')", name=op.f("ck_webhook_delivery_state")),
        sa.ForeignKeyConstraint(
            ["job_id"], ["job.id"], name=op.f("fk_webhook_delivery_job_id_job"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_delivery")),
        sa.UniqueConstraint("job_id", "seq", name=op.f("uq_webhook_delivery_job_id_seq")),
    )
    op.create_index("ix_webhook_delivery_due", "webhook_delivery", ["state", "next_at"])
