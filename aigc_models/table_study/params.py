"""What can be set when it is studied whether synthetic rows help."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

from pydantic import field_validator

from aigc_models.base import Family, Fault, Lane, Makes, Params, dataset_input, setting
from aigc_models.data import table_targets
from aigc_models.judging import MetricInfo

_MOST_SHARES = 6
_WRONG_SHARES = "Real shares must be whole numbers from 1 to 100, separated by commas, six at most."


class TableStudyAugment(Params):
    """Find out whether synthetic rows, added to real ones, raise the score of a classifier on held-out rows."""

    lane: ClassVar[Lane] = "training"
    makes: ClassVar[Makes] = "files"

    dataset: str = dataset_input("table", description="Table whose training rows are used and whose test rows judge.")
    target: str = table_targets.target_setting(
        "Header of the column to predict: categories are judged by the area under the ROC curve, numbers by the share "
        "of variance that is explained. Empty takes the last column with categories."
    )
    generator: Literal["table_gan", "table_vae", "copula"] = setting(
        "table_vae",
        title="Generator",
        description="What makes the synthetic rows; it is taught anew with each share of the real rows, and never "
        "sees the others. A Gaussian copula is the baseline: it takes seconds.",
    )
    effort: Literal["quick", "balanced", "best"] = setting(
        "quick",
        title="Effort",
        description="Preset that a table GAN or a table VAE is trained with, once for each share and repeat.",
    )
    shares: str = setting(
        "10, 50, 100",
        title="Real shares",
        unit="%",
        description="Percentages of the real training rows to try, separated by commas, from 1 to 100.",
        max_length=60,
    )
    repeats: int = setting(
        5,
        title="Repeats",
        description="How often each share is drawn anew, taught and judged; more repeats give narrower intervals.",
        ge=2,
        le=30,
    )
    synthetic_percent: int = setting(
        100,
        title="Synthetic rows",
        unit="%",
        description="Synthetic rows that are added, as a percentage of the real rows of each share.",
        ge=10,
        le=1000,
    )

    @field_validator("shares")
    @classmethod
    def _are_percentages(cls, value: str) -> str:
        if not _read(value):
            raise ValueError(_WRONG_SHARES)
        return value

    @property
    def percentages(self) -> list[int]:
        """The shares to try, the smallest first, each once."""
        return _read(self.shares)

    def misfits(self, reports: Callable[[str], Mapping[str, Any]]) -> list[Fault]:
        """The column to predict, where the table does not have it."""
        return table_targets.misfits(reports, self.target)


def _read(text: str) -> list[int]:
    parts = [part.strip() for part in text.replace("，", ",").split(",")]
    if not all(part.isascii() and part.isdigit() and 1 <= int(part) <= 100 for part in parts):
        return []
    found = sorted({int(part) for part in parts})
    return found if len(found) <= _MOST_SHARES else []


FAMILY = Family(
    name="table_study",
    title="Table studies",
    summary="Finds out with a real classifier whether synthetic rows of a table are worth adding to the real ones.",
    paper="https://arxiv.org/abs/1706.02633",
    operations={"augment": TableStudyAugment},
    metrics={
        "sure_gain": MetricInfo(
            "Sure gain",
            "higher",
            "Lower end of the 95 % interval of what synthetic rows add to the score at the smallest real share; above "
            "0 they help.",
            "no_gain",
        ),
        "no_gain": MetricInfo("No gain", "higher", "What adding nothing adds: 0.", of="adding nothing"),
        "gain": MetricInfo(
            "Mean gain",
            "higher",
            "Mean difference between the scores with and without synthetic rows at the smallest real share.",
        ),
        "score_augmented": MetricInfo(
            "Score with synthetic rows",
            "higher",
            "Mean score on held-out rows of a classifier taught with the smallest real share and synthetic rows: the "
            "area under the ROC curve, or for numbers R².",
        ),
        "score_real": MetricInfo(
            "Score without",
            "higher",
            "The same score of a classifier taught with the same real rows alone, once each or repeated to the same "
            "number, whichever is better.",
        ),
        "shares_helped": MetricInfo(
            "Shares that gain", "higher", "At how many of the real shares the whole interval lies above 0."
        ),
    },
)
