"""The web process: its memory after serving every page, what pages and their readers cost, warm generations.

``python -m benchmarks.web``: the last line is JSON. The stack is the real one with its default settings.

- ``web_rss_mib``, ``torch_in_web``; ``generate_p50_ms``, ``generate_p95_ms`` of a warm generation over HTTP.
- With 10,000 jobs: ``jobs_page_p95_ms`` of a request for the list, ``first_load_kib`` of all it loads.
- 200 ``pollers`` at 1 Hz on the live part of a running job: ``poll_p99_ms``, ``poll_errors``, ``rss_growth_mib``;
  ``poll_late`` are requests that the client itself sent too late.
- ``*_cpu_ms``: processor time of the web process for one request, for machines that do other work, too.
"""

import argparse
import json
import re
import statistics
import tempfile
import time
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks import pages
from tests.chaos.processes import Stack

RUNS, WARM_UP, IMAGES = 50, 5, 16
LINK = re.compile(r'href="(/[^"#]*)"')
# Following these would change state or leave the pages a person reads.
SKIP = re.compile(r"^/(api/|static/|logout)|[?&](lang|theme)=")
PAGE_LIMIT = 300


def main() -> None:
    """Start the stack, make a model, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("stack", "pages"), help="one part of it")
    options = parser.parse_args()
    result: dict[str, Any] = {}
    if options.only != "stack":
        with tempfile.TemporaryDirectory(prefix="aigc-bench-") as directory:
            result |= pages.measure(Path(directory))
    if options.only != "pages":
        result |= _stack()
    print(json.dumps(result))


def _stack() -> dict[str, Any]:
    """Memory and generations of the whole stack."""
    with (
        tempfile.TemporaryDirectory(prefix="aigc-bench-") as directory,
        Stack(Path(directory), web=True) as stack,
    ):
        assert stack.web is not None
        address = stack.web.ready_line.split()[-1]
        with httpx.Client(base_url=address, timeout=120, follow_redirects=True) as http:
            model = _model(http)
            latencies = _generations(http, model)
            served = _every_page(http)
        processes = [psutil.Process(stack.web.pid), *psutil.Process(stack.web.pid).children(recursive=True)]
        resident = [process.memory_info().rss / 2**20 for process in processes]
        maps = "".join(Path(f"/proc/{process.pid}/maps").read_text() for process in processes)
    quantiles = statistics.quantiles(latencies, n=20)
    print(f"served {served} pages; resident MiB of each web process: {[round(size, 1) for size in resident]}")
    return {
        "web_rss_mib": round(max(resident), 1),
        "torch_in_web": "torch" in maps,
        "generate_p50_ms": round(statistics.median(latencies), 1),
        "generate_p95_ms": round(quantiles[18], 1),
        "runs": RUNS,
        "images": IMAGES,
        "pages": served,
    }


def _model(http: httpx.Client) -> str:
    starter = http.post("/api/v1/datasets", json={"starter": "fashion-mnist"}, headers={"Prefer": "wait=60"})
    dataset = starter.raise_for_status().json()["id"]
    params = {"dataset": dataset, "epochs": 1}
    job = _finished(http, {"task": "image_gan.train", "preset": "quick", "params": params})
    return str(job["model"])


def _finished(http: httpx.Client, submission: dict[str, Any]) -> dict[str, Any]:
    reply = http.post("/api/v1/jobs", json=submission, headers={"Prefer": "wait=30"}).raise_for_status()
    job: dict[str, Any] = reply.json()
    while job["state"] not in ("succeeded", "failed", "cancelled"):
        job = http.get(job["links"]["self"], headers={"Prefer": "wait=25"}).raise_for_status().json()
    if job["state"] != "succeeded":
        raise SystemExit(f"job {job['id']} {job['state']}: {job['error']}")
    return job


def _generations(http: httpx.Client, model: str) -> list[float]:
    """Milliseconds from sending the submission to holding the reply that says succeeded."""
    times = []
    for seed in range(WARM_UP + RUNS):
        started = time.perf_counter()
        params = {"model": model, "count": IMAGES, "seed": seed}
        _finished(http, {"task": "image_gan.generate", "params": params})
        times.append(1000 * (time.perf_counter() - started))
    return times[WARM_UP:]


def _every_page(http: httpx.Client) -> int:
    """Follow every link from the home page, in both languages."""
    seen, waiting = set[str](), ["/", "/?lang=zh", "/?lang=en"]
    while waiting and len(seen) < PAGE_LIMIT:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        reply = http.get(path).raise_for_status()
        found = map(unescape, LINK.findall(reply.text)) if "html" in reply.headers["content-type"] else ()
        waiting += [link for link in found if not SKIP.search(link) and link not in seen]
    return len(seen)


if __name__ == "__main__":
    main()
