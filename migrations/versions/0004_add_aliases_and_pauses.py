"""Add aliases and cards of model versions, paused workers and lanes, the memory of devices, deleted uploads.

Only additions, with defaults: the version before works on this schema, too.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("model_version", sa.Column("card", sa.JSON(), server_default="{}", nullable=False))
    op.add_column("dataset", sa.Column("source_dropped_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("worker_node", sa.Column("device_name", sa.String(length=255), nullable=True))
    op.add_column("worker_node", sa.Column("memory_total", sa.BigInteger(), nullable=True))
    op.add_column("worker_node", sa.Column("memory_free", sa.BigInteger(), nullable=True))
    _create_model_alias()
    _create_lane_pause()


def downgrade() -> None:
    op.drop_table("lane_pause")
    op.drop_table("model_alias")
    for column in ("memory_free", "memory_total", "device_name"):
        op.drop_column("worker_node", column)
    op.drop_column("dataset", "source_dropped_at")
    op.drop_column("model_version", "card")


def _create_model_alias() -> None:
    op.create_table(
        "model_alias",
        sa.Column("tenant_id", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("alias", sa.String(length=16), nullable=False),
        sa.Column("model_id", sa.String(length=40), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("moved_by", sa.String(length=255), nullable=False),
        sa.CheckConstraint("alias IN ('production', 'staging')", name=op.f("ck_model_alias_alias")),
        sa.ForeignKeyConstraint(["model_id"], ["model_version.id"], name=op.f("fk_model_alias_model_id_model_version")),
        sa.PrimaryKeyConstraint("tenant_id", "name", "alias", name=op.f("pk_model_alias")),
    )
    op.create_index("ix_model_alias_model_id", "model_alias", ["model_id"])


def _create_lane_pause() -> None:
    op.create_table(
        "lane_pause",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("lane", sa.String(length=16), nullable=False),
        sa.Column("device_kind", sa.String(length=8), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("device_name", sa.String(length=255), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paused_by", sa.String(length=255), nullable=False),
        sa.CheckConstraint("(host = '') = (device_name = '')", name=op.f("ck_lane_pause_whole")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lane_pause")),
        sa.UniqueConstraint(
            "lane", "device_kind", "host", "device_name", name=op.f("uq_lane_pause_lane_device_kind_host_device_name")
        ),
    )
