"""What can be taken away from a job's page: its charts as pictures and numbers, the hashes of its files."""

from typing import Any

from flask import Blueprint, Response, abort, get_template_attribute, render_template
from markupsafe import Markup

from aigc_models.data.table_results import QUALITY
from web import context, result_files
from web.pages import curves, drawings, plots, results, spreadsheet
from web.translate import say

DRAWN_POINTS, ALL_POINTS = 1_000, 10**9
PLOT_TOP = 42
# What the sheet says of each class in the light theme, for a file that has no sheet.
PLOT_TONES = {
    "real": Markup('fill="#0b5cad" fill-opacity=".5"'),
    "made": Markup('fill="none" stroke="#b35900" stroke-width="2" stroke-linejoin="round"'),
    "grid": Markup('stroke="#848d97"'),
    "plus": Markup('fill="#0b5cad"'),
    "minus": Markup('fill="#b35900"'),
}

blueprint = Blueprint("downloads", __name__)


@blueprint.get("/jobs/<job_id>/charts/<path:key>.<any(svg, csv):kind>")
def chart(job_id: str, key: str, kind: str) -> Response:
    """One chart as a file."""
    reads = context.repository()
    job = reads.job(job_id)
    points = reads.metrics(job.id, -1, None, DRAWN_POINTS if kind == "svg" else ALL_POINTS)
    found = next((one for one in curves.groups(points, job.family) if one[0] == key), None)
    if found is None:
        abort(404)
    _, title, lines = found
    if kind == "csv":
        return drawings.table(f"{job.id}-{key.replace('/', '-')}.csv", lines)
    return drawings.svg(curves.draw(key, title, lines), job.name)


@blueprint.get("/jobs/<job_id>/columns/<int:number>.<any(svg, csv):format>")
def column(job_id: str, number: int, format: str) -> Response:  # noqa: A002 - a part of the address
    """One column of a synthetic table beside the real one, as a file."""
    try:
        found = _quality(job_id)["columns"][number - 1 if number > 0 else abort(404)]
        histogram, plot = found["histogram"], plots.draw(found["histogram"], found["type"])
    except (IndexError, KeyError, TypeError, ValueError):
        abort(404)
    if plot is None:
        abort(404)
    if format == "csv":
        return spreadsheet.reply(f"{job_id}-column-{number}.csv", plots.spreadsheet(histogram))
    return _drawn(str(found["name"]), get_template_attribute("plots.html", "shares")(plot), plot.height)


@blueprint.get("/jobs/<job_id>/associations.<any(svg, csv):format>")
def associations(job_id: str, format: str) -> Response:  # noqa: A002 - a part of the address
    """How strongly the columns of real and of synthetic rows depend on each other, as a file."""
    found = _quality(job_id)
    try:
        pairs, names = found["pairs"], [one["name"] for one in found["columns"]]
        if format == "csv":
            keys = ("a", "b", "kind", "real", "synthetic")
            rows = [[pair[key] for key in keys] for pair in pairs]
            return spreadsheet.reply(f"{job_id}-associations.csv", [list(keys), *rows])
        heat = plots.heat(pairs, names)
    except (KeyError, TypeError, ValueError):
        abort(404)
    if heat is None:
        abort(404)
    title = say("Dependence between columns")
    return _drawn(title, get_template_attribute("plots.html", "heat")(heat), heat.size, legend=False)


def _quality(job_id: str) -> Any:
    """The figures of a job's synthetic table; 404 where it has none."""
    reads = context.repository()
    found = result_files.document(reads.artifacts(reads.job(job_id).id, role="output"), QUALITY)
    return found if found is not None else abort(404)


def _drawn(title: str, body: str, height: int, legend: bool = True) -> Response:
    for name, tone in PLOT_TONES.items():
        body = body.replace(f'class="{name}"', tone)
    text = render_template(
        "plot.svg",
        title=plots.shortened(title, 44),
        body=body,
        tones=PLOT_TONES,
        legend=legend,
        top=PLOT_TOP,
        width=max(plots.WIDTH, height if not legend else 0),
        height=height + PLOT_TOP,
    )
    return Response(text, content_type="image/svg+xml; charset=utf-8")


@blueprint.get("/jobs/<job_id>/SHA256SUMS")
def hashes(job_id: str) -> Response:
    """The hashes of a job's files, as ``sha256sum --check`` reads them."""
    reads = context.repository()
    job = reads.job(job_id)
    files = results.files(reads.artifacts(job.id)).everything
    text = "".join(f"{file.sha256}  {file.name}\n" for file in files if "\n" not in file.name)
    reply = Response(text, content_type="text/plain; charset=utf-8")
    reply.headers["Content-Disposition"] = 'attachment; filename="SHA256SUMS"'
    return reply
