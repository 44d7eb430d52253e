"""What is asked of every page, whatever is on it: accessible, narrow enough, usable by keyboard, ours alone."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import cycle, islice, product
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.acceptance.browsing import Stop, Visit, axe, clipped, overflow, settled, small_targets, stop, visit
from tests.acceptance.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(1500)]

Note = Callable[[str, object], None]

SHORT = (("light", 1200), ("dark", 390), ("light", 320), ("dark", 1200))
WHOLE = tuple(product(("light", "dark"), (1200, 390, 320)))
EMPTY = ("/", "/jobs", "/datasets", "/models", "/workers", "/jobs/new", "/jobs/new/image_gan.generate")
EXPECTED = (404, 413, 422)


@dataclass
class Findings:
    """What is wrong with pages, and how many were looked at."""

    pages: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)

    def look(self, name: str, page: Page, variants: tuple[tuple[str, int], ...]) -> None:
        """Look at a page in each variant."""
        settled(page)
        self.pages += 1
        for scheme, width in variants:
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.set_viewport_size({"width": width, "height": 800})
            where = f"{name} {page.locator('html').get_attribute('lang')} {scheme} {width}"
            wide = [f"by {pixels} px"] if (pixels := overflow(page)) else []
            for kind, faults in (("axe", axe(page)), ("small", small_targets(page)), ("wide", wide)):
                self.counts[kind] += len(faults)
                self.lines += [f"{where}: {kind} {fault}" for fault in faults]

    def note(self, write: Note, window: Visit, again: bool = False) -> None:
        """Hand the numbers on to the report of the run; pages looked at again are not counted again."""
        write("pages", 0 if again else self.pages)
        write("axe_violations", self.counts["axe"])
        write("foreign_requests", len(window.foreign))
        write("console_errors", len(window.errors))


def refused_form(window: Visit, site: Site) -> Page:
    """The form, sent with faults."""
    page = window.open(site.pages["form"])
    page.get_by_label(page.locator("label[for=f-epochs]").inner_text()).fill("99999")
    with page.expect_navigation() as arrived:
        page.locator("main form button.primary").first.click()
    assert arrived.value is not None
    assert arrived.value.status == 422
    return page


def refused_body(window: Visit, site: Site) -> Page:
    """The form, sent with more than the server reads."""
    page = window.open(site.pages["form"])
    page.evaluate("() => { document.querySelector('[name=_key]').value = 'x'.repeat(1.1 * 2 ** 20); }")
    with page.expect_navigation() as arrived:
        page.evaluate("() => { document.querySelector('main form').submit(); }")
    assert arrived.value is not None
    assert arrived.value.status == 413
    return page


def some(*names: str, longer: tuple[str, ...]) -> list[object]:
    """Pages to look at, most of them only in the long run."""
    return [*names, *(pytest.param(name, marks=pytest.mark.long) for name in longer)]


WORDY = ("jobs", "failed", "running", "dataset", "model", "tokens", "api", "404")
BUSY = ("home", "jobs", "running", "upload", "dataset", "model", "tokens", "use", "api", "help")
SIZE = "() => parseFloat(getComputedStyle(document.body).fontSize)"
REFUSALS: Mapping[str, Callable[[Visit, Site], Page]] = {"422 form": refused_form, "413": refused_body}


def opened(window: Visit, site: Site, which: slice = slice(None)) -> Iterator[tuple[str, Page]]:
    """Every page or some of them, one after the other, and those that answer a form."""
    window.expect_status(*EXPECTED)
    for name, path in list(site.pages.items())[which]:
        page = window.open(path)
        yield name, page
        page.close()
    for name, act in REFUSALS.items():
        page = act(window, site)
        yield name, page
        page.close()


@pytest.mark.checklist(1, 2, 4, 18, 21)
@pytest.mark.parametrize(("locale", "turn"), [("en-GB", 0), ("zh-CN", 2)])
def test_every_page_is_accessible_and_fits(browser: Browser, site: Site, locale: str, turn: int) -> None:
    """In one language and look each, by turns; the long test below looks at each in every one of both languages."""
    found, looks = Findings(), islice(cycle(SHORT), turn, None)
    with visit(browser, site.url, locale=locale) as window:
        for (name, page), look in zip(opened(window, site, slice(turn // 2, None, 2)), looks, strict=False):
            assert page.locator("html").get_attribute("lang") == locale.replace("-GB", "")
            found.look(name, page, (look,))
    assert not found.lines, "\n".join(found.lines)


@pytest.mark.long
@pytest.mark.checklist(1, 2, 4, 21)
@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_every_page_in_every_look(browser: Browser, site: Site, locale: str, record_property: Note) -> None:
    found = Findings()
    with visit(browser, site.url, locale=locale) as window:
        for name, page in opened(window, site):
            found.look(name, page, WHOLE)
        found.note(record_property, window, again=locale != "en-GB")
    assert not found.lines, "\n".join(found.lines)


@pytest.mark.long
@pytest.mark.checklist(1)
def test_a_site_without_anything(browser: Browser, own_site: Site, record_property: Note) -> None:
    found = Findings()
    with visit(browser, own_site.url) as window:
        for path in EMPTY:
            page = window.open(path)
            found.look(f"empty {path}", page, SHORT[1:3])
            page.close()
        found.note(record_property, window)
    assert not found.lines, "\n".join(found.lines)


@pytest.mark.checklist(1)
def test_a_site_that_asks_who_is_there(browser: Browser, tmp_path: Path, record_property: Note) -> None:
    closed, found = Site(tmp_path, token="secret"), Findings()
    try:
        with visit(browser, closed.url) as window:
            found.look("sign in", window.open("/jobs"), SHORT[:3])
            found.note(record_property, window)
    finally:
        closed.close()
    assert not found.lines, "\n".join(found.lines)


@pytest.mark.checklist(2)
@pytest.mark.parametrize("name", some("home", "form", "finished", longer=WORDY))
def test_text_of_twice_the_size_can_be_read(browser: Browser, site: Site, name: str) -> None:
    with visit(browser, site.url) as window:
        window.expect_status(404)
        page = settled(window.open(site.pages[name]))
        before = page.evaluate(SIZE)
        page.evaluate("() => { document.documentElement.style.fontSize = '200%'; }")
        assert page.evaluate(SIZE) == 2 * before
        assert clipped(page) == []
        assert overflow(page) == 0


@pytest.mark.checklist(3)
@pytest.mark.parametrize("name", some("form", "finished", longer=BUSY))
def test_every_tab_stop_is_seen(browser: Browser, site: Site, name: str) -> None:
    """There and back: the way back is the one on which a sticky bar covers what comes into view from above."""
    with visit(browser, site.url) as window:
        page = settled(window.open(site.pages[name]))
        there = walk(page, "Tab")
        assert there[0].text == "Skip to main content"
        page.keyboard.press("End")
        page.evaluate("() => [...document.querySelectorAll('footer a')].at(-1).focus()")
        back = walk(page, "Shift+Tab")
        for seen in (there, back):
            assert [one for one in seen if not one.outlined] == []
            assert [one for one in seen if one.covered] == []


def walk(page: Page, key: str) -> list[Stop]:
    """Go through the page until its first or last link; it fails where the way does not lead there."""
    most = page.evaluate(
        """() => [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')]
        .filter((el) => el.checkVisibility() && !el.disabled && el.type !== 'hidden').length"""
    )
    last = page.evaluate("() => [...document.querySelectorAll('footer a')].at(-1).innerText")
    seen = list[Stop]()
    for _ in range(2 * most):  # what scrolls is a stop, too
        page.keyboard.press(key)
        seen.append(stop(page))
        if seen[-1].text == ("Skip to main content" if key == "Shift+Tab" else last):
            return seen
    pytest.fail(f"{key} does not lead through the page; it ends with {seen[-3:]}")
