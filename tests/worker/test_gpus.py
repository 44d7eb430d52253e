"""A slot's GPU: what it tells, when it is believed to be broken and well again, what it uses."""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.worker.fake_gpus import pynvml
from tests.worker.fake_gpus.cards import NVML, Cards
from worker import devices, readings
from worker.devices import CPU, Device
from worker.energy import Meter
from worker.health import Health
from worker.readings import Reading

GIB = 2**30


@pytest.fixture
def cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cards:
    """A whole card and a divided one."""
    made = Cards(tmp_path / "cards.json")
    monkeypatch.setenv("AIGC_FAKE_GPUS", str(made.path))
    made.tell(
        {"uuid": "GPU-a", "memory": 80 * GIB, "free": 60 * GIB, "load": 93, "temperature": 61, "watts": 310,
         "joules": 50},
        {"uuid": "GPU-b", "watts": 100, "temperature": 40, "memory": 80 * GIB,
         "instances": [{"uuid": "MIG-x", "memory": 20 * GIB, "free": 5 * GIB}]},
    )  # fmt: skip
    return made


@dataclass
class Lab:
    """A GPU's health, with a clock and a probe that the test turns."""

    now: float = 0.0
    works: bool = False
    probes: int = 0
    health: Health = field(init=False)

    def __post_init__(self) -> None:
        self.health = Health(Device("gpu", "GPU-a", "Card"), self.probe, lambda: self.now)

    def probe(self, device: Device) -> bool:
        """Try it."""
        assert device.name == "GPU-a"
        self.probes += 1
        return self.works

    def later(self, seconds: float) -> bool:
        """Whether it takes jobs that much later."""
        self.now += seconds
        return self.health.recovers()


def chosen(name: str) -> Device:
    return devices.choose(name, NVML)[0]


def test_a_card_tells_and_an_instance_has_its_cards_thermometer(cards: Cards) -> None:
    whole = readings.read(chosen("GPU-a"), NVML)
    assert whole == Reading(80 * GIB, 60 * GIB, 93, 61, 310.0, 50.0)
    part = readings.read(chosen("MIG-x"), NVML)
    assert (part.memory_total, part.memory_free, part.temperature, part.watts) == (20 * GIB, 5 * GIB, 40, 100.0)
    there = chosen("GPU-a")
    cards.change(0, gone=True)
    assert readings.read(there, NVML) == readings.read(there, None) == Reading()
    machine = readings.read(CPU, None)
    assert machine.memory_free is not None
    assert machine.memory_total is not None
    assert 0 < machine.memory_free <= machine.memory_total


def test_a_gpu_that_vanished_is_tried_at_once_when_it_is_back(cards: Cards) -> None:
    lab = Lab(works=True)
    lab.health.look(NVML)
    assert lab.health.trouble is None
    cards.change(0, gone=True)
    lab.health.look(NVML)
    assert lab.health.trouble == "gone"
    assert not lab.later(1)
    cards.change(0, gone=False)
    lab.health.look(NVML)
    assert lab.health.trouble == "gone"  # until it has computed something
    assert lab.later(0)
    assert lab.health.trouble is None
    assert lab.probes == 1


def test_a_broken_gpu_is_tried_ever_more_rarely(cards: Cards) -> None:
    lab = Lab()
    lab.health.look(NVML)
    cards.change(0, errors=1)
    lab.health.look(NVML)
    assert lab.health.trouble == "memory"
    assert [lab.later(each) for each in (29, 1, 59, 1, 119, 1)] == [False] * 6
    assert lab.probes == 3
    lab.works = True
    assert lab.later(239) is False
    assert lab.later(1) is True
    lab.health.look(NVML)
    assert lab.health.trouble is None  # the error that was known is no new one


@pytest.mark.parametrize(
    ("xids", "trouble"), [([31], None), ([31, 79], "fault")], ids=["a_programs_own", "off_the_bus"]
)
def test_the_drivers_errors_are_heard(cards: Cards, xids: list[int], trouble: str | None) -> None:
    lab = Lab()
    cards.change(0, xids=xids)
    lab.health.look(NVML)
    assert lab.health.trouble == trouble
    pynvml.told.clear()


def test_three_deaths_within_minutes_are_the_devices_fault(cards: Cards) -> None:
    lab = Lab()
    lab.health.died()
    lab.health.died()
    lab.health.worked()
    lab.health.died()
    lab.now += 700
    lab.health.died()
    lab.health.died()
    assert lab.health.trouble is None
    lab.health.died()
    assert lab.health.trouble == "runners"
    assert not lab.health.recovers()


def test_a_gpus_counter_says_what_an_attempt_used(cards: Cards) -> None:
    spent = Meter(chosen("GPU-a"), NVML).begin(0)
    cards.change(0, joules=62)
    assert (spent().joules, spent().source) == (12.0, "nvml")
    cards.change(0, joules=3)  # the driver was loaded anew: what it counts says nothing any more
    assert spent().source == "estimate"


def test_a_processors_counter_is_shared_by_what_was_computed(tmp_path: Path) -> None:
    package = tmp_path / "intel-rapl:0"
    package.mkdir()
    (package / "energy_uj").write_text("1000000")
    spent = Meter(CPU, rapl=tmp_path).begin(os.getpid())
    (package / "energy_uj").write_text("9000000")
    sum(range(2_000_000))
    found = spent()
    assert found.source == "rapl"
    assert 0 < found.joules <= 8.0


def test_without_a_counter_the_seconds_of_a_core_are_an_estimate(tmp_path: Path) -> None:
    spent = Meter(CPU, core_watts=10.0, rapl=tmp_path).begin(os.getpid())
    began = time.process_time()
    while time.process_time() - began < 0.1:
        sum(range(10_000))
    found = spent()
    assert found.source == "estimate"
    assert 0.5 <= found.joules < 60
