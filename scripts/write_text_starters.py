"""Write the bundled text datasets that are made of something else: help pages and small dialogues.

``scripts/write_text_starters.py help`` packs ``docs/`` as English and Chinese help documents.
``scripts/write_text_starters.py dialogues FOLDER`` reads an unpacked chatterbot-corpus 1.3.3 (its sdist from PyPI).
"""

import gzip
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FILES = ROOT / "aigc_models" / "data" / "starter_files"
SECTIONS = ("tutorials", "how-to", "explanation")
PAGES = ("reference/states",)
LANGUAGES = {"english": "en", "chinese": "zh"}
# Others hold insults, stale politics, questions about one chatbot, or code; tech_support repeats itself.
TOPICS = (
    "botprofile", "computers", "conversations", "food", "greetings", "health", "history", "literature", "money",
    "movies", "science", "sports", "trivia",
)  # fmt: skip
TURNS = frozenset({"conversations", "greetings", "health"})  # the others list several answers to one question


# Tables of the reference whose rows are pages of their own: the file, its folder, and the columns of the heading and
# of the text.
ROWS = (
    ("reference/error-codes", "problems", 2, 3),
    ("reference/tasks", "settings", 1, 4),
    ("reference/settings", "variables", 0, 2),
)
LEAST_WORDS = 8  # of a text in English; what says less in "Trained model to use." is left out in both languages


def cells(line: str) -> list[str]:
    """The cells of a row of a Markdown table."""
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def rows(page: Path, heading: int, said: int) -> list[tuple[str, str]]:
    """The rows of a page's tables as a heading and a text each."""
    found: list[tuple[str, str]] = []
    head: list[str] = []
    lines = page.read_text(encoding="utf-8").splitlines()
    for line, after in pairwise([*lines, ""]):
        if after.startswith("|--"):
            head = cells(line)
        elif line.startswith("| ") and head and len(row := cells(line)) == len(head) > max(heading, said):
            found.append((row[heading].strip("`"), row[said]))
    return found


def row_pages(source: str, heading: int, said: int) -> Iterator[tuple[str, str, str]]:
    """Rows as pages, each with its language; of rows with the same heading in English the first."""
    both = [rows(ROOT / "docs" / f"{source}{suffix}", heading, said) for suffix in (".md", ".zh.md")]
    seen: set[str] = set()
    for (title, text), other in zip(*both, strict=True):
        if title not in seen and len(text.split()) >= LEAST_WORDS:
            seen.add(title)
            yield "en", title, text
            yield "zh", *other


def write_help(path: Path) -> None:
    """Pack the pages, each language in a folder; the same bytes for the same pages."""
    docs = ROOT / "docs"
    found = sorted(page for section in SECTIONS for page in (docs / section).glob("*.md"))
    found += [docs / f"{page}{suffix}" for page in PAGES for suffix in (".md", ".zh.md")]
    with zipfile.ZipFile(path, "w") as archive:
        for page in found:
            name = page.relative_to(docs).as_posix()
            chinese = name.endswith(".zh.md")
            name = f"zh/{name.removesuffix('.zh.md')}.md" if chinese else f"en/{name}"
            entry = zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, page.read_bytes(), compresslevel=9)
        for source, folder, heading, said in ROWS:
            for number, (language, title, text) in enumerate(row_pages(source, heading, said)):
                entry = zipfile.ZipInfo(f"{language}/{folder}/{number // 2:03}.md", (2024, 1, 1, 0, 0, 0))
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, f"# {title}\n\n{text}\n".encode(), compresslevel=9)


def dialogues(corpus: Path) -> Iterator[dict[str, Any]]:
    """Dialogues with topic and language; several answers to a question are a dialogue each."""
    import yaml

    for folder, language in LANGUAGES.items():
        for topic in TOPICS:
            file = corpus / "chatterbot_corpus" / "data" / folder / f"{topic}.yml"
            said = yaml.safe_load(file.read_text(encoding="utf-8"))["conversations"] if file.exists() else []
            for lines in said:
                turns = [" ".join(str(line).split()) for line in lines if line is not None and str(line).strip()]
                chats = [turns] if topic in TURNS else [[turns[0], answer] for answer in turns[1:]]
                for chat in chats:
                    roles = ("user", "assistant")
                    spoken = [{"role": roles[place % 2], "text": text} for place, text in enumerate(chat)]
                    if len(spoken) > 1:
                        yield {"language": language, "topic": topic, "turns": spoken}


def write_dialogues(corpus: Path, path: Path) -> None:
    """Write them as JSON lines packed with gzip, each once."""
    lines = dict.fromkeys(json.dumps(one, ensure_ascii=False) + "\n" for one in dialogues(corpus))
    path.write_bytes(gzip.compress("".join(lines).encode(), 9, mtime=0))
    licence = (corpus / "license.md").read_text(encoding="utf-8")
    about = (
        "small_talk.jsonl.gz holds small dialogues in English and Chinese, a part of chatterbot-corpus 1.3.3\n"
        "(https://github.com/gunthercox/chatterbot-corpus).\n\n"
    )
    (FILES / "LICENSE.small_talk.txt").write_text(about + licence, encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1] == "help":
        write_help(FILES / "foundry_help.zip")
    else:
        write_dialogues(Path(sys.argv[2]), FILES / "small_talk.jsonl.gz")
