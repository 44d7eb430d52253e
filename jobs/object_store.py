"""Files in an S3-compatible object store, by the SHA-256 of their bytes: any host can read and write them.

obstore signs, retries and uploads in parts; here is what makes it an :class:`jobs.artifacts.ArtifactStore`: names,
promises, and faults that say what to do. It is imported, and its threads begin, with the first use and not before.
"""

import hashlib
import io
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path, PurePosixPath
from time import monotonic
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

from jobs import presigned
from jobs.artifacts import CHUNK, SHA256, Stored, guard
from jobs.errors import StoreMisconfigured, StoreUnavailable
from jobs.settings import Settings

PART = 8 * CHUNK
MOST_PARTS = 9_000  # S3 takes 10,000
WINDOW = 4 * CHUNK  # what one request reads
AT_ONCE = 16
# An object that is this old is written once more, so that whoever looks for what is left over takes it for new.
STALE = timedelta(hours=12)
SURE_SECONDS = 60.0
PATIENCE = 5.0  # where somebody waits for the answer
BACKOFF = {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=5), "base": 2}
NO_BUCKET = "The file store has no bucket called {bucket}. Create it, or correct AIGC_STORE_URL."
WRONG_KEYS = (
    "The file store refuses the keys it was given. Correct AIGC_STORE_KEY_ID and AIGC_STORE_SECRET, or let them read,"
    " write, list and delete in the bucket {bucket}."
)


