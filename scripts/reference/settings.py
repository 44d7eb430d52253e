"""Every environment variable."""

from pydantic_core import PydanticUndefined

from jobs.settings import Settings
from scripts.reference.words import Words, code, table

ABOUT = (
    "Environment variables, read once when a process starts. All processes of one installation must agree on them. "
    "This page is written by `scripts/write_reference.py`."
)


def page(t: Words) -> str:
    """A row for every setting."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, "", PydanticUndefined) else code(field.default)
        if field.default_factory is not None:
            default = t("number of cores")
        rows.append((code(f"AIGC_{name.upper()}"), default, t(field.description or "")))
    return f"# {t('Settings')}\n\n{t(ABOUT)}\n\n" + table((t("variable"), t("default"), t("meaning")), rows)
