"""Fetching files: whole and with the right SHA-256 or not at all, and never outside the folder they are meant for."""

import fnmatch
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from aigc import flows
from aigc.errors import DamagedFile, Problem
from aigc.speech import say
from aigc.wire import Call, Flow

ABOUT = "model.json"  # in an exported model: its id, figures and origin


def content(wire: flows.Wire, artifact: Mapping[str, Any], to: Path) -> Flow[Path]:
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
            sentence = say("The file {name} arrived damaged. Download it again.", name=artifact["name"])
            raise DamagedFile(Problem(code="damaged-file", title=say("The file is damaged"), detail=sentence))
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)
    return to


def _content_path(artifact: Mapping[str, Any]) -> str:
    """Where a file's bytes are, on the server we talk to: a token is sent nowhere else."""
    named = artifact.get("content") or (artifact.get("links") or {}).get("content")
    return urlsplit(str(named)).path if named else f"artifacts/{artifact['id']}/content"


def save_all(wire: flows.Wire, files: Sequence[Mapping[str, Any]], folder: Path) -> Flow[list[Path]]:
    """Download files into a folder, keeping their sub-folders."""
    saved: list[Path] = []
    for file in files:
        path = yield from content(wire, file, folder / safe_name(file["name"]))
        saved.append(path)
    return saved


def download(wire: flows.Wire, job_id: str, folder: Path, pattern: str) -> Flow[list[Path]]:
    """Download a job's results whose name fits a pattern into a folder, keeping their sub-folders."""
    files = yield from flows.pages(wire, f"jobs/{job_id}/artifacts", {"role": "output"}, None)
    wanted = [file for file in files if fnmatch.fnmatch(file["name"], pattern)]
    return (yield from save_all(wire, wanted, folder))


def export(wire: flows.Wire, model: Mapping[str, Any], to: Path) -> Flow[Path]:
    """Pack a model version's files and what is known about it into one ZIP: complete, or not at all."""
    to.parent.mkdir(parents=True, exist_ok=True)
    part = to.with_name(f".{to.name}.{os.getpid()}.part")
    try:
        with tempfile.TemporaryDirectory(prefix="aigc-") as folder, zipfile.ZipFile(part, "w") as packed:
            saved = yield from save_all(wire, model.get("files") or [], Path(folder))
            for path in saved:  # without the time of day, so that the same model makes the same bytes
                with (
                    path.open("rb") as file,
                    packed.open(zipfile.ZipInfo(path.relative_to(folder).as_posix()), "w", force_zip64=True) as entry,
                ):
                    shutil.copyfileobj(file, entry, 2**20)
            about = {name: value for name, value in model.items() if name != "links"}
            packed.writestr(zipfile.ZipInfo(ABOUT), json.dumps(about, ensure_ascii=False, indent=2))
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)
    return to


def safe_name(name: str) -> PurePosixPath:
    """A server's file name as a path that cannot leave the folder it is joined to."""
    cleaned = [part.replace("\0", "").replace(":", "_") for part in name.replace("\\", "/").split("/")]
    kept = [part for part in cleaned if part not in ("", ".", "..")]
    return PurePosixPath(*kept) if kept else PurePosixPath("file")
