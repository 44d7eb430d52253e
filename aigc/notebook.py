"""How things look in a notebook; every text from the server is escaped."""

import base64
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.util import find_spec
from math import isfinite
from typing import Any

SHOWN_SAMPLES = 6

_CARD = "border:1px solid #8888;border-radius:6px;padding:.6em .8em;max-width:44em"
_ICONS = {"queued": "◷", "running": "●", "succeeded": "✓", "failed": "✕", "cancelled": "–"}


class Picture(bytes):
    """The bytes of a PNG; a notebook shows it."""

    def _repr_png_(self) -> bytes:
        return bytes(self)


@dataclass(frozen=True, slots=True)
class FirstRows:
    """The first rows of a table as they are written in its file; a notebook shows them as a table."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def _repr_html_(self) -> str:
        return table(f"First {len(self.rows)} rows", self.columns, self.rows)


def look(data: bytes) -> Picture | FirstRows:
    """A dataset's preview: a picture, or the first rows of a table."""
    if not data.startswith(b"{"):
        return Picture(data)
    found = json.loads(data)
    return FirstRows(found["columns"], found["rows"])


def is_picture(media_type: str) -> bool:
    """Whether a browser shows files of this type as a picture, and nothing in them can run."""
    return media_type in ("image/png", "image/jpeg", "image/gif", "image/webp")


def reads(media_type: str) -> bool:
    """Whether a file of this type can be given as what it holds: a picture where Pillow is installed, a text."""
    return media_type.startswith("text/") or (is_picture(media_type) and find_spec("PIL") is not None)


def content(data: bytes, file: Mapping[str, Any]) -> Any:
    """What a file holds: a text as str, a picture as PIL image."""
    if str(file.get("media_type")).startswith("text/"):
        return data.decode("utf-8", "replace")
    return image(data, file)


def image(data: bytes, file: Mapping[str, Any]) -> Any:
    """A PIL image (Pillow must be installed) whose ``info`` says which file it is."""
    from PIL import Image  # optional

    made = Image.open(io.BytesIO(data))
    made.load()
    made.info.update({name: file[name] for name in ("id", "name", "step") if file.get(name) is not None})
    return made


def gallery(title: str, files: Iterable[tuple[Mapping[str, Any], bytes]]) -> str:
    """Pictures beside each other, each with its step; what is no picture is named."""
    figures = []
    for file, data in files:
        words = f"step {file['step']}" if file.get("step") is not None else str(file.get("name") or "")
        shown = escape(str(file.get("name") or ""))
        if data:
            address = f"data:{escape(str(file['media_type']))};base64,{base64.b64encode(data).decode()}"
            shown = f'<img src="{address}" alt="{shown}" style="max-width:14em">'
        figures.append(f'<figure style="display:inline-block">{shown}<figcaption>{escape(words)}</figcaption></figure>')
    return f"<div><div>{escape(title)}</div>{''.join(figures)}</div>"


def job_card(raw: Mapping[str, Any]) -> str:
    """A job: state, bar, figures, link to its page."""
    progress, state = raw.get("progress") or {}, str(raw["state"])
    percent = 100.0 if state == "succeeded" else progress.get("percent")
    bar = (
        f'<progress max="100" value="{float(percent):.1f}" style="width:100%"></progress>'
        if percent is not None
        else ""
    )
    error = raw.get("error") or {}
    lines = [
        f"<b>{escape(str(raw.get('name') or raw['task']))}</b> {_ICONS.get(state, '◌')} {escape(state)}",
        bar,
        escape(str(error.get("detail") or "")),
        escape(", ".join(f"{name} {number(value)}" for name, value in (raw.get("metrics") or {}).items())),
        _link(str((raw.get("links") or {}).get("web") or ""), str(raw["id"])),
    ]
    return f'<div style="{_CARD}">{"".join(f"<div>{line}</div>" for line in lines if line)}</div>'


def facts(title: str, values: Mapping[str, Any]) -> str:
    """Names and values, one a line; nested ones are left to the page."""
    rows = [(name, value) for name, value in values.items() if not _is_nested(value)]
    return table(title, ("", ""), rows)


def _is_nested(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and any(isinstance(one, Mapping) for one in value))


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table with a caption."""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(number(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><caption>{escape(title)}</caption><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def number(value: Any) -> str:
    """A figure in at most four digits, whole from a thousand on: 0.8123, 15,860; anything else as text."""
    if isinstance(value, float) and isfinite(value) and abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _link(url: str, text: str) -> str:
    if not url.startswith(("http://", "https://", "/")):  # no javascript: addresses
        return escape(text)
    return f'<a href="{escape(url)}" target="_blank" rel="noopener">{escape(text)}</a>'
