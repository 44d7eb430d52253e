"""The documentation, served with the product: readable without any other host."""

from flask import Blueprint, Response, render_template, request, send_file

from web import documents, markdown
from web.problems import not_found
from web.translate import language

blueprint = Blueprint("documents", __name__)

SECTIONS = "tutorials", "how-to", "reference", "explanation", "decisions"
ASKED = 200  # characters of a search that are looked at


@blueprint.get("/docs/<any(" + ", ".join(f"'{name}'" for name in SECTIONS) + "):section>/<name>")
def page(section: str, name: str) -> str:
    """One page of a section."""
    return _shown(f"{section}/{name}")


@blueprint.get("/docs/experiments")
def experiments() -> str:
    """The log of experiments, which belongs to no section."""
    return _shown("experiments")


@blueprint.get("/docs/images/<name>")
def image(name: str) -> Response:
    """A picture of the pages."""
    file = documents.image(name)
    if file is None:
        raise not_found("file", name[:100])
    return send_file(file, max_age=3600)


@blueprint.get("/docs/search")
def search() -> str:
    """Parts of pages that hold some words."""
    asked = request.args.get("q", "")[:ASKED]
    return render_template("document_search.html", asked=asked, found=documents.search(asked, language()))


def _shown(path: str) -> str:
    source = documents.source(path, language())
    if source is None:
        raise not_found("page", path[:100])
    return render_template(
        "document.html",
        source=source,
        section=documents.section_of(path, language()),
        sections=documents.contents(language()),
        page=markdown.render(source),
    )
