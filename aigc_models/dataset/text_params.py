"""What can be set when an upload becomes a dataset of texts."""

from typing import ClassVar, Literal

from aigc_models.base import Lane, Makes, Params, setting
from aigc_models.dataset.table_params import Delimiter

_COLUMN = "by its header or its number from 1, or none"


class DatasetImportText(Params):
    """Check and store texts: plain text, JSON lines, a CSV file, or a ZIP of text, Markdown and HTML files."""

    lane: ClassVar[Lane] = "generation"
    makes: ClassVar[Makes] = "dataset"

    shape: Literal["auto", "passages", "dialogues", "documents"] = setting(
        "auto",
        title="Shape",
        description="What the texts are: passages to learn writing from, dialogues of questions and answers, or "
        "documents with headings to look things up in; auto goes by the file.",
    )
    divide: Literal["auto", "blank_lines", "lines", "running"] = setting(
        "auto",
        title="Divide",
        description="How a plain text is cut into texts: at blank lines, at each line end, or not at all, as one "
        "running text whose end is kept for testing; auto takes blank lines if there are any, else lines.",
    )
    text_column: str = setting(
        "",
        title="Text column",
        description=f"The column that holds the text, {_COLUMN}; empty lets the software guess.",
        max_length=200,
    )
    question_column: str = setting(
        "",
        title="Question column",
        description=f"The column that holds what is asked, {_COLUMN}; empty lets the software guess.",
        max_length=200,
    )
    answer_column: str = setting(
        "",
        title="Answer column",
        description=f"The column that holds what is answered, {_COLUMN}; empty lets the software guess.",
        max_length=200,
    )
    attribute_columns: str = setting(
        "",
        title="Attribute columns",
        description="Columns that say what a text is about, such as section and tags, separated by commas; texts can "
        "be asked for by them. Empty takes the columns whose values repeat, none takes none.",
        max_length=20_000,
    )
    mask: bool = setting(
        False,
        title="Mask personal data",
        description="Whether e-mail addresses, phone numbers, card numbers, account numbers and national ids are "
        "replaced by what they are, such as [email].",
    )
    repeats: Literal["keep", "drop_same", "drop_similar"] = setting(
        "keep",
        title="Repeated texts",
        description="Whether texts that say the same as an earlier one are dropped, or also those that say nearly the "
        "same, with 80 % of their pieces of 5 characters in common.",
    )
    role_column: str = setting(
        "",
        title="Role column",
        description=f"The column that says who speaks, {_COLUMN}; empty lets the software guess.",
        max_length=200,
        advanced=True,
    )
    dialogue_column: str = setting(
        "",
        title="Dialogue column",
        description=f"The column with the number or name of the dialogue that a turn belongs to, {_COLUMN}; empty lets "
        "the software guess.",
        max_length=200,
        advanced=True,
    )
    answering_role: str = setting(
        "",
        title="Answering role",
        description="The role that answers, such as agent; empty takes one whose name says so, else the one that "
        "speaks second.",
        max_length=200,
        advanced=True,
    )
    title_column: str = setting(
        "",
        title="Title column",
        description=f"The column that holds what a text is called, {_COLUMN}; empty lets the software guess.",
        max_length=200,
        advanced=True,
    )
    name_column: str = setting(
        "",
        title="Id column",
        description=f"The column that holds the id or path of a text, {_COLUMN}; empty lets the software guess.",
        max_length=200,
        advanced=True,
    )
    language_column: str = setting(
        "",
        title="Language column",
        description=f"The column that holds the language of a text, {_COLUMN}; empty lets the software guess.",
        max_length=200,
        advanced=True,
    )
    list_separator: Literal["auto", "none", ",", ";", "|", "/"] = setting(
        "auto",
        title="List separator",
        description="What stands between several values in the cell of an attribute; auto cuts columns that are called "
        "tags or the like at commas and semicolons, none cuts nothing.",
        advanced=True,
    )
    language: str = setting(
        "",
        title="Language",
        description="The language of all texts by its two letters, such as en or zh; empty tells it for each text.",
        max_length=2,
        pattern="^([a-zA-Z]{2})?$",
        advanced=True,
    )
    test_percent: int = setting(
        10,
        title="Test share",
        unit="%",
        description="Percent of the texts that are kept for testing; copies and near-copies stay together.",
        ge=1,
        le=50,
        advanced=True,
    )
    header: Literal["auto", "yes", "no"] = setting(
        "auto",
        title="Header",
        description="Whether the first line of a CSV file holds the names of the columns; auto takes it for data where "
        "it has a long text.",
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
    skip_broken: bool = setting(
        False,
        title="Skip broken rows",
        description="Whether to leave out rows, lines and files that cannot be read, instead of refusing the upload.",
        advanced=True,
    )
