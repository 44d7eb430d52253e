"""What follows a failure: gentler attempts first, then a sentence with the setting to change."""

from typing import Any

import pytest

from aigc_models.base import UNADJUSTED, Adjustments
from jobs import recovery
from jobs.recovery import Case, advice, remedy

GAN = "image_gan.train"


def case(adjustments: Adjustments = UNADJUSTED, task: str = GAN, **params: Any) -> Case:
    return Case(task, {"batch_size": 256, "learning_rate": 0.001, **params}, adjustments, checkpoint_step=40)


def rungs(start: Case) -> list[int]:
    """The numbers of parts that are tried one after the other."""
    found: list[int] = []
    now = start
    while (step := remedy("out_of_memory", now)) is not None:
        found.append(step.adjustments.micro_batches)
        now = Case(now.task, now.params, step.adjustments)
    return found


def test_a_batch_is_halved_twice() -> None:
    assert rungs(case()) == [2, 4]
    assert rungs(case(Adjustments(learning_rate_factor=0.5))) == [2, 4]


@pytest.mark.parametrize(("size", "parts"), [(4, [2, 4]), (3, [2]), (2, [2]), (1, [])])
def test_no_part_is_smaller_than_one_item(size: int, parts: list[int]) -> None:
    assert rungs(case(batch_size=size)) == parts


def test_a_generation_computes_fewer_items_at_once() -> None:
    drawing = Case("image_gan.generate", {"count": 16}, UNADJUSTED)
    assert rungs(drawing) == [2, 4]
    found = advice("out_of_memory", drawing)
    assert found is not None
    assert found.params == {}


def test_the_log_says_what_is_done() -> None:
    found = remedy("out_of_memory", case())
    assert found is not None
    assert "each batch in 2 parts" in found.line
    assert "stays 256" in found.line
    found = remedy("diverged", case())
    assert found is not None
    assert found.line == "The loss became NaN. Going back to step 40 with the learning rate halved, 0.0005."
    found = remedy("diverged", Case(GAN, {"learning_rate": 0.00002}, UNADJUSTED))
    assert found is not None
    assert found.line == "The loss became NaN. Going back to the start with the learning rate halved, 0.00001."


def test_the_learning_rate_is_halved_once() -> None:
    first = remedy("diverged", case(Adjustments(micro_batches=2)))
    assert first is not None
    assert first.adjustments == Adjustments(micro_batches=2, learning_rate_factor=0.5)
    assert remedy("diverged", case(first.adjustments)) is None
    assert remedy("diverged", Case("toy.generate", {}, UNADJUSTED)) is None


@pytest.mark.parametrize("code", ["internal", "disk_full", "invalid_data", "timeout", "stalled"])
def test_other_failures_have_no_remedy_and_no_advice(code: str) -> None:
    assert remedy(code, case()) is None
    assert advice(code, case(), 3) is None


@pytest.mark.parametrize(("parts", "suggested"), [(1, 128), (2, 64), (4, 32)])
def test_the_batch_size_that_would_have_been_tried_next_is_advised(parts: int, suggested: int) -> None:
    found = advice("out_of_memory", case(Adjustments(micro_batches=parts)))
    assert found is not None
    assert found.params == {"batch_size": suggested}
    assert "ran out of memory at batch size 256" in str(found.fault)
    assert str(found.fault).endswith(f"Try {suggested}.")
    assert found.fault.pointer == "/batch_size"


def test_no_batch_size_is_advised_that_the_task_would_refuse() -> None:
    tight = advice("out_of_memory", case(Adjustments(micro_batches=4), batch_size=6))
    assert tight is not None
    assert tight.params == {"batch_size": 2}
    least = advice("out_of_memory", case(batch_size=2))
    assert least is not None
    assert (least.params, "smaller model" in str(least.fault)) == ({}, True)
    gone = advice("out_of_memory", case(task="gone.train", batch_size=6))
    assert gone is not None
    assert gone.params == {"batch_size": 3}


def test_a_learning_rate_below_the_one_tried_is_advised() -> None:
    first, second = advice("diverged", case(), 70), advice("diverged", case(Adjustments(1, 0.5)), 90)
    assert first is not None
    assert second is not None
    assert str(first.fault) == "The loss became NaN at step 70. Try a learning rate of 0.0005."
    assert first.params == {"learning_rate": 0.0005}
    assert str(second.fault) == (
        "The loss became NaN at step 90, also with the learning rate halved. Try a learning rate of 0.00025."
    )
    assert advice("diverged", case()) is None, "a step that nobody knows is not named"


def test_only_what_is_changed_is_stored() -> None:
    assert recovery.stored(UNADJUSTED) == {}
    assert recovery.stored(Adjustments(micro_batches=2)) == {"micro_batches": 2}
    assert Adjustments.read({"micro_batches": 2, "of_a_later_version": 1}) == Adjustments(micro_batches=2)
