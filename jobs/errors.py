"""Everything that can go wrong for a user, as a tree with machine codes.

A class's docstring is its default sentence, with ``{gaps}`` that :attr:`values` fill; the
sentence is also the translation key, so form, API, command line and client say the same.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from aigc_models.base import Fault


class AigcError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong"

    def __init__(self, message: str = "", *, faults: Sequence[Fault] = (), **values: Any) -> None:
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        self.values = values
        self.faults = list(faults)
        super().__init__(self.message.format(**values))


class InvalidParams(AigcError):
    """Some settings cannot be used."""

    code, status, title = "invalid-params", 422, "There is a problem with the settings"


class UnknownTask(AigcError):
    """There is no task called {task}. Run aigc tasks to see all there are."""

    code, status, title = "unknown-task", 422, "There is no such task"


class WrongInput(InvalidParams):
    """{name} is {found}, but this task needs {wanted}."""

    code, status, title = "wrong-input", 422, "The wrong kind of input"


class NotFound(AigcError):
    """There is no {kind} called {id}. It may have been deleted."""

    code, status, title = "not-found", 404, "Not found"


class JobNotFound(NotFound):
    """There is no job called {id}. It may have been deleted."""

    code, title = "job-not-found", "There is no such job"


class JobAlreadyFinished(AigcError):
    """The job has already {status}, so it cannot be stopped."""

    code, status, title = "job-already-finished", 409, "The job has already finished"


class JobStillRunning(AigcError):
    """The job is still {status}. Cancel it first."""

    code, status, title = "job-still-running", 409, "The job is still running"


class JobCancelling(AigcError):
    """The job is just being cancelled, so it can neither be paused nor resumed."""

    code, status, title = "job-cancelling", 409, "The job is being cancelled"


class JobPausing(AigcError):
    """The worker is still saving the job's state. Resume the job when it is paused."""

    code, status, title = "job-pausing", 409, "The job is being paused"


class JobNeeded(AigcError):
    """The job is needed by {count} jobs that wait. Cancel those first."""

    code, status, title = "job-needed", 409, "Other jobs wait for it"


class VersionMismatch(AigcError):
    """The {kind} was changed in the meantime. Read it again, then repeat the change."""

    code, status, title = "version-mismatch", 412, "Changed in the meantime"


class DatasetInUse(AigcError):
    """The dataset is used by {count} jobs or models. Delete those first."""

    code, status, title = "dataset-in-use", 409, "The dataset is in use"


class SourceDeleted(AigcError):
    """The uploaded file of {name} was deleted. Upload it again."""

    code, status, title = "source-deleted", 409, "The uploaded file was deleted"


class ModelInUse(AigcError):
    """The model version {name} is used by {count} jobs. Delete those first."""

    code, status, title = "model-in-use", 409, "The model version is in use"


class ModelHasAlias(AigcError):
    """The alias {alias} stands for the model version {name}. Promote another version or remove the alias first."""

    code, status, title = "model-has-alias", 409, "An alias stands for the model version"


class NothingLearnt(AigcError):
    """Nobody has liked a reply of this model version yet, or written a better one."""

    code, status, title = "nothing-learnt", 409, "There is no feedback to learn from"


class AliasMoved(AigcError):
    """The alias {alias} of {name} was moved in the meantime. Look at it again, then repeat the change."""

    code, status, title = "alias-moved", 409, "The alias was moved in the meantime"


class UnknownAlias(InvalidParams):
    """There is no alias called {alias}. The aliases are: {aliases}."""

    code, status, title = "unknown-alias", 422, "There is no such alias"


class DatasetNotReady(InvalidParams):
    """The dataset {name} is still being checked or was refused. See its page."""

    code, status, title = "dataset-not-ready", 409, "The dataset is not ready"


class NeededJobFailed(InvalidParams):
    """The job {name} has {status}, so nothing can wait for it. Retry it, then wait for the new job."""

    code, status, title = "needed-job-failed", 409, "The job to wait for did not succeed"


class IdempotencyKeyReused(AigcError):
    """The key {key} was used before for a request with another content. Use a new key."""

    code, status, title = "idempotency-key-reused", 422, "The idempotency key was used before"


class EmptyFile(AigcError):
    """The file {name} is empty (0 bytes). Choose a file with data in it."""

    code, status, title = "dataset-empty", 422, "The file is empty"


class UnsupportedFile(AigcError):
    """The file {name} is not a kind that can be read. Use {wanted}."""

    code, status, title = "unsupported-file", 415, "This kind of file cannot be read"


class FileTooLarge(AigcError):
    """The file is larger than the limit of {limit}. Raise it with AIGC_MAX_UPLOAD."""

    code, status, title = "file-too-large", 413, "The file is too large"


class StorageFull(AigcError):
    """The disk has only {free} left, less than the {needed} kept free. Delete what is not needed, then send again."""

    code, status, title = "storage-full", 507, "The disk is full"


class UploadMoved(AigcError):
    """The upload is at byte {offset}, not at {sent}. Go on from there."""

    code, status, title = "upload-moved", 409, "The upload is at another place"


class UploadIncomplete(AigcError):
    """Of the {length} bytes of the upload, {offset} have come. Send the rest first."""

    code, status, title = "upload-incomplete", 409, "The upload is not complete"


class UploadOverrun(AigcError):
    """More bytes came than the {length} that were announced. Begin the upload again with the file's real size."""

    code, status, title = "upload-overrun", 413, "The upload is longer than announced"


class Unauthorized(AigcError):
    """A token is needed. Send it as: Authorization: Bearer <token>."""

    code, status, title = "unauthorized", 401, "Sign in first"


class Forbidden(AigcError):
    """This request is not allowed here."""

    code, status, title = "forbidden", 403, "Not allowed"


class Unavailable(AigcError):
    """The database cannot be reached. Nothing was changed; send again in a moment."""

    code, status, title = "unavailable", 503, "Not available at the moment"


class StoreUnavailable(AigcError):
    """The file store at {place} does not answer. Nothing was changed; send again in a moment."""

    code, status, title = "store-unavailable", 503, "The file store does not answer"


class StoreMisconfigured(StoreUnavailable):
    """The file store at {place} cannot be used as it is set up."""

    code, title = "store-misconfigured", "The file store cannot be used as it is set up"


class LeaseLost(Exception):
    """The attempt no longer holds its job: another one may run. Write nothing, kill the runner."""


class BlobMissing(Exception):
    """The store does not hold these bytes (any more): put the files again, then repeat the call."""

    def __init__(self, sha256: str) -> None:
        self.sha256 = sha256
        super().__init__(sha256)


class IncompleteResult(Exception):
    """The operation ended well, but did not write the files that its kind of result consists of."""
