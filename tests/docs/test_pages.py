"""The documents as a whole: both languages say the same, nothing leads nowhere, the site can be built."""

import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from aigc.cli.root import COMMANDS
from jobs.settings import Settings
from scripts import screenshots
from scripts.reference.chinese import half_width
from tests.docs.reading import (
    CHINESE,
    CHINESE_README,
    DOCS,
    ENGLISH,
    LINK,
    README,
    ROOT,
    blocks,
    chinese,
    headings,
    is_record,
    name,
)
from web import documents

BOTH = [README, *(page for page in ENGLISH if not is_record(page))]
ALL = [*sorted(ROOT.glob("*.md")), *ENGLISH, *CHINESE]
OTHER_VARIABLES = {"AIGC_URL", "AIGC_TOKEN_FILE", "AIGC_LANG"}  # of the command and the client


@pytest.mark.checklist(40)
@pytest.mark.parametrize("page", BOTH, ids=name)
def test_both_languages_have_the_same_parts(page: Path) -> None:
    other = chinese(page)
    assert other.is_file(), f"{name(other)} is missing"
    assert [depth for depth, _ in headings(page)] == [depth for depth, _ in headings(other)]
    assert blocks(page) == blocks(other)


@pytest.mark.parametrize("page", ALL, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text("utf-8")):
        if "://" in link or link.startswith("mailto:"):
            continue
        target, _, anchor = link.partition("#")
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), link
        if anchor:
            assert anchor in {documents.slug(words) for _, words in headings(file)}, link


@pytest.mark.parametrize("page", [*CHINESE, CHINESE_README], ids=name)
def test_chinese_pages_lead_to_chinese_pages_and_are_set_in_chinese(page: Path) -> None:
    text = page.read_text("utf-8")
    for link in LINK.findall(text):
        file = (page.parent / link.partition("#")[0]).resolve()
        if "://" not in link and file.suffix == ".md" and file != README:
            assert not chinese(file).is_file() or file.name.endswith(".zh.md"), link
    assert half_width(text) == []


@pytest.mark.parametrize("page", [*ENGLISH, *CHINESE], ids=name)
def test_a_heading_names_one_place(page: Path) -> None:
    found = headings(page)
    assert [depth for depth, _ in found].count(1) == 1
    assert [words for words, count in Counter(words for _, words in found).items() if count > 1] == []


def test_the_table_of_contents_names_every_page() -> None:
    for language in documents.SUFFIXES:
        named = {f"{entry.path}.md" for section in documents.contents(language) for entry in section.entries}
        there = {str(page.relative_to(DOCS)) for page in ENGLISH} - {"index.md"}
        assert named == {path for path in there if not re.match(r"decisions/\d", path)}
        assert all(entry.sentence for section in documents.contents(language) for entry in section.entries)


def test_every_picture_is_shown_and_is_made_by_a_script() -> None:
    files = set((DOCS / "images").iterdir())
    shown = {
        (page.parent / link).resolve()
        for page in ALL
        for link in LINK.findall(page.read_text("utf-8"))
        if "images/" in link
    }
    assert files == shown
    made = {f"{base}{end}.png" for base in screenshots.HEIGHTS for end in ("", "-zh", "-dark", "-zh-dark")}
    drawn = {"scale-out.svg", "scale-out-dark.svg"}
    assert {path.name for path in files} <= made | drawn


def test_make_knows_the_targets_that_are_named() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in ALL:
        named = {
            target for code in blocks(page, "bash") for target in re.findall(r"^make ([a-z-]+)", code, re.MULTILINE)
        }
        named |= set(re.findall(r"`make ([a-z-]+)", page.read_text("utf-8")))
        assert named <= targets, name(page)


def test_variables_and_commands_that_are_named_exist() -> None:
    known = {f"AIGC_{field.upper()}" for field in Settings.model_fields} | OTHER_VARIABLES
    for page in [*BOTH, *CHINESE]:
        text = page.read_text("utf-8")
        assert set(re.findall(r"\bAIGC_[A-Z_]+[A-Z]\b", text)) - known <= {"AIGC_BENCH_DATA"}, name(page)
        assert set(re.findall(r"`aigc ([a-z]+)", text)) <= set(COMMANDS), name(page)


def test_the_documents_are_installed_with_the_product() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included["docs"] == "web/_docs"
    assert "COPY docs docs" in (ROOT / "Dockerfile").read_text()
    assert "docs" not in (ROOT / ".dockerignore").read_text().split()


def test_the_site_can_be_built_and_asks_no_other_host(tmp_path: Path) -> None:
    site = tmp_path / "site"
    command = [sys.executable, "-W", "ignore", "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 2 * len(CHINESE)
    loads = re.compile(
        r"<(?:script|link|img|iframe|source|video|audio)\b[^>]*?(?:src|href|srcset)=\"?(https?:)?//[^\" >]+"
    )
    for page in pages:
        found = [one[0] for one in loads.finditer(page.read_text("utf-8")) if 'rel="canonical"' not in one[0]]
        assert found == [], page
