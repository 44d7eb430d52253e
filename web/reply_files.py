"""The files of an assistant that pages and the API read: a job's reply, and how far it is while it is written."""

from aigc_models.data.replies import PART, REPLY, Reply, parse_reply, spelled
from jobs.tables import FINAL, Artifact, Job
from web import context

LARGEST = 4 * 2**20


def of_job(job: Job) -> Reply | None:
    """What a job replied; None where it has not, or its file cannot be read."""
    if job.operation != "reply" or job.status != "succeeded":
        return None
    files = context.repository().artifacts(job.id, role="output")
    return _read(next((one for one in files if one.name == REPLY), None))


def part_of_job(job: Job) -> Reply | None:
    """A reply as far as it is written: its sentences were checked, its text is what comes and was not.

    None where the job has ended, or has shown nothing yet.
    """
    if job.operation != "reply" or job.status in FINAL:
        return None
    files = context.repository().artifacts(job.id, role="sample")
    return _read(next((one for one in reversed(files) if one.name.startswith(f"{PART}-")), None))


def _read(file: Artifact | None) -> Reply | None:
    if file is None or file.size > LARGEST:
        return None
    try:
        with context.engine().store.open(file.sha256) as stream:
            return parse_reply(stream.read())
    except (FileNotFoundError, ValueError):
        return None


def answer_of(reply: Reply) -> str:
    """What it says without the marks of its sources, as somebody would have written it."""
    return spelled(reply.sentences, cited=False) if reply.kind == "answer" else ""
