"""What the figures of texts are called and mean; no torch, as pages read them."""

from collections.abc import Mapping
from types import MappingProxyType

from aigc_models.judging import MetricInfo

JUDGED: Mapping[str, MetricInfo] = MappingProxyType(
    {
        "bits_per_character": MetricInfo(
            "Bits per character",
            "lower",
            "How surprised the model is by each character of test texts it never saw; beside it counts of which "
            "character follows five others.",
            "bits_per_character_ngram",
        ),
        "perplexity": MetricInfo(
            "Perplexity", "lower", "Among how many tokens, equally likely, the model seems to choose in test texts."
        ),
        "distinct2": MetricInfo(
            "Distinct pairs",
            "higher",
            "Share of the pairs of neighbouring words in written texts that are different; as many test texts' own "
            "beside it. Texts drawn from counts have the most, as they make little sense.",
            real="distinct2_real",
        ),
        "self_bleu": MetricInfo(
            "Self-BLEU",
            "lower",
            "How much written texts resemble each other, from 0 to 1; test texts' own beside it.",
            real="self_bleu_real",
        ),
        "longest_copy": MetricInfo(
            "Longest copy",
            "lower",
            "Characters of the longest passage of a written text that stands in a training text word for word; the "
            "same of test texts beside it.",
            real="longest_copy_real",
        ),
        "bits_per_character_ngram": MetricInfo(
            "Bits, n-gram",
            "lower",
            "Bits per character of Witten-Bell counts of five characters, on the same texts.",
            of="counts of five characters",
        ),
        "distinct2_ngram": MetricInfo(
            "Distinct pairs, n-gram",
            "higher",
            "Share of different pairs of words in texts drawn from counts.",
            of="counts of five characters",
        ),
        "distinct2_real": MetricInfo(
            "Distinct pairs, real",
            "higher",
            "Share of different pairs of words in as many test texts.",
            of="test texts",
        ),
        "self_bleu_real": MetricInfo(
            "Self-BLEU, real", "lower", "How much test texts resemble each other.", of="test texts"
        ),
        "longest_copy_real": MetricInfo(
            "Longest copy, real",
            "lower",
            "Longest passage that a test text shares with the training texts.",
            of="test texts",
        ),
        "validation_loss": MetricInfo(
            "Validation loss", "lower", "Nats per token on texts set aside, by which the best step was chosen."
        ),
        "test_characters": MetricInfo("Test characters", "none", "Characters of test texts that were read."),
    }
)

GUIDED: Mapping[str, MetricInfo] = MappingProxyType(
    {
        "attribute_coverage": MetricInfo(
            "Attributes kept",
            "higher",
            "Share of the attributes asked for that a naive Bayes reader, trained on real texts, finds in the written "
            "ones; beside it texts that were asked for nothing, and real texts.",
            "attribute_coverage_free",
            "attribute_coverage_real",
        ),
        "attribute_coverage_free": MetricInfo(
            "Attributes by chance",
            "higher",
            "The same for texts that were written without being asked for them.",
            of="texts that were asked for nothing",
        ),
        "attribute_coverage_real": MetricInfo(
            "Attributes, real", "higher", "The same for real test texts.", of="test texts"
        ),
        "ranker_auc": MetricInfo(
            "Ranker",
            "none",
            "How often the ranker that keeps the best texts tells a real one from a written one, neither of which it "
            "has seen; 0.5 means it cannot: written texts then seem real to it, but it cannot choose among them "
            "either.",
        ),
    }
)
