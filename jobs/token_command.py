"""``python -m jobs.token_command``, which ``aigc token`` starts: make, list and revoke tokens in the database.

It works where no server runs and before there is any token, so it asks for none: whoever can
read the database's file or address may do everything anyway.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.exc import OperationalError

from jobs import migrate, tokens
from jobs.engine import Engine, open_engine
from jobs.errors import AigcError
from jobs.principal import Principal
from jobs.program import here
from jobs.settings import Settings

_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    chosen = _parser().parse_args(arguments)
    settings = Settings()
    if not settings.database_url:
        settings.home.mkdir(parents=True, exist_ok=True)
    engine = open_engine(settings)
    who = Principal(settings.tenant, "operator")
    try:
        migrate.check(engine.db)
        _ACTIONS[chosen.action](engine, who, chosen)
    except (migrate.SchemaMismatch, AigcError) as error:
        print(here(f"Error: {error}"), file=sys.stderr)
        return 1
    except OperationalError as error:
        print(f"Error: The database cannot be opened: {error.orig}", file=sys.stderr)
        return 1
    finally:
        engine.db.dispose()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="aigc token", description="Make, list and revoke access tokens.")
    actions = parser.add_subparsers(dest="action", required=True)
    create = actions.add_parser("create", help="make a token; it is shown once")
    create.add_argument("--name", default="", help="what it is for")
    create.add_argument("--scope", choices=("read", "submit", "admin"), default="submit", help="what it may do")
    create.add_argument("--expires", type=_duration, metavar="TIME", help="when it ends: 12h, 30d, 8w")
    actions.add_parser("list", help="show the tokens in use")
    revoke = actions.add_parser("revoke", help="end a token")
    revoke.add_argument("id", help="its id, from the list")
    return parser


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"(\d+)([hdw])", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text} is no time; write 12h, 30d or 8w")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _create(engine: Engine, who: Principal, chosen: argparse.Namespace) -> None:
    token, secret = tokens.create(engine, who, chosen.name, chosen.scope, chosen.expires)
    print(secret)
    print(
        f"This is {token.id} ({token.scope}). It is shown this once; keep it in a file that only you can read,"
        " and name that file in AIGC_TOKEN_FILE. From now on the server asks for a token.",
        file=sys.stderr,
    )


def _list(engine: Engine, who: Principal, _chosen: argparse.Namespace) -> None:
    for token in tokens.listing(engine, who):
        last = _day(token.last_used_at) or "never used"
        print(
            token.id,
            token.scope,
            _day(token.created_at),
            last,
            _day(token.expires_at) or "no end",
            token.name,
            sep="\t",
        )


def _revoke(engine: Engine, who: Principal, chosen: argparse.Namespace) -> None:
    tokens.revoke(engine, who, chosen.id)
    print(f"{chosen.id} revoked")


def _day(moment: datetime | None) -> str:
    return moment.date().isoformat() if moment else ""


_ACTIONS = {"create": _create, "list": _list, "revoke": _revoke}

if __name__ == "__main__":
    sys.exit(main())
