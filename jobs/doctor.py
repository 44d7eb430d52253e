"""``python -m jobs.doctor``: looks at database, broker, disk and workers; prints one JSON object a line."""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from jobs import migrate, workers
from jobs.artifacts import in_words
from jobs.engine import Engine, open_engine
from jobs.errors import StoreUnavailable
from jobs.settings import Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; ``fix`` says what to do where ``ok`` is false."""

    name: str
    ok: bool
    detail: str
    fix: str = ""


def database(engine: Engine) -> Finding:
    """Whether the database answers and has this version's tables."""
    kind = engine.db.engine.dialect.name
    if _has_no_file(engine):
        return Finding("database", False, "SQLite: there is no database file yet", "Run: aigc migrate")
    try:
        migrate.check(engine.db)
        at, newest = migrate.current(engine.db), migrate.head()
    except migrate.SchemaMismatch as error:
        return Finding("database", False, str(error), "Run: aigc migrate")
    except SQLAlchemyError as error:
        detail = f"{kind} does not answer: {error}".splitlines()[0]
        return Finding("database", False, detail, "Start the database, or correct AIGC_DATABASE_URL.")
    return Finding("database", at == newest, f"{kind}, schema {at} of {newest}", "Run: aigc migrate")


def broker(engine: Engine) -> Finding:
    """Whether the broker answers."""
    if engine.dispatcher.alive():
        return Finding("broker", True, "answers")
    fix = "Start everything with: aigc up, or correct AIGC_REDIS_URL."
    return Finding("broker", False, f"no answer at {_without_password(engine.settings.broker_url)}", fix)


def disk(engine: Engine) -> Finding:
    """Whether uploads and jobs have room."""
    home = engine.settings.home.resolve()
    place = next(path for path in (home, *home.parents) if path.is_dir())
    free, kept = shutil.disk_usage(place).free, engine.settings.min_free_disk
    fix = "Delete what is not needed, or lower AIGC_MIN_FREE_DISK."
    return Finding("disk", free > kept, f"{in_words(free)} free at {place}, {in_words(kept)} are kept free", fix)


def store(engine: Engine) -> Finding:
    """Whether files can be kept."""
    place = engine.settings.store_url or str(engine.settings.artifacts)
    try:
        engine.store.check()
    except StoreUnavailable as error:
        fix = "See that it runs and can be reached from here, or correct AIGC_STORE_ENDPOINT."
        named = type(error) is StoreUnavailable and engine.settings.store_url
        return Finding("store", False, str(error), fix if named else str(error).partition(". ")[2])
    return Finding("store", True, place)


def live_workers(engine: Engine) -> Finding:
    """Whether anyone would take a job, and see to it when a worker is lost."""
    fix = "Start everything with: aigc up, or a worker with: aigc worker"
    if _has_no_file(engine):
        return Finding("workers", False, "none, as there is no database yet", fix)
    try:
        with engine.db.read() as session:
            nodes = workers.live(session, engine.db.now(session))
    except SQLAlchemyError:
        return Finding("workers", False, "unknown, as the database does not answer", fix)
    lanes = sorted(f"{node.lane}.{node.device_kind}" for node in nodes if node.lane)
    schedulers = sum(node.role == "scheduler" for node in nodes)
    detail = f"{', '.join(lanes) or 'none'}; schedulers: {schedulers}"
    return Finding("workers", bool(lanes) and schedulers > 0, detail, fix)


CHECKS: tuple[Callable[[Engine], Finding], ...] = (database, broker, store, disk, live_workers)


def _has_no_file(engine: Engine) -> bool:
    """Looking at a missing SQLite database would create it."""
    return engine.db.is_sqlite and not Path(str(engine.db.engine.url.database)).exists()


def _without_password(address: str) -> str:
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def main() -> int:
    """Command line; exit 1 if anything is not well."""
    engine = open_engine(Settings())
    findings = [check(engine) for check in CHECKS]
    for finding in findings:
        print(json.dumps(asdict(finding) | ({"fix": ""} if finding.ok else {})))
    return 0 if all(finding.ok for finding in findings) else 1


if __name__ == "__main__":
    sys.exit(main())
