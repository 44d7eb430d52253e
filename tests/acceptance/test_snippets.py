"""What the form offers to copy does what the form does: pasted into a shell, into Python, into a terminal."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from jobs.claiming import WorkerIdentity, claim
from jobs.lifecycle import Lease
from tests.acceptance.browsing import visit
from tests.acceptance.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
WEIGHTS = {"model/weights.safetensors": b"w", "model/config.json": b"{}", "samples.png": b"\x89PNG"}


def pasted(site: Site, directory: Path, *command: str) -> Mapping[str, Any]:
    """Run what was copied, play the worker for the job it makes, and give that job's params."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIGC_")}
    environment |= {"AIGC_URL": site.url, "PYTHONPATH": str(ROOT), "PATH": f"{directory}:{os.environ['PATH']}"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as made:
        lease: Lease | None = None
        while lease is None:
            claimed = claim(site.engine, WorkerIdentity(site.worker.id, "training", "cpu"))
            lease = Lease(site.engine, claimed) if claimed else None
            assert lease is not None or made.poll() is None or made.returncode == 0, made.communicate()
        lease.succeed({}, site.worker.keep(WEIGHTS))
        _, complaints = made.communicate(timeout=120)
    assert made.returncode == 0, complaints
    assert "not found" not in complaints, complaints
    return lease.claim.params


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A directory with the command ``aigc`` as this source has it."""
    directory = tmp_path / "bin"
    directory.mkdir()
    command = directory / "aigc"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m aigc "$@"\n')
    command.chmod(0o755)
    return directory


@pytest.mark.checklist(17)
def test_the_code_beside_an_edited_form_makes_the_same_job(browser: Browser, own_site: Site, tools: Path) -> None:
    dataset = own_site.dataset()
    with visit(browser, own_site.url) as window:
        page = window.open(f"/jobs/new/image_gan.train?dataset={dataset}")
        page.get_by_label("Quick try").check()
        page.get_by_label("Epochs").fill("7")
        page.get_by_label("Learning rate").fill("0.0003")
        for key in ("curl", "python", "cli"):
            expect(page.locator(f"[data-snippet={key}]")).to_contain_text("0.0003")
        copied = {key: page.locator(f"[data-snippet={key}]").text_content() or "" for key in ("curl", "python", "cli")}
        page.get_by_role("button", name="Start training").click()
        expect(page.get_by_role("heading", level=1)).to_be_visible()
    lease = own_site.worker.take("training")
    lease.succeed({}, own_site.worker.keep(WEIGHTS))
    by_form = lease.claim.params
    assert (by_form["epochs"], by_form["learning_rate"]) == (7, 0.0003)
    assert pasted(own_site, tools, "bash", "-c", copied["curl"]) == by_form
    assert pasted(own_site, tools, sys.executable, "-c", copied["python"]) == by_form
    assert pasted(own_site, tools, "bash", "-c", copied["cli"]) == by_form


@pytest.mark.checklist(17)
def test_a_copy_button_copies_what_stands_beside_it(browser: Browser, site: Site) -> None:
    with visit(browser, site.url, permissions=["clipboard-read", "clipboard-write"]) as window:
        page = window.open(site.pages["form"])
        page.get_by_label("Epochs").fill("9")
        expect(page.locator("[data-snippet=curl]")).to_contain_text('"epochs": 9')
        page.get_by_role("button", name=re.compile("^Copy curl")).click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        copied = page.evaluate("() => navigator.clipboard.readText()")
        assert copied == page.locator("[data-snippet=curl]").text_content()
