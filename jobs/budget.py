"""Whether a failed job gets another try, and when."""

import random
from datetime import timedelta
from typing import Literal

from jobs.settings import Settings

# A second try of these would meet the same fault.
HOPELESS = frozenset({"invalid_data", "timeout", "expired", "poisoned"})
# So would one of these, unless it does something differently.
CURABLE = frozenset({"out_of_memory", "diverged"})
DISK_PAUSES = 30  # a full disk is emptied by a person; wait that many first pauses
JITTER = 0.2

Decision = Literal["fail", "retry", "wait"]


def decide(code: str, app_failures: int, settings: Settings, *, remedied: bool) -> Decision:
    """Say what follows a failure: the end, a try that counts, or a wait that does not.

    Args:
        code: The failure code.
        app_failures: Failures of the program so far, without this one.
        settings: Holds the budget.
        remedied: Whether the next try would do something differently.
    """
    if code in HOPELESS or (code in CURABLE and not remedied):
        return "fail"
    if code == "disk_full":
        return "wait"
    return "retry" if app_failures + 1 <= settings.max_app_failures else "fail"


def pause(code: str, app_failures: int, settings: Settings) -> timedelta:
    """How long to wait before the next try: doubling, capped, spread a little so that jobs do not march in step."""
    factor = DISK_PAUSES if code == "disk_full" else 2.0 ** min(app_failures, 30)
    spread = 1 + random.uniform(-JITTER, JITTER)  # noqa: S311 - nothing secret about it
    return timedelta(seconds=min(settings.retry_seconds * factor * spread, settings.retry_cap_seconds))
