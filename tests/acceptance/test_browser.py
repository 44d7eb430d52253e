"""The pages in a real Chromium, with JavaScript and without."""

import re
import threading
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FilePayload, Route, expect

from aigc_models.image_gan.params import ImageGanTrain
from scripts import screenshots
from tests.acceptance.browsing import axe, settled, visit
from tests.acceptance.site import Site
from tests.web.acting import picture_zip
from web.pages.dataset_form import PIECE

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(300)]

expect.set_options(timeout=20_000)
QUICK = ImageGanTrain.presets["quick"]


@pytest.mark.checklist(5, 9)
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


@pytest.mark.checklist(6)
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


@pytest.mark.checklist(9)
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


@pytest.mark.checklist(10)
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


@pytest.mark.checklist(12)
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
        before = page.locator("#side-form [data-costs]").inner_text()
        page.get_by_label("Epochs").fill("4000")
        expect(page.locator("#side-form [data-costs]")).not_to_have_text(before)
        page.get_by_label("Balanced").check()
        expect(page.get_by_label("Epochs")).to_have_value("4000")


@pytest.mark.checklist(13, 14)
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


@pytest.mark.checklist(15)
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


@pytest.mark.checklist(16)
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


def test_a_large_upload_goes_on_after_a_lost_connection(browser: Browser, own_site: Site) -> None:
    """With pieces of 512 bytes, so that a small file is a large one; some of them get lost on their way."""
    data = picture_zip(20)
    offsets: list[int] = []

    def shrink(route: Route) -> None:
        reply = route.fetch()
        route.fulfill(response=reply, body=reply.text().replace(f'data-piece="{PIECE}"', 'data-piece="512"'))

    def lose(route: Route) -> None:
        if route.request.method != "PATCH":
            route.continue_()
            return
        offsets.append(int(route.request.headers["upload-offset"]))
        if len(offsets) in (2, 3):
            route.abort("connectionreset")
        else:
            route.continue_()

    with visit(browser, own_site.url) as window:
        window.expected.append("net::ERR_CONNECTION_RESET")
        window.context.route("**/datasets/new?*", shrink)
        window.context.route("**/api/v1/uploads/*", lose)
        page = window.open("/datasets/new?large")
        shirts: FilePayload = {"name": "shirts.zip", "mimeType": "application/zip", "buffer": data}
        page.get_by_label("File").set_input_files(shirts)
        page.get_by_role("button", name="Upload and check").click()
        expect(page).to_have_title(re.compile(r"^Checking · shirts"))
        assert offsets == [0, 512, 512, *range(512, len(data), 512)]
        assert page.evaluate("localStorage.length") == 0
        own_site.worker.check_dataset()
        expect(page.get_by_role("heading", name="Use it")).to_be_visible()


def test_an_upload_in_pieces_can_be_stopped(browser: Browser, own_site: Site) -> None:
    with visit(browser, own_site.url) as window:
        window.context.route("**/api/v1/uploads/*", hold_all_but_deletes)
        page = window.open("/datasets/new")
        large: FilePayload = {
            "name": "large.zip",
            "mimeType": "application/zip",
            "buffer": b"PK\x03\x04" + bytes(PIECE),
        }
        page.get_by_label("File").set_input_files(large)
        with page.expect_request(lambda asked: asked.method == "PATCH"):
            page.get_by_role("button", name="Upload and check").click()
        with page.expect_request(lambda asked: asked.method == "DELETE"):
            page.get_by_role("button", name="Stop the upload").click()
        expect(page.get_by_role("button", name="Upload and check")).to_be_enabled()
        assert page.evaluate("localStorage.length") == 0


def hold_all_but_deletes(route: Route) -> None:
    """As a line does on which nothing comes back."""
    if route.request.method == "DELETE":
        route.continue_()


@pytest.mark.checklist(20)
def test_samples_and_tabs_work_by_keyboard(browser: Browser, site: Site) -> None:
    with visit(browser, site.url) as window:
        page = window.open(site.pages["finished"])
        slider = page.get_by_role("slider", name="Step")
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


@pytest.mark.checklist(19)
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


@pytest.mark.checklist(20)
def test_the_numbers_of_a_chart_are_there_without_it(browser: Browser, site: Site) -> None:
    with visit(browser, site.url, java_script_enabled=False) as window:
        page = window.open(site.pages["finished"])
        expect(page.locator(".chart svg path.curve").first).to_be_visible()
        page.get_by_text("Show the numbers as a table").first.click()
        expect(page.locator(".card details table tbody tr").first).to_be_visible()
        for panel in ("curl", "python", "cli"):
            expect(page.locator(f"[data-snippet={panel}]")).to_be_visible()


@pytest.mark.checklist(11)
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


@pytest.mark.checklist(7)
def test_nine_tabs_of_running_jobs_all_load(browser: Browser, site: Site) -> None:
    with visit(browser, site.url) as window:
        pages = [window.open(site.pages["running"]) for _ in range(9)]
        for page in pages:
            expect(page.locator("#state")).to_contain_text("Running")


@pytest.mark.checklist(8)
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
