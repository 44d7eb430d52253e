from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from jobs.budget import decide, pause
from jobs.settings import Settings
from jobs.tables import FAILURE_CODES

SETTINGS = Settings(max_app_failures=2)


def test_every_failure_code_has_a_decision() -> None:
    first = {code: decide(code, 0, SETTINGS) for code in FAILURE_CODES}
    assert {code for code, decision in first.items() if decision == "fail"} == {
        "invalid_data", "diverged", "timeout", "expired", "poisoned",
    }  # fmt: skip
    assert [code for code, decision in first.items() if decision == "wait"] == ["disk_full"]
    assert decide("internal", 1, SETTINGS) == "retry"
    assert decide("internal", 2, SETTINGS) == "fail"


@given(st.sampled_from(FAILURE_CODES), st.integers(0, 10**6))
def test_pauses_are_capped(code: str, failures: int) -> None:
    assert timedelta(0) <= pause(code, failures, SETTINGS) <= timedelta(minutes=10)


def test_pauses_double_and_can_be_switched_off() -> None:
    for failures, base in enumerate((10, 20, 40, 80)):
        assert 0.8 * base <= pause("internal", failures, SETTINGS).total_seconds() <= 1.2 * base
    assert pause("internal", 3, Settings(retry_seconds=0)) == timedelta(0)
