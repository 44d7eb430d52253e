"""Reference pages say what the code does."""

from pathlib import Path

import pytest

from jobs.settings import Settings
from scripts.write_reference import PAGES


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_pages_are_as_the_code_is(path: Path) -> None:
    assert path.read_text() == PAGES[path](), "run: .venv/bin/python scripts/write_reference.py"


def test_every_setting_is_explained() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
