"""What ``@last`` stands for: the newest that fits, and it is said which."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from aigc.cli import run
from tests.aigc.scripted import Answer, Asked, Play, Scripted, job, problem, serving

TASKS = [
    {"task": "image_gan.train", "makes": "model", "schema": {"properties": {}}, "metrics": {}},
    {"task": "image_gan.generate", "makes": "files", "schema": {"properties": {}}, "metrics": {}},
    {"task": "sasrec.train", "makes": "model", "schema": {"properties": {}}, "metrics": {}},
    {"task": "sasrec.recommend", "makes": "files", "schema": {"properties": {}}, "metrics": {}},
]
MODELS = [
    {"id": f"mdl_{'0' * 25}{number}", "name": name, "version": 1, "family": family, "metrics": {}}
    for number, name, family in ((2, "films", "sasrec"), (1, "shoes", "image_gan"))
]


def listed(rows: Any) -> Answer:
    return Answer(200, {"data": rows, "has_more": False, "next_cursor": None})


def shop(models: list[dict[str, Any]], jobs: list[dict[str, Any]]) -> Play:
    """A server with these models and jobs."""

    def play(asked: Asked) -> Answer:
        path, query = urlsplit(asked.path).path.removeprefix("/api/v1"), parse_qs(urlsplit(asked.path).query)
        if asked.method == "POST":
            return Answer(202, job("queued"))
        if path == "/models":
            return listed(models)
        if path.startswith("/models/") and any(path.endswith(one["id"]) for one in models):
            return Answer(200, next(one for one in models if path.endswith(one["id"])))
        if path == "/jobs":
            return listed([one for one in jobs if one["state"] in query.get("state", [one["state"]])])
        if path == "/tasks":
            return listed(TASKS)
        if path.startswith("/tasks/"):
            return Answer(200, next(task for task in TASKS if task["task"] == path.split("/")[2]))
        return problem(404, "There is nothing here.")

    return play


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Scripted]:
    monkeypatch.chdir(tmp_path)
    with serving(
        shop(MODELS, [job("running", name="now"), job("succeeded", name="before", id="job_" + "1" * 26)])
    ) as up:
        monkeypatch.setenv("AIGC_URL", up.url)
        yield up


def posted(server: Scripted) -> str:
    return next(asked.path for asked in server.asked if asked.method == "POST")


def test_the_last_model_is_the_newest_that_can_do_it(full: Scripted, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "generate", "@last"]) == 0
    assert posted(full) == f"/api/v1/models/{MODELS[1]['id']}/generate"
    assert f"@last is shoes v1 (image_gan): {MODELS[1]['id']}\n" in capsys.readouterr().err
    full.asked.clear()
    assert run(["models", "recommend", "@last"]) == 0
    assert posted(full) == f"/api/v1/models/{MODELS[0]['id']}/recommend"
    printed = capsys.readouterr()
    assert "@last is films v1 (sasrec)" in printed.err
    assert printed.out == job()["id"] + "\n"


def test_the_last_job_is_the_newest_that_fits(full: Scripted, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["jobs", "cancel", "@last"]) == 0
    assert "@last is now (image_gan.train): job_0000" in capsys.readouterr().err
    assert run(["jobs", "retry", "@last"]) == 0
    assert "@last is before (image_gan.train): job_1111" in capsys.readouterr().err
    assert run(["jobs", "recommendations", "@last"]) == 1
    assert "There is no job that this fits." in capsys.readouterr().err


def test_no_model_yet_says_which_training_makes_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with serving(shop([], [job("queued", name="shoes")])) as waiting:
        assert run(["models", "generate", "@last", "--url", waiting.url]) == 1
        told = capsys.readouterr().err
        assert "There is no model yet. The training shoes makes one, but has not ended." in told
        assert f"aigc jobs watch {job()['id']}" in told
        assert "Train one first" not in told
        assert run(["models", "show", "shoes", "--url", waiting.url]) == 1
        assert "There is no model yet. The training shoes makes one" in capsys.readouterr().err
    with serving(shop([], [])) as empty:
        assert run(["models", "show", "@last", "--url", empty.url]) == 1
    assert "There is no model yet. Train one first: aigc submit image_gan.train --data FILE" in capsys.readouterr().err


def test_an_unknown_name_says_how_to_list_the_known_ones(full: Scripted, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "show", "hats"]) == 1
    assert "There is no model version called hats. List them with: " in capsys.readouterr().err
    assert run(["models", "show", "shoez"]) == 1
    assert "Did you mean shoes? List them with: " in capsys.readouterr().err


def test_an_alias_that_stands_for_nothing_is_no_other_name(full: Scripted, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "generate", "shoes@production"]) == 1
    told = capsys.readouterr().err
    assert "production stands for no version of shoes. Say shoes for the newest one, or:" in told
    assert "models promote shoes production" in told


def test_a_use_that_a_family_does_not_know_names_its_own(full: Scripted, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "generate", "@last", "--url", full.url]) == 0
    capsys.readouterr()
    assert run(["models", "reply", str(MODELS[0]["id"]), "Why?"]) == 2
    told = capsys.readouterr().err
    assert "films is a sasrec, which has no reply. Use it with:" in told
    assert "models recommend films" in told
    assert "image_gan" not in told


def test_an_empty_list_says_what_to_do_next(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with serving(shop([], [])) as empty:
        assert run(["models", "list", "--url", empty.url]) == 0
        assert "There is no model yet. Train one first:" in capsys.readouterr().err
        assert run(["jobs", "list", "--url", empty.url]) == 0
        assert "There is no job yet. Start one first:" in capsys.readouterr().err
        assert run(["jobs", "list", "--task", "sasrec.train", "--url", empty.url]) == 0
        assert "There is no job that this fits." in capsys.readouterr().err
