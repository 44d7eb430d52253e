"""Reference pages say what the code does, in both languages."""

import pytest

from jobs.settings import Settings
from scripts.reference.words import LANGUAGES
from scripts.write_reference import pages


@pytest.mark.parametrize("locale", LANGUAGES)
def test_pages_are_as_the_code_is(locale: str) -> None:
    made, missing = pages(locale)
    assert missing == [], "add them to scripts/reference/zh_Hans.po"
    old = [path.name for path, text in made.items() if not path.is_file() or path.read_text("utf-8") != text]
    assert old == [], "run: .venv/bin/python scripts/write_reference.py"


def test_every_setting_is_explained() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
