"""``python -m tests.acceptance.lighthouse``, which `make lighthouse` runs: what Lighthouse says of two pages.

The list with 10,000 jobs and the home page, served by the real web process, looked at by the installed
Chromium. Each page is measured three times, as Lighthouse advises; the middle one counts. The last line is JSON.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.acceptance.browsing import CHROMIUM, FLAGS
from tests.acceptance.site import SOMEBODY, Site
from tests.web.crowd import crowd
from tests.web.serving import ROOT, serve

JOBS, RUNS, LEAST = 10_000, 3, 95
PAGES = ("/jobs", "/")
CATEGORIES = ("performance", "accessibility", "best-practices")
SETUP = ROOT / "scripts" / "setup_lighthouse.sh"
PROGRAM = ROOT / "build" / "lighthouse" / "node_modules" / "lighthouse" / "cli" / "index.js"
SECONDS = 300
TRIES, NOT_RECORDED = 3, "Please run Lighthouse again"  # its own words where the browser gave it no whole trace

Scores = Mapping[str, float]


def missing() -> str:
    """Why Lighthouse cannot be run here, or nothing once it is installed."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "node and npm are not installed"
    done = subprocess.run([str(SETUP)], capture_output=True, text=True, timeout=SECONDS, check=False)
    return "" if done.returncode == 0 else (done.stdout + done.stderr).strip() or "lighthouse cannot be installed"


def measure(home: Path) -> dict[str, Scores]:
    """The scores of each page, 0 to 100, on an installation with 10,000 jobs that is made in a folder."""
    made = Site(home)
    crowd(made.engine, SOMEBODY, JOBS)
    made.close()
    with serve(home, AIGC_WEB_THREADS="32") as server:
        return {page: _middle([_score(f"{server.url}{page}", home) for _ in range(RUNS)]) for page in PAGES}


def _middle(runs: list[Scores]) -> Scores:
    return {name: statistics.median(run[name] for run in runs) for name in CATEGORIES}


def _score(url: str, home: Path) -> Scores:
    report = home / "lighthouse.json"
    command = ["node", str(PROGRAM), url, "--quiet", "--output=json", f"--output-path={report}"]
    command += [f"--only-categories={','.join(CATEGORIES)}", f"--chrome-flags={' '.join(['--headless=new', *FLAGS])}"]
    for _ in range(TRIES):
        # Debian's start script writes of its own to stderr; that is no fault.
        done = subprocess.run(
            command,
            env={**os.environ, "CHROME_PATH": chromium()},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        if NOT_RECORDED not in done.stderr:
            break
    if done.returncode != 0:
        raise RuntimeError(f"lighthouse ended with {done.returncode}: {done.stderr[-2_000:]}")
    found = json.loads(report.read_text(encoding="utf-8"))["categories"]
    return {name: round(100 * found[name]["score"], 1) for name in CATEGORIES}


def chromium() -> str:
    """The browser that the other tests use."""
    if CHROMIUM.exists():
        return str(CHROMIUM)
    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


def main() -> int:
    """Command line."""
    reason = missing()
    if reason:
        sys.stdout.write(f"{json.dumps({'lighthouse': None, 'why': reason})}\n")
        return 0
    with tempfile.TemporaryDirectory(prefix="aigc-lighthouse-") as folder:
        found = measure(Path(folder))
    for page, scores in found.items():
        sys.stdout.write(f"{page:6s} " + "  ".join(f"{name} {score:g}" for name, score in scores.items()) + "\n")
    least = min(scores["performance"] for scores in found.values())
    told = {"lighthouse": found, "jobs": JOBS, "runs": RUNS, "least_performance": least, "limit": LEAST}
    sys.stdout.write(f"{json.dumps(told)}\n")
    return 0 if least >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
