from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from jobs.budget import decide, pause
from jobs.settings import Settings
from jobs.tables import FAILURE_CODES

SETTINGS = Settings(max_app_failures=2)


def test_every_failure_code_has_a_decision() -> None:
    plain = {code: decide(code, 0, SETTINGS, remedied=False) for code in FAILURE_CODES}
    assert {code for code, decision in plain.items() if decision == "fail"} == {
        "invalid_data", "out_of_memory", "diverged", "timeout", "expired", "poisoned",
    }  # fmt: skip
    assert [code for code, decision in plain.items() if decision == "wait"] == ["disk_full"]
    remedied = {code: decide(code, 0, SETTINGS, remedied=True) for code in FAILURE_CODES}
    assert {code for code in FAILURE_CODES if plain[code] != remedied[code]} == {"out_of_memory", "diverged"}
    for code in ("internal", "out_of_memory"):
        assert decide(code, 1, SETTINGS, remedied=True) == "retry"
        assert decide(code, 2, SETTINGS, remedied=True) == "fail"


@given(st.sampled_from(FAILURE_CODES), st.integers(0, 10**6))
def test_pauses_are_capped(code: str, failures: int) -> None:
    assert timedelta(0) <= pause(code, failures, SETTINGS) <= timedelta(minutes=10)


def test_pauses_double_are_spread_and_can_be_switched_off() -> None:
    for failures, base in enumerate((10, 20, 40, 80)):
        drawn = {pause("internal", failures, SETTINGS).total_seconds() for _ in range(50)}
        assert len(drawn) > 40, "jobs that failed together do not come back together"
        assert 0.8 * base <= min(drawn) < max(drawn) <= 1.2 * base
    assert pause("internal", 3, Settings(retry_seconds=0)) == timedelta(0)
