import hashlib
import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import pytest

import aigc
from aigc import async_library, async_nouns, async_resources, library, nouns, resources
from aigc.wire import Patience
from tests.aigc.scripted import Answer, Asked, Play, Scripted, in_turn, job, problem, serving

QUICK = Patience(retries=3, base=0.001)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AIGC_URL", "AIGC_TOKEN", "AIGC_TOKEN_FILE", "AIGC_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@contextmanager
def connected(play: Play) -> Iterator[tuple[Scripted, aigc.Client]]:
    with serving(play) as server, aigc.Client(server.url, patience=QUICK) as client:
        yield server, client


def test_a_submission_sent_twice_carries_the_same_key() -> None:
    play = in_turn(Answer(hang_up=True), Answer(503, None, {"Retry-After": "0"}), Answer(202, job("queued")))
    with connected(play) as (server, client):
        made = client.jobs.submit("image_gan.train", {"epochs": 2}, preset="quick", dataset="ds_1")
    keys = {asked.headers["Idempotency-Key"] for asked in server.asked}
    assert (len(server.asked), len(keys)) == (3, 1)
    assert server.asked[-1].path == "/api/v1/jobs"
    assert server.asked[-1].json == {
        "task": "image_gan.train",
        "params": {"epochs": 2, "dataset": "ds_1"},
        "preset": "quick",
    }
    assert made.state == "queued"


def test_two_submissions_carry_two_keys() -> None:
    with connected(in_turn(Answer(202, job("queued")))) as (server, client):
        client.jobs.submit("image_gan.train")
        client.jobs.submit("image_gan.train")
    assert len({asked.headers["Idempotency-Key"] for asked in server.asked}) == 2


def test_settings_may_be_a_dataclass_and_hold_objects() -> None:
    @dataclass
    class Settings:
        epochs: int
        size: tuple[int, int]

    with connected(in_turn(Answer(202, job("queued")))) as (server, client):
        dataset = aigc.Dataset({"id": "ds_7", "state": "ready"}, client.jobs._api)
        client.jobs.submit("image_gan.train", Settings(3, (28, 28)), dataset=dataset)
    assert server.asked[0].json["params"] == {"epochs": 3, "size": [28, 28], "dataset": "ds_7"}


def test_the_error_says_what_the_server_said() -> None:
    errors = [
        {"detail": "Epochs must be between 1 and 500.", "pointer": "#/params/epochs", "where": None},
        {"detail": "There is no setting called lr.", "pointer": "#/params/lr", "code": "unknown-setting"},
    ]
    refusal = problem(422, "Some settings cannot be used.", errors=errors, help_url="/docs/problems/invalid-params")
    with connected(in_turn(refusal)) as (server, client):
        with pytest.raises(aigc.InvalidParams) as caught:
            client.jobs.submit("image_gan.train", epochs=0)
        error = caught.value
    assert str(error) == "Epochs must be between 1 and 500.\nThere is no setting called lr."
    assert error.detail == "Some settings cannot be used."
    assert [flaw.pointer for flaw in error.errors] == ["/params/epochs", "/params/lr"]
    assert error.help_url == server.url + "/docs/problems/invalid-params"
    assert (error.status, error.code, error.request_id) == (422, "refused", "r1")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, aigc.Unauthorized),
        (403, aigc.Unauthorized),
        (404, aigc.NotFound),
        (409, aigc.Conflict),
        (507, aigc.ApiError),
    ],
)
def test_every_status_has_its_error(status: int, kind: type[aigc.ApiError]) -> None:
    with connected(in_turn(problem(status, "A sentence."))) as (_, client), pytest.raises(aigc.ApiError) as caught:
        client.jobs.get("job_x")
    assert type(caught.value) is kind
    assert str(caught.value) == "A sentence."


def test_a_proxy_page_is_no_mystery() -> None:
    answer = Answer(502, b"<html>nginx</html>", {"Content-Type": "text/html"})
    with (
        connected(in_turn(answer)) as (_, client),
        pytest.raises(aigc.Unavailable, match="The server answered 502 Bad Gateway"),
    ):
        client.jobs.get("job_x")


def test_broken_json_is_no_mystery() -> None:
    with connected(in_turn(Answer(200, b"{"))) as (_, client), pytest.raises(aigc.Unavailable):
        client.jobs.get("job_x")


def test_nobody_listens() -> None:
    with serving(in_turn(Answer())) as server:
        pass
    with aigc.Client(server.url, patience=QUICK) as client, pytest.raises(aigc.NotReachable, match="aigc up"):
        client.jobs.get("job_x")


def test_an_address_without_scheme_is_refused() -> None:
    with pytest.raises(ValueError, match="http://"):
        aigc.Client("127.0.0.1:8000")


