"""The documents, and what is in them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?:\]\(|(?:src|srcset)=\")([^)\"\s]+)[)\"]")
# Written once and kept: decisions, the log of experiments, and measurements. They are English only.
RECORDS = ("decisions/", "experiments.md", "explanation/engine-speed.md")

README, CHINESE_README = ROOT / "README.md", ROOT / "README.zh-CN.md"
ENGLISH = sorted(page for page in DOCS.rglob("*.md") if not page.name.endswith(".zh.md"))
CHINESE = sorted(DOCS.rglob("*.zh.md"))


def name(page: Path) -> str:
    """How a test calls a page."""
    return str(page.relative_to(ROOT))


def chinese(page: Path) -> Path:
    """The Chinese page beside an English one."""
    return CHINESE_README if page == README else page.with_suffix(".zh.md")


def is_record(page: Path) -> bool:
    """Whether a page is English only."""
    return page.is_relative_to(DOCS) and str(page.relative_to(DOCS)).startswith(RECORDS)


def blocks(page: Path, language: str = "") -> list[str]:
    """The code blocks of a language, or all of them."""
    found = FENCE.findall(page.read_text("utf-8"))
    return [code for _, kind, code in found if language in ("", kind)]


def headings(page: Path) -> list[tuple[int, str]]:
    """Depth and words of each heading, in order."""
    prose = FENCE.sub("", page.read_text("utf-8"))
    return [(len(marks), words) for marks, words in re.findall(r"^(#+) (.*)$", prose, re.MULTILINE)]
