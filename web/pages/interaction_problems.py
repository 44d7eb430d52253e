"""What the problem codes of interactions mean and what to do about them."""

from collections.abc import Mapping

from web.pages.topics import Topic

INTERACTIONS: Mapping[str, Topic] = {
    "column-unclear": Topic(
        "What the columns hold is unclear",
        "The names of the columns do not say which one holds the users, the items or the ratings.",
        ("Name the columns in the settings of the import.",),
    ),
    "column-twice": Topic(
        "One column is named for two things",
        "The same column was named for two different things, such as users and items.",
        ("Name a column of its own for each.",),
    ),
    "cell-missing": Topic(
        "A cell is empty",
        "A row has no user, no item or no time.",
        ("Fill in the cell or remove the row, or turn on Skip broken rows.",),
    ),
    "too-few-events": Topic(
        "There are too few events",
        "What is left after the rules of the import is not enough to learn from and to test with.",
        ("Bring more events, or lower Least rating or Least events.",),
    ),
    "no-tables": Topic(
        "There is no table in the archive",
        "The archive holds no CSV, TSV or Parquet file, or far too many.",
        ("Put one file of events into it and, if you like, one of titles.",),
    ),
}
