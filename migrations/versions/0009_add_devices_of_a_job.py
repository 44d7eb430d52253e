"""Add how many devices a job takes.

Only an addition: the version before works on this schema, too, but may run such a job on one device.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

WIDE = "devices > 1 AND status = 'queued'"


def upgrade() -> None:
    op.add_column("job", sa.Column("devices", sa.Integer(), server_default="1", nullable=False))
    where = {"sqlite_where": sa.text(WIDE), "postgresql_where": sa.text(WIDE)}
    op.create_index("ix_job_wide", "job", ["lane", "device_kind"], **where)


def downgrade() -> None:
    op.drop_index("ix_job_wide", "job")
    op.drop_column("job", "devices")
