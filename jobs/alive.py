"""``python -m jobs.alive scheduler``: whether a process of this host has been heard of lately, for health checks."""

import argparse
import socket
import sys
from collections.abc import Sequence

from sqlalchemy.exc import SQLAlchemyError

from jobs import workers
from jobs.db import Database
from jobs.settings import Settings

ROLES = ("scheduler", "worker")


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; exit 1 where none has, or the database does not answer."""
    parser = argparse.ArgumentParser(prog="python -m jobs.alive", description=__doc__)
    parser.add_argument("role", choices=ROLES)
    role, database = parser.parse_args(arguments).role, Database(Settings().sql_url)
    try:
        with database.read() as session:
            nodes = workers.live(session, database.now(session))
    except SQLAlchemyError as error:
        print(f"The database does not answer: {error}".splitlines()[0], file=sys.stderr)
        return 1
    finally:
        database.dispose()
    found = sum(node.role == role and node.host == socket.gethostname() for node in nodes)
    print(f"{found} {role} on this host")
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
