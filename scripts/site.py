"""What mkdocs asks while it builds the site: the navigation is the table of contents in docs/index.md."""

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ENTRY = re.compile(r"^- \[([^]]+)\]\(([\w/.-]+?)(?:\.zh)?\.md\)", re.MULTILINE)


def on_config(config: Any) -> Any:
    """Take the navigation from the table of contents; its Chinese titles are the i18n plugin's translations."""
    config.nav = navigation("index.md")
    config.nav[-1]["Records"] += [{path.stem: f"decisions/{path.name}"} for path in decisions()]
    plugin = config.plugins["i18n"]
    for language in plugin.config.languages:
        if language.locale == "zh":
            language.nav_translations = titles()
    return config


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links to Chinese pages name the files, as GitHub wants; the plugin wants the page and finds the language."""
    return re.sub(r"\.zh\.md(?=[)#])", ".md", markdown)


def navigation(name: str) -> list[dict[str, Any]]:
    """Sections and pages in the form mkdocs wants."""
    sections = re.split(r"^## ", (ROOT / "docs" / name).read_text("utf-8"), flags=re.MULTILINE)[1:]
    nav: list[dict[str, Any]] = [{"Start": "index.md"}]
    for section in sections:
        title, _, body = section.partition("\n")
        nav.append({title.strip(): [{text: f"{path}.md"} for text, path in ENTRY.findall(body)]})
    return nav


def titles() -> dict[str, str]:
    """The Chinese title of each English one."""
    flat = [[text for section in navigation(name) for text in _texts(section)] for name in ("index.md", "index.zh.md")]
    return dict(zip(*flat, strict=True)) | {"Start": "首页"}


def decisions() -> list[Path]:
    """The numbered records, which their own index lists."""
    return sorted((ROOT / "docs" / "decisions").glob("0*.md"))


def _texts(section: dict[str, Any]) -> list[str]:
    ((title, pages),) = section.items()
    return [title] if isinstance(pages, str) else [title, *(text for page in pages for text in page)]
