"""A real Chromium, and what is asked of every page: no accessibility fault, no overflow, no foreign host, no error."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, Request
from playwright.sync_api import TimeoutError as Slow

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]


def launch(playwright: Playwright) -> Browser:
    """Start Debian's Chromium where there is one, else Playwright's own."""
    path = str(CHROMIUM) if CHROMIUM.exists() else None
    return playwright.chromium.launch(executable_path=path, args=FLAGS)


@dataclass
class Visit:
    """A browser window that notes everything it should not see."""

    context: BrowserContext
    host: str
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """Open a page of the site in a new tab."""
        page = self.context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.errors.append(f"{page.url}: {error}"))
        page.on("request", self._asked)
        page.goto(self.host + path)
        return page

    def expect_status(self, *statuses: int) -> None:
        """Failed requests with these statuses belong to the test."""
        self.expected += [f"status of {status}" for status in statuses]

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(text in message.text for text in self.expected):
            self.errors.append(f"{message.location.get('url', '')}: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.host, "data:", "blob:")):
            self.foreign.append(f"request to {request.url}")


@contextmanager
def visit(browser: Browser, host: str, **options: Any) -> Iterator[Visit]:
    """A fresh window; afterwards it must not have met any fault."""
    context = browser.new_context(**{"viewport": {"width": 1200, "height": 800}, "locale": "en-GB", **options})
    context.set_default_timeout(20_000)
    window = Visit(context, host)
    try:
        yield window
    finally:
        context.close()
    faults = window.errors + window.foreign
    assert not faults, "\n".join(faults)


def settled(page: Page) -> Page:
    """Wait until the page's pictures have come; lists that ask again and again never fall silent."""
    page.wait_for_function("() => [...document.images].every((image) => image.complete || image.loading === 'lazy')")
    return page


def axe(page: Page) -> list[str]:
    """Accessibility faults of a page as it is now."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(_axe_source())
    options = {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}
    found = page.evaluate("(options) => axe.run(document, options)", options)
    return [f"{one['id']}: {node['html'][:160]}" for one in found["violations"] for node in one["nodes"]]


def _axe_source() -> str:
    # axe-core is a tool of the tests and no part of the product; this package only carries its file.
    spec = find_spec("axe_playwright_python")
    assert spec is not None
    assert spec.origin is not None
    return (Path(spec.origin).parent / "axe.min.js").read_text()


def overflow(page: Page) -> int:
    """Pixels by which a page stays wider than the window; charts take a moment to follow it."""
    with suppress(Slow):
        page.wait_for_function("() => document.documentElement.scrollWidth <= window.innerWidth", timeout=3_000)
    wide: int = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
    return max(0, wide)


def small_targets(page: Page) -> list[str]:
    """Links and controls smaller than 24 by 24 pixels; links within a sentence may be."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('a, button, input:not([type=hidden]), select, textarea, summary')]
        .filter((el) => el.checkVisibility() && !(el.tagName === 'A' && getComputedStyle(el).display === 'inline'))
        .filter((el) => { const box = el.getBoundingClientRect();
            return box.width > 0 && !el.closest('.vh, .skip') && (box.width < 23.5 || box.height < 23.5); })
        .filter((el) => !el.matches('.skip') && !(el.matches('input') && el.closest('label')))
        .map((el) => el.outerHTML.slice(0, 120))"""
    )
    return found


def clipped(page: Page) -> list[str]:
    """Texts that are cut off because their box does not grow with them."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('main *, header *, footer *')]
        .filter((el) => el.checkVisibility() && !el.closest('.vh, svg, pre, .scroll, nav.places') && el.innerText)
        .filter((el) => getComputedStyle(el).overflow !== 'visible')
        .filter((el) => el.scrollWidth > el.clientWidth + 1 || el.scrollHeight > el.clientHeight + 1)
        .map((el) => el.outerHTML.slice(0, 120))"""
    )
    return found


@dataclass(frozen=True, slots=True)
class Stop:
    """Where the focus is.

    Attributes:
        at: Name of the element.
        text: How it begins.
        outlined: Whether the focus is seen.
        covered: Whether something else lies on top of it.
    """

    at: str
    text: str
    outlined: bool
    covered: bool


def stop(page: Page) -> Stop:
    """What has the focus now."""
    found = page.evaluate(
        """() => { const el = document.activeElement; const body = el === document.body;
        const box = el.getBoundingClientRect();
        const drawn = [el, el.closest('label')].filter(Boolean).map((one) => getComputedStyle(one))
            .some((style) => style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2);
        const x = Math.min(Math.max(box.left + Math.min(box.width / 2, 20), 0), innerWidth - 1);
        const ys = [box.top + 2, box.top + box.height / 2, box.bottom - 2].filter((y) => y >= 0 && y < innerHeight);
        const own = (y) => { const top = document.elementFromPoint(x, y);
            return top && (el.contains(top) || top.contains(el) || el.closest('label')?.contains(top)); };
        return {at: el.tagName, text: el.innerText?.trim().slice(0, 40) ?? el.name, outlined: body || drawn,
            covered: !body && !ys.some(own)}; }"""
    )
    return Stop(**found)
