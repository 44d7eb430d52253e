"""``python -m tests.web.fuzz_api``: the long form of the fuzzing, in rounds, until enough cases have been sent.

The first rounds go through every limit of the whole description (coverage) and through chains of
requests (stateful); then come rounds of random requests, each with a seed of its own and a server
and data of its own. All of schemathesis's checks are on. What failed is printed as it is found; the
last line is JSON: ``cases``, ``failures``, ``server_errors``, ``rounds``, ``seed``.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from jobs import migrate
from jobs.db import Database
from jobs.settings import Settings
from tests.web.fuzz import Verdict, fuzz

ROUND_SECONDS = 900
MOST_ROUNDS = 100


@dataclass
class Total:
    """What all rounds found together."""

    cases: int = 0
    failures: int = 0
    server_errors: int = 0
    rounds: list[str] = field(default_factory=list)

    def add(self, name: str, verdict: Verdict) -> None:
        """Count a round in."""
        self.cases += verdict.cases
        self.failures += verdict.failures
        self.server_errors += verdict.server_errors
        self.rounds.append(name)

    @property
    def clean(self) -> bool:
        """Whether nothing failed."""
        return not self.failures and not self.server_errors


def rounds(examples: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What to do one after the other: a name, and options of schemathesis."""
    yield "coverage", ("--phases", "examples,coverage")
    yield "stateful", ("--phases", "stateful", "--max-examples", str(examples))
    for number in range(MOST_ROUNDS):
        yield f"fuzzing {number + 1}", ("--phases", "fuzzing", "--max-examples", str(examples))


def run(name: str, seed: int, options: tuple[str, ...]) -> Verdict:
    """One round on a server of its own."""
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        database = Database(Settings(home=home).sql_url)
        migrate.upgrade(database)
        database.dispose()
        started = time.monotonic()
        verdict = fuzz(home, ROUND_SECONDS, "--seed", str(seed), *options)
    found = f"{verdict.cases} cases, {verdict.failures} failures, {verdict.server_errors} server errors"
    print(f"{name}: {found}, seed {seed}, {time.monotonic() - started:.0f} s", flush=True)
    if verdict.failures or verdict.server_errors or not verdict.cases:
        print(verdict.report, flush=True)
    return verdict


def main() -> int:
    """Run from the command line."""
    options = argparse.ArgumentParser(description="Fuzz the whole API, round by round.")
    options.add_argument("--cases", type=int, default=5_000, help="least number of requests")
    options.add_argument("--examples", type=int, default=50, help="random requests per operation and round")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--round", default="", help="only rounds whose name begins so")
    options.add_argument("--path", default="", help="only addresses that match this regular expression")
    chosen = options.parse_args()
    total = Total()
    for number, (name, how) in enumerate(rounds(chosen.examples)):
        if total.rounds and number > 1 and total.cases >= chosen.cases:
            break
        if name.startswith(chosen.round):
            narrow = ("--include-path-regex", chosen.path) if chosen.path else ()
            total.add(name, run(name, chosen.seed + number, (*how, *narrow)))
    said = {"cases": total.cases, "failures": total.failures, "server_errors": total.server_errors}
    print(json.dumps(said | {"rounds": len(total.rounds), "seed": chosen.seed}))
    return 0 if total.clean and total.cases >= chosen.cases else 1


if __name__ == "__main__":
    sys.exit(main())
