"""Large files go in pieces: over real connections, some of which break, to the real application."""

import hashlib
import os
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request

import aigc
from aigc import sending, uploading
from jobs.settings import Settings
from tests.aigc.test_real_server import check_soon
from tests.web.acting import ActingWorker, picture_zip


def large(path: Path, pieces: float) -> Path:
    """A ZIP of pictures of that many pieces; what makes it large is a file that imports leave out."""
    path.write_bytes(picture_zip())
    with zipfile.ZipFile(path, "a") as packed:
        packed.writestr("notes.bin", os.urandom(int(sending.PIECE * pieces)))
    return path


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sending, "PIECE", 64 * 1024)
    return sending.PIECE


def test_a_large_file_is_sent_in_pieces_and_told(
    address: str, worker: ActingWorker, small_pieces: int, tmp_path: Path
) -> None:
    file = large(tmp_path / "许多.zip", 3.5)
    told: list[tuple[int, int]] = []
    checking = threading.Thread(target=check_soon, args=[worker])
    checking.start()
    with aigc.Client(address) as client:
        made = client.datasets.upload(
            file, "many", licence="CC0", notes="seen", progress=lambda arrived, whole: told.append((arrived, whole))
        )
    checking.join()
    size = file.stat().st_size
    assert [arrived for arrived, _ in told] == [*range(0, size, small_pieces), size]
    assert {whole for _, whole in told} == {size}
    assert (made.name, made.licence, made.notes, made.state) == ("many", "CC0", "seen", "ready")
    assert made.raw["source"]["filename"] == "许多.zip"
    assert made.raw["source"]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_lost_connection_costs_one_piece(
    app: Flask, address: str, settings: Settings, worker: ActingWorker, small_pieces: int, tmp_path: Path
) -> None:
    """Once a piece arrives whole but its answer is lost, once only half of a piece arrives."""
    lost: list[str] = []

    def lose(reply: Any) -> Any:
        if request.method == "PATCH" and reply.status_code == 204 and "answer" not in lost:
            lost.append("answer")
            return app.response_class(status=503, headers={"Retry-After": "0"})
        return reply

    def halve() -> Any:
        if request.method == "PATCH" and "answer" in lost and "half" not in lost:
            upload = next(settings.staging.rglob("*.part"))
            if int(request.headers["Upload-Offset"]) != upload.stat().st_size:
                return None  # the piece whose answer was lost, once more
            lost.append("half")
            with upload.open("ab") as part:
                part.write(request.get_data()[:1000])
            return app.response_class(status=503, headers={"Retry-After": "0"})
        return None

    app.after_request_funcs.setdefault(None, []).append(lose)
    app.before_request_funcs.setdefault(None, []).append(halve)
    file = large(tmp_path / "many.zip", 3)
    checking = threading.Thread(target=check_soon, args=[worker])
    checking.start()
    with aigc.Client(address) as client:
        made = client.datasets.upload(file)
    checking.join()
    assert lost == ["answer", "half"]
    assert made.raw["source"]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_small_file_is_sent_at_once(address: str, worker: ActingWorker, tmp_path: Path) -> None:
    (tmp_path / "few.zip").write_bytes(picture_zip())
    checking = threading.Thread(target=check_soon, args=[worker])
    checking.start()
    told: list[int] = []
    with aigc.Client(address) as client:
        made = client.datasets.upload(tmp_path / "few.zip", progress=lambda arrived, _whole: told.append(arrived))
    checking.join()
    assert made.state == "ready"
    assert told == [0]


def test_a_line_every_ten_seconds_where_nobody_can_see_a_bar() -> None:
    now, lines = [0.0], list[str]()
    shown = uploading.Lines("many.zip", lines.append, clock=lambda: now[0])
    for second in range(0, 31, 3):
        now[0] = float(second)
        shown.tell(second * 10**6, 30 * 10**6)
    assert lines == ["Uploading many.zip: 40 % of 30.0 MB", "Uploading many.zip: 80 % of 30.0 MB"]


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (8_388_608, "8.4 MB"), (250_000, "250 KB"), (3e15, "3000 TB")],
)
def test_sizes(count: int, words: str) -> None:
    assert uploading.size(count) == words
