"""A server that limits its callers, and a client that waits as long as it is told, over real connections."""

import time
from collections import Counter
from pathlib import Path

import pytest
from flask import Flask, Response

import aigc
from aigc.cli import run
from jobs.settings import Settings
from web.rates import Rates


def limit(app: Flask, settings: Settings, rate: str) -> Counter[int]:
    """Let the server limit submissions; gives how often it answered with each status from now on."""
    app.extensions["aigc_rates"] = Rates(settings.model_copy(update={"rate_submissions": rate}))
    seen: Counter[int] = Counter()

    def note(reply: Response) -> Response:
        seen[reply.status_code] += 1
        return reply

    app.after_request_funcs.setdefault(None, []).append(note)
    return seen


def test_the_client_waits_its_turn(app: Flask, settings: Settings, address: str, dataset: str) -> None:
    seen = limit(app, settings, "2/second")
    with aigc.Client(address) as client:
        began = time.monotonic()
        made = {client.jobs.submit("image_gan.train", dataset=dataset, seed=seed).id for seed in range(5)}
        waited = time.monotonic() - began
    assert len(made) == 5
    assert seen[202] == 5
    assert seen[429] >= 1, "the limit was never met, so nothing was shown"
    assert waited >= 1.0, "5 submissions at 2 a second take 2 whole windows"


def test_a_wait_that_is_too_long_is_told_instead(
    app: Flask, settings: Settings, address: str, dataset: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    seen = limit(app, settings, "1/hour")
    with aigc.Client(address) as client:
        client.jobs.submit("image_gan.train", dataset=dataset)
        with pytest.raises(aigc.RateLimited) as refused:
            client.jobs.submit("image_gan.train", dataset=dataset, seed=2)
    assert str(refused.value).startswith("Too many jobs at once. Try again in 3")
    assert refused.value.help_url == f"{address}/docs/problems/too-many-requests"
    assert seen[429] == 1, "it came back at once"
    assert run(["--url", address, "submit", "image_gan.train", "-p", f"dataset={dataset}"]) == 1
    said = capsys.readouterr().err
    assert "Error: Too many jobs at once. Try again in 3" in said
    assert f"Help: {address}/docs/problems/too-many-requests" in said
