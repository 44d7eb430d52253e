"""From text to words and sentences, without a dictionary: Chinese, Japanese and Korean by pairs of characters."""

import re
import unicodedata
from collections.abc import Sequence

# Scripts written without blanks: kana, Han with its extensions, Hangul.
_WIDE = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f"
_RUN = re.compile(rf"[{_WIDE}]+|[^\W_{_WIDE}]+(?:['’][^\W\d_{_WIDE}]+)?")
_IS_WIDE = re.compile(rf"[{_WIDE}]")
# A full stop ends a sentence before a blank and no small letter, the Chinese ones always; so does a line's end.
_END = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+(?=[^a-z\s])|(?<=[。！？；])[”’」』）]*|\s*\n\s*")


def is_wide(text: str) -> bool:
    """Whether a text starts with a character of a script without blanks."""
    return _IS_WIDE.match(text) is not None


def words(text: str) -> list[str]:
    """Words in small letters; of scripts without blanks every two characters that stand together.

    ``"Save 文件夹"`` gives ``["save", "文件", "件夹"]``.
    """
    found: list[str] = []
    for run in _RUN.findall(unicodedata.normalize("NFKC", text).lower()):
        if is_wide(run):
            found += [run[place : place + 2] for place in range(len(run) - 1)] or [run]
        else:
            found.append(run)
    return found


def sentences(text: str) -> list[str]:
    """Sentences as they stand in the text, without the blanks around them; no character of one is changed."""
    found: list[str] = []
    start = 0
    for end in _END.finditer(text):
        found.append(text[start : end.end()].strip())
        start = end.end()
    found.append(text[start:].strip())
    return [one for one in found if one]


def language(text: str) -> str:
    """``zh`` for a text with much Chinese in it, else ``en``."""
    wide = len(_IS_WIDE.findall(text))
    return "zh" if wide * 4 >= max(1, len("".join(text.split()))) else "en"


def windows(lengths: Sequence[int], most: int) -> list[slice]:
    """Cut a row of sentences into pieces of about the same length, at most ``most`` words each but long ones."""
    total = sum(lengths)
    pieces = max(1, -(-total // most))
    aim, found, start, held = total / pieces, [], 0, 0
    for place, length in enumerate(lengths):
        if held and (held + length > most or held >= aim):
            found.append(slice(start, place))
            start, held = place, 0
        held += length
    if lengths:
        found.append(slice(start, len(lengths)))
    return found
