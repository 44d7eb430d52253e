"""Add tags and notes of jobs.

Only additions, with defaults: the version before works on this schema, too.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job", sa.Column("tags", sa.JSON(), nullable=True))
    op.add_column("job", sa.Column("notes", sa.Text(), server_default="", nullable=False))
    op.create_index(
        "ix_job_tagged",
        "job",
        ["tenant_id", "created_at", "id"],
        sqlite_where=sa.text("tags IS NOT NULL"),
        postgresql_where=sa.text("tags IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_job_tagged", "job")
    op.drop_column("job", "notes")
    op.drop_column("job", "tags")
