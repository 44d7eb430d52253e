"""What the problem codes of event logs mean and what to do about them."""

from collections.abc import Mapping

from web.pages.topics import Topic

LOGS: Mapping[str, Topic] = {
    "too-few-sessions": Topic(
        "There are too few sessions",
        "A how-to rests on sessions that did the same and reached the same end, and a training needs some to learn "
        "from and some to test with.",
        (
            "Bring a log of more sessions.",
            "Lower Least sessions, and read the draft the more carefully.",
            "Look on the page of the dataset whether sessions, tasks and outcomes are in the right columns.",
        ),
    ),
    "same-events": Topic(
        "The first and the last event are the same",
        "A way that is drafted between two events needs two different ones.",
        ("Choose another first or last event, or leave one of them empty.",),
    ),
}