class ObjectStore:
    """A bucket, or a folder of one: ``<folder>/sha256/ab/cd/<sha256>``.

    Args:
        settings: Whose ``store_url`` is ``s3://bucket`` or ``s3://bucket/folder``.
        patience: Seconds for which a request is repeated while the store does not answer.
    """

    def __init__(self, settings: Settings, patience: float = PATIENCE) -> None:
        self._settings, self._patience = settings, patience
        place = urlsplit(settings.store_url)
        self.bucket, self._folder = place.netloc, place.path.strip("/")
        self._sure_until = 0.0

    def put(self, path: Path) -> tuple[str, int]:
        """See :class:`jobs.artifacts.ArtifactStore`. Large files go in parts, and appear when all are there."""
        with path.open("rb") as reading:
            sha256 = hashlib.file_digest(reading, "sha256").hexdigest()
        size = path.stat().st_size
        if self._is_fresh(sha256, size):
            return sha256, size
        with self._told():
            import obstore

            part = max(PART, -(-size // MOST_PARTS))
            obstore.put(self._store, self._key(sha256), path, chunk_size=part, max_concurrency=4)
        if self.size(sha256) != size:
            raise self._away()
        return sha256, size

    def put_all(self, paths: Sequence[Path]) -> list[tuple[str, int]]:
        """See :class:`jobs.artifacts.ArtifactStore`. At the same time: most of it is waiting."""
        if len(paths) < 2:
            return [self.put(path) for path in paths]
        with ThreadPoolExecutor(min(AT_ONCE, len(paths)), thread_name_prefix="storing") as storing:
            return list(storing.map(self.put, paths))

    def receive(self, stream: BinaryIO, size: int) -> tuple[str, int]:
        """See :class:`jobs.artifacts.ArtifactStore`. The bytes wait on this machine's disk until their sum is known."""
        self._settings.staging.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._settings.staging, prefix="receive-") as waiting:
            while chunk := stream.read(CHUNK):
                waiting.write(chunk)
            waiting.flush()
            return self.put(Path(waiting.name))

    def open(self, sha256: str) -> BinaryIO:
        """See :class:`jobs.artifacts.ArtifactStore`. Each read is a request for a range, so seeking costs nothing."""
        size = self.size(sha256)
        if size is None:
            raise FileNotFoundError(sha256)
        return cast("BinaryIO", io.BufferedReader(_Object(self, sha256, size), WINDOW))

    def local_path(self, sha256: str) -> Path | None:
        """See :class:`jobs.artifacts.ArtifactStore`."""
        self._key(sha256)
        return None

    def download(self, sha256: str, to: Path) -> None:
        """See :class:`jobs.artifacts.ArtifactStore`."""
        with self.open(sha256) as stream, to.open("wb") as writing:
            while chunk := stream.read(WINDOW):
                writing.write(chunk)

    def exists(self, sha256: str) -> bool:
        """See :class:`jobs.artifacts.ArtifactStore`."""
        return self.size(sha256) is not None

    def size(self, sha256: str) -> int | None:
        """See :class:`jobs.artifacts.ArtifactStore`."""
        found = self._head(sha256)
        return None if found is None else int(found["size"])

    def sizes(self, names: Iterable[str]) -> Mapping[str, int | None]:
        """See :class:`jobs.artifacts.ArtifactStore`. Asked for at the same time: a transaction may be waiting."""
        wanted = list(names)
        if len(wanted) < 2:
            return {name: self.size(name) for name in wanted}
        with ThreadPoolExecutor(min(AT_ONCE, len(wanted))) as asking:
            return dict(zip(wanted, asking.map(self.size, wanted), strict=True))

    def delete(self, sha256: str) -> None:
        """See :class:`jobs.artifacts.ArtifactStore`."""
        with suppress(FileNotFoundError), self._told():
            import obstore

            obstore.delete(self._store, self._key(sha256))

    def listing(self) -> Iterator[Stored]:
        """See :class:`jobs.artifacts.ArtifactStore`."""
        with self._told():
            import obstore

            for batch in obstore.list(self._store, prefix=self._prefix):
                for entry in batch:
                    name = PurePosixPath(entry["path"]).name
                    if SHA256.fullmatch(name):
                        yield Stored(name, entry["size"], entry["last_modified"])

    def sweep(self, older_than: datetime) -> int:
        """See :class:`jobs.artifacts.ArtifactStore`. Nothing: parts of uploads that broke off are no objects, and a
        rule of the bucket removes them (``AbortIncompleteMultipartUpload``)."""
        return 0

    def check(self) -> None:
        """See :class:`jobs.artifacts.ArtifactStore`. Lists one object."""
        with self._told():
            import obstore

            next(iter(obstore.list(self._store, prefix=self._prefix, chunk_size=1)), None)
        self._sure_until = monotonic() + SURE_SECONDS

    def link(self, sha256: str, name: str, media_type: str) -> str | None:
        """See :class:`jobs.artifacts.ArtifactStore`: only where links are allowed and there are keys to sign with."""
        settings = self._settings
        if not settings.store_link_seconds or settings.store_secret is None:
            return None
        signer = presigned.Signer(
            endpoint=settings.store_link_endpoint or settings.store_endpoint,
            region=settings.store_region,
            key_id=settings.store_key_id,
            secret=settings.store_secret.get_secret_value(),
        )
        said = {
            "response-content-disposition": presigned.attachment(name),
            "response-content-type": media_type,
        }
        lifetime = timedelta(seconds=settings.store_link_seconds)
        return signer.link(f"{self.bucket}/{self._key(sha256)}", said, lifetime, datetime.now(UTC))

    def read_range(self, sha256: str, start: int, length: int) -> bytes:
        """Some of the bytes. Raises ``FileNotFoundError``."""
        with self._told():
            import obstore

            return bytes(obstore.get_range(self._store, self._key(sha256), start=start, length=length))

    @cached_property
    def _store(self) -> Any:
        from obstore.store import S3Store

        settings = self._settings
        given: dict[str, Any] = {"region": settings.store_region}
        if settings.store_endpoint:
            given |= {"endpoint": settings.store_endpoint, "virtual_hosted_style_request": False}
        if settings.store_key_id and settings.store_secret is not None:  # else those of the machine
            given["access_key_id"] = settings.store_key_id
            given["secret_access_key"] = settings.store_secret.get_secret_value()
        plain = settings.store_endpoint.startswith("http://")
        times: dict[str, Any] = {"connect_timeout": timedelta(seconds=3), "timeout": timedelta(seconds=30)}
        retry: Any = {"max_retries": 100, "retry_timeout": timedelta(seconds=self._patience), "backoff": BACKOFF}
        options: Any = {"allow_http": plain, **times}
        return S3Store(self.bucket, config=cast("Any", given), client_options=options, retry_config=retry)

    @property
    def _prefix(self) -> str:
        return f"{self._folder}/sha256".lstrip("/")

    def _key(self, sha256: str) -> str:
        if not SHA256.fullmatch(sha256):
            raise ValueError("not a SHA-256")  # whatever comes in, no other object can be named
        return f"{self._prefix}/{sha256[:2]}/{sha256[2:4]}/{sha256}"

    def _is_fresh(self, sha256: str, size: int) -> bool:
        found = self._head(sha256)
        return found is not None and found["size"] == size and datetime.now(UTC) - found["last_modified"] < STALE

    def _head(self, sha256: str) -> Mapping[str, Any] | None:
        key = self._key(sha256)
        try:
            with self._told():
                import obstore

                found: Mapping[str, Any] = obstore.head(self._store, key)
                return found
        except FileNotFoundError:
            if monotonic() >= self._sure_until:
                self.check()  # a missing bucket answers no otherwise
            return None

    def _away(self) -> StoreUnavailable:
        return StoreUnavailable(place=urlsplit(self._settings.store_endpoint).netloc or self.bucket)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what obstore raises into what it means here."""
        guard.check()
        from obstore import exceptions

        try:
            yield
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
            raise StoreMisconfigured(WRONG_KEYS, bucket=self.bucket) from error
        except (exceptions.NotFoundError, FileNotFoundError) as error:
            if "NoSuchBucket" in str(error):
                raise StoreMisconfigured(NO_BUCKET, bucket=self.bucket) from error
            raise FileNotFoundError(str(error)) from error
        except exceptions.BaseError as error:
            if "NoSuchBucket" in str(error):
                raise StoreMisconfigured(NO_BUCKET, bucket=self.bucket) from error
            if any(word in str(error) for word in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied")):
                raise StoreMisconfigured(WRONG_KEYS, bucket=self.bucket) from error
            raise self._away() from error


class _Object(io.RawIOBase):
    """An object as a file that can be sought in."""

    def __init__(self, store: ObjectStore, sha256: str, size: int) -> None:
        self._store, self._sha256, self._size, self._at = store, sha256, size, 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to another place."""
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence])
        return self._at

    def readall(self) -> bytes:
        """The rest, in large pieces; Python's own way asks for a few kilobytes at a time."""
        return b"".join(iter(lambda: self.read(WINDOW) or b"", b""))

    def readinto(self, buffer: Any) -> int:
        """Read as much as there is room for."""
        view = memoryview(buffer).cast("B")
        length = min(len(view), self._size - self._at)
        if length <= 0:
            return 0
        found = self._store.read_range(self._sha256, self._at, length)
        view[: len(found)] = found
        self._at += len(found)
        return len(found)
