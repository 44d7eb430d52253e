"""Help: where to find what, what the states mean, and one page for each problem code."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from flask import Blueprint, render_template

from jobs.errors import AigcError, NotFound
from web import documents
from web.pages.problem_examples import EXAMPLES, Example
from web.pages.problem_texts import GROUPS, TOPICS
from web.pages.problem_ways import Ways, ways
from web.pages.snippets import server
from web.pages.states import LOOKS
from web.translate import language

STATES: tuple[tuple[str, str], ...] = (
    ("queued", "It waits for a free worker."),
    ("running", "A worker is on it."),
    ("cancelling", "It was asked to stop and finishes its current step."),
    ("paused", "It was stopped with its state kept and can go on."),
    ("succeeded", "It ended well; its results are on its page."),
    ("failed", "It ended badly; its page says why and what helps."),
    ("expired", "It did not start before its deadline."),
    ("cancelled", "Somebody stopped it."),
)

blueprint = Blueprint("help", __name__)


@blueprint.get("/docs")
def index() -> str:
    """Where to find what."""
    states = [(LOOKS[state], sentence) for state, sentence in STATES]
    return render_template("help.html", states=states, sections=documents.contents(language()))


@blueprint.get("/docs/problems")
def problems() -> str:
    """All problem codes."""
    return render_template("problems.html", groups=GROUPS)


@blueprint.get("/docs/problems/<code>")
def problem(code: str) -> str:
    """One problem."""
    if code not in TOPICS:
        raise NotFound(kind="problem", id=code[:100])
    statuses = _statuses().get(code, ())
    return render_template(
        "problem.html", code=code, topic=TOPICS[code], example=_example(code), statuses=statuses, ways=_ways(code)
    )


def _ways(code: str) -> Ways:
    group = next(name for name, topics in GROUPS if code in topics)
    return Ways(*(text.replace("SERVER", server()) for text in ways(code, group)))


def _example(code: str) -> Example | None:
    found = EXAMPLES.get(code)
    return found and Example(*(text.replace("SERVER", server()) for text in found))


def _below(kind: type[AigcError]) -> Iterator[type[AigcError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _below(child)


@cache
def _statuses() -> Mapping[str, Sequence[int]]:
    """With which HTTP statuses the API tells of each code; jobs fail with the others."""
    found: dict[str, set[int]] = {}
    for kind in _below(AigcError):
        found.setdefault(kind.code, set()).add(kind.status)
    return {code: sorted(statuses) for code, statuses in found.items()}