def test_waiting_follows_the_job_to_its_end() -> None:
    play = in_turn(Answer(200, job("queued")), Answer(200, job("running")), Answer(200, job("succeeded")))
    with connected(play) as (_server, client):
        waited = client.jobs.get("job_x").wait(timeout=20)
    assert waited.state == "succeeded"
    assert repr(waited) == f"<Job {waited.id} image_gan.train succeeded>"


def test_a_job_is_followed_look_by_look() -> None:
    play = in_turn(*[Answer(200, job(state)) for state in ("queued", "running", "running", "failed")])
    with connected(play) as (_, client), client.jobs.get("job_x").follow() as looks:
        assert [now.state for now in looks] == ["running", "running", "failed"]


def test_following_lets_the_server_wait_for_the_next_change() -> None:
    tagged = {"ETag": '"1-running-0-en"'}
    changed = {"ETag": '"2-succeeded-0-en"'}
    play = in_turn(
        Answer(200, job("running"), tagged),
        Answer(200, job("running"), tagged),
        Answer(304, None, tagged),
        Answer(200, job("succeeded"), changed),
    )
    with connected(play) as (server, client):
        assert [now.state for now in client.jobs.get("job_x").follow()] == ["running", "running", "succeeded"]
    *_, unchanged, last = server.asked
    for asked in (unchanged, last):
        assert (asked.headers["Prefer"], asked.headers["If-None-Match"]) == ("wait=5", '"1-running-0-en"')


def event(seq: int, kind: str = "log", **data: Any) -> dict[str, Any]:
    return {"seq": seq, "kind": kind, "at": "2026-01-31T12:00:00Z", "data": data}


def page(*events: dict[str, Any]) -> Answer:
    return Answer(200, {"data": list(events), "has_more": False, "next_cursor": None})


def test_events_go_on_after_the_last_one_whatever_happens_to_the_connection() -> None:
    play = in_turn(
        Answer(200, job("running")),
        page(event(3), event(4)),
        Answer(hang_up=True),
        Answer(503, None, {"Retry-After": "0"}),
        page(event(5, "end", status="succeeded")),
    )
    with connected(play) as (server, client):
        found = list(client.jobs.get("job_x").events(after=2))
    assert [(one.seq, one.kind) for one in found] == [(3, "log"), (4, "log"), (5, "end")]
    assert found[-1].data == {"status": "succeeded"}
    assert found[0].at.tzinfo is not None
    asked = [(one.path.partition("?")[2], one.headers.get("Prefer")) for one in server.asked[1:]]
    assert asked == [(f"after={after}&limit=100", "wait=20") for after in (2, 4, 4, 4)]


def test_there_are_no_events_after_the_end() -> None:
    def play(asked: Asked) -> Answer:
        return page() if "/events" in asked.path else Answer(200, job("failed"))

    with connected(play) as (_, client):
        assert list(client.jobs.get("job_x").events(after=9)) == []


def test_an_end_that_comes_between_two_looks_is_told() -> None:
    pages = in_turn(page(), page(event(5, "end", status="failed")))

    def play(asked: Asked) -> Answer:
        return pages(asked) if "/events" in asked.path else Answer(200, job("failed"))

    with connected(play) as (_, client):
        assert [one.seq for one in client.jobs.get("job_x").events(after=4)] == [5]


@pytest.mark.parametrize("webhook", ["https://a.example/in", {"url": "https://a.example/in"}])
def test_a_webhook_is_an_address_or_more(webhook: Any) -> None:
    with connected(in_turn(Answer(202, job("queued")))) as (server, client):
        client.jobs.submit("image_gan.train", webhook=webhook, epochs=1)
    assert server.asked[0].json == {
        "task": "image_gan.train",
        "params": {"epochs": 1},
        "webhook": {"url": "https://a.example/in"},
    }


def test_deliveries_are_listed_page_by_page() -> None:
    first = {"data": [{"id": "dlv_2"}], "has_more": True, "next_cursor": "c"}
    pages = in_turn(Answer(200, first), Answer(200, {"data": [{"id": "dlv_1"}], "has_more": False}))

    def play(asked: Asked) -> Answer:
        return pages(asked) if "/deliveries" in asked.path else Answer(200, job())

    with connected(play) as (_, client):
        assert [one["id"] for one in client.jobs.get("job_x").deliveries()] == ["dlv_2", "dlv_1"]


def test_a_failed_job_raises_its_sentence() -> None:
    error = {
        "code": "diverged",
        "title": "Diverged",
        "detail": "The loss became NaN.",
        "help_url": "/docs/x",
        "errors": [],
    }
    with connected(in_turn(Answer(200, job("failed", error=error)))) as (server, client):
        with pytest.raises(aigc.JobFailed, match="The loss became NaN") as caught:
            client.jobs.wait("job_x")
        assert client.jobs.get("job_x").wait(check=False).state == "failed"
    assert (caught.value.code, caught.value.help_url) == ("diverged", server.url + "/docs/x")


