"""Add indexes, so that lists stay fast with a million jobs: by name and by end, repeats, inputs that a job made.

Only indexes: the version before works on this schema, too.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

RETRIED = "retried_from IS NOT NULL"
UNFINISHED = "status IN ('blocked', 'queued', 'running', 'paused')"


def upgrade() -> None:
    op.drop_index("ix_job_tenant_created", "job")
    op.create_index("ix_job_tenant_created", "job", ["tenant_id", "created_at", "id", "name"])
    op.create_index("ix_job_tenant_name", "job", ["tenant_id", "name", "id"])
    for name, default in (("soonest", "1970"), ("latest", "9999")):
        finished = sa.text(f"coalesce(finished_at, '{default}-01-01 00:00:00.000000')")
        op.create_index(f"ix_job_finished_{name}", "job", ["tenant_id", finished, "id"])
    _create_partial("ix_job_retried_from", ["retried_from"], RETRIED)
    _create_partial("ix_job_unfinished", ["tenant_id", "created_at", "id"], UNFINISHED)


def downgrade() -> None:
    for name in ("unfinished", "retried_from", "finished_latest", "finished_soonest", "tenant_name", "tenant_created"):
        op.drop_index(f"ix_job_{name}", "job")
    op.create_index("ix_job_tenant_created", "job", ["tenant_id", "created_at", "id"])


def _create_partial(name: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "job", columns, sqlite_where=where, postgresql_where=where)
