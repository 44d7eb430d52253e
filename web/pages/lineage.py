"""Where a job's inputs came from and what became of its results: dataset, job, model version, generated sets."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from jobs.errors import NotFound
from jobs.repository import Repository
from jobs.tables import Dataset, Job, ModelVersion


@dataclass(frozen=True, slots=True)
class Lineage:
    """A job's relatives."""

    datasets: Sequence[Dataset] = ()
    models: Sequence[ModelVersion] = ()
    retried_from: Job | None = None
    made_model: ModelVersion | None = None
    made_dataset: Dataset | None = None
    children: Sequence[Job] = field(default=())
    waiting: Sequence[Job] = field(default=())


def of(job: Job, reads: Repository) -> Lineage:
    """Look up a job's relatives; those that were deleted are left out."""
    inputs = reads.inputs(job.id)
    made_model = reads.models_made_by([job.id]).get(job.id)
    made_dataset = reads.datasets_made_by([job.id]).get(job.id)
    return Lineage(
        datasets=[reads.dataset(one.dataset_id) for one in inputs if one.dataset_id],
        models=[reads.model(one.model_id) for one in inputs if one.model_id],
        retried_from=_job(job.retried_from, reads),
        made_model=reads.model(made_model) if made_model else None,
        made_dataset=reads.dataset(made_dataset) if made_dataset else None,
        children=reads.children(job.id),
        waiting=reads.waiting_for(job.id),
    )


def _job(job_id: str | None, reads: Repository) -> Job | None:
    if job_id is None:
        return None
    try:
        return reads.job(job_id)
    except NotFound:
        return None
