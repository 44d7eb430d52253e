"""Collect every sentence a user may read and bring the translations' files up to date.

Sentences come from: templates (``t`` and ``tn``), the words of pages (module constants), params'
titles, descriptions and units, families, figures, errors, faults (sentence-like constants of the
code that raises them), and the API's description. Run it after changing any of them:

    .venv/bin/python scripts/extract_messages.py          # update the .po files
    .venv/bin/python scripts/extract_messages.py --check  # only say what is missing
"""

import argparse
import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from babel.messages.catalog import Catalog  # noqa: E402
from babel.messages.extract import extract_from_file  # noqa: E402
from babel.messages.pofile import read_po, write_po  # noqa: E402

from aigc_models import registry  # noqa: E402
from aigc_models.data import kinds, uploads  # noqa: E402
from aigc_models.data.starters import STARTERS  # noqa: E402
from aigc_models.metrics.table_figures import TABLE_METRICS  # noqa: E402
from jobs import inputs  # noqa: E402
from jobs import states as labels  # noqa: E402
from jobs.errors import AigcError  # noqa: E402
from web import failures, openapi  # noqa: E402
from web.pages import (  # noqa: E402
    api_docs,
    augmentation,
    dataset_report,
    datasets,
    help_pages,
    home,
    how_to,
    interaction_report,
    log_report,
    names,
    problem_texts,
    problem_ways,
    ranking,
    results,
    states,
    table_quality,
    table_report,
    text_report,
    tokens,
)
from web.pages.webhook import STATES as DELIVERY_STATES  # noqa: E402

TRANSLATIONS = ROOT / "web" / "translations"
LOCALES = ("zh_Hans",)
KEYWORDS: dict[str, Any] = {"t": None, "tn": (1, 2), "say": None, "plural": (1, 2)}
SPEAKING = ("aigc_models", "jobs", "web", "worker")
SILENT = (  # what operators read in a terminal or a log, and what is collected otherwise
    "asking.py",  # questions of simulated dialogues
    "__main__.py",
    "problem_texts.py",
    "data_problems.py",
    "problem_examples.py",
    "problem_ways.py",
    "planted_texts.py",
    "planted_operations.py",
    "wording.py",  # how-tos, which are written in two languages
    "off_topic.py",  # what is asked, not what is said
    "openapi.py",
    "bind_guard.py",
    "token_command.py",
    "schemas.py",
    "doctor.py",
    "health.py",
    "metrics.py",
    "scaling.py",
    "alive.py",
    "tracing.py",
    "migrate.py",
    "collector.py",
    "operating.py",
    "storage_lock.py",
    "backup_format.py",
    "dumping.py",
    "backup.py",
    "restore.py",
    "integrity.py",
    "verify.py",
    "retention.py",
    "gc_command.py",
    "app.py",
    "launch.py",
    "recorder.py",
    "runner.py",
    "tasks.py",
)
TELLING = ("table_sentences.py",)  # pages' modules that choose among sentences before they say one
Message = str | tuple[str, ...]


def collect() -> list[Message]:
    """Every sentence, once, in a stable order."""
    found: dict[Message, None] = {}
    for source in (_templates, _python, _pages, _tasks, _errors, _sentences, _api):
        found.update(dict.fromkeys(message for message in source() if message and message != ("", "")))
    return list(found)


def _templates() -> Iterator[Message]:
    for path in sorted((ROOT / "web" / "templates").rglob("*.html")):
        for _line, message, _comments, _context in extract_from_file("jinja2", path, KEYWORDS):
            yield message


def _python() -> Iterator[Message]:
    """First arguments of ``say`` and ``plural``."""
    for path in sorted((ROOT / "web").rglob("*.py")):
        for _line, message, _comments, _context in extract_from_file("python", path, KEYWORDS):
            yield message


