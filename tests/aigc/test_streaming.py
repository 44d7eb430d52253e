"""The live stream: what comes, what happens when it breaks, and where no stream is left."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import anyio
import pytest

import aigc
from aigc.streaming import Stream
from aigc.wire import ConnectionLost, Patience
from tests.aigc import sample_program
from tests.aigc.scripted import Answer, Asked, Play, in_turn, job, problem, serving
from tests.web.acting import ActingWorker

QUICK = Patience(retries=2, base=0.001)
ROOT = Path(__file__).parents[2]
HEAD = "retry: 1000\n\n"


def sent(*events: tuple[int | None, str, str]) -> Answer:
    """A stream with events: number, kind, data as JSON."""
    text = HEAD
    for seq, kind, data in events:
        text += (f"id: {seq}\n" if seq else "") + f"event: {kind}\ndata: {data}\n\n: waiting\n\n"
    return Answer(200, text.encode(), {"Content-Type": "text/event-stream"})


def event(seq: int, kind: str = "log", data: str = "{}") -> tuple[int, str, str]:
    return seq, kind, f'{{"seq": {seq}, "kind": "{kind}", "at": "2026-01-31T12:00:00Z", "data": {data}}}'


def streaming(*streams: Answer, state: str = "running") -> Play:
    answers = in_turn(*streams)
    return lambda asked: answers(asked) if "/events" in asked.path else Answer(200, job(state))


def followed(play: Play, after: int = 0) -> tuple[list[tuple[int, str]], list[Asked]]:
    with serving(play) as server, aigc.Client(server.url, patience=QUICK) as client:
        found = [(one.seq, one.kind) for one in client.jobs.get("job_x").stream(after)]
    return found, [asked for asked in server.asked if "/events" in asked.path]


def test_a_stream_goes_on_after_the_last_event() -> None:
    play = streaming(
        sent((None, "progress", '{"step": 1}'), event(1), event(2)),
        Answer(hang_up=True),
        sent((None, "metric", '{"step": 2, "values": {}}'), event(3, "end")),
    )
    found, asked = followed(play)
    assert found == [(0, "progress"), (1, "log"), (2, "log"), (2, "metric"), (3, "end")]
    assert [one.headers.get("Last-Event-ID") for one in asked] == [None, "2", "2"]
    assert {one.headers["Accept"] for one in asked} == {"text/event-stream"}


def test_a_stream_begins_where_it_is_told() -> None:
    found, asked = followed(streaming(sent(event(8, "end"))), after=7)
    assert found == [(8, "end")]
    assert asked[0].headers["Last-Event-ID"] == "7"


def test_where_no_stream_is_left_the_server_is_asked() -> None:
    full = problem(503, "All streams are in use.", code="too-many-streams", headers={"Retry-After": "0"})
    page = {"seq": 3, "kind": "end", "at": "2026-01-31T12:00:00Z", "data": {}}
    play = streaming(sent(event(2)), full, Answer(200, {"data": [page], "has_more": False}))
    found, asked = followed(play)
    assert found == [(2, "log"), (3, "end")]
    assert "after=2" in asked[-1].path


def test_a_job_that_had_ended_before_gives_nothing() -> None:
    assert followed(streaming(sent((None, "progress", "{}")), state="failed"), after=9)[0] == [(9, "progress")]


def test_a_refusal_and_a_dead_server_are_told() -> None:
    with pytest.raises(aigc.NotFound, match="no such job"):
        followed(streaming(problem(404, "There is no such job.")))
    with pytest.raises(aigc.NotReachable):
        followed(streaming(Answer(hang_up=True)))


def test_pauses_grow_and_end() -> None:
    stream = Stream("job_x", Patience(retries=2, base=1.0))
    first, second = stream.failed(ConnectionLost("a")), stream.failed(ConnectionLost("b"))
    assert 0.5 <= first <= 1.0 <= second <= 2.0
    with pytest.raises(aigc.NotReachable, match="c"):
        stream.failed(ConnectionLost("c"))
    stream.read("retry: 1000")  # it is there again
    assert stream.failed(ConnectionLost("d")) <= 1.0


def test_a_job_is_followed_over_its_stream() -> None:
    looks = in_turn(*(Answer(200, job(state)) for state in ("queued", "queued", "running", "succeeded")))
    progress = (None, "progress", '{"step": 5, "total": 10}')
    metric = (None, "metric", '{"step": 5, "values": {"loss": 0.25}}')
    stream = sent(event(1, "state"), progress, metric, event(2), event(3, "end"))

    def play(asked: Asked) -> Answer:
        return stream if "/events" in asked.path else looks(asked)

    with serving(play) as server, aigc.Client(server.url, patience=QUICK) as client:
        made = client.jobs.get("job_x")
        with made.follow(stream=True) as looked:
            seen = [(now.state, now.progress.step, now.last_metrics.get("loss")) for now in looked]
        assert len([asked for asked in server.asked if "/events" not in asked.path]) == 4
    assert seen == [
        ("queued", 3, None),
        ("running", 3, None),
        ("running", 5, None),
        ("running", 5, 0.25),
        ("running", 5, 0.25),
        ("succeeded", 3, None),
    ]


def test_the_real_servers_stream(address: str, worker: ActingWorker, dataset: str) -> None:
    with aigc.Client(address) as client:
        made = client.jobs.submit("image_gan.train", dataset=dataset)
        training = threading.Timer(0.0, worker.train)
        training.start()
        streamed = list(made.stream())
        training.join()
        numbered = [one for one in streamed if one.kind not in ("progress", "metric")]
        assert [(one.seq, one.kind) for one in numbered] == [(one.seq, one.kind) for one in made.events()]
        assert streamed[-1].kind == "end"
        assert "progress" in [one.kind for one in streamed]
        assert [one.seq for one in made.stream(after=numbered[2].seq) if one in numbered[3:]] == [
            one.seq for one in numbered[3:]
        ]


def test_a_program_runs_and_reads_strictly(
    address: str, worker: ActingWorker, dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    training = threading.Timer(0.0, _train_when_asked, [worker])
    training.start()
    said = sample_program.main(address, dataset, tmp_path)
    training.join()
    assert said[-6].startswith("typed succeeded")
    assert said[-5:] == ["4", "10", "half way", "end", "model.zip"]
    with aigc.Client(address) as client:
        (made,) = client.jobs.list(q="typed")
    result: Any = anyio.run(sample_program.same, address, made.id)
    assert result == "[50] end"


def _train_when_asked(worker: ActingWorker) -> None:
    while True:
        try:
            worker.train()
        except AssertionError:
            continue
        return


def test_mypy_reads_the_program_strictly(tmp_path: Path) -> None:
    """As in somebody's project: with mypy's strict mode, and none of our own configuration."""
    assert (ROOT / "aigc" / "py.typed").is_file()
    (tmp_path / "program.py").write_text((ROOT / "tests" / "aigc" / "sample_program.py").read_text(encoding="utf-8"))
    (tmp_path / "wrong.py").write_text("import aigc\n\naigc.Client().jobs.get('job_x').stat\n")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", str(tmp_path / "cache")]
    environment = {"MYPYPATH": "", "PYTHONPATH": str(ROOT), "PATH": ""}
    done = subprocess.run(
        [*command, "program.py", "wrong.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[:-1] == ['wrong.py:3: error: "Job" has no attribute "stat"  [attr-defined]']
