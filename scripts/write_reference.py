"""Write the pages of docs/reference/, which follow from the code, in both languages.

.venv/bin/python scripts/write_reference.py
"""

import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts.reference import (  # noqa: E402
    cli,
    database,
    error_codes,
    http_api,
    metrics,
    python_client,
    settings,
    states,
    tasks,
)
from scripts.reference.chinese import punctuate  # noqa: E402
from scripts.reference.words import LANGUAGES, Words  # noqa: E402

FOLDER = ROOT / "docs" / "reference"
WRITERS: dict[str, Callable[[Words], str]] = {
    "cli": cli.page,
    "database": database.page,
    "error-codes": error_codes.page,
    "http-api": http_api.page,
    "metrics": metrics.page,
    "python-client": python_client.page,
    "settings": settings.page,
    "states": states.page,
    "tasks": tasks.page,
}


def pages(locale: str) -> tuple[dict[Path, str], list[str]]:
    """All pages in a language by their files, and the sentences that have no translation."""
    words = Words(locale)
    made: dict[Path, str] = {}
    for name, write in WRITERS.items():
        text = write(words).rstrip("\n") + "\n"
        made[FOLDER / f"{name}{LANGUAGES[locale]}"] = text if locale == "en" else punctuate(text)
    return made, list(dict.fromkeys(words.missing))


def main() -> int:
    """Write all pages; name what lacks a translation."""
    lacking = 0
    for locale in LANGUAGES:
        made, missing = pages(locale)
        for path, text in made.items():
            path.write_text(text, encoding="utf-8")
        lacking += len(missing)
        for sentence in missing:
            print(f"{locale}: no translation in scripts/reference/zh_Hans.po: {sentence}")
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
