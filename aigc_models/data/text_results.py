"""The files in which written texts are kept. Only the standard library is used: the web process reads them.

A job that writes leaves :data:`TEXTS`, a line of JSON for each text, :data:`PLAIN`, the same to read, :data:`SHOWN`,
the first :data:`MOST_SHOWN` of them to look at, and :data:`ARCHIVE`, all of it with a manifest.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

TEXTS, PLAIN, SHOWN, ARCHIVE = "texts.jsonl", "texts.txt", "texts.json", "samples.zip"
MOST_SHOWN = 100


@dataclass(frozen=True, slots=True)
class WrittenText:
    """A text a model wrote.

    Attributes:
        text: What was written, without the prompt.
        seed: What its draws follow from.
        prompt: What it was told to begin with.
        attributes: What it was asked to be like, or what the model said of it itself.
        ended: Why it ended: ``end`` by itself, ``stop`` at a text, ``length`` at the most tokens.
        tokens: Tokens written.
        scores: How the best was chosen, by name.
        about: What it shows, such as where between two sentences it lies; empty where nothing is to be said.
    """

    text: str
    seed: int
    prompt: str = ""
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    ended: str = "end"
    tokens: int = 0
    scores: Mapping[str, float] = field(default_factory=dict)
    about: str = ""


def save_texts(texts: Sequence[WrittenText], manifest: Mapping[str, Any], directory: Path) -> None:
    """Write all files of a job that wrote texts.

    Args:
        texts: In their order.
        manifest: What they were made with.
        directory: Where the job's results go.
    """
    lines = [json.dumps(_told(one), ensure_ascii=False) for one in texts]
    (directory / TEXTS).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    plain = "\n\n----\n\n".join(f"{one.prompt}{one.text}" for one in texts)
    (directory / PLAIN).write_text(plain + "\n", encoding="utf-8")
    shown = {"texts": [_told(one) for one in texts[:MOST_SHOWN]], "total": len(texts)}
    (directory / SHOWN).write_text(json.dumps(shown, ensure_ascii=False), encoding="utf-8")
    with ZipFile(directory / ARCHIVE, "w", ZIP_DEFLATED) as archive:
        files = {"manifest.json": json.dumps(dict(manifest), ensure_ascii=False, indent=1).encode()}
        files |= {name: (directory / name).read_bytes() for name in (TEXTS, PLAIN)}
        for name, content in files.items():
            archive.writestr(ZipInfo(name), content, ZIP_DEFLATED)  # no time in it: the same texts give the same bytes


def parse_shown(stored: Mapping[str, Any]) -> tuple[list[WrittenText], int]:
    """The texts to look at, and how many there are in all.

    Raises:
        KeyError, TypeError, ValueError: It is no such file.
    """
    return [_text(one) for one in stored["texts"][:MOST_SHOWN]], int(stored["total"])


def _told(one: WrittenText) -> dict[str, Any]:
    return {name: value for name, value in asdict(one).items() if value not in ("", {}, 0) or name in ("text", "seed")}


def _text(stored: Mapping[str, Any]) -> WrittenText:
    attributes = {str(name): [str(value) for value in values] for name, values in stored.get("attributes", {}).items()}
    return WrittenText(
        str(stored["text"]),
        int(stored["seed"]),
        str(stored.get("prompt", "")),
        attributes,
        str(stored.get("ended", "end")),
        int(stored.get("tokens", 0)),
        {str(name): float(score) for name, score in stored.get("scores", {}).items()},
        str(stored.get("about", "")),
    )
