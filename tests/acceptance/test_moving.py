"""What a page does by itself while someone looks at it, and what it keeps when they come back."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from jobs import workers
from jobs.tables import Job
from tests.acceptance.browsing import settled, visit
from tests.acceptance.site import NOTE, STEPS, TAG, Site

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(300)]

MAIN_PAGES = ("home", "jobs", "form", "finished", "failed", "datasets", "models", "workers", "help")
ENGLISH = re.compile(r"\b[A-Za-z]{2,} [a-z]{2,}\b")
NAMES = re.compile(
    r"AIGC Foundry|Fashion-MNIST|NumPy \.npz|aigc worker|Zalando SE|Ankle boot|" + f"{TAG}|{re.escape(NOTE)}"
)
TEXTS = """() => { const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT); const found = [];
    const silent = 'script, style, svg, code, pre, kbd, .mono, [lang=en], option';
    while (walker.nextNode()) { const text = walker.currentNode.data.trim().replace(/\\s+/g, ' ');
        if (text && !walker.currentNode.parentElement.closest(silent)) found.push(text); }
    return found; }"""


# Whether the chart holds a pixel of what a colour's name means at this moment.
DRAWN_IN = """(name) => { const probe = document.createElement('i'); probe.style.color = `var(${name})`;
    document.body.append(probe); const colour = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
    probe.remove();
    const canvas = document.querySelector('.chart canvas');
    const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    for (let i = 0; i < data.length; i += 4) if (data[i + 3] === 255 && colour.every((one, j) => one === data[i + j]))
        return true;
    return false; }"""


@pytest.mark.checklist(5)
def test_a_change_is_seen_at_the_second_look(browser: Browser, own_site: Site) -> None:
    """The page looks once a second, so this is within two seconds; the clock of a busy machine would prove nothing."""
    job, lease = own_site.training("digits-gan")
    own_site.go(lease, range(10, 60, 10))
    with visit(browser, own_site.url) as window:
        page = window.open(f"/jobs/{job}")
        assert page.locator("#live").get_attribute("data-every") == "1000"
        expect(page.locator("#live")).to_contain_text("step 50 of 400")
        own_site.go(lease, range(60, 210, 10))
        looks: list[str] = []
        page.on("response", lambda reply: looks.append(reply.url) if reply.url.endswith("/live") else None)
        page.wait_for_function("() => document.getElementById('live').innerText.includes('step 200 of 400')")
        assert len(looks) <= 2
        expect(page.locator("#live")).to_contain_text("left")
        assert page.title().startswith("50 % ")


@pytest.mark.long
@pytest.mark.checklist(7)
def test_nine_tabs_of_a_running_job_all_move(browser: Browser, own_site: Site) -> None:
    job, lease = own_site.training("digits-gan")
    own_site.go(lease, range(10, 60, 10))
    with visit(browser, own_site.url) as window:
        pages = [window.open(f"/jobs/{job}") for _ in range(9)]
        own_site.go(lease, range(60, 210, 10))
        for page in pages:
            page.bring_to_front()
            expect(page.locator("#live")).to_contain_text(f"step 200 of {STEPS}")


@pytest.mark.checklist(12)
def test_each_line_of_the_summary_leads_to_its_field(browser: Browser, site: Site) -> None:
    with visit(browser, site.url) as window:
        window.expect_status(422)
        page = window.open(site.pages["form"])
        page.get_by_label("Epochs").fill("0")
        page.get_by_label("Batch size").fill("none")
        page.get_by_label("Learning rate").fill("9")
        page.get_by_role("button", name="Start training").click()
        expect(page.locator("#problems")).to_be_focused()
        links = page.locator("#problems a")
        assert links.count() == 3
        for number in range(3):
            link = links.nth(number)
            target = (link.get_attribute("href") or "").removeprefix("#")
            sentence = link.inner_text()
            link.click()
            expect(page.locator(f"#{target}")).to_be_focused()
            assert page.locator(f"#{target}").get_attribute("aria-invalid") == "true"
            said = page.locator(f"#{target.replace('f-', 'e-', 1)}")
            expect(said).to_contain_text(sentence)
            described = page.locator(f"#{target}").get_attribute("aria-describedby") or ""
            assert (said.get_attribute("id") or "-") in described.split()


@pytest.mark.checklist(14)
def test_duplicate_has_every_value_and_retry_starts_at_once(browser: Browser, own_site: Site) -> None:
    dataset = own_site.dataset()
    own_site.submit("first", dataset=dataset, epochs=13, learning_rate=0.0004)
    done = own_site.worker.fail("training", "diverged")
    with visit(browser, own_site.url) as window:
        page = window.open(f"/jobs/{done}")
        page.get_by_role("link", name="Duplicate", exact=True).first.click()
        expect(page.get_by_label("Epochs")).to_have_value("13")
        page.get_by_role("button", name="Start training").click()
        expect(page.locator("#state")).to_contain_text("Queued")
        again = own_site.worker.take("training").claim
        page.goto(f"{own_site.url}/jobs/{done}")
        page.get_by_role("button", name="Retry").first.click()
        expect(page.locator("#state")).to_contain_text("Queued")
        page.locator(f"main a[href='/jobs/{done}']").first.click()
        expect(page.locator("#state")).to_contain_text("Failed")
    retried = own_site.worker.take("training").claim
    with own_site.engine.db.read() as session:
        params = session.get_one(Job, done).params
    assert again.params == retried.params == params


@pytest.mark.long
@pytest.mark.checklist(18)
def test_the_language_switch_persists(browser: Browser, site: Site) -> None:
    with visit(browser, site.url) as window:
        page = window.open("/jobs?state=failed")
        page.get_by_role("link", name="中文").click()
        expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
        assert "state=failed" in page.url
        for name in MAIN_PAGES:
            page.goto(site.url + site.pages[name])
            expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
            assert _english(page) == [], name
        page.get_by_role("link", name="English").click()
        expect(page.locator("html")).to_have_attribute("lang", "en")


def _english(page: Page) -> list[str]:
    """Texts that a reader sees, two English words long, after scripts have had their turn."""
    return [text for text in settled(page).evaluate(TEXTS) if ENGLISH.search(NAMES.sub("", text))]


@pytest.mark.checklist(19)
def test_dark_follows_the_system_and_the_chart_with_it(browser: Browser, site: Site) -> None:
    with visit(browser, site.url) as window:
        page = settled(window.open(site.pages["finished"]))
        expect(page.locator(".chart canvas").first).to_be_visible()
        page.wait_for_function(f"() => ({DRAWN_IN})('--acc')")
        background = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        page.emulate_media(color_scheme="dark")
        assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") != background
        page.wait_for_function(f"() => ({DRAWN_IN})('--acc') && ({DRAWN_IN})('--muted')")


@pytest.mark.checklist(20)
def test_numbers_are_a_table_and_samples_say_their_step(browser: Browser, site: Site) -> None:
    with visit(browser, site.url) as window:
        page = window.open(site.pages["finished"])
        page.get_by_text("Show the numbers as a table").first.click()
        table = page.locator(".card details[open] table").first
        expect(table.locator("thead th").first).to_be_visible()
        assert table.locator("tbody tr").count() >= 10
        chart = page.locator(".chart [role=img], .chart[role=img]").first
        assert chart.get_attribute("aria-label")
        texts = [image.get_attribute("alt") or "" for image in page.locator("[data-shots] img").all()]
        assert len(texts) == len(set(texts)) > 1
        assert all(re.search(r"\bstep \d", text) for text in texts)


@pytest.mark.checklist(24)
def test_the_hint_on_a_missing_worker_goes_when_one_has_started(browser: Browser, own_site: Site) -> None:
    job = own_site.submit("waits", dataset=own_site.dataset())
    workers.leave(own_site.engine, own_site.worker.id)
    with own_site.engine.db.begin() as session:
        row = session.get_one(Job, job)
        row.created_at -= timedelta(seconds=16)
        row.not_before -= timedelta(seconds=16)
        row.dispatched_at = row.created_at
    with visit(browser, own_site.url) as window:
        page = window.open(f"/jobs/{job}")
        page.evaluate("() => { window.notReloaded = true; }")
        expect(page.get_by_text("No worker is running. Start one with: aigc worker")).to_be_visible()
        workers.register(own_site.engine, "worker", "training", "CPU", "cpu")
        expect(page.get_by_text("No worker is running.")).to_have_count(0)
        expect(page.locator("#live")).to_contain_text("Waiting for a free worker.")
        assert page.evaluate("() => window.notReloaded")
