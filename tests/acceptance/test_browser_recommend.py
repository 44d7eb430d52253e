"""Asking a recommender in a real Chromium: items by title, by keyboard, and the lists that come of it."""

import re

import pytest
from playwright.sync_api import Browser, expect

from aigc_models.data.recommended import Recommendations
from tests.acceptance.browsing import visit
from tests.acceptance.recommending import recommender
from tests.acceptance.site import Site
from tests.web.recommending import finish_recommendation, lists

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(300)]


def test_items_are_picked_by_title_and_a_list_comes(browser: Browser, own_site: Site) -> None:
    _, model = recommender(own_site.engine, own_site.worker)
    with visit(browser, own_site.url) as window:
        page = window.open(f"/models/{model}")
        find, picked = page.get_by_label("Find items by title"), page.locator("[data-picked]")
        find.fill("coff")
        expect(page.locator("[data-found] li")).to_have_count(1)
        expect(page.locator("[data-said]")).to_have_text("1 items found")
        page.get_by_label("Burr coffee grinder").press("Space")
        expect(picked).to_contain_text("Burr coffee grinder")
        find.fill("跑鞋")
        find.press("Enter")
        expect(page.locator("[data-found] li")).to_have_count(1)
        page.get_by_label("跑鞋").check()
        expect(picked.locator("li")).to_have_count(2)
        page.get_by_label("Burr coffee grinder").click()
        expect(picked.locator("li")).to_have_count(1)
        page.get_by_role("button", name="Recommend", exact=True).click()
        expect(page).to_have_url(re.compile("/jobs/job_"))
        finish_recommendation(own_site.worker, Recommendations(lists(), "SASRec"))
        expect(page.get_by_role("heading", name="Recommendations")).to_be_visible()
        expect(page.locator(".advice")).to_contain_text("because you viewed Espresso machine, C01")
