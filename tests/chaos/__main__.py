"""``python -m tests.chaos --faults 1000 --seed 1 --database postgresql``: the last line is the verdict as JSON."""

import argparse
import importlib
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from aigc_models import registry
from tests import servers
from tests.chaos import mutations
from tests.chaos.faults import FAULTS
from tests.chaos.run import Order, merge, run
from tests.worker.toy_family.installation import install

DATABASES = ("sqlite", "postgresql")


def main() -> int:
    """Run, print, and say by the exit status whether every promise held."""
    options = _arguments()
    databases = DATABASES if options.short else (options.database,)
    orders = [
        Order(
            options.faults,
            options.seed,
            database,
            options.timing,
            options.pace,
            options.short,
            tuple(options.only or ()),
        )
        for database in databases
    ]
    with tempfile.TemporaryDirectory(prefix="aigc-chaos-", dir=servers.fast_directory()) as directory:
        _know_the_toys(Path(directory))
        results = [_run(order, Path(directory) / order.database, options.keep) for order in orders]
    result = merge(results) if len(results) > 1 else results[0]
    if options.mutations:
        result |= _mutations()
    print(json.dumps(result))
    return 0 if result["good"] else 1


def _run(order: Order, home: Path, keep: Path | None) -> dict[str, Any]:
    result: dict[str, Any] = {"good": False}
    try:
        result = run(order, home)
    finally:
        if not result["good"] and keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            shutil.copytree(home, keep / order.database, dirs_exist_ok=True, ignore=_special)
            print(f"Database and logs of the bad run are in {keep / order.database}", file=sys.stderr)
    return result


def _mutations() -> dict[str, Any]:
    caught, survivors = mutations.check()
    total = caught + len(survivors)
    told: dict[str, Any] = {"mutations_caught": caught, "mutations": total, "survivors": survivors}
    return told | ({"good": False} if survivors else {})


def _know_the_toys(directory: Path) -> None:
    """Make the family of toys known to this process, too."""
    site = directory / "site"
    site.mkdir()
    sys.path.insert(0, str(install(site)))
    importlib.invalidate_caches()
    registry.families.cache_clear()


def _special(directory: str, names: list[str]) -> list[str]:
    """Sockets and the like cannot be copied."""
    return [name for name in names if not ((path := Path(directory, name)).is_file() or path.is_dir())]


def _arguments() -> argparse.Namespace:
    about = "Do harm under load; count what is lost."
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=about)
    parser.add_argument("--faults", type=int, default=30, help="How many faults to inject.")
    parser.add_argument("--seed", type=int, default=1, help="Seed of the moments, faults and targets.")
    parser.add_argument("--database", choices=DATABASES, default="sqlite", help="Which database holds the jobs.")
    parser.add_argument("--timing", choices=("fast", "default"), default="fast", help="Leases of 4 s, or as shipped.")
    parser.add_argument("--pace", type=float, default=1.0, help="Longest pause between two faults, in seconds.")
    names = sorted({fault.name for fault in FAULTS})
    parser.add_argument(
        "--only", action="append", choices=names, metavar="FAULT", help=f"Repeatable: {', '.join(names)}."
    )
    parser.add_argument("--short", action="store_true", help="Each cheap kind of fault once, on both databases.")
    parser.add_argument("--keep", type=Path, help="Where to keep database and logs of a bad run.")
    parser.add_argument("--no-mutations", dest="mutations", action="store_false", help="Leave out the mutation checks.")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
