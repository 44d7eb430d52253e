"""The Python client of AIGC Foundry: train and use your own generative models.

>>> import aigc
>>> client = aigc.Client()
>>> job = client.jobs.submit("image_gan.train", dataset=client.datasets.starter("fashion-mnist"), preset="quick")
>>> job.wait(progress=True)
"""

from typing import Any

from aigc.async_library import AsyncDataset, AsyncModel, AsyncQueue, AsyncWorker
from aigc.async_resources import AsyncArtifact, AsyncJob, AsyncSamples
from aigc.client import AsyncClient, Client
from aigc.errors import (
    ApiError,
    Conflict,
    DamagedFile,
    InvalidParams,
    JobFailed,
    NotFound,
    NotReachable,
    RateLimited,
    Unauthorized,
    Unavailable,
    WaitTimeout,
)
from aigc.library import Dataset, Model, Queue, Worker
from aigc.recommended import Recommendations, Recommended
from aigc.records import Curves, Event, LogLine
from aigc.replied import Reply
from aigc.resources import Artifact, Job, Listing, Samples
from aigc.version import __version__
from aigc.wire import Patience

__all__ = [
    "ApiError",
    "Artifact",
    "AsyncArtifact",
    "AsyncClient",
    "AsyncDataset",
    "AsyncJob",
    "AsyncModel",
    "AsyncQueue",
    "AsyncSamples",
    "AsyncWorker",
    "Client",
    "Conflict",
    "Curves",
    "DamagedFile",
    "Dataset",
    "Event",
    "InvalidParams",
    "Job",
    "JobFailed",
    "Listing",
    "LogLine",
    "Model",
    "NotFound",
    "NotReachable",
    "Patience",
    "Queue",
    "RateLimited",
    "Recommendations",
    "Recommended",
    "Reply",
    "Samples",
    "Unauthorized",
    "Unavailable",
    "WaitTimeout",
    "Worker",
    "__version__",
    "submit",
]


def submit(task: str, params: Any = None, /, *, preset: str | None = None, **settings: Any) -> Job:
    """Submit one job to the default server: ``aigc.submit("image_gan.train", dataset=...).result()``."""
    return Client().jobs.submit(task, params, preset=preset, **settings)