def test_a_cancelled_job_raises_too() -> None:
    with (
        connected(in_turn(Answer(200, job("cancelled")))) as (_, client),
        pytest.raises(aigc.JobFailed, match="was cancelled"),
    ):
        client.jobs.wait("job_x")


def test_waiting_ends_at_its_timeout_and_the_job_goes_on() -> None:
    with (
        connected(in_turn(Answer(200, job("running")))) as (server, client),
        pytest.raises(aigc.WaitTimeout, match="It goes on"),
    ):
        client.jobs.get("job_x").wait(timeout=0.01)
    assert all(asked.method == "GET" for asked in server.asked)


def test_lists_are_walked_page_by_page() -> None:
    def play(asked: Asked) -> Answer:
        last = "cursor=b" in asked.path
        page = [{**job(), "id": f"job_{number}"} for number in ((3,) if last else (1, 2))]
        return Answer(200, {"data": page, "has_more": not last, "next_cursor": None if last else "b"})

    with connected(play) as (server, client):
        everything = client.jobs.list(limit=None, state=["running", "queued"], task="image_gan.train")
        assert [item.id for item in client.jobs.list(limit=2)] == ["job_1", "job_2"]
    assert [item.id for item in everything] == ["job_1", "job_2", "job_3"]
    assert server.asked[0].path == "/api/v1/jobs?state=running&state=queued&task=image_gan.train&limit=100"
    assert "limit=2" in server.asked[2].path


def test_an_upload_is_sent_whole_again_after_a_lost_connection(tmp_path: Path) -> None:
    file = tmp_path / "digits.zip"
    file.write_bytes(b"PK" + bytes(range(256)) * 500)
    dataset = {"id": "ds_1", "name": "digits", "state": "ready", "report": {"train": 5}}
    play = in_turn(problem(503, "Busy.", headers={"Retry-After": "0"}), Answer(201, dataset))
    with connected(play) as (server, client):
        made = client.datasets.upload(file, name="digits", licence="MIT")
    assert made.report == {"train": 5}
    assert all(file.read_bytes() in asked.body and b'name="licence"' in asked.body for asked in server.asked)
    assert len({asked.headers["Idempotency-Key"] for asked in server.asked}) == 1


def test_a_dataset_that_is_still_checked_is_waited_for() -> None:
    def play(asked: Asked) -> Answer:
        if asked.method == "POST":
            return Answer(202, {"id": "ds_1", "state": "checking", "job": "job_1"})
        if asked.path.startswith("/api/v1/jobs"):
            return Answer(200, job("succeeded"))
        return Answer(200, {"id": "ds_1", "state": "ready"})

    with connected(play) as (server, client):
        assert client.datasets.starter("fashion-mnist").state == "ready"
    assert server.asked[0].json == {"starter": "fashion-mnist"}


def test_a_dataset_refused_late_is_refused_like_one_refused_at_once() -> None:
    error = {"code": "invalid-data", "detail": "a.png is not an image.", "errors": []}

    def play(asked: Asked) -> Answer:
        if asked.method == "POST":
            return Answer(202, {"id": "ds_1", "state": "checking", "job": "job_1"})
        return Answer(200, job("failed", error=error))

    with connected(play) as (_, client), pytest.raises(aigc.InvalidParams, match=r"a\.png is not an image"):
        client.datasets.starter("fashion-mnist")


def artifact(name: str, content: bytes, **more: Any) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    return {"id": "art_1", "name": name, "role": "output", "sha256": digest, "size": len(content), **more}


def serve_files(files: list[dict[str, Any]], content: bytes) -> Mapping[str, Answer]:
    return {
        "/content": Answer(200, content, {"Content-Type": "application/octet-stream"}),
        "/artifacts": Answer(200, {"data": files, "has_more": False, "next_cursor": None}),
        "/jobs": Answer(200, job()),
    }


def play_files(files: list[dict[str, Any]], content: bytes) -> Any:
    answers = serve_files(files, content)

    def play(asked: Asked) -> Answer:
        return next(answer for part, answer in answers.items() if part in asked.path)

    return play


def test_results_are_saved_whole_below_the_folder(tmp_path: Path) -> None:
    names = ["samples.png", "model/weights.safetensors", "../../evil", "/etc/evil", "a\\..\\b"]
    play = play_files([artifact(name, b"bytes") for name in names], b"bytes")
    with connected(play) as (_server, client):
        saved = client.jobs.get("job_1").download(tmp_path / "out")
        only = client.jobs.get("job_1").download(tmp_path / "png", pattern="*.png")
    inside = [path.relative_to(tmp_path / "out").as_posix() for path in saved]
    assert inside == ["samples.png", "model/weights.safetensors", "evil", "etc/evil", "a/b"]
    assert all(path.read_bytes() == b"bytes" for path in saved)
    assert [path.name for path in only] == ["samples.png"]


