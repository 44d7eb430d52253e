"""What pages load: small, unchanged, ours alone, and without inline code."""

import hashlib
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

import web
from tests.web.acting import ActingWorker, ready_dataset, submit_training
from tests.web.reading import read

WEB = Path(web.__file__).parent
BUDGET = 150_000


def test_vendored_files_are_the_published_ones() -> None:
    vendor = WEB / "static" / "vendor"
    lines = (vendor / "MANIFEST.sha256").read_text().splitlines()
    listed = {name: digest for digest, name in (line.split() for line in lines)}
    found = {
        str(path.relative_to(vendor)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in vendor.rglob("*")
        if path.is_file() and path.parent != vendor
    }
    assert listed == found
    assert {str(Path(name).parent / "LICENSE") for name in listed} <= set(listed)


@pytest.mark.checklist(21)
def test_templates_hold_no_inline_code_or_style() -> None:
    for path in (WEB / "templates").rglob("*.html"):
        text = path.read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)", text), path.name
        assert not re.search(r"\sstyle=|<style|\son\w+=\"|javascript:", text), path.name


@pytest.mark.checklist(21)
def test_no_address_of_another_host_is_loaded() -> None:
    for path in (WEB / "templates").rglob("*.html"):
        assert not re.search(r"(src|href)=\"(https?:)?//", path.read_text()), path.name
    for path in (WEB / "static" / "css").glob("*.css"):
        assert not re.search(r"url\(|@import", path.read_text()), path.name
    for path in (WEB / "static" / "js").glob("*.js"):
        assert "http" not in path.read_text().replace("http-equiv", ""), path.name


@pytest.mark.checklist(22)
def test_the_first_load_is_small(client: FlaskClient, worker: ActingWorker) -> None:
    dataset = ready_dataset(client, worker)
    submit_training(client, dataset)
    job = worker.train()
    for path in ("/", "/jobs", f"/jobs/{job}", "/jobs/new/image_gan.train"):
        page = read(client, path)
        assets = [found.get("src") or found.get("href") for tag, found in page.tags if tag in ("script", "link", "img")]
        own = [address for address in assets if address and address.startswith("/static/")]
        total = len(page.html.encode()) + sum(len(client.get(address).data) for address in own)
        assert total < BUDGET, (path, total)
