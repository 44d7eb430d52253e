"""Drafted how-tos as people look at them: steps with how many sessions do each, other ways, and what goes wrong; and
making a dataset of texts of them, which an assistant answers from.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, abort, redirect, url_for
from werkzeug.wrappers import Response

from aigc_models.data.how_tos import PACKED, TEXT, HowTo, Pitfall, Step, Way
from jobs import drafted
from jobs.tables import Artifact
from web import context, how_to_files, result_files
from web.auth import audit, scoped
from web.i18n import plural
from web.pages import amounts
from web.rates import limited
from web.translate import say

OPERATION = "draft_how_to"
MOST_SHOWN = 50
PITFALLS = {
    "mistake": "“{event}” after step {number} goes wrong: of the sessions with it, {failed} did not end so, of the "
    "others {otherwise}.",
    "mistake_first": "“{event}” at the beginning goes wrong: of the sessions with it, {failed} did not end so, of the "
    "others {otherwise}.",
    "left_out": "Without step {number}, “{event}”, {failed} of the sessions did not end so, of the others {otherwise}.",
    "back": "“{event}” leads back, mostly to step {number}, in {share} of the sessions.",
    "twice": "Step {number}, “{event}”, is done twice in a row in {share} of the sessions.",
}

blueprint = Blueprint("how_to", __name__)


@dataclass(frozen=True, slots=True)
class StepView:
    """One step: what is done, how many do it in words and from 0 to 1, notes, why, and other ways that begin here."""

    event: str
    optional: bool
    share: str
    width: float
    notes: Sequence[str]
    because: str
    ways: Sequence[str]


@dataclass(frozen=True, slots=True)
class Shown:
    """One how-to in words."""

    title: str
    language: str
    sentences: Sequence[str]
    steps: Sequence[StepView]
    pitfalls: Sequence[tuple[str, bool]]
    evidence: str
    left_out: str


@dataclass(frozen=True, slots=True)
class View:
    """All that a page shows: how-tos, how many more there are, and files to take away."""

    how_tos: Sequence[Shown]
    more: int
    files: Sequence[Artifact]
    packed: bool


def of(files: Sequence[Artifact]) -> View | None:
    """The how-tos a job drafted; None where it drafted none."""
    found = how_to_files.drafts(files)
    if found is None:
        return None
    downloads = [result_files.named(files, name) for name in (TEXT, PACKED)]
    kept = [file for file in downloads if file is not None]
    return View([shown(one) for one in found[:MOST_SHOWN]], len(found) - MOST_SHOWN, kept, len(kept) == len(downloads))


@blueprint.post("/jobs/<job_id>/how-tos")
@scoped("submit")
@limited("submissions")
def make_dataset(job_id: str) -> Response:
    """Make a dataset of texts of a job's how-tos, or the next version of the one made before."""
    job = context.repository().job(job_id)
    if job.operation != OPERATION or job.status != "succeeded":
        abort(404)
    made, _ = drafted.make_dataset(context.engine(), context.principal(), job)
    audit.info("how-tos of %s as %s by %s", job_id, made.id, context.principal().owner)
    return redirect(url_for("pages.datasets.show", dataset_id=made.id), 303)


def shown(one: HowTo) -> Shown:
    """One how-to in words."""
    return Shown(
        title=one.title or say("The usual way"),
        language="zh-CN" if one.language == "zh" else "en",
        sentences=_sentences(one),
        steps=[_step(step, one) for step in one.steps],
        pitfalls=[(_pitfall(each), each.failed is not None) for each in one.pitfalls],
        evidence=say(", ").join(one.evidence),
        left_out=say(", ").join(one.left_out),
    )


def _sentences(one: HowTo) -> list[str]:
    said = [plural("Drafted from {count} session", "Drafted from {count} sessions", one.sessions)]
    if one.outcome:
        values = {"outcome": one.outcome, "count": amounts.number(one.considered)}
        said.append(say("ended as “{outcome}”, of {count} for it", values))
    if one.seconds:
        said.append(say("usually takes {time}", {"time": amounts.duration(one.seconds)}))
    if one.chance is not None:
        said.append(
            say("the model expects this end in {share} of the sessions that go so", _percents(share=one.chance))
        )
    return said


def _step(step: Step, one: HowTo) -> StepView:
    notes = [
        say(
            "{count} of {total} sessions",
            {"count": amounts.number(step.sessions), "total": amounts.number(one.sessions)},
        )
    ]
    notes += [name for name in (step.screen, step.object, step.detail) if name]
    if step.seconds is not None:
        notes.append(say("{time} after the event before", {"time": amounts.duration(max(1.0, step.seconds))}))
    if step.without is not None and one.chance is not None and not step.optional:
        notes.append(
            say("without it {without} end so instead of {chance}", _percents(without=step.without, chance=one.chance))
        )
    if step.either_order:
        notes.append(say("often done before the step above"))
    names = say(", ").join(f"{each.event} ({amounts.share(each.weight)})" for each in step.because)
    because = say("because of {events}", {"events": names}) if names else ""
    ways = [_way(way) for way in one.ways if way.first == step.number]
    return StepView(step.event, step.optional, amounts.share(step.share), step.share, notes, because, ways)


def _way(way: Way) -> str:
    events = say(", then ").join(way.events)
    values = {"events": events, "first": way.first, "last": way.last, "share": amounts.share(way.share)}
    if way.first == way.last:
        return say("Or, instead of this step: {events} – {share} of the sessions", values)
    return say("Or, instead of steps {first} to {last}: {events} – {share} of the sessions", values)


def _pitfall(one: Pitfall) -> str:
    name = "mistake_first" if one.kind == "mistake" and not one.number else one.kind
    values = _percents(share=one.share, failed=one.failed or 0.0, otherwise=one.otherwise or 0.0)
    return say(PITFALLS[name], {"event": one.event, "number": one.number, **values})


def _percents(**shares: float) -> dict[str, str]:
    return {name: amounts.share(share) for name, share in shares.items()}
