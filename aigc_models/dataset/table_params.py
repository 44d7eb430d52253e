"""What can be set when an upload becomes a dataset of a table."""

from typing import ClassVar, Literal

from aigc_models.base import Lane, Makes, Params, setting

Delimiter = Literal["auto", "comma", "semicolon", "tab", "pipe", "space"]


class DatasetImportTable(Params):
    """Check and store a table: a CSV file, packed with gzip if you like, or a Parquet file."""

    lane: ClassVar[Lane] = "generation"
    makes: ClassVar[Makes] = "dataset"

    column_types: str = setting(
        "",
        title="Column types",
        description="Types of columns that the check would get wrong, such as age=integer, id=identifier; they are "
        "continuous, integer, categorical, boolean, datetime, identifier, text and constant.",
        max_length=200_000,
        advanced=True,
    )
    mask: str = setting(
        "",
        title="Mask",
        description="Columns whose values are replaced by numbered stand-ins, equal ones by equal ones, separated by "
        "commas; in free text only the personal data that is found is replaced.",
        max_length=50_000,
        advanced=True,
    )
    drop: str = setting(
        "",
        title="Drop",
        description="Columns that are left out, separated by commas.",
        max_length=50_000,
        advanced=True,
    )
    account: str = setting(
        "",
        title="Account column",
        description="The column that says to whom a row belongs; rows of one account are kept for testing together or "
        "not at all.",
        max_length=300,
    )
    test_percent: int = setting(
        20,
        title="Test share",
        unit="%",
        description="Percent of the rows that are kept for testing; copies of a row stay together.",
        ge=1,
        le=50,
        advanced=True,
    )
    column_names: str = setting(
        "",
        title="Column names",
        description="Names of the columns, separated by commas, for a file whose first line is data already.",
        max_length=50_000,
        advanced=True,
    )
    delimiter: Delimiter = setting(
        "auto",
        title="Delimiter",
        description="What stands between two cells; auto finds out.",
        advanced=True,
    )
    encoding: str = setting(
        "auto",
        title="Encoding",
        description="How letters are written in the file, such as utf-8, gb18030 or latin-1; auto finds out.",
        max_length=40,
        advanced=True,
    )
    decimal_mark: Literal["auto", "point", "comma"] = setting(
        "auto",
        title="Decimal mark",
        description="What stands before the decimals of a number; auto finds out for each column.",
        advanced=True,
    )
    missing_values: str = setting(
        "",
        title="Missing values",
        description="Further spellings of a missing cell, separated by commas; an empty cell, NA, NULL, NaN and ? are "
        "known.",
        max_length=2_000,
        advanced=True,
    )
    skip_broken: bool = setting(
        False,
        title="Skip broken rows",
        description="Whether to leave out rows with a wrong number of cells and to take cells that do not fit the type "
        "of their column as missing, instead of refusing the upload.",
        advanced=True,
    )
