"""The pages in a real Chromium, with JavaScript and without."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect, sync_playwright

from aigc_models.image_gan.params import ImageGanTrain
from scripts import screenshots
from tests.acceptance.browsing import axe, launch, overflow, small_targets, visit
from tests.acceptance.site import Site
from tests.web.acting import picture_zip

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(300)]

expect.set_options(timeout=20_000)
QUICK = ImageGanTrain.presets["quick"]
VARIANTS = (("light", 1200), ("dark", 390), ("light", 320))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = launch(playwright)
        yield found
        found.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"))
    made.fill()
    yield made
    made.close()


@pytest.fixture
def own_site(tmp_path: Path) -> Iterator[Site]:
    """A site of the test's own, for tests that change what others look at."""
    made = Site(tmp_path)
    yield made
    made.close()


def settled(page: Page) -> Page:
    """Wait until the page's pictures have come; lists that ask again and again never fall silent."""
    page.wait_for_function("() => [...document.images].every((image) => image.complete || image.loading === 'lazy')")
    return page


def test_every_page_is_accessible_and_fits(browser: Browser, site: Site) -> None:
    problems = []
    with visit(browser, site.url) as window:
        window.expect_status(404)
        for name, path in site.pages.items():
            page = settled(window.open(path))
            problems += [f"{name}: small {target}" for target in small_targets(page)]
            for scheme, width in VARIANTS:
                page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                page.set_viewport_size({"width": width, "height": 800})
                problems += [f"{name} {scheme} {width}: {fault}" for fault in axe(page)]
                if overflow(page):
                    problems.append(f"{name} {scheme} {width}: {overflow(page)} px too wide")
            page.close()
    assert not problems, "\n".join(problems)


def test_every_page_is_accessible_in_chinese(browser: Browser, site: Site) -> None:
    problems = []
    with visit(browser, site.url, locale="zh-CN", viewport={"width": 390, "height": 800}) as window:
        window.expect_status(404)
        for name, path in site.pages.items():
            page = settled(window.open(path))
            assert page.locator("html").get_attribute("lang") == "zh-CN"
            problems += [f"{name}: {fault}" for fault in axe(page)]
            if overflow(page):
                problems.append(f"{name}: {overflow(page)} px too wide")
            page.close()
    assert not problems, "\n".join(problems)


def test_every_tab_stop_is_seen(browser: Browser, site: Site) -> None:
    with visit(browser, site.url) as window:
        page = settled(window.open(site.pages["finished"]))
        seen = []
        for _ in range(60):
            page.keyboard.press("Tab")
            where = page.evaluate(
                """() => { const el = document.activeElement; const box = el.getBoundingClientRect();
                const style = getComputedStyle(el); const bar = document.querySelector('.top').getBoundingClientRect();
                const outline = style.outlineStyle !== 'none' || el.tagName === 'BODY';
                const below = el.closest('.top, .skip') || el.tagName === 'BODY' || box.bottom > bar.bottom;
                return {text: el.textContent.trim().slice(0, 30), outline, hidden: !below}; }"""
            )
            seen.append(where)
        assert seen[0]["text"] == "Skip to main content"
        assert [one for one in seen if not one["outline"]] == []
        assert [one for one in seen if one["hidden"]] == []


def test_a_running_job_moves_by_itself_to_its_end(browser: Browser, own_site: Site) -> None:
    job, lease = own_site.training("digits-gan")
    with visit(browser, own_site.url) as window:
        page = window.open(f"/jobs/{job}")
        page.evaluate("() => { window.notReloaded = true; }")
        own_site.go(lease, range(10, 210, 10), sample=True)
        expect(page.locator("#live")).to_contain_text("step 200 of 400")
        expect(page).to_have_title(re.compile(r"^50 % · digits-gan"))
        expect(page.locator(".chart canvas")).to_be_visible()
        own_site.go(lease, range(210, 260, 10), sample=True)
        expect(page).to_have_title(re.compile(r"^62 % · digits-gan"))
        expect(page.locator(".legend")).to_contain_text("Generator")
        own_site.finish(lease)
        expect(page).to_have_title(re.compile(r"^Succeeded · digits-gan"))
        expect(page.locator("#say")).to_have_text("Succeeded")
        expect(page.get_by_role("heading", name="Result")).to_be_visible()
        expect(page.get_by_text("Better than the baseline").first).to_be_visible()
        assert page.evaluate("() => window.notReloaded")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.wait_for_timeout(2500)  # what must not happen cannot be waited for
        assert [url for url in asked if "/live" in url] == []


