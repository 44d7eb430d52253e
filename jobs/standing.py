"""A connection that stays open for small reads: what is read costs more than the way there, else.

Taking a connection from the pool asks whether it is alive, a transaction begins and ends: three round trips beside
the one that reads.
"""

import threading
from collections.abc import Mapping, Sequence
from typing import Any, TypeVarTuple

from sqlalchemy import Connection, Engine, Row, Select
from sqlalchemy.exc import DBAPIError

Columns = TypeVarTuple("Columns")


class StandingConnection:
    """Reads one statement at a time, each a transaction of its own: it sees what is committed when it begins.

    Args:
        engine: Whose pool the connection is taken from, when it is first needed and whenever it has broken.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._connection: Connection | None = None
        self._alone = threading.Lock()

    def rows(self, statement: Select[*Columns], values: Mapping[str, Any]) -> Sequence[Row[*Columns]]:
        """All rows of a statement.

        That the connection broke while nobody used it is noticed now. As reading again is harmless, it is then read
        over a new one, once.
        """
        with self._alone:
            if self._connection is not None:
                try:
                    return self._over(self._connection, statement, values)
                except DBAPIError as error:
                    if not error.connection_invalidated:
                        raise
            self._connection = self._engine.connect()
            return self._over(self._connection, statement, values)

    def close(self) -> None:
        """Give the connection back; the next read takes another."""
        with self._alone:
            self._hang_up()

    def _over(
        self, connection: Connection, statement: Select[*Columns], values: Mapping[str, Any]
    ) -> Sequence[Row[*Columns]]:
        try:
            return connection.execute(statement, values).all()
        except BaseException as error:
            if not isinstance(error, DBAPIError):
                connection.invalidate()  # nobody knows what is still under way on it
            self._hang_up()
            raise

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
