"""Sending a large file in pieces that survive a lost connection (tus 1.0), and telling how far it is."""

import base64
from collections.abc import Callable
from pathlib import Path

from aigc.errors import Conflict
from aigc.wire import Call, Flow, Wire, send

PIECE = 8 * 2**20
HEAD = 1500
MEDIA_TYPE = "application/offset+octet-stream"
MOVED = "upload-moved"
Tell = Callable[[int, int], None]
"""Is told how many bytes have arrived, and of how many."""


def pieces(wire: Wire, path: Path, tell: Tell | None = None, kind: str = "") -> Flow[str]:
    """Send a file; gives the address of the upload.

    Its first bytes go ahead, so that what can be no dataset is refused before the rest is sent. A piece whose answer
    was lost may have arrived in part: then the server is asked where to go on.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        told = {"filename": path.name.encode(), "kind": kind.encode(), "head": file.read(HEAD)}
    pairs = (f"{key} {base64.b64encode(value).decode()}" for key, value in told.items() if value)
    headers = {"Upload-Length": str(size), "Upload-Metadata": ",".join(pairs)}
    begun = yield from wire.json(Call("POST", "uploads", headers=headers))
    place, offset = f"uploads/{begun['id']}", 0
    with path.open("rb") as file:
        while offset < size:
            if tell is not None:
                tell(offset, size)
            file.seek(offset)
            offset = yield from _piece(wire, place, offset, file.read(PIECE))
    if tell is not None:
        tell(size, size)
    return place


def _piece(wire: Wire, place: str, offset: int, content: bytes) -> Flow[int]:
    """Send one piece; gives where the next one begins."""
    headers = {"Content-Type": MEDIA_TYPE, "Upload-Offset": str(offset)}
    try:
        reply = yield from send(Call("PATCH", place, headers=headers, content=content), wire.patience, wire.cache)
    except Conflict as error:
        if error.code != MOVED:
            raise
        return int((yield from wire.json(Call("GET", place)))["offset"])
    return int(reply.headers["upload-offset"])
