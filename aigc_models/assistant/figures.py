"""What the figures of an assistant are called and mean; no torch, as pages read them."""

from collections.abc import Mapping
from types import MappingProxyType

from aigc_models.judging import MetricInfo

_HELD = "questions that no training saw"
ENOUGH = 20  # test questions to judge by: of fewer, one more right is more than 5 percent
_COUNTED = ("test_questions", ENOUGH)

ASSISTANT_METRICS: Mapping[str, MetricInfo] = MappingProxyType(
    {
        "recall5": MetricInfo(
            "Recall@5",
            "higher",
            f"Share of {_HELD} whose answer stands among the first 5 sections found; beside it BM25 alone.",
            "recall5_bm25",
            bound=1.0,
            counted=_COUNTED,
        ),
        "mrr": MetricInfo(
            "Mean reciprocal rank",
            "higher",
            "One over the place of the section that answers, among all sections; beside it BM25 alone.",
            "mrr_bm25",
            bound=1.0,
            counted=_COUNTED,
        ),
        "recall1": MetricInfo(
            "Recall@1",
            "higher",
            f"Share of {_HELD} whose answer is found first; beside it BM25 alone.",
            "recall1_bm25",
            bound=1.0,
            counted=_COUNTED,
        ),
        "recall5_bm25": MetricInfo("Recall@5, BM25", "higher", "Recall@5 of BM25 over the same texts.", of="BM25"),
        "mrr_bm25": MetricInfo("MRR, BM25", "higher", "Mean reciprocal rank of BM25 over the same texts.", of="BM25"),
        "recall1_bm25": MetricInfo("Recall@1, BM25", "higher", "Recall@1 of BM25 over the same texts.", of="BM25"),
        "recall5_dense": MetricInfo("Recall@5, encoder", "higher", "Recall@5 of the trained encoder alone."),
        "mrr_dense": MetricInfo("MRR, encoder", "higher", "Mean reciprocal rank of the trained encoder alone."),
        "intent_accuracy": MetricInfo(
            "Intent accuracy",
            "higher",
            f"Share of {_HELD} to which the trained encoder finds the right one of the known answers; beside it "
            "logistic regression on TF-IDF of words.",
            "intent_accuracy_tfidf",
            bound=1.0,
            counted=_COUNTED,
        ),
        "intent_accuracy_tfidf": MetricInfo(
            "Accuracy, TF-IDF",
            "higher",
            "Share of the same questions that logistic regression on TF-IDF gets right.",
            of="TF-IDF",
        ),
        "false_refusals": MetricInfo(
            "False refusals",
            "lower",
            f"Share of {_HELD} that are refused although an answer is there.",
            counted=_COUNTED,
        ),
        "refusal_recall": MetricInfo(
            "Off-topic refused", "higher", "Share of off-topic questions, made from everyday talk, that are refused."
        ),
        "validation_mrr": MetricInfo(
            "Validation MRR", "higher", "Mean reciprocal rank of the encoder on validation questions, which chose it."
        ),
        "encoder_weight": MetricInfo(
            "Weight of the encoder",
            "none",
            "How much the trained encoder counts in the search beside BM25, which counts 1; "
            "0 leaves a search by words.",
        ),
        "test_questions": MetricInfo("Test questions", "none", "Questions that tested the model."),
        "passages": MetricInfo("Passages", "none", "Passages that can be cited."),
        "dialogues": MetricInfo("Dialogues", "none", "Dialogues that were made of documents, each once."),
    }
)
