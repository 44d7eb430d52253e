"""What can be taken away from a job's page: its charts as pictures and numbers, the hashes of its files."""

from flask import Blueprint, Response, abort

from web import context
from web.pages import curves, drawings, results

DRAWN_POINTS, ALL_POINTS = 1_000, 10**9

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
