"""Add what devices tell of themselves, what jobs need of them, and the energy of attempts.

Only an addition: the version before works on this schema, too.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

NODE = {
    "utilisation": sa.Integer(),
    "temperature": sa.Integer(),
    "watts": sa.Double(),
    "unfit": sa.String(length=16),
    "device_place": sa.String(length=16),
}
ATTEMPT = {
    "joules": sa.Double(),
    "joules_kept": sa.Double(),
    "energy_source": sa.String(length=8),
    "peak_memory": sa.BigInteger(),
}


def upgrade() -> None:
    op.add_column("job", sa.Column("memory_needed", sa.BigInteger(), server_default="0", nullable=False))
    for table, columns in (("worker_node", NODE), ("attempt", ATTEMPT)):
        for name, kind in columns.items():
            op.add_column(table, sa.Column(name, kind, nullable=True))


def downgrade() -> None:
    for table, columns in (("attempt", ATTEMPT), ("worker_node", NODE)):
        for name in reversed(columns):
            op.drop_column(table, name)
    op.drop_column("job", "memory_needed")
