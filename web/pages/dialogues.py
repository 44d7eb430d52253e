"""Dialogues that a job made of documents: the first of them to read, and a button that makes a dataset of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from flask import Blueprint, abort, redirect, url_for
from werkzeug.wrappers import Response as BaseResponse

from jobs import simulated
from jobs.tables import Artifact
from web import context, result_files
from web.auth import audit, scoped

_SHOWN, _LONGEST = 5, 100_000

blueprint = Blueprint("dialogues", __name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """Dialogues as a page shows them: turns with who speaks, and whose job made them."""

    job: str
    dialogues: Sequence[Sequence[tuple[str, str]]]


def of(job_id: str, files: Sequence[Artifact]) -> Shown | None:
    """The first dialogues of a job; None where it made none."""
    file = result_files.named(files, simulated.DIALOGUES)
    if file is None:
        return None
    try:
        with context.engine().store.open(file.sha256) as stream:
            lines = list(islice(iter(lambda: stream.readline(_LONGEST), b""), _SHOWN))
    except FileNotFoundError:
        return None
    return Shown(job_id, [_turns(line) for line in lines])


def _turns(line: bytes) -> list[tuple[str, str]]:
    return [(str(turn["role"]), str(turn["content"])) for turn in json.loads(line)["messages"]]


@blueprint.post("/jobs/<job_id>/dataset")
@scoped("submit")
def make(job_id: str) -> BaseResponse:
    """Make a dataset of them."""
    job = context.repository().job(job_id)
    made = simulated.make_dataset(context.engine(), context.principal(), job)
    if made is None:
        abort(404)
    audit.info("make %s of %s by %s, request %s", made[0].id, job.id, context.principal().owner, context.request_id())
    return redirect(url_for("pages.datasets.show", dataset_id=made[0].id), 303)
