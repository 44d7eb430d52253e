"""Sounds on the pages: players with their wave and length, and what cannot be drawn or is no sound."""

import base64
import io
import re
import wave

from flask.testing import FlaskClient

from tests.web.acting import ActingWorker, ready_dataset, submit_training
from tests.web.reading import read
from web.pages import sounds

MODEL = {"model/weights.safetensors": b"w", "model/config.json": b"{}"}


def tone(samples: list[int], width: int = 2, channels: int = 1) -> bytes:
    """A WAV file of 8 kHz."""
    packed = io.BytesIO()
    with wave.open(packed, "wb") as sound:
        sound.setnchannels(channels)
        sound.setsampwidth(width)
        sound.setframerate(8000)
        sound.writeframes(b"".join(one.to_bytes(width, "little", signed=width > 1) for one in samples))
    return packed.getvalue()


def finish(client: FlaskClient, worker: ActingWorker, files: dict[str, bytes]) -> str:
    submit_training(client, ready_dataset(client, worker), name="sounds")
    return worker.finish("training", MODEL | files)


def heights(html: str) -> list[float]:
    """The wave's places from the top, as drawn."""
    found = re.search(r'<polygon points="([^"]*)"', html)
    assert found is not None
    return [float(point.split(",")[1]) for point in found[1].split()]


def test_a_sound_has_a_player_its_length_and_its_wave(client: FlaskClient, worker: ActingWorker) -> None:
    loud, silent = [30_000, -30_000] * 2000, [0] * 4000
    page = read(client, f"/jobs/{finish(client, worker, {'one.wav': tone(loud + silent)})}")
    assert page.has("audio", controls="", preload="none")
    assert "1.00 s" in page.text
    places = heights(page.html)
    upper, lower = places[: len(places) // 2], places[len(places) // 2 :][::-1]
    assert len(upper) == sounds.COLUMNS
    assert max(upper[:75]) < 5
    assert min(lower[:75]) > 43
    assert set(upper[85:]) == set(lower[85:]) == {sounds.HEIGHT / 2}


def test_the_first_channel_is_drawn(client: FlaskClient, worker: ActingWorker) -> None:
    both = [value for _ in range(1000) for value in (0, 32_000)]
    page = read(client, f"/jobs/{finish(client, worker, {'two.wav': tone(both, channels=2)})}")
    assert set(heights(page.html)) == {sounds.HEIGHT / 2}


def test_what_cannot_be_drawn_can_still_be_heard(client: FlaskClient, worker: ActingWorker) -> None:
    files = {"eight-bits.wav": tone([128] * 800, width=1), "broken.wav": b"RIFF", "empty.wav": tone([])}
    page = read(client, f"/jobs/{finish(client, worker, files)}")
    assert page.html.count("<audio") == 3
    assert "<polygon" not in page.html.replace('points=""', "")
    assert "0.10 s" in page.text


def test_of_many_sounds_the_first_are_shown(client: FlaskClient, worker: ActingWorker) -> None:
    many = {f"sound-{number:02}.wav": tone([number] * 80) for number in range(sounds.MOST + 2)}
    page = read(client, f"/jobs/{finish(client, worker, many)}")
    assert page.html.count("<audio") == sounds.MOST
    assert "2 further sounds are in the files." in page.text


def test_a_report_holds_its_sounds(client: FlaskClient, worker: ActingWorker) -> None:
    data = tone([1000] * 800)
    job = finish(client, worker, {"one.wav": data, "large.wav": tone([0] * 600_000)})
    reply = client.get(f"/jobs/{job}/report.html")
    assert f'src="data:audio/wav;base64,{base64.b64encode(data).decode()}"' in reply.text
    assert reply.text.count("<audio") == 1
    assert "media-src data:" in reply.headers["Content-Security-Policy"]
