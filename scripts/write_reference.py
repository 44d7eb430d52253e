"""Write the pages of docs/reference/ that follow from the code.

.venv/bin/python scripts/write_reference.py
"""

from pathlib import Path

from pydantic_core import PydanticUndefined

from jobs.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
HEAD = """# Settings

Environment variables, read once when a process starts. All processes of one installation must agree on them.
This page is written by `scripts/write_reference.py`.

| variable | default | meaning |
|---|---|---|
"""


def settings_page() -> str:
    """A row for every setting."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, "", PydanticUndefined) else f"`{field.default}`"
        if field.default_factory is not None:
            default = "number of cores"
        rows.append(f"| `AIGC_{name.upper()}` | {default} | {field.description} |\n")
    return HEAD + "".join(rows)


PAGES = {ROOT / "docs" / "reference" / "settings.md": settings_page}


def main() -> None:
    """Write all pages."""
    for path, page in PAGES.items():
        path.write_text(page())


if __name__ == "__main__":
    main()
