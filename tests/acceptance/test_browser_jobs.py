"""Comparing, saving, typing JSON and being called back, in a real Chromium."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from jobs.tables import Job
from tests.acceptance.browsing import axe, launch, visit
from tests.acceptance.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(300)]

PNG_HEAD = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = launch(playwright)
        yield found
        found.close()


@pytest.fixture
def own_site(tmp_path: Path) -> Iterator[Site]:
    """A site of the test's own."""
    made = Site(tmp_path)
    yield made
    made.close()


def trained(site: Site, name: str) -> str:
    job, lease = site.training(name)
    for start in range(0, 400, 100):
        site.go(lease, range(start + 10, start + 110, 10), sample=True)
    site.finish(lease)
    return job


def test_ticked_jobs_are_compared(browser: Browser, own_site: Site) -> None:
    first, second = trained(own_site, "first"), trained(own_site, "second")
    with visit(browser, own_site.url, accept_downloads=True) as window:
        page = window.open("/jobs")
        button = page.get_by_role("button", name="Compare")
        expect(button).to_be_disabled()
        page.get_by_label("Choose second").check()
        expect(button).to_be_disabled()
        page.get_by_label("Choose first").check()
        expect(button).to_have_text("Compare (2)")
        button.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Compare jobs")
        assert first in page.url
        assert second in page.url
        expect(page.locator(".chart canvas").first).to_be_visible()
        page.get_by_label("Logarithmic scale").check()
        expect(page.locator(".chart canvas").first).to_be_visible()
        expect(page.locator("[data-shots] > section:visible")).to_have_count(1)
        slider = page.get_by_role("slider", name="Step")
        slider.focus()
        page.keyboard.press("ArrowLeft")
        expect(page.locator("[data-shots] > section:visible h3")).to_have_text("Step 400")
        assert axe(page) == []
        page.go_back()
        expect(page.get_by_label("Choose second")).to_be_visible()


def test_charts_and_samples_are_saved_as_pictures(browser: Browser, own_site: Site, tmp_path: Path) -> None:
    job = trained(own_site, "first")
    with visit(browser, own_site.url, accept_downloads=True) as window:
        page = window.open(f"/jobs/{job}")
        for name in ("PNG Loss", "Save all as one picture (PNG)"):
            with page.expect_download() as saved:
                page.get_by_role("button", name=name).click()
            path = tmp_path / saved.value.suggested_filename
            saved.value.save_as(path)
            data = path.read_bytes()
            assert data.startswith(PNG_HEAD), name
            assert len(data) > 5_000, name


def test_form_and_json_show_the_same(browser: Browser, own_site: Site) -> None:
    dataset = own_site.dataset()
    with visit(browser, own_site.url) as window:
        page = window.open(f"/jobs/new/image_gan.train?dataset={dataset}")
        page.get_by_label("Epochs").fill("7")
        page.get_by_label("Name of the job").fill("both")
        expect(page.locator("[data-snippet=cli]")).to_contain_text("--name both")
        page.get_by_role("tab", name="JSON").click()
        text = page.get_by_label("The job as JSON")
        body = json.loads(text.input_value())
        assert body["params"]["epochs"] == 7
        text.fill("{")
        expect(page.locator("#e-json")).to_contain_text("The text is not JSON")
        body["params"]["seed"] = 11
        text.fill(json.dumps(body))
        expect(page.locator("#e-json")).to_be_empty()
        expect(page.locator("[data-snippet=cli]")).to_contain_text("seed=11")
        assert axe(page) == []
        page.get_by_role("tab", name="Form").click()
        page.get_by_text("More settings").click()
        expect(page.get_by_label("Seed")).to_have_value("11")
        page.get_by_role("tab", name="JSON").click()
        page.get_by_role("button", name="Start with this JSON").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("both")


def test_json_works_without_javascript(browser: Browser, own_site: Site) -> None:
    dataset = own_site.dataset()
    with visit(browser, own_site.url, java_script_enabled=False) as window:
        window.expect_status(422)
        page = window.open(f"/jobs/new/image_gan.train?dataset={dataset}")
        page.get_by_label("The job as JSON").fill("{")
        page.get_by_role("button", name="Start with this JSON").click()
        expect(page.locator("#problems")).to_contain_text("The text is not JSON")
        page.get_by_label("The job as JSON").fill(json.dumps({"params": {"dataset": dataset}, "name": "typed"}))
        page.get_by_role("button", name="Start with this JSON").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("typed")


FAKE = """window.Notification = class {
    static permission = 'granted';
    static async requestPermission() { return 'granted'; }
    constructor(title) { window.told = title; }
    addEventListener() {}
};"""


def test_a_long_job_calls_back_also_behind_another_tab(browser: Browser, own_site: Site) -> None:
    job, lease = own_site.training("digits-gan")
    with own_site.engine.db.begin() as session:
        row = session.get_one(Job, job)
        row.started_at = row.created_at - timedelta(seconds=30)
    own_site.go(lease, range(10, 30, 10))
    with visit(browser, own_site.url) as window:
        window.context.add_init_script(FAKE)  # what the desktop shows cannot be seen from here
        page = window.open(f"/jobs/{job}")
        button = page.get_by_role("button", name="Notify me")
        expect(button).to_have_attribute("aria-pressed", "false")
        button.click()
        expect(page.get_by_role("button", name="You will be told")).to_have_attribute("aria-pressed", "true")
        page.evaluate(
            """() => { Object.defineProperty(document, 'hidden', {value: true, configurable: true});
            document.dispatchEvent(new Event('visibilitychange')); }"""
        )
        own_site.finish(lease)
        page.wait_for_function("() => window.told && window.told.startsWith('Succeeded · digits-gan')", timeout=60_000)
