"""Fetching files: whole and with the right SHA-256 or not at all, and never outside the folder they are meant for."""

import fnmatch
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from aigc import flows
from aigc.errors import DamagedFile, Problem
from aigc.speech import say
from aigc.wire import Call, Flow, Wire


def content(wire: Wire, artifact: Mapping[str, Any], to: Path) -> Flow[Path]:
    """Download a file: complete and with the right SHA-256, or not at all.

    Raises:
        DamagedFile: What arrived is not what the server holds.
    """
    to.parent.mkdir(parents=True, exist_ok=True)
    part = to.with_name(f".{to.name}.{os.getpid()}.part")
    try:
        call = Call("GET", _content_path(artifact), headers={"Accept": "*/*"}, save_to=part)
        digest = yield from wire.json(call)
        if artifact.get("sha256") and digest != artifact["sha256"]:
            raise _damaged(str(artifact["name"]))
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)
    return to


def _content_path(artifact: Mapping[str, Any]) -> str:
    """Where a file's bytes are, on the server we talk to: a token is sent nowhere else."""
    named = artifact.get("content") or (artifact.get("links") or {}).get("content")
    return urlsplit(str(named)).path if named else f"artifacts/{artifact['id']}/content"


def save_all(wire: Wire, files: Sequence[Mapping[str, Any]], folder: Path) -> Flow[list[Path]]:
    """Download files into a folder, keeping their sub-folders."""
    saved: list[Path] = []
    for file in files:
        path = yield from content(wire, file, folder / safe_name(file["name"]))
        saved.append(path)
    return saved


def download(wire: Wire, job_id: str, folder: Path, pattern: str) -> Flow[list[Path]]:
    """Download a job's results whose name fits a pattern into a folder, keeping their sub-folders."""
    files = yield from flows.pages(wire, f"jobs/{job_id}/artifacts", {"role": "output"}, None)
    wanted = [file for file in files if fnmatch.fnmatch(file["name"], pattern)]
    return (yield from save_all(wire, wanted, folder))


def archive(wire: Wire, model_id: str, to: Path) -> Flow[Path]:
    """Download a model version as one ZIP: whole and readable, or not at all.

    Raises:
        DamagedFile: What arrived is no whole ZIP.
    """
    to.parent.mkdir(parents=True, exist_ok=True)
    part = to.with_name(f".{to.name}.{os.getpid()}.part")
    try:
        yield from wire.json(Call("GET", f"models/{model_id}/archive", headers={"Accept": "*/*"}, save_to=part))
        if not _is_whole(part):
            raise _damaged(to.name)
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)
    return to


def _is_whole(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as packed:
            return packed.testzip() is None
    except zipfile.BadZipFile:
        return False


def _damaged(name: str) -> DamagedFile:
    sentence = say("The file {name} arrived damaged. Download it again.", name=name)
    return DamagedFile(Problem(code="damaged-file", title=say("The file is damaged"), detail=sentence))


def safe_name(name: str) -> PurePosixPath:
    """A server's file name as a path that cannot leave the folder it is joined to."""
    cleaned = [part.replace("\0", "").replace(":", "_") for part in name.replace("\\", "/").split("/")]
    kept = [part for part in cleaned if part not in ("", ".", "..")]
    return PurePosixPath(*kept) if kept else PurePosixPath("file")
