"""What an assistant is worth on questions it never saw: where their answers stand, and what it refuses."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from aigc_models.assistant import off_topic
from aigc_models.assistant.calibration import SIGNS, Calibration, calibrate, signs
from aigc_models.assistant.figures import ASSISTANT_METRICS
from aigc_models.assistant.lesson import TEST, TRAIN, VALIDATION, Lesson, Question
from aigc_models.assistant.loop import drawn
from aigc_models.assistant.searching import Encoding, Searched, build, in_tests
from aigc_models.base import Metrics, Run
from aigc_models.retrieval.index import Floats, Groups, Index, Mix, Scores, fused, ranks
from aigc_models.retrieval.tokens import language, question_words, tongue, words

NEAR, AROUND = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0), (0.0, 0.1, 0.2, 0.5, 1.0)
MOST_TESTED, _CHUNK, _MOST_TFIDF = 5_000, 128, 20_000


@dataclass(frozen=True)
class Bench:
    """A trained encoder over a lesson whose headings are hidden.

    Attributes:
        lesson: Passages and questions.
        encoding: The encoder.
        index: What is searched.
        sections: The passages of each section.
        chunk: Questions at once.
    """

    lesson: Lesson
    encoding: Encoding
    index: Index
    sections: Groups
    chunk: int

    @classmethod
    def over(cls, lesson: Lesson, encoding: Encoding, run: Run, searched: Searched | None = None) -> "Bench":
        """Index the lesson's passages."""
        index = build(searched or in_tests(lesson), encoding, len(lesson.passages))
        sections = Groups.of(lesson.sections, len(lesson.shares))
        return cls(lesson, encoding, index, sections, run.adjustments.chunk(_CHUNK))

    def ranks(self, questions: Sequence[Question], mixes: Sequence[Mix]) -> dict[str | Mix, NDArray[np.float64]]:
        """Places of the answering sections, by BM25, by the encoder, and by each mix."""
        found: dict[str | Mix, list[NDArray[np.float64]]] = {}
        for start in range(0, len(questions), self.chunk):
            some = questions[start : start + self.chunk]
            scores = self._scores([one.text for one in some])
            wanted = np.array([one.section for one in some], np.int64)
            each: dict[str | Mix, Floats] = {"bm25": scores.exact, "dense": scores.near}
            for name, one in (each | {mix: fused(scores, mix) for mix in mixes}).items():
                found.setdefault(name, []).append(ranks(self.sections.best(one, -np.inf), wanted))
        return {name: np.concatenate(parts) for name, parts in found.items()}

    def signs(self, asked: Sequence[str]) -> NDArray[np.float64]:
        """What tells whether questions are answered."""
        parts = []
        for start in range(0, len(asked), self.chunk):
            some = asked[start : start + self.chunk]
            parts.append(signs(self.index, [question_words(one) for one in some], self._scores(some)))
        return np.concatenate(parts) if parts else np.empty((0, len(SIGNS)))

    def pages(self, questions: Sequence[Question]) -> NDArray[np.int64]:
        """The document that answers each question."""
        own = dict(zip(self.lesson.sections.tolist(), self.index.document.tolist(), strict=True))
        return np.array([own.get(one.section, -1) for one in questions], np.int64)

    def mixed(self, mix: Mix) -> "Bench":
        """The same with the scores mixed otherwise."""
        return replace(self, index=replace(self.index, mix=mix))

    def _scores(self, asked: Sequence[str]) -> Scores:
        """Words that only make a question are not searched, but the encoder may learn from them."""
        vectors = self.encoding.vectors([words(one) for one in asked])
        return self.index.scores([question_words(one) for one in asked], vectors, [tongue(one) for one in asked])


