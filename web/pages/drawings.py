"""Charts as files: an SVG that stands alone, and the numbers it is drawn from as CSV, none of them left out."""

from collections.abc import Sequence
from typing import Any

from flask import Response, render_template

from web.pages import spreadsheet
from web.pages.curves import HEIGHT, WIDTH, Chart, Series
from web.translate import say

# Colour and dashes of each tone: what css/parts.css says for the light theme.
TONES = (
    ("#0b5cad", ""),
    ("#6b4b00", "7 4"),
    ("#116329", "2 3"),
    ("#a40e26", "10 3 2 3"),
    ("#6b3fa0", "14 4"),
    ("#0a6570", "4 2"),
    ("#9c2a6f", "1 3"),
    ("#57606a", "14 3 3 3"),
)
TITLE, LEGEND_ROW, MARGIN = 34, 20, 26


def svg(chart: Chart, subtitle: str = "") -> Response:
    """A chart as a picture, to be looked at or saved."""
    lines = [line for line in chart.lines if line.path]
    text = render_template(
        "chart.svg",
        chart=chart,
        subtitle=subtitle,
        lines=lines,
        tones=TONES,
        x_title=say("Step"),
        width=WIDTH,
        top=TITLE,
        height=TITLE + HEIGHT + MARGIN + LEGEND_ROW * len(lines),
    )
    return Response(text, content_type="image/svg+xml; charset=utf-8")


def table(filename: str, lines: Sequence[Series]) -> Response:
    """The figures of a chart, one row for each step that any of its curves has."""
    columns = [dict(line.points) for line in lines]
    steps = sorted({step for column in columns for step in column})
    rows: list[list[Any]] = [["step", *(line.title for line in lines)]]
    rows += [[step, *(column.get(step) for column in columns)] for step in steps]
    return spreadsheet.reply(filename, rows)
