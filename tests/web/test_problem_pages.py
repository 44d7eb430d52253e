"""Each help page says what happened, why, and how to mend it: on the pages, over the API and in a shell."""

import re
import shlex

import click
import pytest
from flask.testing import FlaskClient

from aigc.cli.root import root
from tests.web.reading import read
from web.api import operations
from web.api.render import PREFIX
from web.pages.problem_examples import EXAMPLES
from web.pages.problem_texts import GROUPS, TOPICS
from web.pages.problem_ways import BY_GROUP, WAYS, ways

CODES = [(group, code) for group, topics in GROUPS for code in topics]
COMMAND = re.compile(r"^aigc [a-z].*")
REQUEST = re.compile(r"\b(GET|POST|PATCH|DELETE|HEAD) (/api/v1[^ ,]*)")


def test_no_code_is_forgotten_and_none_is_made_up() -> None:
    assert set(BY_GROUP) == {group for group, _ in GROUPS}
    assert set(WAYS) <= set(TOPICS)


@pytest.mark.parametrize(("group", "code"), CODES, ids=[code for _, code in CODES])
def test_a_page_tells_everything(group: str, code: str) -> None:
    topic, way = TOPICS[code], ways(code, group)
    assert topic.meaning.endswith(".")
    assert topic.remedies
    assert all(each.strip() for each in way)
    assert code in EXAMPLES


def test_the_page_shows_it_in_both_languages(client: FlaskClient) -> None:
    page = read(client, "/docs/problems/invalid-params?lang=en")
    for said in ("Why", "What you can do", "Where to mend it", "On the pages", "Command line", "so no job was made"):
        assert said in page.text, said
    assert "aigc tasks image_gan.train" in page.html
    chinese = read(client, "/docs/problems/invalid-params?lang=zh").text
    for said in ("在哪里解决", "在页面上", "命令行", "没有创建任务"):
        assert said in chinese, said


def commands() -> list[str]:
    found = {way.command for way in (*WAYS.values(), *BY_GROUP.values())}
    found |= {text for example in EXAMPLES.values() for text in example if COMMAND.match(text) and "&" not in text}
    return sorted(found)


@pytest.mark.parametrize("typed", commands())
def test_commands_can_be_typed(typed: str) -> None:
    """The command exists, and so does each of its options; those of other parts are known to argparse."""
    words = shlex.split(typed)
    assert words.pop(0) == "aigc"
    command: click.Command = root
    while words and isinstance(command, click.Group):
        step = command.get_command(click.Context(command), words[0])
        assert step is not None, words[0]
        command, words = step, words[1:]
    if command.context_settings.get("ignore_unknown_options"):
        return
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    assert {word.split("=")[0] for word in words if word.startswith("-")} <= known


def test_requests_that_are_named_exist() -> None:
    shapes = [
        (what.method, re.compile("^" + re.sub(r"\{\w+\}", "[^/]+", PREFIX + what.path) + "$"))
        for _, what in operations()
    ]
    named = [found for way in (*WAYS.values(), *BY_GROUP.values()) for found in REQUEST.findall(way.api)]
    assert len(named) > 30
    for method, address in named:
        path = address.partition("?")[0]
        fits = [shape for known, shape in shapes if known == ("GET" if method == "HEAD" else method)]
        assert path == "/api/v1/openapi.json" or any(shape.match(path) for shape in fits), (method, path)
