"""A browser, and sites to look at."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.acceptance.browsing import launch
from tests.acceptance.site import Site
from tests.acceptance.tables import add_tables

expect.set_options(timeout=20_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = launch(playwright)
        yield found
        found.close()


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with a job in every state, for tests that only look."""
    made = Site(tmp_path_factory.mktemp("site"))
    made.fill()
    add_tables(made)
    yield made
    made.close()


@pytest.fixture
def own_site(tmp_path: Path) -> Iterator[Site]:
    """A site of the test's own, for tests that change what others look at."""
    made = Site(tmp_path)
    yield made
    made.close()
