import time

import pytest

from worker import launch
from worker.devices import CPU, Device
from worker.launch import SlotProcess


def test_a_slot_serves_the_queue_of_its_lane_and_kind() -> None:
    assert SlotProcess("training", CPU).name == "training.cpu"
    assert SlotProcess("generation", Device("gpu", "GPU-1", "Card")).name == "generation.gpu"


@pytest.mark.parametrize(
    ("ready", "expected"),
    [
        (False, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]),
        (True, [0.5, 1.0, 2.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0]),
    ],
    ids=["cannot_start", "killed_at_work"],
)
def test_quick_deaths_are_answered_by_longer_pauses(
    ready: bool, expected: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    slot = SlotProcess("training", CPU)
    pauses = []
    for _ in range(9):
        slot.started_at, slot.ready = time.monotonic(), ready
        slot.ended()
        pauses.append(round(slot.start_at - time.monotonic(), 1))
    assert pauses == expected
    slot.started_at -= 3600
    slot.ended()
    assert slot.failures == 0
    assert "starting again" in capsys.readouterr().err


def test_a_device_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        launch.main(["--lane", "training", "--device", "GPU-none"])
    assert stopped.value.code == 2
    assert "There is no device called GPU-none" in capsys.readouterr().err
