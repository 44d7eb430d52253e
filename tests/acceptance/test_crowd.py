"""Many jobs, many readers: the work of a page does not grow with the database, nor the memory with the readers."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import event

from tests.acceptance.browsing import visit
from tests.acceptance.site import SOMEBODY, Site
from tests.acceptance.test_every_page import Note
from tests.web.crowd import crowd
from tests.web.serving import serve

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(300)]

MANY = 10_000
FIRST_LOAD_KIB = 150
MOST_STATEMENTS = 14
GROWTH_MIB = 5


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("crowded"))
    crowd(site.engine, SOMEBODY, MANY)
    yield site
    site.close()


def statements(site: Site, path: str) -> list[tuple[str, Any]]:
    """The SQL of one request, with its parameters."""
    said: list[tuple[str, Any]] = []

    def note(_c: object, _u: object, statement: str, values: Any, _x: object, _m: object) -> None:
        if statement.startswith("SELECT"):
            said.append((statement, values))

    event.listen(site.engine.db.engine, "before_cursor_execute", note)
    try:
        assert site.server.app.test_client().get(path).status_code == 200  # type: ignore[union-attr]
    finally:
        event.remove(site.engine.db.engine, "before_cursor_execute", note)
    return said


@pytest.mark.checklist(23)
@pytest.mark.parametrize(
    "path", ["/jobs", "/jobs?state=succeeded", "/jobs?task=image_gan.train", "/jobs?q=image", "/", "/workers"]
)
def test_a_page_asks_few_questions_and_each_has_its_index(crowded: Site, path: str) -> None:
    """However many rows it shows: no question a row, and none that reads the whole table of jobs."""
    asked = statements(crowded, path)
    assert 0 < len(asked) <= MOST_STATEMENTS
    with crowded.engine.db.read() as session:
        for statement, values in asked:
            rows = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            plan = [row[3] for row in rows]
            assert not [line for line in plan if line.startswith("SCAN job") and "INDEX" not in line], statement


@pytest.mark.checklist(23)
def test_filters_are_in_the_address_and_the_back_button_keeps_them(browser: Browser, crowded: Site) -> None:
    with visit(browser, crowded.url) as window:
        page = window.open("/jobs")
        page.get_by_role("link", name=re.compile("^.?Failed")).click()
        page.get_by_label("Search").fill("image_gan-9")
        page.get_by_role("button", name="Filter").click()
        assert {"state=failed", "q=image_gan-9"} <= set(page.url.partition("?")[2].split("&"))
        shown = page.locator("tbody th").all_inner_texts()
        assert len(shown) == 20
        page.get_by_role("link", name="Older").click()
        expect(page.locator("tbody th").first).not_to_have_text(shown[0])
        page.go_back()
        expect(page.locator("tbody th").first).to_have_text(shown[0])
        page.locator("tbody a").nth(3).click()
        expect(page.locator("#state")).to_contain_text("Failed")
        page.go_back()
        expect(page.get_by_label("Search")).to_have_value("image_gan-9")
        assert page.locator("tbody th").all_inner_texts() == shown
        expect(page.locator(".chips [aria-current]")).to_contain_text("Failed")


@pytest.mark.checklist(22)
def test_the_first_load_is_small_and_calm(browser: Browser, crowded: Site, record_property: Note) -> None:
    """What a fresh browser transfers, and what moves or blocks while the page appears."""
    with visit(browser, crowded.url) as window:
        page = window.context.new_page()
        session = window.context.new_cdp_session(page)
        session.send("Network.enable")
        sizes = list[int]()
        session.on("Network.loadingFinished", lambda done: sizes.append(int(done["encodedDataLength"])))
        page.add_init_script(
            """window.seen = {shift: 0, long: 0};
            new PerformanceObserver((list) => list.getEntries().forEach((one) => {
                if (!one.hadRecentInput) window.seen.shift += one.value; }))
                .observe({type: 'layout-shift', buffered: true});"""
        )
        page.goto(crowded.url + "/jobs", wait_until="load")
        page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length")
        shift = page.evaluate("() => window.seen.shift")
        blocking = page.evaluate(
            "() => performance.getEntriesByType('resource').filter((one) => one.renderBlockingStatus === 'blocking')"
            ".map((one) => one.name)"
        )
    kib = sum(sizes) / 1024
    record_property("first_load_kib", round(kib, 1))
    assert 10 < kib <= FIRST_LOAD_KIB
    assert shift < 0.1  # what Lighthouse calls good
    assert all(name.partition("?")[0].endswith(".css") for name in blocking), blocking
    assert len(blocking) <= 2


@pytest.mark.long
@pytest.mark.checklist(8)
def test_fifty_readers_of_a_running_job(tmp_path: Path, record_property: Note) -> None:
    """Against the server as it is shipped. How long replies take is told, and judged by ``make bench-web``."""
    site = Site(tmp_path)
    job, lease = site.training("watched")
    site.go(lease, range(10, 60, 10))
    with serve(tmp_path, AIGC_WEB_THREADS="32") as server:
        web = psutil.Process(server.process.pid).children()[0]
        polls: dict[str, Any] = {}
        sizes = list[float]()
        for seconds in (5, 20):
            command = [sys.executable, "-m", "benchmarks.polling", server.url, f"/jobs/{job}/live"]
            command += ["--pollers", "50", "--seconds", str(seconds)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            polls = json.loads(done.stdout.splitlines()[-1])
            sizes.append(web.memory_info().rss / 2**20)
    site.close()
    record_property("fifty_pollers_p99_ms", round(polls["p99_ms"], 1))
    assert polls["errors"] == 0
    assert polls["statuses"].get("200", 0) == 50  # each once, when it came; then nothing had changed
    assert polls["statuses"]["304"] > 50
    assert sizes[1] - sizes[0] < GROWTH_MIB
