"""What can be set when an upload becomes an event log."""

from typing import Any, ClassVar, Literal

from aigc_models.base import Lane, Makes, Params, setting
from aigc_models.dataset.table_params import Delimiter


def _column(title: str, holds: str, *, needed: bool = False, advanced: bool = False) -> Any:
    """Declare a setting that names a column."""
    named = "by its header or its number from 1" + ("" if needed else ", or none")
    description = f"The column that holds {holds}, {named}; empty lets the software guess."
    return setting("", title=title, description=description, max_length=200, advanced=advanced)


class DatasetImportEventLog(Params):
    """Check and store a log of operations: a CSV file, JSON lines or a Parquet file of sessions and their events."""

    lane: ClassVar[Lane] = "generation"
    makes: ClassVar[Makes] = "dataset"

    session_column: str = _column("Session column", "the session, case or visit that an event belongs to", needed=True)
    event_column: str = _column("Event column", "what was done", needed=True)
    time_column: str = _column("Time column", "the times, without which the order of the rows counts")
    task_column: str = _column("Task column", "what the session was for, in one row or all rows of the session")
    outcome_column: str = _column("Outcome column", "how the session ended, such as succeeded or failed")
    joined_columns: str = setting(
        "",
        title="Joined columns",
        description="Further columns that make up what was done, such as the button of a click, separated by commas; "
        "events that differ in them are different events.",
        max_length=2_000,
    )
    mask: bool = setting(
        False,
        title="Mask personal data",
        description="Whether e-mail addresses, phone numbers and the like in names are replaced by what they are, and "
        "sessions are stored under a hash of their name.",
    )
    pause_minutes: float | None = setting(
        None,
        title="Longest pause",
        unit="minutes",
        description="Sessions are cut in two where nothing happens for more minutes than this; empty cuts none.",
        gt=0,
        le=1_000_000,
        allow_inf_nan=False,
    )
    screen_column: str = _column("Screen column", "the screen or page on which it was done", advanced=True)
    object_column: str = _column("Object column", "what it was done to", advanced=True)
    detail_column: str = _column("Detail column", "a note on the event", advanced=True)
    test_percent: int = setting(
        10,
        title="Test share",
        unit="%",
        description="Percent of the sessions that are kept for testing.",
        ge=1,
        le=50,
        advanced=True,
    )
    header: Literal["auto", "yes", "no"] = setting(
        "auto",
        title="Header",
        description="Whether the first line holds the names of the columns; auto takes it for data where it has "
        "numbers or dates.",
        advanced=True,
    )
    delimiter: Delimiter = setting(
        "auto", title="Delimiter", description="What stands between two cells; auto finds out.", advanced=True
    )
    encoding: str = setting(
        "auto",
        title="Encoding",
        description="How letters are written in the file, such as utf-8, gb18030 or latin-1; auto finds out.",
        max_length=40,
        advanced=True,
    )
    drop_repeats: bool = setting(
        False,
        title="Drop repeats",
        description="Whether an event that is the same as another one of its session and moment is left out, as where "
        "a log was written twice.",
        advanced=True,
    )
    skip_broken: bool = setting(
        False,
        title="Skip broken rows",
        description="Whether to leave out rows without a session or an event, or with a time that cannot be read, "
        "instead of refusing the upload.",
        advanced=True,
    )
