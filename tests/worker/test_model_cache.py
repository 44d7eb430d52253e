from functools import partial
from pathlib import Path

import pytest
import torch

from worker.model_cache import ModelCache


def load(source: Path) -> torch.nn.Module:
    return torch.nn.Linear(256, 255)  # 256 KiB of numbers


def load_other(source: Path) -> str:
    return "other"


@pytest.fixture
def sources(tmp_path: Path) -> list[Path]:
    made = [tmp_path / name for name in ("mdl_a", "mdl_b", "mdl_c")]
    for source in made:
        source.mkdir()
        (source / "weights").write_bytes(b"x" * 1000)
    return made


def test_a_model_is_loaded_once(sources: list[Path]) -> None:
    cache = ModelCache(2**20)
    assert cache.get(sources[0], load) is cache.get(sources[0], load)
    assert cache.held == 255 * 256 * 4 + 255 * 4
    assert cache.keys == ["mdl_a"]


def test_the_least_recently_used_makes_room(sources: list[Path]) -> None:
    cache = ModelCache(600_000)
    first, second, third = sources
    kept = cache.get(first, load)
    cache.get(second, load)
    cache.get(first, load)
    cache.get(third, load)
    assert cache.keys == ["mdl_a", "mdl_c"]
    assert cache.get(first, load) is kept


def test_what_is_larger_than_the_budget_is_not_kept(sources: list[Path]) -> None:
    cache = ModelCache(1000)
    assert cache.get(sources[0], load) is not cache.get(sources[0], load)
    assert cache.keys == []


def test_two_ways_to_load_the_same_files_are_kept_apart(sources: list[Path]) -> None:
    cache = ModelCache(2**20)
    assert isinstance(cache.get(sources[0], load), torch.nn.Module)
    assert cache.get(sources[0], load_other) == "other"
    assert cache.keys == ["mdl_a"]
    cache.clear()
    assert cache.held == 0


def test_a_way_to_load_may_carry_arguments(sources: list[Path]) -> None:
    cache = ModelCache(2**20)
    assert cache.get(sources[0], partial(load)) is cache.get(sources[0], partial(load))


def test_what_holds_no_tensors_counts_as_large_as_its_files(sources: list[Path]) -> None:
    cache = ModelCache(2**20)
    cache.get(sources[0], load_other)
    assert cache.held == 1000
