"""What a recommender made, as typed read-only views; unknown fields are kept in ``raw``."""

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from aigc import notebook

HEAD = ("user", "rank", "item", "title", "score", "because")
SHOWN = 20


class Recommended:
    """What is recommended to one user."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw

    @property
    def user(self) -> str | None:
        """The user as the dataset calls it; None for somebody who was described by a history."""
        user = self.raw.get("user")
        return None if user is None else str(user)

    @property
    def history(self) -> Sequence[Mapping[str, Any]]:
        """What the user had, the oldest first, each with ``item`` and ``title``."""
        return self.raw.get("history") or []

    @property
    def items(self) -> Sequence[Mapping[str, Any]]:
        """The recommendations, the best first, each with ``item``, ``title``, ``score`` and ``because``."""
        return self.raw.get("items") or []

    @property
    def unknown(self) -> Sequence[str]:
        """Items of the history that the model does not know."""
        return self.raw.get("unknown") or []

    def rows(self) -> Iterator[tuple[str, int, str, str, float, str]]:
        """One row for each recommendation, as :data:`HEAD` names its cells."""
        for rank, item in enumerate(self.items, 1):
            because = ", ".join(str(one.get("title") or one["item"]) for one in item.get("because") or [])
            title = str(item.get("title") or "")
            yield self.user or "", rank, str(item["item"]), title, float(item["score"]), because

    def __repr__(self) -> str:
        return f"<Recommended to {self.user or 'somebody new'}: {len(self.items)} items>"

    def _repr_html_(self) -> str:
        rows = [row[1:] for row in self.rows()]
        return notebook.table(self.user or "somebody new", HEAD[1:], rows)


class Recommendations(list[Recommended]):
    """Lists of recommendations, which a notebook shows as one table."""

    def rows(self) -> Iterator[tuple[str, int, str, str, float, str]]:
        """All rows of all lists."""
        for one in self:
            yield from one.rows()

    def to_pandas(self) -> Any:
        """A pandas DataFrame with a row for each recommendation (pandas must be installed)."""
        pandas = import_module("pandas")  # optional, and slow to import
        return pandas.DataFrame(list(self.rows()), columns=list(HEAD))

    def _repr_html_(self) -> str:
        rows = [row for one in self[:SHOWN] for row in one.rows()]
        return notebook.table(f"{len(self)} lists", HEAD, rows)
