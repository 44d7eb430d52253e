"""How things look in a notebook; every text from the server is escaped."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

_CARD = "border:1px solid #8888;border-radius:6px;padding:.6em .8em;max-width:44em"
_ICONS = {"queued": "◷", "running": "●", "succeeded": "✓", "failed": "✕", "cancelled": "–"}


class Picture(bytes):
    """The bytes of a PNG; a notebook shows it."""

    def _repr_png_(self) -> bytes:
        return bytes(self)


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
    rows = [(name, value) for name, value in values.items() if not isinstance(value, Mapping)]
    return table(title, ("", ""), rows)


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table with a caption."""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(number(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><caption>{escape(title)}</caption><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def number(value: Any) -> str:
    """A figure in at most four digits; anything else as text."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _link(url: str, text: str) -> str:
    if not url.startswith(("http://", "https://", "/")):  # no javascript: addresses
        return escape(text)
    return f'<a href="{escape(url)}" target="_blank" rel="noopener">{escape(text)}</a>'
