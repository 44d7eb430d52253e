"""Help: where to find what, what the states mean, and one page for each problem code."""

from flask import Blueprint, render_template

from jobs.errors import NotFound
from web import documents
from web.pages.problem_texts import GROUPS, TOPICS
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
    return render_template("problem.html", code=code, topic=TOPICS[code])
