from pathlib import Path

import pytest

from jobs import migrate, tokens
from jobs.engine import open_engine
from jobs.settings import Settings
from jobs.token_command import main


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIGC_HOME", str(tmp_path))
    for name in ("AIGC_DATABASE_URL", "AIGC_REDIS_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def _migrated() -> None:
    engine = open_engine(Settings())
    migrate.upgrade(engine.db)
    engine.db.dispose()


@pytest.mark.usefixtures("_migrated")
def test_a_token_is_made_listed_and_revoked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["create", "--name", "notebook", "--scope", "read", "--expires", "30d"]) == 0
    secret = capsys.readouterr().out.strip()
    engine = open_engine(Settings())
    caller = tokens.verify(engine, secret)
    assert caller is not None
    assert caller.scope == "read"
    assert main(["list"]) == 0
    line = capsys.readouterr().out
    assert secret not in line
    assert line.endswith("\tnotebook\n")
    assert main(["revoke", line.split("\t")[0]]) == 0
    assert tokens.verify(engine, secret) is None
    engine.db.dispose()


@pytest.mark.usefixtures("_migrated")
def test_an_unknown_token_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["revoke", "tok_x"]) == 1
    assert "There is no token called tok_x" in capsys.readouterr().err


def test_a_database_without_tables_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 1
    assert "Run: aigc migrate" in capsys.readouterr().err


def test_a_wrong_time_is_usage() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["create", "--expires", "soon"])
    assert ended.value.code == 2