def _pages() -> Iterator[Message]:
    yield from (look.word for look in states.LOOKS.values())
    yield from states.HINTS.values()
    yield labels.NO_WORKER  # ends with a command, so it does not read like a sentence
    for table in (names.OPERATIONS, names.VERBS, names.PHASES, names.CURVES, names.OUTCOMES, DELIVERY_STATES):
        yield from table.values()
    yield from results.DIRECTIONS.values()
    for table in (table_quality.TYPES, table_quality.MEASURES, table_quality.COMPARED, augmentation.SIDES):
        yield from table.values()
    yield from (text for pair in names.PRESETS.values() for text in pair)
    for use in home.USES:
        yield from (use.title, use.sentence, use.about)
    yield from (word for word, _icon, _tone in datasets.CHECKS.values())
    yield from dataset_report.COLOURS.values()
    yield from (*table_report.TYPES.values(), *table_report.MARKS.values(), *table_report.PERSONAL.values())
    for table in (interaction_report.UNITS, interaction_report.ROLES, interaction_report.DELIMITERS):
        yield from table.values()
    yield from interaction_report.PERSONAL.values()
    for words in (text_report.ROLES, text_report.FORMATS, text_report.LANGUAGES, text_report.USES):
        yield from words.values()
    for shape in text_report.SHAPES.values():
        yield from shape
    yield from (*text_report.PERSONAL.values(), text_report.TWICE)
    for one in ranking.COMPARISONS:
        yield from (one.title, one.plain, *(head for _, head in one.figures))
        yield from (text for pair in one.ways.values() for text in pair)
    yield from (*log_report.USES.values(), *log_report.SESSIONS.values(), log_report.TWICE, *how_to.PITFALLS.values())
    yield from (text for _scope, *pair in tokens.SCOPES for text in pair)
    yield from (sentence for _state, sentence in help_pages.STATES)
    yield from (
        "bytes",
        "KB",
        "MB",
        "GB",
        "TB",
        "dataset",
        "model version",
        "job",
        "file",
        "token",
        "task",
        "starter",
        "delivery",
        "upload",
        "worker",
        "queue",
        "pause",
        "alias",
        "page",
        "problem",
    )
    for name, topics in problem_texts.GROUPS:
        yield name
        for topic in topics.values():
            yield from (topic.title, topic.meaning, *topic.remedies)
    yield from (one.pages for one in (*problem_ways.WAYS.values(), *problem_ways.BY_GROUP.values()))


def _tasks() -> Iterator[Message]:
    for family in registry.families().values():
        yield from (family.title, family.summary)
        for info in family.metrics.values():
            yield from (info.title, info.description, info.of, info.alone)
    for info in TABLE_METRICS.values():
        yield from (info.title, info.description, info.of, info.alone)
    for params in registry.tasks().values():
        yield (params.__doc__ or "").strip().partition("\n")[0]
        for own in params.model_json_schema()["properties"].values():
            yield from (own.get("title", ""), own.get("description", ""), own.get("x-unit", ""))
    yield from inputs.DATASETS.values()
    yield from (*(kind for _, kind in uploads._KNOWN), *uploads._OFFICE.values(), *kinds.HOLDS.values(), kinds.ANYTHING)
    for kind in kinds.KINDS.values():
        yield from (kind.title, kind.wanted, kind.about, kind.ready, kind.counted)
    for starter in STARTERS.values():
        yield from (starter.title, starter.notes)


def _errors() -> Iterator[Message]:
    kinds: list[type[AigcError]] = [AigcError, *_below(AigcError)]
    for error in kinds:
        yield error.title
        yield (error.__doc__ or "").strip().splitlines()[0]
    for reason in failures.REASONS.values():
        yield from (reason.title, reason.detail)
    yield from failures.DUPLICATES.values()


