"""The acceptance checklist: what a person or a program meets, numbered, and the tests that show it.

A test shows an item where it carries ``@pytest.mark.checklist(number)``. Marks are read from the source, so the
list is complete without running anything.
"""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

TESTS = Path(__file__).parents[1]

ITEMS: Mapping[int, str] = {
    1: "axe finds nothing on any page: light, dark, Chinese, 390 px, 320 px, errors, every state, empty",
    2: "nothing scrolls sideways at 320 px; text at 200 % is readable",
    3: "every Tab stop is seen and never under the sticky bar; skip link first; no trap",
    4: "targets have at least 24 by 24 pixels",
    5: "a running job's percent, step and curve move without a reload; the title follows to the final state",
    6: "focus and text selection survive live updates",
    7: "nine tabs of running jobs all load",
    8: "50 pollers at 1 Hz: no error, little memory, unchanged jobs answered with 304",
    9: "polling stops at a final state and rests in a hidden tab",
    10: "a lost server is said and waited for",
    11: "without JavaScript: the job page refreshes, forms submit, cancel works, faults are shown",
    12: "a bad form: 422, focus on the summary, links to the fields, the same words beside them, values kept",
    13: "a double click makes one job",
    14: "Duplicate opens the form with the same values; Retry starts at once and links back",
    15: "Cancel asks once, shows Stopping, ends as Cancelled, keeps the checkpoint",
    16: "a broken upload names the place of its fault; a good one shows its report before any job starts",
    17: "curl, Python and CLI code of an edited form make jobs with exactly its params",
    18: "Chinese follows the browser and the switch; no English is left",
    19: "dark follows the system and can be forced; the chart's colours follow",
    20: "a chart's numbers are a table, too; samples have alternative texts with their step",
    21: "no request to another host, a strict CSP, no error in the console",
    22: "the first load of the list is small and its performance good",
    23: "the list with 10,000 jobs: bounded work, filters in the address, kept by the back button",
    24: "no worker: the hint names what to start, and goes when one has started",
    25: "a submission: 202, Location, Retry-After, X-Request-Id",
    26: "an idempotency key: the same body the same job, another body 422, 20 at once one job",
    27: "If-None-Match: 304 without a body until the job changes",
    28: "Link rel=next walks all jobs once, also while new ones arrive",
    29: "every error of the API is a problem with a help page, and tells all faults with their places",
    30: "validate_only creates nothing; Prefer: wait comes back in time",
    31: "an unknown setting gets a hint",
    32: "cancelling a finished job is 409, a cancelled one 200",
    33: "events stream in order, go on after Last-Event-ID, are capped, and end with the server",
    34: "a file's ETag is its checksum; ranges work; another type than asked for is 406",
    35: "fuzzing against the description finds no server error and no undocumented status",
    36: "./run ends with a finished job, its address and a sample; ./test ends green; both say how long they took",
    37: "submit --watch in a pipe prints no escape codes; --json parses; exit codes; Ctrl-C leaves the job",
    38: "the doctor names a stopped queue or database server and the fix",
    39: "an error reads the same in form, API, CLI and Python",
    40: "the README's commands run; English and Chinese have the same headings",
}

PARTIAL: Mapping[int, str] = {}
"""Items that cannot be shown whole yet, and what is missing."""

OPEN: frozenset[int] = frozenset()
"""The only items that may be without a test."""


def shown_by() -> Mapping[int, list[str]]:
    """Node ids of the tests that show each item, in the order of the items."""
    found: dict[int, list[str]] = {number: [] for number in ITEMS}
    for path in sorted(TESTS.rglob("test_*.py")):
        for name, numbers in _marked(ast.parse(path.read_text(encoding="utf-8"))):
            for number in numbers:
                found.setdefault(number, []).append(f"{path.relative_to(TESTS.parent)}::{name}")
    return dict(sorted(found.items()))


def _marked(tree: ast.Module) -> Iterator[tuple[str, list[int]]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            calls = [each for each in node.decorator_list if isinstance(each, ast.Call)]
            marks = [call for call in calls if ast.unparse(call.func) == "pytest.mark.checklist"]
            numbers = [ast.literal_eval(argument) for call in marks for argument in call.args]
            if numbers:
                yield node.name, numbers
