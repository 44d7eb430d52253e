import math

from hypothesis import given
from hypothesis import strategies as st

from jobs.curves import Point, merge, thin

FIGURES = st.dictionaries(st.sampled_from(["g_loss", "d_loss", "fid"]), st.none() | st.floats(-9, 9), max_size=3)


def curve(figures: list[dict[str, float | None]]) -> list[Point]:
    return [Point(step, values) for step, values in enumerate(figures)]


@given(st.lists(FIGURES, max_size=300), st.integers(2, 60))
def test_thinning_keeps_order_and_both_ends(figures: list[dict[str, float | None]], most: int) -> None:
    points = curve(figures)
    kept = thin(points, most)
    assert [point.step for point in kept] == sorted({point.step for point in kept})
    assert len(kept) <= most
    if points:
        assert (kept[0], kept[-1]) == (points[0], points[-1])


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=300))
def test_thinning_keeps_the_highest_and_the_lowest_value(losses: list[float]) -> None:
    kept = [point.values["loss"] or 0.0 for point in thin(curve([{"loss": loss} for loss in losses]), 20)]
    assert (max(kept), min(kept)) == (max(losses), min(losses))


def test_figures_of_one_step_are_joined() -> None:
    assert merge([(1, {"a": 1.0}), (2, {"a": 3.0}), (1, {"b": math.nan, "a": 2.0})]) == {
        1: {"a": 2.0, "b": None},
        2: {"a": 3.0},
    }
