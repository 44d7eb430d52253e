"""What the problem codes of interactions mean and what to do about them."""

from collections.abc import Mapping

from web.pages.topics import Topic

INTERACTIONS: Mapping[str, Topic] = {
    "column-unclear": Topic(
        "What the columns hold is unclear",
        "The names of the columns do not say which one holds the users, the items, the ratings, the text, the sessions "
        "or the events.",
        ("Name the columns in the settings of the import.",),
    ),
    "column-twice": Topic(
        "One column is named for two things",
        "The same column was named for two different things, such as users and items.",
        ("Name a column of its own for each.",),
    ),
    "cell-missing": Topic(
        "A cell is empty",
        "A row has no user, no item or no time; in an event log no session or no event, in a dataset of texts no text.",
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
    "empty-split": Topic(
        "A split leaves a part empty",
        "The chosen split leaves no events to learn from, to validate with or to test with.",
        ("Choose another split.", "Bring more events; to leave one out, a user needs three events or more."),
    ),
    "no-times": Topic(
        "The events have no times",
        "A split by time needs the time of every event.",
        ("Choose another split, or upload the events with a column of times.",),
    ),
    "nobody-named": Topic(
        "Nobody to recommend to",
        "A recommendation was asked for without saying for whom.",
        ("Name users, give the history of somebody new, or choose everybody.",),
    ),
    "nothing-known": Topic(
        "Nothing that is named is known",
        "None of the users, items, events or tasks that were named was in the data the model learnt from.",
        ("Give the ids as the dataset has them; titles are not ids.", "Train anew on a dataset that has them."),
    ),
    "nothing-left": Topic(
        "No item is left to recommend",
        "The lists of allowed and denied items leave none that the model knows.",
        ("Allow more items, or deny fewer.",),
    ),
}
