"""A table from file to page in a browser: a broken one names its fault, a good one is shown before any job starts."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from jobs.repository import Repository
from tests.acceptance.browsing import axe, overflow, settled, visit
from tests.acceptance.site import SOMEBODY, Site
from tests.acceptance.tables import people, read_next

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(300)]


def send_table(page: Page, content: bytes) -> None:
    """Choose a file in the form for tables, and send it."""
    file: FilePayload = {"name": "people.csv", "mimeType": "text/csv", "buffer": content}
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Upload and check").click()
    expect(page).to_have_url(re.compile(r"/datasets/ds_"))


@pytest.mark.checklist(16)
def test_a_broken_table_names_its_faults_and_a_good_one_its_rows(
    browser: Browser, own_site: Site, tmp_path: Path
) -> None:
    with visit(browser, own_site.url) as window:
        page = window.open("/datasets/new")
        page.get_by_role("link", name="Table", exact=True).click()
        page.get_by_text("More settings").click()
        page.get_by_label("Column types").fill("price=continuous")
        broken = people().replace(b",Kiel,0,", b",Kiel,0,now,", 1).replace(b"\n3,", b"\n3,x,", 1)
        send_table(page, broken)
        read_next(own_site, broken, tmp_path / "broken")
        expect(page.get_by_text("Row 2 has 10 cells, but there are 9 columns.")).to_be_visible()
        expect(page.get_by_text("Row 5 has 10 cells, but there are 9 columns.")).to_be_visible()

        page.get_by_role("link", name="Upload again").click()
        page.get_by_text("More settings").click()
        page.get_by_label("Column types").fill("city=integer")
        send_table(page, people())
        read_next(own_site, people(), tmp_path / "typed")
        fault = page.get_by_text("Row 2, column city: Kiel is not a whole number. Use a form like 12.")
        expect(fault).to_be_visible()

        page.get_by_role("link", name="Upload again").click()
        send_table(page, people())
        read_next(own_site, people(), tmp_path / "good")
        expect(page.get_by_role("heading", name="First 20 rows")).to_be_visible()
        expect(page.get_by_role("region", name="Table of the first rows").get_by_role("row")).to_have_count(21)
        expect(page.get_by_role("img", name="Distribution of age")).to_be_visible()
        expect(page.get_by_text("email looks like e-mail addresses.")).to_be_visible()
        jobs = Repository(own_site.engine, SOMEBODY).jobs().items
        assert {job.family for job in jobs} == {"dataset"}  # nothing has begun to learn from it


@pytest.mark.checklist(11, 16)
def test_types_and_masks_are_corrected_without_a_script(browser: Browser, own_site: Site, tmp_path: Path) -> None:
    with visit(browser, own_site.url, java_script_enabled=False) as window:
        page = window.open("/datasets/new?kind=table")
        send_table(page, people())
        read_next(own_site, people(), tmp_path / "first")
        page.reload()
        page.get_by_label("Type of age").select_option("categorical")
        page.get_by_label("Mask email").check()
        page.get_by_role("button", name="Check again with these columns").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("v2")
        read_next(own_site, people(), tmp_path / "second")
        page.reload()
        expect(page.get_by_label("Type of age")).to_have_value("categorical")
        expect(page.get_by_label("Mask email")).to_be_checked()
        expect(page.get_by_role("region", name="Table of the first rows")).to_contain_text("email-20")
        assert "@example.com" not in page.content()


@pytest.mark.checklist(1, 2, 18, 19)
def test_a_table_is_accessible_and_narrow_enough(browser: Browser, site: Site) -> None:
    for locale, scheme, width in (("en-GB", "light", 390), ("zh-CN", "dark", 320)):
        with visit(browser, site.url, locale=locale) as window:
            for name in ("table", "refused table", "checking table", "upload a table"):
                page = settled(window.open(site.pages[name]))
                page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                page.set_viewport_size({"width": width, "height": 800})
                assert axe(page) == [], name
                assert overflow(page) == 0, name
                page.close()
