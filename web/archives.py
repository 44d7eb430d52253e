"""A model version as one ZIP: weights, card, settings and licence. It is made while it is sent and kept nowhere."""

import hashlib
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import IO, BinaryIO, cast

from jobs.artifacts import CHUNK
from jobs.tables import Artifact, ModelVersion
from web import cards, context
from web.problems import not_found

EARLIEST = (1980, 1, 1, 0, 0, 0)  # of a ZIP; a fixed time, so that the same content gives the same bytes
LARGE = 2**31 - 1


class _Sink:
    """Takes what the archive writes, to be sent on piece by piece; it cannot be sought in."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Keep a piece."""
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        """Give what has come since the last time."""
        taken, self._pieces = b"".join(self._pieces), []
        return taken


@dataclass(frozen=True, slots=True)
class Archive:
    """What is in it: texts by name, and stored files."""

    folder: str
    texts: Sequence[tuple[str, bytes]]
    files: Sequence[Artifact]

    @property
    def tag(self) -> str:
        """The hash of all its content."""
        digest = hashlib.sha256(self.folder.encode())
        for name, text in self.texts:
            digest.update(f"\0{name}\0".encode() + hashlib.sha256(text).digest())
        for file in self.files:
            digest.update(f"\0{file.name}\0{file.sha256}".encode())
        return digest.hexdigest()

    def stream(self) -> Iterator[bytes]:
        """The archive, piece by piece; the memory it takes does not depend on its size."""
        store = context.engine().store  # the request is over when the last piece is asked for
        return self._pieces([(file.name, file.size, store.open(file.sha256)) for file in self.files])

    def _pieces(self, opened: Sequence[tuple[str, int, BinaryIO]]) -> Iterator[bytes]:
        sink = _Sink()
        texts: list[tuple[str, int, BinaryIO]] = [(name, len(text), BytesIO(text)) for name, text in self.texts]
        try:
            with zipfile.ZipFile(cast("IO[bytes]", sink), "w", zipfile.ZIP_STORED) as packing:
                for name, size, content in (*texts, *opened):
                    entry = zipfile.ZipInfo(f"{self.folder}/{name}", EARLIEST)
                    entry.external_attr = 0o644 << 16
                    with packing.open(entry, "w", force_zip64=size > LARGE) as writing:
                        while chunk := content.read(CHUNK):
                            writing.write(chunk)
                            yield sink.take()
            yield sink.take()
        finally:
            for _, _, content in opened:
                content.close()


def of(row: ModelVersion) -> Archive:
    """The archive of one of the caller's model versions.

    Raises:
        NotFound: Some of its bytes are gone.
    """
    reads = context.repository()
    files = [file for file in reads.artifacts(row.job_id, role="output") if file.name.startswith("model/")]
    store = context.engine().store
    for file in files:
        if store.size(file.sha256) != file.size:
            raise not_found("file", file.id)
    card = cards.of(row)
    job = card.job
    settings = {"task": f"{job.family}.{job.operation}", "params": job.params, "snapshot": job.snapshot}
    texts = [
        ("README.md", card.markdown().encode()),
        ("settings.json", json.dumps(settings, indent=2, ensure_ascii=False).encode()),
        ("metrics.json", json.dumps(row.metrics or {}, indent=2).encode()),
    ]
    if card.licence:
        texts.append(("LICENSE.txt", f"{card.licence}\n".encode()))
    return Archive(f"{row.name}-v{row.number}", texts, files)
