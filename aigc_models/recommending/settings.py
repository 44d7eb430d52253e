"""The settings of the operations that all recommenders share; no torch, as forms are made from them."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, WithJsonSchema

from aigc_models.base import Fault, Lane, Makes, Params, dataset_input, model_input, setting

MOST_TEXT, MOST_NAMES = 200_000, 10_000


def _lines(value: Any) -> Any:
    """A list of names as text, one in each line."""
    if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
        return "\n".join(value)
    return value


_SCHEMA = {
    "anyOf": [
        {"type": "string", "maxLength": MOST_TEXT},
        {"type": "array", "items": {"type": "string"}, "maxItems": MOST_NAMES},
    ]
}
Names = Annotated[str, BeforeValidator(_lines), WithJsonSchema(_SCHEMA)]


def names_setting(*, title: str, description: str, **more: Any) -> Any:
    """Declare a field that takes names, as text or as a list."""
    return setting("", title=title, description=description, max_length=MOST_TEXT, **more)


class Recommend(Params):
    """Say which items users will want next."""

    lane: ClassVar[Lane] = "generation"
    makes: ClassVar[Makes] = "files"

    model: str = model_input("", description="Trained model to use.")
    users: Names = names_setting(
        title="Users", description="Users to recommend to, by their ids in the dataset, one per line or between commas."
    )
    history: Names = names_setting(
        title="History",
        description="Items that somebody new had, by their ids, the oldest first, one per line or between commas.",
    )
    everybody: bool = setting(
        False, title="Everybody", description="Whether to recommend to every user of the dataset, as a CSV file."
    )
    count: int = setting(
        10, title="Recommendations", unit="items", description="How many items to recommend to each.", ge=1, le=1000
    )
    include_seen: bool = setting(
        False,
        title="Include seen items",
        description="Whether items that are in a user's history may be recommended again.",
        advanced=True,
    )
    allow: Names = names_setting(
        title="Allowed items",
        description="Only these items are recommended, by their ids; empty allows all.",
        advanced=True,
    )
    deny: Names = names_setting(
        title="Denied items", description="These items are never recommended, by their ids.", advanced=True
    )

    @classmethod
    def items(cls, params: Mapping[str, Any]) -> int | None:
        """One, unless many users are named."""
        return None if params.get("everybody") else 1 + str(params.get("users", "")).replace(",", "\n").count("\n")

    def misfits(self, reports: Callable[[str], Mapping[str, Any]]) -> list[Fault]:
        """That nobody is asked for."""
        if self.users.strip() or self.history.strip() or self.everybody:
            return []
        sentence = "Say for whom: name users, give a history, or choose everybody."
        return [Fault(sentence, pointer="/users", code="nobody-named")]


class Evaluate(Params):
    """Measure a trained model on the test events of a dataset, beside the baselines."""

    lane: ClassVar[Lane] = "generation"
    makes: ClassVar[Makes] = "files"

    model: str = model_input("", description="Trained model to use.")
    dataset: str = dataset_input("interactions", description="Interactions whose test events are used.")
