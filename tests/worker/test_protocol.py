import os
import threading
from collections.abc import Iterator

import pytest

from worker.protocol import BrokenProtocol, Message, Reader, Writer


@pytest.fixture
def pipe() -> Iterator[tuple[Reader, Writer]]:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    writer = Writer(writing)
    yield Reader(reading), writer
    writer.close()
    os.close(reading)


def test_messages_arrive_whole_and_in_order(pipe: tuple[Reader, Writer]) -> None:
    reader, writer = pipe
    writer.send("log", line="one\ntwo \u4e2d")
    writer.send("phase", name="training")
    assert reader.read_all() == [
        {"kind": "log", "line": "one\ntwo \u4e2d"},
        {"kind": "phase", "name": "training"},
    ]
    assert reader.read_all() == []


def test_a_message_larger_than_the_pipe_is_put_together(pipe: tuple[Reader, Writer]) -> None:
    reader, writer = pipe
    sending = threading.Thread(target=writer.send, args=("log",), kwargs={"line": "x" * 300_000})
    sending.start()
    found: list[Message] = []
    while not found:
        found = reader.read_all()
    sending.join()
    assert len(found[0]["line"]) == 300_000


def test_the_end_of_the_pipe_is_seen(pipe: tuple[Reader, Writer]) -> None:
    reader, writer = pipe
    writer.send("log", line="last")
    writer.close()
    assert [message["line"] for message in reader.read_all()] == ["last"]
    assert reader.ended
    with pytest.raises(BrokenPipeError):
        writer.send("log", line="too late")


@pytest.mark.parametrize("line", [b"garbage\n", b"[1]\n", b'{"no": "kind"}\n', b"\xff\xfe\n"])
def test_what_is_no_message_is_refused(line: bytes) -> None:
    reading, writing = os.pipe()
    os.write(writing, line)
    os.close(writing)
    with pytest.raises(BrokenProtocol):
        Reader(reading).read_all()
    os.close(reading)


def test_a_figure_that_is_no_number_is_never_sent(pipe: tuple[Reader, Writer]) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        pipe[1].send("progress", values={"loss": float("nan")})
