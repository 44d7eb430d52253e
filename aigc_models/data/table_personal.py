"""Likely personal data in a table: which columns hold it, judged by their cells first and by their names second."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from aigc_models.data.column_words import CARD, EMAIL, IBAN, NAME, NATIONAL_ID, PHONE

_SAMPLE = 2_000
_MOST = 0.6  # of a column's different cells
_IN_TEXT = 0.01  # of the cells of a column of free text

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,}")
_CARD = re.compile(r"(?<!\d)(?<!\d\.)[2-6]\d{3}(?:([ -]?)\d{4}\1\d{4}\1\d{1,7}|([ -]?)\d{6}\2\d{5})(?!\d)", re.ASCII)
_CHINESE_ID = re.compile(
    r"(?<!\d)[1-8]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])\d{3}[\dXx](?!\d)", re.ASCII
)
_SOCIAL_SECURITY = re.compile(r"(?<![\d-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])", re.ASCII)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?![A-Za-z0-9])", re.ASCII)
_PHONE = re.compile(
    r"(?<![\d+.])(?:\+\d{1,3}[ .\-/]?(?:\(?\d{1,5}\)?[ .\-/]?){2,5}\d{2,}|\(?0\d{1,5}\)?[ .\-/](?:\d[ .\-/]?){5,9}\d|"
    r"\(?[2-9]\d{2}\)?[ .-]\d{3}[ .-]\d{4}|1[3-9]\d{9})(?![\d.])",
    re.ASCII,
)
_PERSON = re.compile(r"(?:[^\W\d_][\w'’.-]*)(?:,? [^\W\d_][\w'’.-]*){0,4}")
_CHINESE_PERSON = re.compile(r"[\u4e00-\u9fff]{2,4}(?:·[\u4e00-\u9fff]{2,6})?")
_SURNAMES = frozenset(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向汤"
)
_NAMES: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        EMAIL: re.compile(r"e.?mail|邮箱|电子邮件", re.IGNORECASE),
        PHONE: re.compile(
            r"phone|(?:^|[_ ])(?:tel|mobile|cell|fax)(?:$|[_ .])|telefon|电话|手机|联系方式", re.IGNORECASE
        ),
        NATIONAL_ID: re.compile(
            r"(?:^|[_ ])(?:ssn|nino|passport)(?:$|[_ ])|national.?id|身份证|证件号|护照", re.IGNORECASE
        ),
        NAME: re.compile(
            r"(?:^|[_ -])(?:(?:first|last|full|middle|family|given|user|customer|client|patient|person|contact|sur)"
            r"[_ -]?name|name|surname|vorname|nachname|nom|prenom)(?:$|[_ -])|姓名|名字|联系人|客户名|患者名|收货人",
            re.IGNORECASE,
        ),
    }
)


def find_personal(name: str, spellings: Sequence[str], *, is_text: bool = False) -> str:
    """The kind of personal data a column probably holds, or an empty string.

    Args:
        name: Its header.
        spellings: Its different cells, without missing ones.
        is_text: Whether it holds free text, in which a little is enough.
    """
    sample = spellings[:: max(1, len(spellings) // _SAMPLE)][:_SAMPLE]
    if not sample:
        return ""
    for kind, holds in _TESTS.items():
        share = sum(map(holds, sample)) / len(sample)
        if share >= (0.3 if kind in _NAMES and _NAMES[kind].search(name) else _MOST):
            return kind
    if is_text:
        return next((kind for kind in _PATTERNS if _share(kind, sample) >= _IN_TEXT), "")
    return NAME if _are_people(name, sample) else ""


def _share(kind: str, sample: Sequence[str]) -> float:
    return sum(bool(_found(kind, text)) for text in sample) / len(sample)


def _are_people(name: str, sample: Sequence[str]) -> bool:
    """Whether these are names of people: by the header and the form of the cells, or by Chinese surnames."""
    chinese = sum(bool(_CHINESE_PERSON.fullmatch(text)) and text[0] in _SURNAMES for text in sample)
    if len(sample) >= 20 and chinese >= 0.8 * len(sample) and _NAMES[NAME].search(name):
        return True
    formed = sum(bool(_PERSON.fullmatch(text.strip())) for text in sample)
    return bool(_NAMES[NAME].search(name)) and len(sample) >= 3 and formed >= 0.7 * len(sample)


def luhn(digits: str) -> bool:
    """Whether the last digit checks the others, as on bank cards (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def resident_id(text: str) -> bool:
    """Whether the last sign of an 18-digit resident id checks the others (GB 11643-1999, ISO 7064 MOD 11-2)."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(digit) * weight for digit, weight in zip(text[:17], weights, strict=True))
    return "10X98765432"[total % 11] == text[17].upper()


def iban(text: str) -> bool:
    """Whether the check digits of an account number fit (ISO 13616, modulo 97)."""
    joined = text.replace(" ", "").upper()
    turned = "".join(str(int(sign, 36)) for sign in joined[4:] + joined[:4])
    return 15 <= len(joined) <= 34 and int(turned) % 97 == 1


def _found(kind: str, text: str) -> list[str]:
    """The pieces of a text that are of a kind, their check digits included."""
    pattern, checks = _PATTERNS[kind]
    return [found.group() for found in pattern.finditer(text) if checks(found.group())]


def _whole(kind: str) -> Callable[[str], bool]:
    pattern, checks = _PATTERNS[kind]
    return lambda text: pattern.fullmatch(text.strip()) is not None and checks(text.strip())


def _is_card(text: str) -> bool:
    digits = re.sub(r"\D", "", text)
    return 13 <= len(digits) <= 19 and luhn(digits)


def _is_phone(text: str) -> bool:
    return 7 <= sum(map(str.isdigit, text)) <= 15


def _is_national(text: str) -> bool:
    return resident_id(text) if _CHINESE_ID.fullmatch(text) else True


_NATIONAL = re.compile(f"{_CHINESE_ID.pattern}|{_SOCIAL_SECURITY.pattern}", re.ASCII)
_PATTERNS: Mapping[str, tuple[re.Pattern[str], Callable[[str], bool]]] = MappingProxyType(
    {
        EMAIL: (_EMAIL, bool),
        NATIONAL_ID: (_NATIONAL, _is_national),
        IBAN: (_IBAN, iban),
        CARD: (_CARD, _is_card),
        PHONE: (_PHONE, _is_phone),
    }
)
_TESTS: Mapping[str, Callable[[str], bool]] = MappingProxyType({kind: _whole(kind) for kind in _PATTERNS})


def find_pieces(text: str) -> Iterator[tuple[str, str]]:
    """Every piece of personal data in a text with its kind; one that reads as two kinds counts as the first."""
    for kind in _PATTERNS:
        pieces = _found(kind, text)
        for piece in pieces:
            yield kind, piece
            text = text.replace(piece, " ", 1)


def mask_text(text: str) -> str:
    """A text with the personal data that is found in it replaced by what it was, such as ``[email]``."""
    for kind in _PATTERNS:
        for piece in _found(kind, text):
            text = text.replace(piece, f"[{kind}]")
    return text


def stand_ins(spellings: Sequence[str], kind: str) -> dict[str, str]:
    """A numbered stand-in for each spelling, in their order: ``email-1``, ``email-2``, ..."""
    word = kind or "value"
    return {text: f"{word}-{number}" for number, text in enumerate(spellings, 1)}
