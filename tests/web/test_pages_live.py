"""Parts that move: what many readers of the same share, and what they do not."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from flask import Flask, template_rendered
from flask.testing import FlaskClient

from jobs.lifecycle import Beat, Lease
from tests.web.acting import ActingWorker, ready_dataset, submit_training
from tests.web.reading import token


@pytest.fixture
def rendered(app: Flask) -> Iterator[list[str]]:
    """Names of the templates that were rendered; the clock of what is kept stands still."""
    names: list[str] = []

    def note(_sender: Flask, template: object, **_more: object) -> None:
        names.append(str(getattr(template, "name", "")))

    app.extensions["aigc_rendered"].clock = lambda: 0.0
    template_rendered.connect(note, app)
    yield names
    template_rendered.disconnect(note, app)


@pytest.fixture
def running(client: FlaskClient, worker: ActingWorker) -> tuple[str, Lease]:
    job = str(submit_training(client, ready_dataset(client, worker)).get_json()["id"])
    return f"/jobs/{job}/live", worker.take("training")


def step(lease: Lease, number: int) -> None:
    lease.beat(Beat(phase="training", step=number, total=100))


def test_readers_of_the_same_share_what_was_rendered(
    app: Flask, rendered: list[str], running: tuple[str, Lease]
) -> None:
    path, lease = running
    readers = [app.test_client() for _ in range(5)]
    tags = [reader.get(path).headers["ETag"] for reader in readers]
    assert rendered.count("job_live.html") == 1
    step(lease, 10)
    replies = [reader.get(path, headers={"If-None-Match": tag}) for reader, tag in zip(readers, tags, strict=True)]
    assert rendered.count("job_live.html") == 2
    assert all("step 10 of 100" in reply.text for reply in replies)
    assert len({reply.headers["ETag"] for reply in replies}) == 1


def test_who_asks_while_it_is_rendered_waits_for_it(app: Flask) -> None:
    rendered, started, go_on, times = app.extensions["aigc_rendered"], Event(), Event(), list[int]()

    def render() -> str:
        times.append(1)
        started.set()
        assert go_on.wait(30)
        return "the part"

    def ask(key: str) -> str:
        with app.test_request_context():
            return str(rendered.shared(key, render if key == "slow" else lambda: key))

    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(ask, "slow")
        assert started.wait(30)
        others = [pool.submit(ask, "slow") for _ in range(4)]
        assert pool.submit(ask, "another").result(30) == "another"  # nobody waits for what others look at
        go_on.set()
        assert {one.result(30) for one in (first, *others)} == {"the part"}
    assert times == [1]
    assert not rendered._turns


def test_a_part_that_cannot_be_rendered_holds_nobody_up(app: Flask) -> None:
    rendered = app.extensions["aigc_rendered"]

    def fail() -> str:
        raise ValueError("no template")

    with app.test_request_context():
        with pytest.raises(ValueError, match="no template"):
            rendered.shared("part", fail)
        assert rendered.shared("part", lambda: "made") == "made"


def test_form_tokens_are_each_readers_own(app: Flask, rendered: list[str], running: tuple[str, Lease]) -> None:
    path, lease = running
    readers = [app.test_client() for _ in range(2)]
    tags = [reader.get(path).headers["ETag"] for reader in readers]
    step(lease, 10)
    found = [
        token(reader.get(path, headers={"If-None-Match": tag}).text) for reader, tag in zip(readers, tags, strict=True)
    ]
    assert rendered.count("job_live.html") == 2
    pause = path.replace("/live", "/pause")
    assert readers[0].post(pause, data={"csrf_token": found[1]}).status_code == 400
    assert readers[1].post(pause, data={"csrf_token": found[1]}).status_code in (302, 303)


def test_other_addresses_and_later_looks_are_rendered_anew(
    app: Flask, client: FlaskClient, rendered: list[str], running: tuple[str, Lease]
) -> None:
    old = {"If-None-Match": '"old"'}
    client.get("/jobs/live", headers=old)
    other = client.get("/jobs/live?task=image_gan.train", headers=old)
    assert rendered.count("jobs_live.html") == 2
    assert "task=image_gan.train" in other.text
    client.get("/jobs/live", headers=old)
    assert rendered.count("jobs_live.html") == 2
    app.extensions["aigc_rendered"].clock = lambda: 60.0
    client.get("/jobs/live", headers=old)
    assert rendered.count("jobs_live.html") == 3


def test_what_is_kept_is_bounded(app: Flask, client: FlaskClient, rendered: list[str]) -> None:
    for number in range(50):
        client.get(f"/jobs/live?q={number}", headers={"If-None-Match": '"old"'})
    assert len(app.extensions["aigc_rendered"]._parts) == 32
