"""LibreOffice's help pages and the questions of banking77 as text datasets, from the folder of benchmark data."""

import csv
import gzip
import json
from pathlib import Path

import numpy as np

from aigc_models.data.texts import Document, Part, TextSet, save_texts

MISSING = (
    "Set AIGC_BENCH_DATA to a folder that holds banking77/train.csv, banking77/test.csv, libreoffice_help_en.jsonl.gz "
    "and libreoffice_help_zh.jsonl.gz."
)
FILES = (
    "banking77/train.csv",
    "banking77/test.csv",
    "libreoffice_help_en.jsonl.gz",
    "libreoffice_help_zh.jsonl.gz",
)
_TESTED = 0.2


def found(folder: str) -> bool:
    """Whether all files are there."""
    return bool(folder) and all((Path(folder) / name).is_file() for name in FILES)


def pages(folder: str, language: str) -> TextSet:
    """The help pages in a language; a fifth of them, the same in both languages, is kept to test."""
    documents = []
    with gzip.open(Path(folder) / f"libreoffice_help_{language}.jsonl.gz", "rt", encoding="utf-8") as stream:
        for line in stream:
            page = json.loads(line)
            parts = [
                Part(section["text"].strip(), heading=" ".join(section["h"].split()), level=1 if section["h"] else 0)
                for section in page["sections"]
                if section["text"].strip() or section["h"].strip()
            ]
            documents.append(Document(page["path"], tuple(parts), page["title"], language))
    order = np.random.default_rng(0).permutation(sorted(one.name for one in documents if one.parts))
    tested = set(order[: int(len(order) * _TESTED)].tolist())
    kept = [one for one in documents if one.parts]
    return TextSet(
        "documents",
        tuple(one for one in kept if one.name not in tested),
        tuple(one for one in kept if one.name in tested),
    )


def banking(folder: str) -> TextSet:
    """Bank questions, each answered with the name of what is meant; the official split."""
    shares = {}
    for share in ("train", "test"):
        with (Path(folder) / "banking77" / f"{share}.csv").open(encoding="utf-8", newline="") as stream:
            shares[share] = tuple(
                Document(
                    f"{share}-{number}",
                    (Part(row["text"], "user"), Part(row["category"].replace("_", " "), "assistant")),
                    language="en",
                )
                for number, row in enumerate(csv.DictReader(stream))
            )
    return TextSet("dialogues", shares["train"], shares["test"])


def saved(texts: TextSet, directory: Path) -> Path:
    """The set as an import would write it."""
    counts = {share: sum(one.characters for one in getattr(texts, share)) for share in ("train", "test")}
    save_texts(texts, {"characters": counts}, directory)
    return directory
