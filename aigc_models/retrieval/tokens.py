"""From text to words and sentences, without a dictionary: Chinese, Japanese and Korean by pairs of characters."""

import re
import unicodedata
from collections.abc import Sequence

# Scripts written without blanks: kana, Han with its extensions, Hangul.
_WIDE = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f"
_RUN = re.compile(rf"[{_WIDE}]+|[^\W_{_WIDE}]+(?:['’][^\W\d_{_WIDE}]+)?")
_IS_WIDE = re.compile(rf"[{_WIDE}]")
# A full stop ends a sentence before a blank and no small letter, the Chinese ones always; so does a line's end.
_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+(?=[^a-z\s])|(?<=[。！？])[。！？]*[”’」』）]*|\s*\n\s*")
# After these a full stop ends no sentence, nor after a single capital ("J. Smith") or between two ("U.S.").
_SHORTENED = re.compile(
    r"(?:^|[\s(\[\"“])(?:e\.g|i\.e|etc|vs|cf|ca|approx|resp|incl|no|nos|fig|figs|eq|sec|ch|vol|pp?|st|mr|mrs|ms|dr|prof|jr|sr|"
    r"inc|ltd|co|corp|dept|est|min|max|(?-i:[A-Z]|(?:[A-Z]\.)+[A-Z]))\.$",
    re.IGNORECASE,
)

_FUNCTION_WORDS = frozenset({
    "a", "about", "am", "an", "and", "any", "anybody", "are", "as", "at", "be", "been", "but", "by", "can", "could",
    "did", "do", "does", "for", "from", "had", "has", "have", "he", "hello", "help", "her", "hi", "him", "his",
    "how", "i", "i'm", "i'd", "i've", "if", "in", "into", "is", "it", "it's", "its", "just", "may", "me", "my",
    "need", "of", "on", "or", "our", "please", "she", "should", "so", "some", "tell", "than", "thank", "thanks",
    "that", "that's", "the", "their", "them", "then", "there", "these", "they", "this", "those", "to", "us", "was",
    "way", "we", "were", "what", "what's", "when", "where", "where's", "which", "who", "whom", "whose", "why",
    "will", "with", "would", "you", "your",
})  # fmt: skip
_ASKING = re.compile(
    "请问一下|请问|请告诉我|告诉我|为什么|为何|怎么办|怎么样|怎么|怎样|如何|什么时候|是什么|什么|"
    "哪里|哪儿|哪个|哪些|在哪|是不是|能不能|可不可以|可以|能否|是否|我想要|我想|我要|我的|你们|我们|"
    "谁|多少|吗|呢|吧|啊"
)

# Words that ask for a meaning or an account, whatever of. They can be a matter of their own, as "mean" in statistics.
_ASKS_FOR = frozenset({
    "define", "definition", "describe", "explain", "explanation", "happen", "happened", "happening", "happens", "know",
    "mean", "meaning", "means", "meant", "say", "says", "show", "stand", "stands", "understand",
    "一下", "代表", "含义", "回事", "意义", "意味", "味着", "意思", "表示", "解释", "释一",
})  # fmt: skip
_NEGATIONS = re.compile(r"(?:ca|do|does|did|is|are|was|were|wo)n['’]t")
_SEAM = re.compile("[的是了]|^请|^[和与在有]$")  # a pair with such a word in it spans two words, and is none


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


def question_words(text: str) -> list[str]:
    """Words of a question without those that only make it one, such as "how can I", unless nothing else is left."""
    plain = _ASKING.sub(" ", unicodedata.normalize("NFKC", text))
    return [word for word in words(plain) if word not in _FUNCTION_WORDS] or words(text)


def only_asks(word: str) -> bool:
    """Whether a word as :func:`words` gives it says nothing of what a question is about, unless a text is about it."""
    if is_wide(word):
        return word in _ASKS_FOR or _SEAM.search(word) is not None
    return word in _ASKS_FOR or word in _FUNCTION_WORDS or _NEGATIONS.fullmatch(word) is not None


def sentences(text: str) -> list[str]:
    """Sentences as they stand in the text, without the blanks around them; no character of one is changed."""
    found: list[str] = []
    start = 0
    for end in _END.finditer(text):
        if "\n" not in end[0] and _SHORTENED.search(text, start, end.start()):
            continue
        found.append(text[start : end.end()].strip())
        start = end.end()
    found.append(text[start:].strip())
    return [one for one in found if one]


def language(text: str) -> str:
    """``zh`` for a text with much Chinese in it, else ``en``."""
    wide = len(_IS_WIDE.findall(text))
    return "zh" if wide * 4 >= max(1, len("".join(text.split()))) else "en"


def tongue(question: str) -> str:
    """The language a question is asked in: ``zh``, ``en``, or empty where a few words do not tell, as of names."""
    if language(question) == "zh":
        return "zh"
    said = words(question)
    return "en" if len(said) > 2 and sum(word in _FUNCTION_WORDS for word in said) >= 2 else ""


def windows(lengths: Sequence[int], most: int, held: Sequence[bool] = ()) -> list[slice]:
    """Cut a row of sentences into pieces of about the same length, at most ``most`` words each but long ones.

    Args:
        lengths: Words of each sentence.
        most: Words of a piece.
        held: Which sentences stay with the one before them, unless both together are too long; none if left out.
    """
    total = sum(lengths)
    pieces = max(1, -(-total // most))
    aim, found, start, filled = total / pieces, [], 0, 0
    for place, length in enumerate(lengths):
        stays = bool(held) and held[place] and filled + length <= most
        if filled and not stays and (filled + _group(lengths, held, place, most) > most or filled >= aim):
            found.append(slice(start, place))
            start, filled = place, 0
        filled += length
    if lengths:
        found.append(slice(start, len(lengths)))
    return found


def _group(lengths: Sequence[int], held: Sequence[bool], place: int, most: int) -> int:
    """Words of a sentence together with those that stay with it."""
    total = lengths[place]
    for after in range(place + 1, len(lengths)):
        if not held or not held[after] or total + lengths[after] > most:
            break
        total += lengths[after]
    return total