def _below(kind: type[AigcError]) -> Iterator[type[AigcError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)


def _sentences() -> Iterator[Message]:
    """Constants that read like sentences, where faults and hints are made; docstrings are none of them."""
    for package in SPEAKING:
        for path in sorted((ROOT / package).rglob("*.py")):
            page = package == "web" and "pages" in path.parts
            if path.name in SILENT or (page and path.name not in TELLING):
                continue
            tree = ast.parse(path.read_text(encoding="utf-8"))
            skipped = {id(node) for node in _docstrings(tree)} | {id(node) for node in _declared(tree)}
            texts = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in skipped)
            yield from (node.value for node in texts if isinstance(node.value, str) and is_sentence(node.value))


def is_sentence(text: str) -> bool:
    """Whether a constant is meant for people: it has words, a capital or a gap in front, and an end or a command."""
    ends = text.endswith((".", ":", "?", ": {command}"))
    return " " in text and "\n" not in text and text[0] in "{ABCDEFGHIJKLMNOPQRSTUVWXYZ" and ends


def _docstrings(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def _declared(tree: ast.AST) -> Iterator[ast.AST]:
    """What is collected elsewhere (settings, figures, API texts) or is never translated (logs, operators' settings)."""
    own = {"setting", "Field", "MetricInfo", "Family", "dataset_input", "model_input", "Reply", "operation", "Starter"}
    other = {
        "getLogger",
        "log",
        "RuntimeError",
        "ValueError",
        "TypeError",
        "debug",
        "info",
        "warning",
        "error",
        "exception",
    }
    for node in ast.walk(tree):
        headers = isinstance(node, ast.Assign) and _name(node.targets[0]).endswith("HEADERS")
        if headers or (isinstance(node, ast.Call) and _name(node.func) in own | other):
            yield from (part for part in ast.walk(node) if isinstance(part, ast.Constant))


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _api() -> Iterator[Message]:
    yield from openapi.TAGS.values()
    for operations in api_docs.groups().values():
        for one in operations:
            yield from (one.summary, one.description)
            yield from (row.description for row in one.rows)
            # errors are told by their codes, which are no sentences
            yield from (text for status, text in one.replies if int(status) < 400)


def catalog(locale: str) -> Catalog:
    """The committed translations of a language."""
    path = _path(locale)
    if not path.is_file():
        return Catalog(locale=locale, project="AIGC Foundry", version="1", fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=locale)


def update(locale: str, messages: Iterable[Message]) -> Catalog:
    """The translations with exactly these sentences; what is not said any more is dropped."""
    old = catalog(locale)
    new = Catalog(locale=locale, project="AIGC Foundry", version="1", fuzzy=False, creation_date=old.creation_date)
    new.revision_date = old.revision_date
    for message in messages:
        known = old.get(message[0] if isinstance(message, tuple) else message)
        flags = ["python-brace-format"] if "{" in str(message) else []
        new.add(message, known.string if known and known.id == message else None, flags=flags)
    return new


def missing(found: Catalog) -> list[str]:
    """Sentences without a translation."""
    return [str(message.id) for message in found if message.id and not _translated(message.string)]


def _translated(string: Any) -> bool:
    return all(string) if isinstance(string, list | tuple) else bool(string)


def _path(locale: str) -> Path:
    return TRANSLATIONS / locale / "LC_MESSAGES" / "messages.po"


def main() -> int:
    """Update, or only check."""
    parser = argparse.ArgumentParser(description="Bring the translations' files up to date.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when something is missing")
    only_check = parser.parse_args().check
    messages = collect()
    untranslated = 0
    for locale in LOCALES:
        found = update(locale, messages)
        lacking = missing(found)
        untranslated += len(lacking)
        print(f"{locale}: {len(messages)} sentences, {len(lacking)} without a translation")
        for text in lacking:
            print(f"  {text}")
        if not only_check:
            _path(locale).parent.mkdir(parents=True, exist_ok=True)
            with _path(locale).open("wb") as file:
                write_po(file, found, width=110, omit_header=False)
    return 1 if only_check and untranslated else 0


if __name__ == "__main__":
    sys.exit(main())