def test_focus_and_selection_survive_what_moves(browser: Browser, own_site: Site) -> None:
    job, lease = own_site.training("digits-gan")
    own_site.go(lease, range(10, 60, 10))
    with visit(browser, own_site.url) as window:
        page = window.open(f"/jobs/{job}")
        log = page.locator("pre[data-follow]")
        page.get_by_text("Show the numbers as a table").first.click()
        log.focus()
        page.evaluate("() => getSelection().selectAllChildren(document.querySelector('pre[data-follow] span'))")
        selected = page.evaluate("() => String(getSelection())")
        assert "5000 images" in selected
        own_site.go(lease, range(60, 110, 10))
        expect(page.locator("#live")).to_contain_text("step 100 of 400")
        assert page.evaluate("() => String(getSelection())") == selected
        assert page.evaluate("() => document.activeElement.matches('pre[data-follow]')")
        assert page.locator("details[open] summary").first.inner_text() == "Show the numbers as a table"
        expect(log).to_contain_text("step 100 g_loss=")


def test_a_hidden_tab_does_not_ask(browser: Browser, own_site: Site) -> None:
    job, _ = own_site.training("digits-gan")
    with visit(browser, own_site.url) as window:
        page = window.open(f"/jobs/{job}")
        with page.expect_request(lambda request: "/live" in request.url):
            pass
        page.evaluate(
            """() => { Object.defineProperty(document, 'hidden', {value: true, configurable: true});
            document.dispatchEvent(new Event('visibilitychange')); }"""
        )
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.wait_for_timeout(2500)  # what must not happen cannot be waited for
        assert len([url for url in asked if "/live" in url]) <= 1
        page.evaluate(
            """() => { Object.defineProperty(document, 'hidden', {value: false, configurable: true});
            document.dispatchEvent(new Event('visibilitychange')); }"""
        )
        with page.expect_request(lambda request: "/live" in request.url):
            pass


def test_a_lost_server_is_said_and_waited_for(browser: Browser, own_site: Site) -> None:
    job, lease = own_site.training("digits-gan")
    with visit(browser, own_site.url) as window:
        window.expected.append("ERR_")
        page = window.open(f"/jobs/{job}")
        own_site.stop()
        expect(page.get_by_text("Connection lost. Trying again…")).to_be_visible()
        own_site.start()
        own_site.go(lease, range(10, 110, 10))
        expect(page.locator("#live")).to_contain_text("step 100 of 400", timeout=40_000)
        expect(page.get_by_text("Connection lost.")).to_have_count(0)


def test_a_bad_form_tells_everything_and_keeps_what_was_typed(browser: Browser, site: Site) -> None:
    with visit(browser, site.url) as window:
        window.expect_status(422)
        page = window.open(site.pages["form"])
        page.get_by_label("Epochs").fill("99999")
        page.get_by_label("Learning rate").fill("fast")
        page.get_by_role("button", name="Start training").click()
        expect(page).to_have_title(re.compile(r"^Error: "))
        expect(page.locator("#problems")).to_be_focused()
        assert axe(page) == []
        page.get_by_role("link", name="Learning rate must be a number.").click()
        expect(page.get_by_label("Learning rate")).to_be_focused()
        expect(page.get_by_label("Learning rate")).to_have_value("fast")
        expect(page.get_by_label("Epochs")).to_have_value("99999")
        expect(page.locator("#e-epochs")).to_contain_text("Epochs must be between 1 and 10000.")


def test_presets_come_into_view_and_leave_changed_values_alone(browser: Browser, site: Site) -> None:
    with visit(browser, site.url) as window:
        page = window.open(site.pages["form"])
        page.get_by_label("Batch size").fill("96")
        page.get_by_label("Quick try").check()
        expect(page.get_by_label("Epochs")).to_have_value(str(QUICK["epochs"]))
        expect(page.get_by_label("Batch size")).to_have_value("96")
        expect(page.locator("[data-snippet=curl]")).to_contain_text('"batch_size": 96')
        expect(page.locator("[data-snippet=curl]")).to_contain_text('"preset": "quick"')
        before = page.locator("[data-costs]").inner_text()
        page.get_by_label("Epochs").fill("4000")
        expect(page.locator("[data-costs]")).not_to_have_text(before)
        page.get_by_label("Balanced").check()
        expect(page.get_by_label("Epochs")).to_have_value("4000")


