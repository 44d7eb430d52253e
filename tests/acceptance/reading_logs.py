"""What logs add to the site that is looked at: a log, a model of its next event, drafted how-tos, what comes next."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from jobs.engine import Engine
from jobs.filtering import ModelFilter
from jobs.repository import Repository
from jobs.submit import Submission, submit
from jobs.uploads import Upload, receive
from tests.acceptance.recommending import SOMEBODY
from tests.web.acting import ActingWorker
from tests.web.guides import FIGURES, LOG, draft_files, foretold_files, log_files


def add_pages(engine: Engine, worker: ActingWorker) -> Mapping[str, str]:
    """Addresses by what is on them."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "desk.csv").write_text(LOG, encoding="utf-8")
        dataset, _ = receive(engine, SOMEBODY, Upload(folder / "desk.csv", "desk.csv", "desk", "event_log"))
        worker.finish("generation", log_files(folder))
    training = submit(engine, SOMEBODY, Submission("next_event.train", {"dataset": dataset.id}, "quick", "desk")).job.id
    worker.finish("training", {"model/config.json": b"{}"}, **FIGURES)
    model = Repository(engine, SOMEBODY).models(wanted=ModelFilter(family="next_event")).items[0].id
    wish = Submission("next_event.draft_how_to", {"model": model}, None, "desk-guides")
    drafts = submit(engine, SOMEBODY, wish).job.id
    worker.finish("generation", draft_files())
    wish = Submission("next_event.next_events", {"model": model, "history": "Open <it>"}, None, "desk-next")
    following = submit(engine, SOMEBODY, wish).job.id
    worker.finish("generation", foretold_files())
    return {
        "log": f"/datasets/{dataset.id}",
        "next event": f"/jobs/{training}",
        "how-to model": f"/models/{model}",
        "how-tos": f"/jobs/{drafts}",
        "next events": f"/jobs/{following}",
        "how-to form": f"/jobs/new/next_event.draft_how_to?model={model}",
        "log form": "/datasets/new?kind=event_log",
    }
