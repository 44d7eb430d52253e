"""Twenty programs send the same request at the same moment to a real server: one job comes of it."""

import json
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select

from jobs.engine import Engine
from jobs.principal import Principal
from jobs.tables import IdempotencyKey, Job
from tests.jobs.acting import Actor
from tests.web.serving import serve

POSTS, GROUPS = 20, 5


def post(url: str, body: Any, key: str) -> tuple[int, Any, bool]:
    """Status, body, and whether it was the reply to an earlier request."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    request = urllib.request.Request(f"{url}/api/v1/jobs", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, json.load(reply), "Idempotent-Replayed" in reply.headers
    except urllib.error.HTTPError as error:
        return error.code, json.load(error), False


@pytest.fixture
def actor(engine: Engine) -> Actor:
    return Actor(engine, Principal(engine.settings.tenant, "ada"))


def test_twenty_parallel_posts_make_one_job(actor: Actor, database_url: str) -> None:
    body = {"task": "image_vae.train", "params": {"dataset": actor.dataset().id}}
    home = actor.engine.settings.home
    with serve(home, AIGC_DATABASE_URL=database_url) as server:
        for group in range(GROUPS):
            start = threading.Barrier(POSTS)

            def send(_: int, key: str = f"key {group}", start: threading.Barrier = start) -> tuple[int, Any, bool]:
                start.wait()
                return post(server.url, body, key)

            with ThreadPoolExecutor(POSTS) as pool:
                replies = list(pool.map(send, range(POSTS)))
            assert [status for status, _, _ in replies] == [202] * POSTS, (home / "log").read_text()
            assert len({job["id"] for _, job, _ in replies}) == 1
            assert sum(replayed for _, _, replayed in replies) == POSTS - 1
        status, problem, _ = post(server.url, {**body, "name": "another"}, "key 0")
        assert (status, problem["code"]) == (422, "idempotency-key-reused")
        status, problem, _ = post(server.url, {**body, "after": [replies[0][1]["id"]]}, "key 0")
        assert (status, problem["code"]) == (422, "idempotency-key-reused")
    with actor.engine.db.read() as session:
        assert session.scalar(select(func.count()).where(Job.family == "image_vae")) == GROUPS
        assert session.scalar(select(func.count()).select_from(IdempotencyKey)) == GROUPS
