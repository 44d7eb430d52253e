"""Figures of rankings, against cases computed by hand and against all orders of what is tied."""

import itertools
import math

import numpy as np
import pytest
import torch

from aigc_models.data.interaction_splits import ItemLists, Queries
from aigc_models.metrics import ranking
from aigc_models.metrics.ranking import RankingFigures, rank_all
from aigc_models.metrics.ranking_baselines import Ease, MarkovCounts, Popularity, multi_hot

NOT_SEEN = np.zeros(5, np.bool_)


def figures(scores: list[float], targets: list[int], k: int = 2) -> dict[str, float]:
    found = RankingFigures(len(scores), k)
    found.add(torch.tensor([scores]), ItemLists.of([targets]))
    return found.result()


def test_one_target_without_ties() -> None:
    assert figures([0.1, 0.9, 0.5, 0.3], [2]) == pytest.approx(
        {"hr2": 1, "recall2": 1, "ndcg2": 1 / math.log2(3), "mrr": 1 / 2, "coverage2": 2 / 4}
    )
    assert figures([0.1, 0.9, 0.5, 0.3], [0]) == pytest.approx(
        {"hr2": 0, "recall2": 0, "ndcg2": 0, "mrr": 1 / 4, "coverage2": 2 / 4}
    )


def test_several_targets_without_ties() -> None:
    found = figures([0.9, 0.8, 0.7, 0.6, 0.5], [0, 2, 4], k=3)
    best = 1 + 1 / math.log2(3) + 1 / 2
    assert found["ndcg3"] == pytest.approx((1 + 1 / 2) / best)
    assert found["recall3"] == pytest.approx(2 / 3)
    assert found["hr3"] == 1
    assert found["mrr"] == 1


@pytest.mark.parametrize("targets", [[1], [1, 3], [0, 2], [4], [0, 1, 2, 3, 4]])
@pytest.mark.parametrize("scores", [[0, 0, 0, 0, 0], [2, 1, 1, 1, 0], [1, 1, 2, 2, 0]])
def test_ties_count_as_the_mean_over_all_their_orders(scores: list[float], targets: list[int]) -> None:
    """Each order is the ranking of scores told apart by tiny amounts."""
    shifts = itertools.permutations([0.0, 0.1, 0.2, 0.3, 0.4])
    each = [figures([score + more for score, more in zip(scores, shift, strict=True)], targets) for shift in shifts]
    found = figures(scores, targets)
    for name in ("hr2", "recall2", "ndcg2", "mrr"):
        assert found[name] == pytest.approx(np.mean([one[name] for one in each])), name


def test_many_targets_are_placed_as_few_are() -> None:
    """Above a few targets scores are sorted instead of compared."""
    generator = torch.Generator().manual_seed(3)
    scores = torch.randint(0, 9, (4, 40), generator=generator).float()
    targets = ItemLists.of([list(range(row, row + 12)) for row in range(4)])
    whole = ranking.places(scores, targets)
    for row, column in itertools.product(range(4), range(12)):
        one = ranking.places(scores[row : row + 1], ItemLists.of([[row + column]]))
        assert (one.better, one.tied) == (whole.better[row, column], whole.tied[row, column])


def test_histories_are_masked_and_what_nobody_could_know_stands_last() -> None:
    class Rising:
        def score(self, histories: ItemLists) -> torch.Tensor:
            return torch.arange(5.0).expand(len(histories), -1)

    queries = Queries(np.array([0, 1]), ItemLists.of([[4, 3], [0]]), ItemLists.of([[2], [4]]))
    assert rank_all(Rising(), queries, NOT_SEEN)["mrr"] == 1
    cold = NOT_SEEN.copy()
    cold[4] = True
    assert rank_all(Rising(), queries, cold)["mrr"] == pytest.approx((1 + 1 / 4) / 2)
    assert torch.equal(Rising().score(ItemLists.of([[0]]))[0], torch.arange(5.0)), "scores themselves are left alone"


HAD = ItemLists.of([[0, 1, 2], [1, 2, 3], [0, 1, 4], [2, 1]])


def test_ease_is_the_ridge_regression_of_each_item_on_the_others() -> None:
    weight = 0.5
    held = multi_hot(HAD, 5).double()
    found = Ease(HAD, 5, weight).weights
    for item in range(5):
        others = [other for other in range(5) if other != item]
        x, y = held[:, others], held[:, item]
        solved = torch.linalg.solve(x.T @ x + weight * torch.eye(4).double(), x.T @ y)
        assert torch.allclose(found[others, item].double(), solved, atol=1e-6)
        assert found[item, item] == 0
    assert torch.allclose(Ease(HAD, 5, weight).score(ItemLists.of([[1, 3]]))[0], found[1] + found[3])


def test_popularity_counts_events() -> None:
    assert Popularity(HAD, 6).score(ItemLists.of([[0], []])).tolist() == [[2, 4, 3, 1, 1, 0]] * 2


def test_markov_counts_what_came_up_to_some_steps_after_the_last_items() -> None:
    markov = MarkovCounts(HAD, 5, steps=2)
    # After 1 came 2 (twice), 3 and 4; after 2 came 3 and 1; nothing of before the last two items counts.
    assert markov.score(ItemLists.of([[1]])).tolist() == [[0, 0, 2, 1, 1]]
    assert markov.score(ItemLists.of([[0, 1, 2]])).tolist() == [[0, 1, 2, 2, 1]]
    assert markov.score(ItemLists.of([[]])).tolist() == [[0] * 5]
