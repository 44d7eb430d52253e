"""What can be set when an upload becomes a dataset of interactions."""

from typing import ClassVar, Literal

from aigc_models.base import Lane, Makes, Params, setting
from aigc_models.dataset.table_params import Delimiter

_COLUMN = "by its header or its number from 1"


class DatasetImportInteractions(Params):
    """Check and store interactions: a CSV file of who dealt with what, or a ZIP of such a file and one of titles."""

    lane: ClassVar[Lane] = "generation"
    makes: ClassVar[Makes] = "dataset"

    user_column: str = setting(
        "",
        title="User column",
        description=f"The column that holds the users, {_COLUMN}; empty lets the software guess.",
        max_length=200,
    )
    item_column: str = setting(
        "",
        title="Item column",
        description=f"The column that holds the items, {_COLUMN}; empty lets the software guess.",
        max_length=200,
    )
    time_column: str = setting(
        "",
        title="Time column",
        description=f"The column that holds the times, {_COLUMN}; empty lets the software guess, and a file without "
        "times is taken in the order of its rows.",
        max_length=200,
    )
    rating_column: str = setting(
        "",
        title="Rating column",
        description=f"The column that holds ratings, {_COLUMN}; empty lets the software guess.",
        max_length=200,
    )
    title_column: str = setting(
        "",
        title="Title column",
        description=f"The column that holds what items are called, {_COLUMN}; empty lets the software guess.",
        max_length=200,
        advanced=True,
    )
    least_rating: float | None = setting(
        None,
        title="Least rating",
        description="Events with a lower rating are left out, such as those below 4 stars of 5; empty keeps all.",
        allow_inf_nan=False,
    )
    least_events: int = setting(
        2,
        title="Least events",
        unit="events",
        description="Users with fewer events are left out; with one event alone nobody can be learnt from and tested.",
        ge=1,
        le=1000,
    )
    hash_users: bool = setting(
        False,
        title="Hash users",
        description="Whether users are stored under a hash of their name, so that e-mail addresses and names of people "
        "stay out of the dataset and of all results.",
    )
    header: Literal["auto", "yes", "no"] = setting(
        "auto",
        title="Header",
        description="Whether the first line holds the names of the columns; auto takes it for data where it has "
        "numbers or dates.",
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
    drop_repeats: bool = setting(
        True,
        title="Drop repeats",
        description="Whether an event with the same user, item and time as another one is left out.",
        advanced=True,
    )
    skip_broken: bool = setting(
        False,
        title="Skip broken rows",
        description="Whether to leave out rows without a user or an item, or with a time or rating that cannot be "
        "read, instead of refusing the upload.",
        advanced=True,
    )
