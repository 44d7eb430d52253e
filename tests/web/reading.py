"""Reading pages as a person does: their words, links and forms; and sending their forms."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

SILENT = {"script", "style", "svg", "code", "pre", "kbd", "template"}
VOID = {"meta", "link", "input", "img", "br", "hr", "source", "path", "rect", "line", "circle"}


@dataclass
class Page(HTMLParser):
    """What is on a page."""

    html: str
    texts: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[tuple[str, bool]] = []
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.append((tag, found))
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if (
            tag == "input"
            and "name" in found
            and (found.get("type") not in ("radio", "checkbox") or "checked" in found)
        ):
            self.fields[found["name"]] = found.get("value", "on")
        if tag == "option" and ("selected" in found or self._select not in self.fields):
            self.fields[self._select] = found.get("value", "")  # a browser takes the first where none is selected
        if tag == "select":
            self._select = found.get("name", "")
        if tag not in VOID:
            silent = tag in SILENT or "mono" in found.get("class", "") or (found.get("lang") == "en" and tag != "html")
            self._open.append((tag, silent))

    _select = ""

    def handle_endtag(self, tag: str) -> None:
        while self._open and tag not in VOID:
            opened, _ = self._open.pop()
            if opened == tag:
                break

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if text and not any(silent for _, silent in self._open):
            self.texts.append(text)

    @property
    def text(self) -> str:
        """All words, in order."""
        return " ".join(self.texts)

    def has(self, tag: str, **attributes: str) -> bool:
        """Whether there is such an element."""
        return any(
            name == tag and all(found.get(key) == value for key, value in attributes.items())
            for name, found in self.tags
        )


def read(client: FlaskClient, path: str, *, status: int = 200, **headers: str) -> Page:
    """Open a page."""
    reply = client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    assert reply.status_code == status, reply.text
    return Page(reply.text)


def token(html: str) -> str:
    """The form token in a page."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', html)
    assert found, "no form on the page"
    return found[1]


def send(client: FlaskClient, path: str, data: dict[str, str] | None = None, *, form: str = "") -> TestResponse:
    """Send a form as a browser does: with the token of the page that shows it."""
    shown = client.get(form or path)
    return client.post(path, data={"csrf_token": token(shown.text), **(data or {})})
