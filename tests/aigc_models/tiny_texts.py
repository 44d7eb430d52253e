"""Tiny sets of texts for the tests of families that write."""

import random
from pathlib import Path

from aigc_models.data.texts import Document, Part, TextSet, save_texts

WORDS = {
    "games": ["play", "score", "level", "player"],
    "net": ["server", "packet", "client", "host"],
    "editors": ["buffer", "cursor", "syntax", "line"],
}


def tiny_texts(count: int = 60, test: int = 12) -> TextSet:
    """Descriptions of made-up programs, whose words follow from their section."""
    draws = random.Random(3)
    documents = [_document(number, draws) for number in range(count)]
    return TextSet("passages", tuple(documents[test:]), tuple(documents[:test]))


def _document(number: int, draws: random.Random) -> Document:
    section = draws.choice(sorted(WORDS))
    said = [draws.choice([*WORDS[section], "the", "a", "fast"]) for _ in range(draws.randint(6, 14))]
    text = " ".join(said) + ("。" if number % 5 == 0 else ".")
    return Document(str(number + 1), (Part(text),), attributes={"section": (section,)})


def write_texts(directory: Path, texts: TextSet | None = None) -> Path:
    """Write a set as an import would."""
    texts = texts or tiny_texts()
    characters = {share: sum(one.characters for one in getattr(texts, share)) for share in ("train", "test")}
    save_texts(texts, {"characters": characters}, directory)
    return directory
