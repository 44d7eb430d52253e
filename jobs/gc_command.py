"""``python -m jobs.gc_command``, which ``aigc gc`` starts: do now what the scheduler does from time to time."""

import argparse
import logging
import sys
from collections.abc import Sequence

from jobs import collector, retention
from jobs.artifacts import in_words
from jobs.collector import Freed
from jobs.engine import Engine
from jobs.operating import Refused, run
from jobs.storage_lock import StoreBusy


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="aigc gc",
        description="Remove now what the scheduler would remove by and by, and say what that freed.",
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    dry_run = parser.parse_args(arguments).dry_run
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")

    def work(engine: Engine) -> int:
        print("\n".join(collect(engine, dry_run)))
        return 0

    return run(work)


def collect(engine: Engine, dry_run: bool) -> list[str]:
    """Collect, or look what there is to collect; gives lines for people."""
    word = "Would remove" if dry_run else "Removed"
    lines = [
        f"{word} {done.count} {done.what} (AIGC_{done.setting.upper()})"
        for done in retention.apply(engine, dry_run)
        if done.count
    ]
    try:
        unnamed, orphans = _planned(engine) if dry_run else _freed(engine)
    except StoreBusy:
        raise Refused("A backup or a restore is on, and nothing is collected while it is. Try again later.") from None
    lines.append(f"{word} {_told(unnamed)} that nothing names any more")
    lines.append(f"{word} {_told(orphans)} that nothing ever named")
    if not dry_run:
        left = collector.collect_torn(engine) + collector.collect_staging(engine)
        lines.append(f"{word} {left} unfinished files and abandoned working directories")
    return lines


def _planned(engine: Engine) -> tuple[Freed, Freed]:
    orphans = (stored for some in collector.orphans(engine) for stored in some)
    return collector.collectable(engine), sum((Freed(1, stored.size) for stored in orphans), Freed())


def _freed(engine: Engine) -> tuple[Freed, Freed]:
    total = Freed()
    while (freed := collector.collect_blobs(engine)).files:
        total += freed
    return total, collector.collect_orphans(engine)


def _told(freed: Freed) -> str:
    return f"{freed.files} files, {in_words(freed.size)},"


if __name__ == "__main__":
    sys.exit(main())
