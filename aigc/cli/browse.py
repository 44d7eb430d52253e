"""``aigc open``: the pages in a browser."""

import os
import sys
import webbrowser
from urllib.parse import urljoin

import click

from aigc.cli import completing, naming
from aigc.cli.session import Command, Session, session


@click.command("open", cls=Command)
@click.argument("thing", metavar="[ID]", required=False, shell_complete=completing.jobs)
def open_page(thing: str | None) -> None:
    """Open the start page, or the page of a job, dataset or model."""
    browse(session(), _page(session(), thing) if thing else "/")


def _page(current: Session, thing: str) -> str:
    client = current.client
    if thing.startswith("ds_"):
        return naming.dataset(client, thing).web_url
    if thing.startswith("mdl_"):
        return naming.model(client, thing).web_url
    return naming.job(client, thing).web_url


def browse(current: Session, page: str) -> None:
    """Open a page where there is a graphical screen; print its address in any case."""
    address = urljoin(current.client.url + "/", page)
    click.echo(address)
    if has_screen():
        webbrowser.open(address)


def has_screen() -> bool:
    """Whether a browser window can appear: a text browser must not take over the terminal."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
