"""What the problem codes of tables mean and what to do about them."""

from collections.abc import Mapping

from web.pages.topics import Topic

TABLES: Mapping[str, Topic] = {
    "source-deleted": Topic(
        "The uploaded file was deleted",
        "Only the dataset that was made of the file is left, so it cannot be read with other settings.",
        ("Upload the file again.",),
    ),
    "wrong-cell-count": Topic(
        "A row has too many or too few cells",
        "Every row must have as many cells as there are columns. Most often a cell holds the delimiter itself.",
        (
            "Put cells that hold the delimiter or a line end into quotation marks.",
            "Choose the delimiter yourself if the wrong one was found.",
            "Tick Skip broken rows to leave such rows out.",
        ),
    ),
    "bad-cell": Topic(
        "A cell does not fit its column",
        "The type of the column was set, and the cell is nothing of this type.",
        (
            "Correct the cell in the file.",
            "Choose another type for the column.",
            "Tick Skip broken rows to take such cells as missing.",
        ),
    ),
    "nul-byte": Topic(
        "A cell holds a NUL byte",
        "The file holds bytes that no text has; it may be damaged, or of another encoding.",
        ("Save the file anew as CSV in UTF-8.", "Set its encoding."),
    ),
    "cell-too-long": Topic(
        "A line or a cell never ends",
        "A line is longer than a million characters, or a quotation mark is opened and never closed.",
        ("Look at the line that is named and close the quotation mark.", "Check that the file is a CSV."),
    ),
    "empty-header": Topic(
        "A column has no name",
        "The first line must name every column.",
        ("Name the column in the first line.", "Set the column names if the first line is data already."),
    ),
    "duplicate-header": Topic(
        "Two columns have the same name", "Columns are told apart by their names.", ("Rename one of them.",)
    ),
    "too-many-columns": Topic(
        "There are too many columns",
        "A table may have 2,000 columns at most.",
        ("Leave columns out, or choose the delimiter yourself if the wrong one was found.",),
    ),
    "too-few-rows": Topic(
        "There are too few rows",
        "A table needs 10 rows at least, and hundreds to learn anything from.",
        ("Upload more rows.",),
    ),
    "unknown-column": Topic(
        "There is no such column",
        "A setting names a column that the file does not have.",
        ("Check its spelling; a name with a comma in it stands in quotation marks.",),
    ),
    "unknown-type": Topic(
        "There is no such type",
        "Types are continuous, integer, categorical, boolean, datetime, identifier, text and constant.",
        ("Write each type as name=type, with commas between them.",),
    ),
    "unknown-encoding": Topic(
        "There is no such encoding",
        "The encoding is none that Python knows.",
        ("Leave the setting at auto, or use a name such as utf-8, gb18030 or latin-1.",),
    ),
    "wrong-encoding": Topic(
        "The file has another encoding",
        "Some bytes of the file are no letters in its encoding.",
        ("Set the right encoding.", "Save the file as UTF-8."),
    ),
    "parquet-not-installed": Topic(
        "Parquet is not installed",
        "The worker lacks the package that reads Parquet files.",
        ("Install the extra parquet on the worker.", "Upload the table as CSV."),
    ),
}
