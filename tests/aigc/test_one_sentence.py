"""One sentence per fault: in the page, as the API's ``detail``, on the command's stderr and as the client's exception.

All four are asked as people ask them: the form is opened and sent over HTTP, the command is a process.
"""

import html
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

import aigc
from tests.web.reading import Page

ROOT = Path(__file__).parents[2]
TASK = "image_gan.train"
NOBODY = "ds_" + "0" * 26
FORM = f"/jobs/new/{TASK}"


@dataclass
class Surfaces:
    """A server, and the four ways to ask it for the same thing."""

    url: str
    dataset: str
    running: str
    folder: Path
    language: str = "en"
    browser: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.browser = httpx.Client(base_url=self.url, headers={"Accept-Language": self.language})

    def form(self, path: str, data: Mapping[str, str], file: Path | None = None, at: str = "") -> str:
        """The words of the page that answers a form; it is sent with all it holds and the token it needs."""
        shown = Page(self.browser.get(path).raise_for_status().text).fields
        shown.pop("file", None)
        files = {"file": (file.name, file.read_bytes())} if file else None
        reply = self.browser.post(
            at or path.partition("?")[0], data={**shown, **data}, files=files, follow_redirects=True
        )
        return words(reply.text)

    def api(self, method: str, path: str, **body: Any) -> str:
        """The ``detail`` of the API's refusal."""
        reply = self.browser.request(method, f"/api/v1/{path}", **body)
        assert reply.headers["content-type"] == "application/problem+json", reply.text
        told = reply.json()
        assert told["title"]
        if len(told.get("errors") or []) == 1:
            assert told["errors"][0]["detail"] == told["detail"]
        return str(told["detail"])

    def command(self, *arguments: str) -> str:
        """What the command says after "Error: "."""
        environment = {**os.environ, "AIGC_URL": self.url, "PYTHONPATH": str(ROOT), "AIGC_LANG": self.language}
        done = subprocess.run(
            [sys.executable, "-m", "aigc", *arguments],
            env=environment,
            cwd=self.folder,
            capture_output=True,
            check=False,
        )
        assert done.returncode in (1, 2)
        said = re.search(r"^(?:Error: |错误：)(.*)$", done.stderr.decode(), re.MULTILINE)
        assert said, done.stderr
        return said[1]

    def client(self, act: Callable[[aigc.Client], Any]) -> str:
        """What the client's exception says."""
        with aigc.Client(self.url, language=self.language) as client, pytest.raises(aigc.ApiError) as refused:
            act(client)
        return str(refused.value)


def words(page: str) -> str:
    """The text of a page as a person reads it."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


@dataclass(frozen=True)
class Setting:
    """A setting that cannot be used, as it is typed and as it is meant."""

    name: str
    typed: str
    value: Any

    def ask(self, on: Surfaces) -> list[str]:
        given = {"dataset": on.dataset, self.name: self.value}
        body = {"task": TASK, "params": given}
        pairs = [
            word for name, value in (given | {self.name: self.typed}).items() for word in ("-p", f"{name}={value}")
        ]
        return [
            on.form(f"{FORM}?dataset={on.dataset}", {self.name: self.typed}),
            on.api("POST", "jobs", json=body),
            on.command("submit", TASK, *pairs),
            on.client(lambda client: client.jobs.submit(TASK, given)),
        ]


@dataclass(frozen=True)
class File:
    """A file that is no dataset."""

    name: str
    content: bytes

    def ask(self, on: Surfaces) -> list[str]:
        path = on.folder / self.name
        path.write_bytes(self.content)
        return [
            on.form("/datasets/new", {}, path),
            on.api("POST", "datasets", files={"file": (self.name, self.content)}),
            on.command("datasets", "add", self.name),
            on.client(lambda client: client.datasets.upload(path)),
        ]


@dataclass(frozen=True)
class Act:
    """Something that a job's state does not allow."""

    verb: str

    def ask(self, on: Surfaces) -> list[str]:
        job = on.running
        method, path = ("DELETE", f"jobs/{job}") if self.verb == "delete" else ("POST", f"jobs/{job}/{self.verb}")
        more = ["--yes"] if self.verb == "delete" else []
        return [
            on.form(f"/jobs/{job}", {}, at=f"/jobs/{job}/{self.verb}"),
            on.api(method, path),
            on.command("jobs", self.verb, *more, job),
            on.client(lambda client: getattr(client.jobs, self.verb)(job)),
        ]


@dataclass(frozen=True)
class Missing:
    """Something that is not there."""

    noun: str
    id: str

    def ask(self, on: Surfaces) -> list[str]:
        show = {"jobs": "view", "datasets": "show", "models": "show"}[self.noun]
        return [
            words(on.browser.get(f"/{self.noun}/{self.id}").text),
            on.api("GET", f"{self.noun}/{self.id}"),
            on.command(self.noun, show, self.id),
            on.client(lambda client: getattr(client, self.noun).get(self.id)),
        ]


FAULTS: list[Setting | File | Act | Missing] = [
    Setting("epochs", "0", 0),
    Setting("epochs", "many", "many"),
    Setting("learning_rate", "0.5", 0.5),
    Setting("width", "3", 3),
    Setting("dataset", NOBODY, NOBODY),
    File("empty.zip", b""),
    File("notes.txt", b"\x7fELF\x02\x01\x01 a program by the name of a text"),
    Missing("jobs", "job_" + "0" * 26),
    Act("retry"),
    Act("delete"),
]


@pytest.fixture
def surfaces(address: str, dataset: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Surfaces]:
    folder = tmp_path / "folder"
    folder.mkdir()
    with aigc.Client(address) as client:
        running = client.jobs.submit(TASK, dataset=dataset, name="running").id
    made = Surfaces(address, dataset, running, folder, getattr(request, "param", "en"))
    yield made
    made.browser.close()


def same(asked: list[str]) -> None:
    page, detail, stderr, exception = asked
    assert detail == stderr == exception
    assert detail in page


@pytest.mark.checklist(39)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: "-".join(map(str, vars(fault).values()))[:40])
def test_a_fault_is_told_alike_everywhere(surfaces: Surfaces, fault: Setting | File | Act | Missing) -> None:
    same(fault.ask(surfaces))


@pytest.mark.checklist(39)
@pytest.mark.parametrize("surfaces", ["zh-CN"], indirect=True)
def test_it_is_told_alike_in_chinese(surfaces: Surfaces) -> None:
    for fault in (FAULTS[0], FAULTS[6], FAULTS[8]):
        asked = fault.ask(surfaces)
        same(asked)
        assert re.search(r"[\u4e00-\u9fff]", asked[1])