def test_from_the_form_to_the_job_with_one_double_click(browser: Browser, own_site: Site) -> None:
    dataset = own_site.dataset()
    with visit(browser, own_site.url) as window:
        page = window.open(f"/jobs/new/image_gan.train?dataset={dataset}")
        page.get_by_label("Name of the job").fill("clicked twice")
        page.get_by_role("button", name="Start training").dblclick()
        expect(page.get_by_role("heading", level=1)).to_have_text("clicked twice")
        page.goto(own_site.url + "/jobs?q=clicked")
        expect(page.locator("tbody tr")).to_have_count(1)
        page.get_by_role("link", name="clicked twice").click()
        page.get_by_role("link", name="Duplicate").click()
        expect(page.get_by_label("Name of the job")).to_have_value("clicked twice")


def test_cancel_asks_once(browser: Browser, own_site: Site) -> None:
    job, lease = own_site.training("digits-gan")
    with visit(browser, own_site.url) as window:
        page = window.open(f"/jobs/{job}")
        page.get_by_role("link", name="Cancel job").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        assert axe(page) == []
        dialog.get_by_role("button", name="Let it run").click()
        expect(dialog).to_be_hidden()
        page.get_by_role("link", name="Cancel job").click()
        dialog.get_by_role("button", name="Cancel job").click()
        expect(page.locator("#state")).to_contain_text("Stopping")
        lease.cancelled()
        expect(page.locator("#state")).to_contain_text("Cancelled")
        expect(page.get_by_role("link", name="Delete")).to_be_visible()


def test_new_jobs_are_announced_and_no_row_jumps(browser: Browser, own_site: Site) -> None:
    dataset = own_site.dataset()
    own_site.submit("first", dataset=dataset)
    with visit(browser, own_site.url) as window:
        page = window.open("/jobs")
        own_site.submit("second", dataset=dataset)
        expect(page.get_by_text("1 new job")).to_be_visible()
        expect(page.locator("tbody tr").first).to_contain_text("first")
        page.get_by_role("link", name="1 new job").click()
        expect(page.locator("tbody tr").first).to_contain_text("second")


def test_an_upload_goes_to_its_check_and_a_bad_one_says_why(browser: Browser, own_site: Site) -> None:
    with visit(browser, own_site.url) as window:
        window.expect_status(415)
        page = window.open("/datasets/new")
        page.get_by_label("Name", exact=True).fill("Shirts")
        page.get_by_label("File").set_input_files(
            {"name": "paper.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1"}
        )
        page.get_by_role("button", name="Upload and check").click()
        expect(page.locator("#problems")).to_be_focused()
        expect(page.locator("#e-file")).to_contain_text("looks like a PDF document")
        expect(page.get_by_label("Name", exact=True)).to_have_value("Shirts")
        shirts: FilePayload = {"name": "shirts.zip", "mimeType": "application/zip", "buffer": picture_zip()}
        page.get_by_label("File").set_input_files(shirts)
        page.get_by_role("button", name="Upload and check").click()
        expect(page).to_have_title(re.compile(r"^Checking · shirts"))
        own_site.worker.check_dataset()
        expect(page.get_by_role("heading", name="Use it")).to_be_visible()


def test_samples_and_tabs_work_by_keyboard(browser: Browser, site: Site) -> None:
    with visit(browser, site.url) as window:
        page = window.open(site.pages["finished"])
        slider = page.get_by_role("slider")
        expect(page.locator("[data-shots] figure:visible")).to_have_count(1)
        last = page.locator("[data-shots] figure:visible img").get_attribute("alt")
        slider.focus()
        page.keyboard.press("ArrowLeft")
        assert page.locator("[data-shots] figure:visible img").get_attribute("alt") != last
        page.get_by_role("tab", name="curl").focus()
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("tab", name="Python")).to_be_focused()
        expect(page.locator("[data-snippet=python]")).to_be_visible()
        expect(page.locator("[data-snippet=curl]")).to_be_hidden()


