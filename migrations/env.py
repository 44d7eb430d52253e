"""How Alembic reaches the database: on the connection that jobs.migrate hands over, else by AIGC_* settings."""

from alembic import context
from sqlalchemy import Connection

from jobs.db import Database
from jobs.settings import Settings
from jobs.tables import Base


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


handed_over = context.config.attributes.get("connection")
if handed_over is not None:
    run(handed_over)
else:
    database = Database(Settings().sql_url)
    with database.engine.begin() as own:
        run(own)
    database.dispose()
