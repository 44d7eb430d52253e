"""The speed that a run tells of: reckoned from time that was measured, or none."""

import pytest

from worker.pipe_run import _Progress


def told(*reports: tuple[float, int], total: int = 100) -> float | None:
    """The speed after steps that were reported, and sent, at these seconds."""
    progress = _Progress(sent_at=0.0)
    for now, step in reports:
        progress.advance(step, total, now)
        progress.mark_sent(now)
    return progress.rate


def test_steps_told_at_once_after_the_work_have_no_speed() -> None:
    assert told((0.4, 0), *((0.4 + step / 100_000, step) for step in range(1, 101))) is None


def test_a_speed_is_that_of_the_time_between_messages() -> None:
    assert told((1.0, 0), (2.0, 10)) == pytest.approx(10)
    assert told((1.0, 0), (1.01, 1), (1.02, 2), (1.1, 10)) == pytest.approx(100)
    assert told((1.0, 0), (2.0, 10), (2.001, 20)) == pytest.approx(10)


def test_another_phase_begins_anew() -> None:
    progress = _Progress(sent_at=0.0)
    for now, step, total in ((0.0, 0, 10), (1.0, 10, 10), (9.0, 0, 50)):
        progress.advance(step, total, now)
        progress.mark_sent(now)
    assert progress.rate is None
