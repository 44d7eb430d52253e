"""What the client says of its own is said in both languages."""

import ast
import json
import string
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

import aigc
from aigc import progress
from aigc.chinese import CHINESE
from aigc.cli import figures, naming, run, tasks
from aigc.speech import say, speak, speaking
from tests.aigc.scripted import Answer, in_turn, job, problem, serving

ROOT = Path(__file__).parents[2] / "aigc"
TABLES = (progress._PHASES, progress._STATES, progress._STARTS, tasks._KINDS, figures._DIRECTIONS)
TABLES_OF_NOUNS = (naming._NONE, naming._NONE_YET, naming._NONE_FITS, naming._FIRST, naming._SEVERAL)


def spoken() -> Iterator[str]:
    """Every sentence that is given to ``say``: as a constant, as one of two, or by the name of a constant."""
    for path in ROOT.rglob("*.py"):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from _spoken_in(function)
    for table in TABLES:
        yield from table.values()
    for nouns in TABLES_OF_NOUNS:
        yield from nouns.values()


def _spoken_in(function: ast.AST) -> Iterator[str]:
    named = {
        node.targets[0].id: node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for node in ast.walk(function):
        called = node.func if isinstance(node, ast.Call) else None
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if isinstance(node, ast.Call) and name == "say" and node.args:
            first = node.args[0]
            yield from _constants(named.get(first.id, first) if isinstance(first, ast.Name) else first)
        if isinstance(node, ast.Call) and name == "table" and isinstance(node.args[0], ast.Tuple):
            yield from (word for item in node.args[0].elts for word in _constants(item) if word)


def _constants(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from _constants(node.body)
        yield from _constants(node.orelse)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def gaps(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


def test_every_sentence_has_its_chinese() -> None:
    assert sorted(set(spoken()) - set(CHINESE)) == []


def test_translations_have_the_same_gaps_and_no_english_left_over() -> None:
    assert [told for sentence, told in CHINESE.items() if gaps(sentence) != gaps(told)] == []
    source = "".join(path.read_text(encoding="utf-8") for path in ROOT.rglob("*.py") if path.name != "chinese.py")
    source += (ROOT.parent / "jobs" / "doctor.py").read_text(encoding="utf-8")
    apart = {"checking", "ready", "refused", "Database", "Broker", "Disk", "Workers"}  # words of the server's
    assert [sentence for sentence in CHINESE if sentence not in source and sentence not in apart] == []


def test_the_states_read_as_on_the_pages() -> None:
    from web.pages import states

    folder = ROOT.parent / "web" / "translations" / "zh_Hans" / "LC_MESSAGES"
    catalogue = (folder / "messages.po").read_text(encoding="utf-8")
    words = {look.word for look in states.LOOKS.values()} & set(CHINESE)
    assert len(words) >= 8
    assert [word for word in words if f'msgid "{word}"\nmsgstr "{CHINESE[word]}"' not in catalogue] == []


def test_a_language_is_spoken_inside_only() -> None:
    with speaking("en"):
        with speaking("zh-CN"):
            assert say("Queued") == "排队中"
            with speaking(None):
                assert say("{count} jobs are ahead", count=2) == "前面还有 2 个任务"
            speak("fr")
            assert say("Queued") == "Queued"
        assert say("Queued") == "Queued"


def test_the_command_speaks_chinese(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with serving(in_turn(*(Answer(200, job(state)) for state in ("queued", "running", "succeeded")))) as server:
        assert run(["jobs", "watch", job()["id"], "--url", server.url, "--lang", "zh-CN"]) == 0
    told = capsys.readouterr().err
    assert "训练  30 %  3/10  每秒 5 步  约剩 7 秒" in told
    assert f"任务 {job()['id']} 已成功。" in told
    assert server.asked[0].headers["Accept-Language"] == "zh-CN"
    monkeypatch.setenv("AIGC_LANG", "zh-CN")
    assert run(["jobs", "list", "--url", server.url]) == 5
    assert f"错误：{server.url} 没有服务器响应。启动命令：aigc up" in capsys.readouterr().err
    monkeypatch.delenv("AIGC_LANG")
    assert run(["jobs", "list", "--url", server.url]) == 5
    assert "No server answers" in capsys.readouterr().err


def test_the_clients_errors_are_in_its_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with (
        serving(
            in_turn(Answer(200, job("running")), Answer(200, job("running")), Answer(200, job("cancelled")))
        ) as server,
        aigc.Client(server.url, language="zh-CN") as client,
    ):
        followed = client.jobs.get("job_x")
        with pytest.raises(aigc.WaitTimeout, match="它会继续运行"):
            followed.wait(timeout=0.01)
        with pytest.raises(aigc.JobFailed, match="已取消"):
            followed.wait()

    async def lost() -> None:
        async with aigc.AsyncClient(server.url, language="zh-CN", patience=aigc.Patience(retries=0)) as client:
            with pytest.raises(aigc.NotReachable, match="没有服务器响应"):
                await client.jobs.list()

    anyio.run(lost)


def test_the_doctor_speaks_chinese(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIGC_HOME", str(tmp_path / "home"))
    with serving(in_turn(problem(503, "忙"))) as server:
        assert run(["doctor", "--url", server.url, "--lang", "zh-CN"]) == 1
        told = capsys.readouterr().out
        assert run(["doctor", "--url", server.url, "--lang", "zh-CN", "--json"]) == 1
    assert "✕ 数据库: SQLite：还没有数据库文件\n    处理: 请运行：aigc migrate" in told
    assert "Fix" not in told
    assert "数据库" in [finding["what"] for finding in json.loads(capsys.readouterr().out)]
