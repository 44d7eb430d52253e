"""What the figures of recommenders are called and mean; no torch, as pages read them."""

from collections.abc import Mapping
from types import MappingProxyType

from aigc_models.judging import MetricInfo

BASELINES: Mapping[str, str] = MappingProxyType(
    {"popularity": "popularity", "ease": "EASE", "markov": "3-step Markov counts"}
)

RANKING_METRICS: Mapping[str, MetricInfo] = MappingProxyType(
    {
        "ndcg10": MetricInfo(
            "NDCG@10",
            "higher",
            "How high the items that users took next stand among the first 10 of all items, the higher the place the "
            "more it counts; beside it the best baseline.",
            "ndcg10_baseline",
        ),
        "hr10": MetricInfo(
            "Hit rate@10",
            "higher",
            "Share of users who find an item they took next among the first 10 of all items; beside it the baseline "
            "with the best NDCG.",
            "hr10_baseline",
        ),
        "recall10": MetricInfo(
            "Recall@10", "higher", "Share of the items a user took next that stand among the first 10 of all items."
        ),
        "mrr": MetricInfo(
            "Mean reciprocal rank", "higher", "One over the place, among all items, of the first item a user took next."
        ),
        "coverage10": MetricInfo(
            "Coverage@10", "higher", "Share of all items that stand among the first 10 of some user."
        ),
        "ndcg10_baseline": MetricInfo(
            "NDCG@10 of a baseline", "higher", "NDCG@10 of the best of the baselines.", of="the best baseline"
        ),
        "hr10_baseline": MetricInfo(
            "Hits of a baseline", "higher", "Hit rate@10 of the baseline with the best NDCG@10.", of="the best baseline"
        ),
        "ndcg10_popularity": MetricInfo(
            "NDCG@10, popularity", "higher", "NDCG@10 when everybody gets the items with most events."
        ),
        "ndcg10_ease": MetricInfo(
            "NDCG@10, EASE", "higher", "NDCG@10 of EASE, a linear model of which items go together."
        ),
        "ndcg10_markov": MetricInfo(
            "NDCG@10, Markov counts",
            "higher",
            "NDCG@10 of counting what came up to 3 events after a user's last 3 items.",
        ),
        "hr10_popularity": MetricInfo(
            "Hit rate@10, popularity", "higher", "Hit rate@10 when everybody gets the items with most events."
        ),
        "hr10_ease": MetricInfo(
            "Hit rate@10, EASE", "higher", "Hit rate@10 of EASE, a linear model of which items go together."
        ),
        "hr10_markov": MetricInfo(
            "Hit rate@10, Markov",
            "higher",
            "Hit rate@10 of counting what came up to 3 events after a user's last 3 items.",
        ),
        "validation_ndcg10": MetricInfo(
            "Validation NDCG@10", "higher", "NDCG@10 on the validation events, by which the best pass was chosen."
        ),
        "test_users": MetricInfo("Test users", "none", "Users whose events tested the model."),
    }
)
