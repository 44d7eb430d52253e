"""What the problem codes of table models mean and what to do about them."""

from collections.abc import Mapping

from web.pages.topics import Topic

ROWS: Mapping[str, Topic] = {
    "nothing-to-learn": Topic(
        "There is nothing in the table to learn",
        "All its columns are free text, identifiers or constants, or their cells are all missing.",
        ("Import the table again and set the types of its columns.",),
    ),
    "unreadable-condition": Topic(
        "The conditions cannot be read",
        "Conditions are Column=value with commas between, or a JSON object.",
        ("Put a value with a comma in it into quotation marks, together with its column, or write JSON.",),
    ),
    "no-such-value": Topic(
        "The column has no such value",
        "A condition asks for a value that the column does not have, or that is not written as in the table.",
        ("Write it exactly as in the table.", "Choose one of the values that the message names."),
    ),
    "rare-condition": Topic(
        "Too few rows meet the conditions",
        "Rows are proposed by the model and taken when they say what was asked for; too few of them did.",
        ("Ask for a more frequent value.", "Ask for fewer conditions at once.", "Use a table GAN, which heeds one."),
    ),
    "unreadable-constraint": Topic(
        "A constraint cannot be read",
        "Constraints compare columns of numbers or dates, or name columns whose rows must differ.",
        (
            "Write one a line, such as 18 <= Age <= 65, Net + Tax = Gross, Start < End or unique(Name, Day).",
            "Put the name of a column into backticks, and a date into quotation marks.",
        ),
    ),
    "rare-constraint": Topic(
        "Too few rows keep to a constraint",
        "Rows that break a constraint are drawn again; nearly all of them did.",
        ("Loosen the constraint.", "Ask for fewer rows."),
    ),
    "only-copies": Topic(
        "The model makes only copies",
        "Rows that equal a training row are drawn again; nearly all of them did.",
        (
            "Train with fewer steps: lower Epochs and Least steps.",
            "Ask for fewer rows.",
            "Learn from rows that differ in more columns: of a few values no new row can be made.",
        ),
    ),
    "wrong-column": Topic(
        "The column cannot be used for this",
        "Accounts need a column that names them and a column of numbers or dates that orders their rows.",
        ("Choose another column.", "Import the table again and set the type of the column."),
    ),
}
