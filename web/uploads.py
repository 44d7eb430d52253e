"""Uploads: streamed to a staging file with a hard cap, judged by name and first bytes, then handed to the engine.

Used by the API and by the upload form.
"""

import errno
import re
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any

from flask import Flask, Request, g
from werkzeug.datastructures import FileStorage

from aigc_models.base import InputError
from aigc_models.data.kinds import precheck
from jobs import incoming
from jobs import uploads as engine_uploads
from jobs.artifacts import in_words
from jobs.errors import AigcError, EmptyFile, FileTooLarge, InvalidParams, UnsupportedFile
from jobs.settings import MIB, Settings
from jobs.tables import Dataset, Job
from jobs.uploads import Upload
from web import context
from web.problems import DatasetRefused

PIECES = "/api/v1/uploads"
UPLOAD_PATHS = frozenset({"/api/v1/datasets", "/datasets", "/datasets/new"})
FORM_ALLOWANCE = MIB
LONGEST_NAME = 200
UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|]+")


class UploadRequest(Request):
    """A request that writes files to the staging directory, next to the store, and nothing larger than allowed."""

    @property
    def is_upload(self) -> bool:
        """Whether this address takes files."""
        return self.method == "POST" and self.path in UPLOAD_PATHS and self.mimetype == "multipart/form-data"

    @property
    def max_content_length(self) -> int | None:
        """The upload limit where files are taken, the limit of a JSON body elsewhere."""
        if self.is_upload or (self.method == "PATCH" and self.path.startswith(f"{PIECES}/")):
            return context.settings().max_upload + FORM_ALLOWANCE
        return super().max_content_length

    @max_content_length.setter
    def max_content_length(self, value: int | None) -> None:
        self._max_content_length = value

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        if not self.is_upload:
            return super()._get_file_stream(total_content_length, content_type, filename, content_length)
        file = staging_file(context.settings(), total_content_length or 0)
        g.setdefault("staged", []).append(file)
        return file


def init_app(app: Flask) -> None:
    """Remove staging files with the request, however it ends."""
    app.request_class = UploadRequest
    app.teardown_request(_remove_staged)


def _remove_staged(_error: BaseException | None) -> None:
    for file in g.pop("staged", []):
        file.close()


class StagingFile:
    """An open file in the staging directory that is gone when it is closed, and says when the disk is full."""

    def __init__(self, directory: Path, limit: int) -> None:
        self._file = NamedTemporaryFile(dir=directory, prefix="upload-")  # noqa: SIM115 - closed with the request
        self._left = limit
        self._limit = limit
        self.name = self._file.name

    def write(self, data: bytes) -> int:
        """Write, up to the limit."""
        self._left -= len(data)
        if self._left < 0:
            self._file.close()
            raise FileTooLarge(limit=in_words(self._limit))
        try:
            return self._file.write(data)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise incoming.full(context.settings()) from None
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def staging_file(settings: Settings, expected: int) -> IO[bytes]:
    """A file to receive an upload.

    Raises:
        StorageFull: What is expected would leave too little free.
    """
    directory = incoming.check_room(settings, expected)
    return StagingFile(directory, settings.max_upload)  # type: ignore[return-value]  # quacks as the parser needs


@dataclass(frozen=True)
class Described:
    """What the sender says about a file; the kind is left to its content where none is named."""

    kind: str = ""
    name: str = ""
    licence: str = ""
    notes: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    idempotency_key: str | None = None


def receive(file: FileStorage, described: Described) -> tuple[Dataset, Job]:
    """Judge an uploaded file and make a dataset of it, with the job that checks it.

    Raises:
        AigcError: It is empty, unsafe, too large, or nothing that can be read.
    """
    file.stream.flush()
    return made(Path(file.stream.name), safe_filename(file.filename or ""), described)


def finish(upload_id: str, described: Described) -> tuple[Dataset, Job]:
    """Make a dataset of an upload that came in pieces; of one that has become a dataset already, give that.

    Raises:
        AigcError: As :func:`receive`, or there is no such upload, or some of it is missing. The pieces are kept.
    """
    settings, reads = context.settings(), context.repository()
    with incoming.whole(settings, context.principal(), upload_id) as (known, path):
        if known.dataset is not None:
            dataset = reads.dataset(known.dataset)
            return dataset, reads.job(dataset.job_id)
        dataset, job = made(path, safe_filename(known.filename), described)
        incoming.became(settings, known, dataset.id)
    return dataset, job


def made(path: Path, filename: str, described: Described) -> tuple[Dataset, Job]:
    """Make a dataset of a file that lies in the staging directory, with the job that checks it."""
    upload = Upload(
        path=path,
        filename=filename,
        name=described.name or Path(filename).stem or "dataset",
        kind=judged(path, filename, described.kind),
        licence=described.licence,
        notes=described.notes,
        params=described.params,
        idempotency_key=described.idempotency_key,
    )
    return engine_uploads.receive(context.engine(), context.principal(), upload)


def judged(path: Path, filename: str, kind: str = "") -> str:
    """The kind of dataset a file becomes, or why it cannot be that."""
    try:
        return precheck(path, filename, kind)
    except InputError as error:
        raise refusal(error) from None


def refusal(error: InputError) -> AigcError:
    """The reply to a file that cannot be used: by the code of its first fault."""
    faults = error.faults
    match faults[0].code:
        case "dataset-empty":
            return EmptyFile(faults[0].message, faults=faults, **faults[0].values)
        case "unsupported-file":
            return UnsupportedFile(faults[0].message, faults=faults, **faults[0].values)
        case "invalid-params":
            return InvalidParams(faults=faults)
        case code:
            return DatasetRefused(code, faults=faults)


def safe_filename(name: str) -> str:
    """The last part of a sent file name, without anything a file system could trip over."""
    last = name.replace("\\", "/").rpartition("/")[2]
    cleaned = UNSAFE.sub("_", last).strip(" .")
    stem, dot, suffix = cleaned.rpartition(".")
    short = f"{stem[: LONGEST_NAME - len(suffix) - 1]}{dot}{suffix}" if len(suffix) < 20 else cleaned[:LONGEST_NAME]
    while len(short.encode()) > LONGEST_NAME:
        short = short[1:]
    return short or "upload"
