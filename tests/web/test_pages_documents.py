"""The documentation as the web process serves it: every page, in both languages, and nothing that is not there."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web.reading import Page, read
from web import documents, markdown

LANGUAGES = ("en", "zh-CN")


def entries(language: str) -> Iterator[documents.Entry]:
    for section in documents.contents(language):
        yield from section.entries


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_is_served_and_every_link_of_it_leads_somewhere(client: FlaskClient, language: str) -> None:
    client.get(f"/?lang={language}")
    pages: dict[str, Page] = {}
    waiting = ["/docs"]
    while waiting:
        path = waiting.pop()
        if path in pages or path.startswith("/docs/images/"):
            assert not path.startswith("/docs/images/") or client.get(path).status_code == 200
            continue
        pages[path] = read(client, path)
        assert pages[path].has("html", lang=language)
        assert len(pages[path].ids) == len(set(pages[path].ids)), path
        sources = [found["src"] for tag, found in pages[path].tags if tag == "img"]
        links = [link.partition("#")[0].partition("?")[0] for link in [*pages[path].links, *sources]]
        waiting += [link for link in links if link.startswith("/docs")]
    assert {f"/docs/{entry.path}" for entry in entries(language)} <= set(pages)
    for path, page in pages.items():
        for link in page.links:
            target, _, anchor = link.partition("#")
            if anchor and (target or path) in pages:
                assert anchor in pages[target or path].ids, f"{path}: {link}"


def test_a_page_is_in_the_readers_language_or_says_that_it_is_not(client: FlaskClient) -> None:
    assert read(client, "/docs/how-to/webhooks?lang=zh").text.count("接收方") > 3
    english = read(client, "/docs/experiments?lang=zh")
    assert english.has("article", lang="en")
    assert not read(client, "/docs/experiments?lang=en").has("article", lang="en")


@pytest.mark.parametrize(
    "path",
    ["how-to/nothing", "how-to/../index", "decisions/9999-x", "images/nothing.png", "images/..%2Findex.md", "index"],
)
def test_what_is_not_listed_is_not_served(client: FlaskClient, path: str) -> None:
    assert client.get(f"/docs/{path}").status_code == 404


def test_a_search_finds_passages_and_leads_to_their_place(client: FlaskClient) -> None:
    page = read(client, "/docs/search?q=micro-batches+nonsense")
    assert "Try fewer of them" in page.text
    page = read(client, "/docs/search?q=collapse+alarm")
    assert "/docs/how-to/tune-unstable-training#find-the-symptom" in page.links
    assert "/docs/how-to/webhooks#" in " ".join(read(client, "/docs/search?q=签名&lang=zh").links)


def test_a_search_repeats_what_was_asked_as_text(client: FlaskClient) -> None:
    asked = '"><script>alert(1)</script>'
    reply = client.get("/docs/search", query_string={"q": asked})
    assert "<script>alert" not in reply.text
    assert "&lt;script&gt;alert(1)" in reply.text


def test_markup_in_a_page_is_text(app: Flask) -> None:
    links = "[a](javascript:alert(1)) [b](../how-to/webhooks.zh.md#x)"
    text = f"# One\n\n<script>x</script> {links}\n\n| | b |\n|---|---|\n| 1 | 2 |\n"
    with app.test_request_context("/"):
        made = markdown.render(documents.Source("reference/one", "en", text))
    assert made.title == "One"
    assert "<script>" not in made.html
    assert 'href="javascript:' not in made.html
    assert 'href="/docs/how-to/webhooks#x"' in made.html
    assert made.html.count("<th") - made.html.count("<thead") == 1  # a heading without words is none


def test_nothing_of_markdown_is_loaded_before_somebody_reads() -> None:
    code = "import sys, web.app; assert 'markdown_it' not in sys.modules, 'markdown_it'"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_rendering_by_sections_changes_no_page() -> None:
    """Each page as its parts give it, beside the same text in one piece; a heading inside a fence opens no part."""
    sections = list(markdown._sections("# A\n## B\n```\n## not one\n```\n### C\n"))
    assert sections == ["# A\n", "## B\n```\n## not one\n```\n", "### C\n"]
    parser = markdown._parser()
    for file in sorted(documents.directory().rglob("*.md")):
        text = file.read_text("utf-8")
        parts = [token.type for part in markdown._sections(text) for token in parser.parse(part)]
        assert parts == [token.type for token in parser.parse(text)], file
