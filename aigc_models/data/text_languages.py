"""The language of a text: by its script, and among languages in Latin letters by their commonest words.

Nothing is learnt and nothing is fetched, so a text of a few words may stay without a language.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

_LOOKED_AT = 4_000  # characters of a text
_LEAST_SHARE = 0.15  # of the letters; Chinese help pages are full of English words
_NEIGHBOURS = 0.8  # of the texts in Latin letters, from which a text too short to tell takes its language
_SURE = 3  # common words; fewer may be a name or a quotation
_SCRIPTS: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "ja": re.compile(r"[\u3041-\u30ff]"),
        "zh": re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"),
        "ko": re.compile(r"[\uac00-\ud7af\u1100-\u11ff]"),
        "ru": re.compile(r"[\u0400-\u04ff]"),
        "el": re.compile(r"[\u0370-\u03ff]"),
        "ar": re.compile(r"[\u0600-\u06ff]"),
        "he": re.compile(r"[\u0590-\u05ff]"),
        "th": re.compile(r"[\u0e00-\u0e7f]"),
        "hi": re.compile(r"[\u0900-\u097f]"),
    }
)
_UKRAINIAN = re.compile(r"[іїєґІЇЄҐ]")
_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"(?<![\w.@/])[^\W\d_]+(?:['’][^\W\d_]+)?(?![\w@/]|\.\w)")  # no pieces of addresses
_WORDS: Mapping[str, frozenset[str]] = MappingProxyType({
    language: frozenset(word for word in words.split() if len(word) > 1)  # a letter alone numbers lists, too
    for language, words in {
        "en": "the and of to in is that it for you was with on are this be as have not but they from or which i my we "
        "what do can how your an at by if there will has its does don't it's where when who did me hello he she his",
        "de": "der die das und ist nicht ein eine zu den mit sich auf für von dem im es auch als an wie ich sie wird "
        "sind oder werden einen bei nach wir zum aus kann hat einer über aber wenn was du er war haben",
        "fr": "le la les des et est un une pour que qui dans pas vous sur au avec ne ce il plus par sont du je nous "
        "cette mais ou votre comme être aux fait bien où elle ont leur était",
        "es": "el la los las de que y en un una por con para es no se del al lo como más su pero sus le ha está si "
        "muy este también hay cuando todo esta son fue qué usted",
        "it": "il lo la gli che di è un una per non con del della sono si in le da come più anche nel alla questo ma "
        "ha dei delle ed suo mi ti al era essere",
        "pt": "o os as de que e em um uma para com não é do da dos das no na se por mais como ao foi são sua seu você "
        "também mas ou está muito nos já pelo pela",
        "nl": "de het een en van is dat op te in niet met voor zijn aan er om die ook als bij naar uit wordt ik je "
        "maar heeft dit kan worden deze u hij ze nog",
        "pl": "i w nie na się z do to że jest o jak po co tak za od dla ale czy był są przez może oraz jego które",
    }.items()
})  # fmt: skip
_SPOKEN_IN: Mapping[str, Sequence[str]] = MappingProxyType(
    {word: [own for own, common in _WORDS.items() if word in common] for word in frozenset().union(*_WORDS.values())}
)


def language_of(text: str) -> str:
    """The language of a text by ISO 639-1; empty where it cannot be told."""
    sample = text[:_LOOKED_AT]
    letters = len(_LETTER.findall(sample))
    if not letters:
        return ""
    counts = {language: len(script.findall(sample)) for language, script in _SCRIPTS.items()}
    if counts["ja"] and counts["ja"] + counts["zh"] >= _LEAST_SHARE * letters and counts["ja"] >= 0.05 * counts["zh"]:
        return "ja"
    # A Chinese word is one or two letters and an English one is five, so a share counts for more than it looks.
    best = max(counts, key=lambda language: counts[language])
    if counts[best] >= _LEAST_SHARE * letters:
        return "uk" if best == "ru" and len(_UKRAINIAN.findall(sample)) >= 0.02 * letters else best
    return _latin(sample)[0]


def languages_of(texts: Sequence[str], beat: Callable[[float], None] = lambda _: None) -> list[str]:
    """The language of each of a dataset's texts; one too short to tell has that of the others, if they agree.

    Args:
        texts: All texts.
        beat: Told which share of the work is done.
    """
    found = []
    for place, text in enumerate(texts):
        found.append(language_of(text))
        beat(place / len(texts))
    latin = Counter(language for language in found if language in _WORDS)
    if not latin:
        return found
    usual, often = latin.most_common(1)[0]
    if often < _NEIGHBOURS * latin.total():
        return found
    return [
        usual if language != usual and _is_unsure(text, language) else language
        for language, text in zip(found, texts, strict=True)
    ]


def _is_unsure(text: str, language: str) -> bool:
    """Whether a text is in Latin letters and has few common words of the language it was taken for."""
    sample = text[:_LOOKED_AT]
    return (not language or language in _WORDS) and bool(_LETTER.search(sample)) and _latin(sample)[1] < _SURE


def _latin(sample: str) -> tuple[str, int]:
    """The language most of whose common words are met, and how many; none where two have as many."""
    words = _WORD.findall(sample.casefold().replace("’", "'"))
    scores = Counter(language for word in words for language in _SPOKEN_IN.get(word, ()))
    (best, most), (_, second) = [*scores.most_common(2), ("", 0), ("", 0)][:2]
    return (best, most) if most > second else ("", 0)