def tune(bench: Bench, used: Index, false_refusals: float, seed: int, run: Run) -> tuple[Mix, Calibration]:
    """Choose how scores are mixed and when to refuse, on the validation questions.

    Questions with an answer are looked up where no heading says it, as people ask in words of their own; others where
    headings are searched, too, as some heading may seem near.

    Args:
        bench: Hides headings.
        used: What is searched in use.
        false_refusals: Share of questions with an answer that may be refused.
        seed: Draws questions.
        run: Is told.
    """
    kept = drawn(bench.lesson.of(VALIDATION), 1_000, seed) or bench.lesson.of(TRAIN, fair=False)[:_CHUNK]
    mix = _best(bench, kept, [Mix(near, around) for around in AROUND for near in NEAR])
    run.log(f"Beside BM25 the encoder counts {mix.near:g} and the rest of the document {mix.around:g}.")
    real = [one.text for one in kept]
    texts = [text for one in bench.lesson.passages if (text := words(one.text))]
    strange = off_topic.drawn_for(texts, len(real) // 4, seed)
    chosen = bench.mixed(mix)
    others = [one.signs(strange) for one in (chosen, replace(chosen, index=replace(used, mix=mix)))]
    return mix, calibrate(chosen.signs(real), np.concatenate(others), false_refusals, bench.pages(kept))


def _best(bench: Bench, kept: Sequence[Question], mixes: Sequence[Mix]) -> Mix:
    """The mix with the best mean of MRR and Recall@5, as a reply both begins with the best passage and cites others."""
    found = bench.ranks(kept, mixes)
    return max(mixes, key=lambda one: float((1 / found[one]).mean()) + _within(found[one], 5))


def strangers(lesson: Lesson, turn: int) -> list[str]:
    """Everyday questions in the language of most passages, every second one from the first or the second."""
    some = lesson.passages[:: max(1, len(lesson.passages) // 200)]
    chinese = sum(language(one.text) == "zh" for one in some) * 2 > len(some)
    return list(off_topic.everyday(chinese)[turn::2])


def evaluate(bench: Bench, calibration: Calibration, run: Run) -> Metrics:
    """Measure on the test questions; on the validation's where a dataset has no test."""
    lesson = bench.lesson
    asked = lesson.of(TEST) or lesson.of(VALIDATION) or lesson.of(TRAIN, fair=False)
    if not lesson.of(TEST):
        run.log(
            "The dataset has no test questions that can be told apart; others are used, which flatters the figures."
        )
    asked = drawn(asked, MOST_TESTED, 0)
    found = bench.ranks(asked, (bench.index.mix,))
    both, exact, near = found[bench.index.mix], found["bm25"], found["dense"]
    sure = calibration.sureness(bench.signs([one.text for one in asked]))
    unsure = calibration.sureness(bench.signs(strangers(lesson, 1)))
    threshold = calibration.thresholds["calibrated"]
    figures = {
        "recall5": _within(both, 5),
        "recall5_bm25": _within(exact, 5),
        "recall5_dense": _within(near, 5),
        "recall1": _within(both, 1),
        "recall1_bm25": _within(exact, 1),
        "mrr": float((1 / both).mean()),
        "mrr_bm25": float((1 / exact).mean()),
        "mrr_dense": float((1 / near).mean()),
        "false_refusals": float((sure < threshold).mean()),
        "refusal_recall": float((unsure < threshold).mean()),
        "encoder_weight": bench.index.mix.near,
        "test_questions": float(len(asked)),
        "passages": float(len(lesson.passages)),
    }
    run.log(_verdict(figures))
    return figures | (_intents(lesson, asked, near) if lesson.intents else {})


def _within(places: NDArray[np.float64], most: int) -> float:
    return float((places <= most).mean())


def _verdict(figures: Metrics) -> str:
    line = f"MRR {figures['mrr']:.4f}, Recall@5 {figures['recall5']:.4f}; BM25 alone {figures['mrr_bm25']:.4f}, "
    line += f"{figures['recall5_bm25']:.4f}."
    judged = ASSISTANT_METRICS["mrr"].judge("mrr", figures)
    if judged == "few":
        return f"{line} Test questions: {figures['test_questions']:.0f}, too few to judge."
    return line if judged != "worse" else f"{line} The model is not better than the baseline."


def _intents(lesson: Lesson, asked: Sequence[Question], near: NDArray[np.float64]) -> dict[str, float]:
    """How often the encoder finds the right answer, beside a classifier that counts words."""
    known = drawn(lesson.of(TRAIN, fair=False) + lesson.of(VALIDATION, fair=False), _MOST_TFIDF, 0)
    counting = TfidfVectorizer(ngram_range=(1, 2), tokenizer=words, token_pattern=None, lowercase=False)
    seen = counting.fit_transform([one.text for one in known])
    model = LogisticRegression(C=10, max_iter=300).fit(seen, [one.section for one in known])
    guessed = model.predict(counting.transform([one.text for one in asked]))
    right = float((guessed == np.array([one.section for one in asked])).mean())
    return {"intent_accuracy": _within(near, 1), "intent_accuracy_tfidf": right}
