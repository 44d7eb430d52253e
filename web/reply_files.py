"""The file of an assistant that pages and the API read: a job's reply."""

from aigc_models.data.replies import REPLY, Reply, parse_reply, spelled
from jobs.tables import Job
from web import context

LARGEST = 4 * 2**20


def of_job(job: Job) -> Reply | None:
    """What a job replied; None where it has not, or its file cannot be read."""
    if job.operation != "reply" or job.status != "succeeded":
        return None
    files = context.repository().artifacts(job.id, role="output")
    file = next((one for one in files if one.name == REPLY and one.size <= LARGEST), None)
    if file is None:
        return None
    try:
        with context.engine().store.open(file.sha256) as stream:
            return parse_reply(stream.read())
    except (FileNotFoundError, ValueError):
        return None


def answer_of(reply: Reply) -> str:
    """What it says without the marks of its sources, as somebody would have written it."""
    return spelled(reply.sentences, cited=False) if reply.kind == "answer" else ""
