"""Make the pictures of the documentation from a running server, with its newest finished training.

.venv/bin/python scripts/screenshots.py [--url URL] [--out docs/images]
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

import aigc
from aigc.address import server_url

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars"]
WIDTH, HEIGHT = 1200, 800
FAMILY = "image_gan"  # what the documentation shows the pages of
HEIGHTS = {
    "home": 1150, "job": 1500, "compare": 1500, "dataset": 1100, "form": 1000, "model": 1200,
    "table": 1300, "texts": 1100, "recommendations": 1100, "guides": 1300, "chat": 1000,
}  # fmt: skip
SHOWN = {
    "table": "table_vae.train", "texts": "text_transformer.generate",
    "recommendations": "sasrec.recommend", "guides": "next_event.draft_how_to",
}  # fmt: skip
TURNS = 3  # questions of the dialogue shown
COLOURS = 256  # of a picture; screens of text need no more, and files are a third of the size


@dataclass(frozen=True)
class Shot:
    """One picture: its name, the page, and how it is looked at."""

    name: str
    path: str
    language: str = "en-GB"
    scheme: str = "light"
    width: int = WIDTH
    height: int = 0


def wanted(url: str) -> list[Shot]:
    """The pictures that can be made of what a server holds."""
    with aigc.Client(url) as client:
        trainings = list(client.jobs.list(limit=None, state="succeeded", task=f"{FAMILY}.train"))
        datasets = [dataset for dataset in client.datasets.list(limit=20, kind="images") if dataset.state == "ready"]
        models = list(client.models.list(limit=1, family=FAMILY))
        pages = {"home": "/", **results(client)}
    if trainings:
        pages["job"] = f"/jobs/{trainings[0].id}"
    if len(trainings) > 1:
        pages["compare"] = f"/jobs/compare?ids={trainings[0].id},{trainings[1].id}"
    if datasets:
        pages["dataset"] = f"/datasets/{datasets[0].id}"
        pages["form"] = f"/jobs/new/{FAMILY}.train?dataset={datasets[0].id}"
    if models:
        pages["model"] = f"/models/{models[0].id}"
    shots = [Shot(name, path, height=HEIGHTS[name]) for name, path in pages.items()]
    shots += [Shot(f"{shot.name}-zh", shot.path, "zh-CN", height=shot.height) for shot in shots]
    in_dark = [
        replace(shot, name=f"{shot.name}-dark", scheme="dark") for shot in shots if shot.path == pages.get("job")
    ]
    return shots + in_dark


def results(client: aigc.Client) -> dict[str, str]:
    """Pages of what other families made: rows beside real ones, texts, a dialogue."""
    newest = {
        name: next(iter(client.jobs.list(limit=1, state="succeeded", task=task)), None) for name, task in SHOWN.items()
    }
    pages = {name: f"/jobs/{job.id}" for name, job in newest.items() if job}
    replies = list(client.jobs.list(limit=TURNS, state="succeeded", task="assistant.reply"))
    if replies:
        model = replies[0].params["model"]
        turns = [f"turn={reply.id}" for reply in reversed(replies) if reply.params["model"] == model]
        pages["chat"] = f"/models/{model}/chat?{'&'.join(turns)}"
    return pages


def take(browser: Browser, url: str, shots: Sequence[Shot], out: Path) -> list[Path]:
    """Make pictures and give their paths."""
    out.mkdir(parents=True, exist_ok=True)
    made = []
    for shot in shots:
        context = browser.new_context(
            viewport={"width": shot.width, "height": HEIGHT},
            locale=shot.language,
            color_scheme="dark" if shot.scheme == "dark" else "light",
        )
        page = context.new_page()
        page.goto(url.rstrip("/") + shot.path)
        page.wait_for_function("() => [...document.images].every((i) => i.complete || i.loading === 'lazy')")
        if page.locator("[data-chart]").count():
            page.locator("[data-chart] canvas").first.wait_for()
        path = out / f"{shot.name}.png"
        whole: float = page.evaluate("() => document.documentElement.scrollHeight")
        clip = {"x": 0, "y": 0, "width": shot.width, "height": min(whole, shot.height or whole)}
        page.screenshot(path=path, full_page=True, clip=clip)  # type: ignore[arg-type]
        context.close()
        shrink(path)
        made.append(path)
    return made


def shrink(path: Path) -> None:
    """Store a picture with a palette."""
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def main() -> int:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description="Make the pictures of the documentation from a running server.")
    parser.add_argument("--url", default=None, help="address of the server; the one that runs here is found")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images", help="folder for the pictures")
    options = parser.parse_args()
    url = server_url(options.url)
    with sync_playwright() as playwright:
        path = str(CHROMIUM) if CHROMIUM.exists() else None
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        for made in take(browser, url, wanted(url), options.out):
            print(made)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