def test_keys_lead_to_search_and_new_job_unless_switched_off(browser: Browser, site: Site) -> None:
    with visit(browser, site.url) as window:
        page = window.open("/jobs")
        page.keyboard.press("/")
        expect(page.get_by_label("Search")).to_be_focused()
        page.keyboard.type("n")
        expect(page.get_by_label("Search")).to_have_value("n")
        page.goto(site.url + "/docs")
        page.keyboard.press("n")
        page.wait_for_url("**/jobs/new")
        page.goto(site.url + "/docs")
        page.get_by_label("Use these keys").uncheck()
        page.get_by_role("heading", level=1).click()
        page.keyboard.press("n")
        expect(page).to_have_url(re.compile("/docs$"))


def test_the_theme_can_be_forced_and_the_chart_follows(browser: Browser, site: Site) -> None:
    with visit(browser, site.url) as window:
        page = settled(window.open(site.pages["finished"]))
        light = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        page.locator("details.menu summary").click()
        page.get_by_role("link", name="Dark").click()
        expect(page.locator(".chart canvas").first).to_be_visible()
        assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") != light
        bright = """() => { const canvas = document.querySelector('.chart canvas');
            const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
            for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200 && data[i + 2] > 200) return true;
            return false; }"""
        page.wait_for_function(bright)


def test_the_numbers_of_a_chart_are_there_without_it(browser: Browser, site: Site) -> None:
    with visit(browser, site.url, java_script_enabled=False) as window:
        page = window.open(site.pages["finished"])
        expect(page.locator(".chart svg path.curve").first).to_be_visible()
        page.get_by_text("Show the numbers as a table").first.click()
        expect(page.locator(".card details table tbody tr").first).to_be_visible()
        for panel in ("curl", "python", "cli"):
            expect(page.locator(f"[data-snippet={panel}]")).to_be_visible()


def test_everything_works_without_javascript(browser: Browser, own_site: Site) -> None:
    dataset = own_site.dataset()
    with visit(browser, own_site.url, java_script_enabled=False) as window:
        window.expect_status(422)
        page = window.open(f"/jobs/new/image_gan.train?dataset={dataset}")
        page.get_by_label("Epochs").fill("0")
        page.get_by_role("button", name="Start training").click()
        expect(page.locator("#problems")).to_contain_text("Epochs must be between 1 and 10000.")
        page.get_by_label("Epochs").fill("3")
        page.get_by_label("Quick try").check()
        page.get_by_role("button", name="Start training").click()
        expect(page.locator("#state")).to_contain_text("Queued")
        lease = own_site.worker.take("training")
        assert lease.claim.params["epochs"] == 3
        assert lease.claim.params["width"] == QUICK["width"]
        own_site.go(lease, range(10, 110, 10))
        expect(page.locator("#live")).to_contain_text("step 100 of 400")  # the page refreshes itself
        page.get_by_role("link", name="Cancel job").click()
        page.get_by_role("button", name="Cancel job").click()
        expect(page.locator("#state")).to_contain_text("Stopping")
        page.get_by_role("link", name="中文").click()
        expect(page.locator("#state")).to_contain_text("正在停止")


def test_nine_tabs_of_running_jobs_all_load(browser: Browser, site: Site) -> None:
    with visit(browser, site.url) as window:
        pages = [window.open(site.pages["running"]) for _ in range(9)]
        for page in pages:
            expect(page.locator("#state")).to_contain_text("Running")


def test_parallel_polls_do_not_disturb_each_other(site: Site) -> None:
    """Many readers of one part get the same tag: nothing that changes by itself is in it."""
    tags: set[str] = set()
    client = site.server.app.test_client()  # type: ignore[union-attr]
    lock = threading.Lock()

    def ask() -> None:
        tag = client.get(site.pages["running"] + "/live").headers["ETag"]
        with lock:
            tags.add(tag)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tags) == 1


def test_the_pictures_of_the_documentation_can_be_made(browser: Browser, site: Site, tmp_path: Path) -> None:
    shots = screenshots.wanted(site.url)
    assert {"home", "job", "job-dark", "job-zh-dark", "form", "dataset-zh", "model"} <= {shot.name for shot in shots}
    for path in screenshots.take(browser, site.url, shots, tmp_path):
        assert path.stat().st_size > 10_000, path.name
