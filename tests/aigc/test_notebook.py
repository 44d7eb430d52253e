"""What a notebook shows: escaped, whole, and with pictures as pictures."""

import hashlib
import io
from collections.abc import Iterator
from html import escape
from html.parser import HTMLParser
from typing import Any

import pytest
from PIL import Image

import aigc
from aigc import library, notebook
from tests.aigc.scripted import Answer, Asked, job, serving

EVIL = "<script>alert('x')</script>"


def png(colour: int) -> bytes:
    made = io.BytesIO()
    Image.new("L", (3, 2), colour).save(made, "png")
    return made.getvalue()


FILES = {
    "art_1": ("a.png", "image/png", 10, png(10)),
    "art_2": (f"{EVIL}.png", "image/png", 20, png(20)),
    "art_3": ("c.txt", "text/plain", 30, "Ein schönes Hemd".encode()),
    "art_4": ("d.wav", "audio/wav", 40, b"RIFF"),
}


def play(asked: Asked) -> Answer:
    path = asked.path.split("?")[0]
    if path.endswith("/samples"):
        listed = [
            {"id": key, "name": name, "media_type": kind, "step": step, "sha256": hashlib.sha256(data).hexdigest()}
            for key, (name, kind, step, data) in FILES.items()
        ]
        return Answer(200, {"data": listed, "has_more": False})
    if path.endswith("/content"):
        _, kind, _, data = FILES[path.split("/")[-2]]
        return Answer(200, data, {"Content-Type": kind})
    if path.endswith("/metrics"):
        points = [{"step": 1, "values": {EVIL: 2.0}}, {"step": 2, "values": {EVIL: 1.5, "b": 0.5}}]
        return Answer(200, {"data": points})
    if path.startswith("/api/v1/datasets"):
        return Answer(200, {"id": "ds_1", "name": EVIL, "state": "ready", "report": {EVIL: EVIL, "train": 5}})
    error = {"detail": EVIL}
    return Answer(200, job("failed", name=EVIL, error=error, links={"web": f"javascript:{EVIL}"}, metrics={EVIL: 0.5}))


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[aigc.Job]:
    with serving(play) as server, aigc.Client(server.url) as client:
        yield client.jobs.get("job_x")


class Read(HTMLParser):
    """The elements and words of a piece of HTML; everything opened must be closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words = ""
        self.open: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("img", "br"):
            self.open.append(tag)
        assert not [name for name, value in attrs if name.startswith("on") or (value or "").startswith("javascript")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def test_everything_shown_is_escaped_and_whole(seen: aigc.Job) -> None:
    client = library.Dataset({"id": "ds_1", "name": EVIL, "state": "ready", "report": {EVIL: EVIL}}, seen._api)
    listing: aigc.Listing[Any] = aigc.Listing([seen])
    for shown in (seen, client, seen.samples(), seen.metrics(), listing):
        html = shown._repr_html_()
        assert "script" not in Read(html).tags
        assert escape(EVIL) in html


def test_samples_are_what_was_made(seen: aigc.Job) -> None:
    samples = seen.samples()
    first, second, text, sound = samples
    assert isinstance(first, Image.Image)
    assert (first.getpixel((0, 0)), first.info["step"], first.info["name"]) == (10, 10, "a.png")
    assert samples[1] is second
    assert text == "Ein schönes Hemd"
    assert isinstance(sound, aigc.Artifact)
    assert samples[:2] == [first, second]
    assert (len(samples), samples.steps) == (4, [10, 20, 30, 40])
    html = samples._repr_html_()
    assert html.count("data:image/png;base64,") == 2
    assert all(f"step {step}" in html for step in samples.steps)


def test_without_pillow_samples_still_show_themselves(seen: aigc.Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "find_spec", lambda _name: None)
    newest = seen.samples()[0]
    assert isinstance(newest, aigc.Artifact)
    assert newest._repr_png_() == png(10)


def test_figures_become_a_data_frame(seen: aigc.Job) -> None:
    frame = seen.metrics().to_pandas()
    assert list(frame.index) == [1, 2]
    assert frame["b"].isna().tolist() == [True, False]
    assert frame.loc[2, "b"] == 0.5