def test_a_damaged_file_is_not_kept(tmp_path: Path) -> None:
    play = play_files([artifact("samples.png", b"what the server holds")], b"what arrived")
    with connected(play) as (_, client), pytest.raises(aigc.DamagedFile, match=r"samples\.png arrived damaged"):
        client.jobs.get("job_1").download(tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_pictures_show_themselves_in_a_notebook() -> None:
    files = [
        artifact("s.png", b"\x89PNG", media_type="image/png"),
        artifact("s.txt", b"\x89PNG", media_type="text/plain"),
    ]
    with connected(play_files(files, b"\x89PNG")) as (_server, client):
        picture, text = client.jobs.get("job_1").artifacts()
        assert picture._repr_png_() == b"\x89PNG"
        assert text._repr_png_() is None


def test_the_token_is_sent_and_the_language(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("aigc_secret\n")
    monkeypatch.setenv("AIGC_TOKEN_FILE", str(tmp_path / "token"))
    with serving(in_turn(Answer(200, job()))) as server:
        monkeypatch.setenv("AIGC_URL", server.url + "/")
        with aigc.Client(language="zh-CN") as client:
            client.jobs.get("job_x")
    assert server.asked[0].headers["Authorization"] == "Bearer aigc_secret"
    assert server.asked[0].headers["Accept-Language"] == "zh-CN"


def test_a_proxy_never_stands_before_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with connected(in_turn(Answer(200, job()))) as (_server, client):
        assert client.jobs.get("job_x").state == "succeeded"


def test_curves_are_read_by_name() -> None:
    points = [{"step": 1, "values": {"g_loss": 2.0}}, {"step": 2, "values": {"g_loss": 1.5, "d_loss": 0.7}}]

    def play(asked: Asked) -> Answer:
        body = {"data": points, "has_more": False, "next_cursor": None} if "/metrics" in asked.path else job()
        return Answer(200, body)

    with connected(play) as (_server, client):
        curves = client.jobs.get("job_x").metrics(names=["g_loss", "d_loss"])
    assert curves.names == ["g_loss", "d_loss"]
    assert curves["g_loss"] == [(1, 2.0), (2, 1.5)]
    assert curves["d_loss"] == [(2, 0.7)]
    assert "<td>1.5</td>" in curves._repr_html_()


def test_the_asynchronous_client_does_the_same(tmp_path: Path) -> None:
    calls = in_turn(Answer(503, None, {"Retry-After": "0"}), Answer(202, job("queued")), Answer(200, job("succeeded")))
    files = play_files([artifact("samples.png", b"bytes")], b"bytes")

    def play(asked: Asked) -> Answer:
        if "events" in asked.path:
            return page(event(1, "end", status="succeeded"))
        return page() if "deliveries" in asked.path else files(asked) if "artifacts" in asked.path else calls(asked)

    async def use(url: str) -> list[Path]:
        async with aigc.AsyncClient(url, patience=QUICK) as client:
            made = await client.jobs.submit("image_gan.train", epochs=1)
            assert [now.state async for now in made.follow()] == ["succeeded"]
            assert [one.seq async for one in made.events()] == [1]
            assert await made.deliveries() == []
            await made.wait(timeout=20)
            return await made.download(tmp_path)

    with serving(play) as server:
        saved = anyio.run(use, server.url)
    assert saved == [tmp_path / "samples.png"]


@pytest.mark.parametrize(
    ("noun", "place", "beside"),
    [
        *((noun, resources, async_resources) for noun in ("Api", "Artifact", "Samples", "Job", "Following")),
        *((noun, library, async_library) for noun in ("Dataset", "Model", "Worker", "Queue")),
        *((noun, nouns, async_nouns) for noun in ("Jobs", "Datasets", "Models", "Tasks", "Workers", "Queues")),
    ],
)
def test_both_clients_have_the_same_names_and_arguments(noun: str, place: ModuleType, beside: ModuleType) -> None:
    one, other = getattr(place, noun), getattr(beside, f"Async{noun}")
    names = {name for name in vars(one) if not name.startswith("_")}
    assert names == {name for name in vars(other) if not name.startswith("_")}
    for name in names - {"steps"}:  # a property
        ours, theirs = (inspect.signature(getattr(kind, name)).parameters for kind in (one, other))
        assert list(ours) == list(theirs), name
        assert [item.default for item in ours.values()] == [item.default for item in theirs.values()], name
