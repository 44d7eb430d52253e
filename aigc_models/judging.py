"""How a figure reads to a person, and how it stands to its baseline."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any, Literal

Better = Literal["lower", "higher", "none"]
Judgement = Literal["better", "even", "unclear", "worse", "few", ""]


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """How a figure reads to a person.

    Attributes:
        title: The label.
        better: Which direction is better; ``none`` for counts, and for what is good neither high nor low.
        description: One sentence on what it measures and with what.
        baseline: Name of the metric that holds the trivial baseline's figure, if there is one.
        real: Name of the metric that holds the real data's own figure, the best one could hope for.
        of: Whose figure it is, for one that stands beside another: "a Gaussian copula".
        alone: Why no baseline stands beside it, as a sentence, where one could be expected.
        bound: The best value there can be, where there is one.
        margin: A difference that does not matter, such as chance makes, where a baseline is at its best already.
        gate: Another figure and the least it must reach: below, nothing can be gained in this one by any model.
        noise: Name of the metric up to which a difference to the baseline may be chance, if there is one.
        counted: The figure that counts what this one was measured on, and from how many on it says something.
    """

    title: str
    better: Better
    description: str
    baseline: str | None = None
    real: str | None = None
    of: str = ""
    alone: str = ""
    bound: float | None = None
    margin: float = 0.0
    gate: tuple[str, float] | None = None
    noise: str | None = None
    counted: tuple[str, int] | None = None

    def judge(self, name: str, metrics: Mapping[str, Any]) -> Judgement:
        """How a figure stands to its baseline: ``even`` where the baseline left nothing to gain, and none was lost.

        It is ``unclear`` where the difference is no larger than its noise. The best there can be is the bound, or what
        the real data reach where that is less. It is ``few``, with or without a baseline, where it was measured on too
        little to say anything.
        """
        value, baseline, real = (_known(metrics.get(one or "")) for one in (name, self.baseline, self.real))
        count = _known(metrics.get(self.counted[0])) if self.counted else None
        if self.counted and value is not None and count is not None and count < self.counted[1]:
            return "few"
        if value is None or baseline is None or self.better == "none":
            return ""
        gate = _known(metrics.get(self.gate[0])) if self.gate else None
        if self.gate and gate is not None and gate < self.gate[1]:
            return "even"
        sign = -1 if self.better == "lower" else 1
        best = min((sign * one for one in (self.bound, real) if one is not None), default=inf)
        if min(sign * value, sign * baseline) >= best - self.margin:
            return "even"
        noise = _known(metrics.get(self.noise or ""))
        if noise is not None and abs(value - baseline) <= noise:
            return "unclear"
        return "better" if sign * value > sign * baseline else "worse"


def _known(value: Any) -> float | None:
    return value if isinstance(value, int | float) and isfinite(value) else None
