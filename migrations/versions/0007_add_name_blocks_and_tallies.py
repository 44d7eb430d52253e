"""Add what the search of names and the metrics read in the place of every job; the scheduler fills it.

Only additions: the version before works on this schema, too. No history is filled in here, so that a long one delays
no upgrade: counters begin with the upgrade.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TRIED = "attempt > 0 AND status IN ('blocked', 'queued', 'running', 'paused')"


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "name_block",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.String(length=255), nullable=False),
        sa.Column("begins_at", moment, nullable=False),
        sa.Column("ends_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_name_block")),
        sa.UniqueConstraint("tenant_id", "ends_at", name=op.f("uq_name_block_tenant_id_ends_at")),
    )
    op.create_table(
        "name_gram",
        sa.Column("gram", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("block_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["block_id"], ["name_block.id"], name=op.f("fk_name_gram_block_id_name_block"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("gram", "block_id", name=op.f("pk_name_gram")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tally",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("labels", sa.String(length=255), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", "labels", name=op.f("pk_tally")),
    )
    mark = op.create_table(
        "tally_mark",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("until", moment, nullable=False),
        sa.Column("stored_files", sa.BigInteger(), nullable=False),
        sa.Column("stored_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tally_mark")),
    )
    op.bulk_insert(mark, [{"id": 1, "until": datetime.now(UTC), "stored_files": 0, "stored_bytes": 0}])
    where = sa.text(TRIED)
    op.create_index("ix_job_tried", "job", ["lane", "device_kind"], sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    op.drop_index("ix_job_tried", "job")
    for table in ("tally_mark", "tally", "name_gram", "name_block"):
        op.drop_table(table)
