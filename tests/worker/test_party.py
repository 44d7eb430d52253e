"""Devices that work together: who holds which."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from worker.devices import CPU, Device, together_on
from worker.party import Party


@pytest.fixture
def parties(tmp_path: Path) -> Iterator[Callable[[str], Party]]:
    """Makes slots of some GPUs."""
    made: list[Party] = []

    def make(name: str) -> Party:
        made.append(Party(tmp_path, "training", Device("gpu", name, name)))
        return made[-1]

    yield make
    for party in made:
        party.close()


def test_a_slot_takes_its_idle_neighbours_or_none(parties: Callable[[str], Party]) -> None:
    first, second, third = (parties(name) for name in "abc")
    assert first.open()
    assert third.open()
    assert not first.gather(3, ["b", "c"])
    assert first.names == ["a"]
    assert second.open(), "it was let go of"
    second.close()
    assert not first.gather(2, ["c"])
    third.close()
    assert first.gather(3, ["c", "b"])
    assert first.names == ["a", "c", "b"]
    assert not second.open()
    assert not third.open()
    first.keep(2)
    assert second.open()
    first.close()
    assert third.open()


def test_a_device_whose_slot_looks_elsewhere_is_not_borrowed(parties: Callable[[str], Party]) -> None:
    assert parties("a").gather(1, ["of-another-home"]) is False
    alone = parties("a")
    assert alone.open()
    assert not alone.gather(2, ["of-another-home"])


def test_gpus_that_work_together_are_seen_in_their_order() -> None:
    assert together_on(["GPU-b", "GPU-a"])["CUDA_VISIBLE_DEVICES"] == "GPU-b,GPU-a"
    assert together_on([]) == CPU.environment
