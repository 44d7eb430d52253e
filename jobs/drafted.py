"""Drafted how-tos become a dataset of texts, which an assistant can answer from."""

from pathlib import Path
from tempfile import TemporaryDirectory

from aigc_models.data.how_tos import PACKED
from jobs.engine import Engine
from jobs.errors import NotFound
from jobs.principal import Principal
from jobs.repository import Repository
from jobs.tables import Dataset, Job
from jobs.uploads import Upload, receive

LARGEST = 256 * 2**20
_BLOCK = 2**20


def make_dataset(engine: Engine, principal: Principal, job: Job) -> tuple[Dataset, Job]:
    """Queue the import of a job's how-tos as a dataset of documents, named after the job.

    Raises:
        NotFound: The job drafted none.
    """
    files = Repository(engine, principal).artifacts(job.id, role="output")
    packed = next((file for file in files if file.name == PACKED and file.size <= LARGEST), None)
    if packed is None:
        raise NotFound(kind="file", id=PACKED)
    with TemporaryDirectory() as directory:
        path = Path(directory) / PACKED
        with engine.store.open(packed.sha256) as source, path.open("wb") as target:
            while block := source.read(_BLOCK):
                target.write(block)
        name = job.name if job.name and job.name.isascii() and " " not in job.name else "how-tos"
        upload = Upload(
            path,
            PACKED,
            name,
            "text",
            notes="Drafted from an event log; read them over before anybody relies on them.",
            params={"shape": "documents"},
        )
        return receive(engine, principal, upload)
