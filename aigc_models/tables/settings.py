"""Settings that the table families share, and what a training costs; without torch."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from aigc_models.base import Fault, Lane, Makes, Params, dataset_input, setting
from aigc_models.data import table_targets
from aigc_models.judging import MetricInfo

MODES = 11  # codes of a numeric column, most often

DRAWN_METRICS = {
    "rows": MetricInfo("Rows", "none", "How many rows were made."),
    "rows_proposed": MetricInfo(
        "Candidates drawn",
        "none",
        "How many rows the model proposed, many at once, until there were as many as were asked for.",
    ),
    "rows_refused": MetricInfo(
        "Candidates passed over",
        "none",
        "Candidates that did not fit: they said something else than a condition or a rule asks for, or equalled a "
        "training row. With a rare value these are most of them, and others took their places.",
    ),
}


class TableTrain(Params):
    """What every training on a table has."""

    lane: ClassVar[Lane] = "training"
    makes: ClassVar[Makes] = "model"
    stands_back: ClassVar[Mapping[str, str]] = MappingProxyType({"least_steps": "epochs"})

    dataset: str = dataset_input("table", description="Table to learn from.")
    epochs: int = setting(300, title="Epochs", description="Passes over the training rows.", ge=1, le=100_000)
    least_steps: int = setting(
        6000,
        title="Least steps",
        unit="steps",
        description="Training steps that are taken at least: a small table is passed over more often than Epochs says. "
        "It is 0 where you set Epochs and not this, so that your number holds.",
        ge=0,
        le=10_000_000,
    )
    batch_size: int = setting(
        500, title="Batch size", unit="rows", description="Rows per training step.", ge=2, le=65_536
    )
    target: str = table_targets.target_setting()
    most_categories: int = setting(
        100,
        title="Most categories",
        description="Categories of a column that are learnt one by one; rarer ones share a place and are drawn by how "
        "often each was seen.",
        ge=2,
        le=5000,
        advanced=True,
    )
    text_columns: Literal["drop", "empty", "repeat"] = setting(
        "drop",
        title="Free text",
        description="What becomes of columns of free text, which is not learnt: drop leaves them out, empty keeps them "
        "without cells, repeat copies whole texts of the training rows.",
    )
    ema_half_life: float = setting(
        200.0,
        title="Averaging",
        unit="steps",
        description="Steps after which old weights count half in the averaged networks that make the rows.",
        ge=1,
        le=100_000,
        advanced=True,
    )

    def misfits(self, reports: Callable[[str], Mapping[str, Any]]) -> list[Fault]:
        """Columns that are named and that the table does not have."""
        return table_targets.misfits(reports, self.target)

    def steps(self, rows: int, batch_size: int) -> int:
        """Training steps for so many rows (or accounts) in batches of so many."""
        return max(self.least_steps, -(-self.epochs * rows // batch_size))


class TableGenerate(Params):
    """What every drawing of rows has."""

    lane: ClassVar[Lane] = "generation"
    makes: ClassVar[Makes] = "files"
    named_by: ClassVar[tuple[str, ...]] = ("conditions",)

    count: int = setting(
        1000,
        title="Rows",
        unit="rows",
        description="How many rows to make; with a model of accounts, how many accounts.",
        ge=1,
        le=10_000_000,
    )
    conditions: str = setting(
        "",
        title="Conditions",
        description='What every row must say, as Column=value with commas between, such as "Status=bad, Age=30", or as '
        "a JSON object.",
        max_length=10_000,
    )
    constraints: str = setting(
        "",
        title="Constraints",
        description="Rules that every row keeps, one a line or with semicolons: 18 <= Age <= 65, Net + Tax = Gross, "
        "Items * Price = Total, Start < End, unique(Name, Day).",
        max_length=10_000,
    )

    def misfits(self, reports: Callable[[str], Mapping[str, Any]]) -> list[Fault]:
        """Conditions and rules that cannot be read, or that the table the model learnt from does not have."""
        if not self.conditions and not self.constraints:
            return []
        from aigc_models.tables.condition_text import condition_faults  # pages that ask for none need not have it
        from aigc_models.tables.constraint_text import constraint_faults

        report = reports("model")
        return [*condition_faults(self.conditions, report), *constraint_faults(self.constraints, report)]

    @classmethod
    def items(cls, params: Mapping[str, Any]) -> int | None:
        """As many as rows."""
        return int(params.get("count", 1000))


def encoded_width(dataset: Mapping[str, Any], most_categories: int) -> tuple[int, int, int]:
    """Entries of an encoded row, those of coded columns among them, and numbers, from a dataset's report."""
    dim = coded = numbers = 0
    for column in dataset.get("columns", ()):
        kind = column.get("type")
        if kind in ("continuous", "integer", "datetime"):
            dim, numbers = dim + MODES, numbers + 1
        elif kind in ("categorical", "boolean"):
            width = min(len(column.get("categories", ())), most_categories) + 1
            dim, coded = dim + width, coded + width
    return dim + numbers, coded, numbers
