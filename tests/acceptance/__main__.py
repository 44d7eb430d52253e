"""``python -m tests.acceptance``: run what shows the items of the checklist, and say which of them hold.

The last line is JSON. An item holds when all of its tests pass and it can be shown whole.
"""

import argparse
import json
import sys
from collections import Counter
from dataclasses import dataclass, field

import pytest

from tests.acceptance.checklist import ITEMS, PARTIAL, shown_by

FIGURES = ("axe_violations", "pages", "foreign_requests", "console_errors")


@dataclass(eq=False)
class Outcome:
    """A pytest plugin that notes how each test ended and what it counted."""

    bad: dict[str, str] = field(default_factory=dict)
    passed: set[str] = field(default_factory=set)
    figures: Counter[str] = field(default_factory=Counter)
    measured: dict[str, object] = field(default_factory=dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take a phase of a test down."""
        name = report.nodeid.partition("[")[0]
        if report.when == "call" and report.passed:
            self.passed.add(name)
        if report.failed or (report.skipped and self.bad.get(name) != "failed"):
            self.bad[name] = report.outcome
        if report.failed:  # said at once: the whole takes long
            sys.stdout.write(f"\nFAILED {report.nodeid}\n{report.longreprtext[-2_000:]}\n")
        if report.when == "teardown":
            for figure, value in report.user_properties:
                if figure in FIGURES:
                    self.figures[figure] += int(str(value))
                else:
                    self.measured[figure] = value

    def state(self, number: int, tests: list[str]) -> str:
        """Whether an item holds."""
        if not tests:
            return "no test"
        if any(self.bad.get(test) == "failed" or (test not in self.bad and test not in self.passed) for test in tests):
            return "FAILED"
        if any(test in self.bad for test in tests):
            return "skipped"  # this machine lacks what it needs, and the test says what
        return "partial" if number in PARTIAL else "ok"


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance", description="Run the acceptance checklist.")
    parser.add_argument("--list", action="store_true", help="Only print which tests show each item.")
    parser.add_argument("--only", type=int, action="append", metavar="N", help="Only this item; repeatable.")
    options = parser.parse_args()
    wanted = {number: tests for number, tests in shown_by().items() if number in (options.only or ITEMS)}
    outcome = Outcome()
    if not options.list:
        chosen = sorted({test for tests in wanted.values() for test in tests})
        pytest.main(["-q", "-n", "0", "-p", "no:cacheprovider", "--timeout", "1800", *chosen], plugins=[outcome])
    states = {number: "" if options.list else outcome.state(number, tests) for number, tests in wanted.items()}
    for number, tests in wanted.items():
        note = f" ({PARTIAL[number]})" if number in PARTIAL else ""
        sys.stdout.write(f"{number:2d} {states[number]:8s} {ITEMS[number]}{note}\n")
        sys.stdout.writelines(f"            {outcome.bad.get(test, '')} {test}\n" for test in tests)
    if options.list:
        return 0
    named = {state: [number for number, own in states.items() if own == state] for state in set(states.values())}
    told = {
        "checklist_passed": len(named.get("ok", [])),
        "checklist_total": len(ITEMS),
        **{figure: outcome.figures[figure] for figure in FIGURES},
        "partial": named.get("partial", []),
        "failed": named.get("FAILED", []),
        "skipped": named.get("skipped", []),
        "without_test": named.get("no test", []),
        **outcome.measured,
    }
    sys.stdout.write(json.dumps(told) + "\n")
    return 1 if told["failed"] or told["axe_violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
