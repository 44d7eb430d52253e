"""Which column of a file of events is what: by the settings, else by its name, else by what is in it."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Generic, Literal, TypeVar

from aigc_models.base import Fault, InputError

Role = Literal["user", "item", "time", "rating", "title"]
REQUIRED: tuple[Role, ...] = ("user", "item")
# Names as they are most often met, the surest first; compared without case, signs and a type as in "user_id:token".
NAMES: Mapping[Role, Sequence[str]] = MappingProxyType({
    "user": (
        "userid", "user", "uid", "customerid", "customer", "clientid", "client", "memberid", "member", "accountid",
        "account", "buyerid", "buyer", "visitorid", "visitor", "reviewerid", "reviewer", "personid", "person",
        "subscriberid", "patientid", "sessionid", "session", "用户id", "用户编号", "用户", "客户id", "客户编号", "客户",
        "会员id", "会员编号", "会员", "买家id", "买家", "账号",
    ),
    "item": (
        "itemid", "item", "iid", "productid", "product", "sku", "asin", "stockcode", "goodsid", "goods", "articleid",
        "article", "movieid", "movie", "filmid", "film", "songid", "song", "trackid", "track", "bookid", "book", "isbn",
        "videoid", "video", "contentid", "content", "pageid", "page", "url", "newsid", "adid", "商品id", "商品编号",
        "商品", "物品id", "物品", "产品id", "产品编号", "产品", "货号", "电影id", "电影",
    ),
    "time": (
        "timestamp", "time", "ts", "datetime", "date", "eventtime", "eventdate", "createdat", "created", "orderdate",
        "ordertime", "purchasedate", "purchasetime", "invoicedate", "unixreviewtime", "reviewtime", "when", "day",
        "时间戳", "时间", "日期", "下单时间", "购买时间", "购买日期", "交易时间",
    ),
    "rating": ("rating", "ratings", "score", "stars", "overall", "rate", "grade", "preference", "评分", "分数", "打分"),
    "title": (
        "title", "itemtitle", "itemname", "producttitle", "productname", "movietitle", "moviename", "songtitle",
        "trackname", "booktitle", "name", "label", "description", "标题", "名称", "商品名称", "商品名", "物品名称",
        "产品名称", "电影名称", "片名",
    ),
})  # fmt: skip
WORDS: Mapping[Role, frozenset[str]] = MappingProxyType(
    {
        "user": frozenset({"user", "customer", "client", "member", "buyer", "visitor"}),
        "item": frozenset({"item", "product", "article", "movie", "sku"}),
        "time": frozenset({"time", "timestamp", "date", "datetime"}),
        "rating": frozenset({"rating", "score", "stars"}),
        "title": frozenset({"title", "name"}),
    }
)
R = TypeVar("R", bound=str)


@dataclass(frozen=True, slots=True)
class Vocabulary(Generic[R]):
    """The roles that columns of a kind of file can have.

    Attributes:
        names: Headers of each role, the surest first, as :data:`NAMES` has them.
        words: Words in a header that tell a role where only one header has them.
        required: Roles that must be found.
        unclear: What is said where one of these stays unclear.
        guessed: Roles that cells alone can tell, as ``time`` and ``rating`` can.
    """

    names: Mapping[R, Sequence[str]]
    words: Mapping[R, frozenset[str]]
    required: Sequence[R]
    unclear: Mapping[R, str]
    guessed: Sequence[R] = ()


INTERACTIONS: Vocabulary[Role] = Vocabulary(
    NAMES,
    WORDS,
    REQUIRED,
    MappingProxyType(
        {
            "user": "It is unclear which column holds the users. Name it under User column; the columns are: {names}.",
            "item": "It is unclear which column holds the items. Name it under Item column; the columns are: {names}.",
        }
    ),
    ("time", "rating"),
)
_TYPE = re.compile(r":(token|token_seq|float|float_seq)$")
_SIGNS = re.compile(r"[\W_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def choose(
    columns: Sequence[str], settings: Mapping[R, str], sample: Sequence[Sequence[str]], roles: Vocabulary[R]
) -> dict[R, int]:
    """The place of the column for each role that has one.

    Args:
        columns: The headers; empty strings where the file has none.
        settings: What the user chose for a role: a header, or a number that counts from 1.
        sample: Some cells of each column, for files without headers.
        roles: What columns can hold.

    Raises:
        InputError: A chosen column is not there, two roles name the same one, or a required role stays unclear.
    """
    chosen = {role: find(columns, f"{role}_column", text.strip()) for role, text in settings.items() if text.strip()}
    guessed = by_name(columns, roles) if any(columns) else by_content(sample, roles)
    for role, place in guessed.items():
        if role not in chosen and place not in chosen.values():
            chosen[role] = place
    for role in roles.required:
        if role not in chosen:
            values = {"names": _listed(columns)}
            raise InputError(Fault(roles.unclear[role], values, f"/{role}_column", code="column-unclear"))
    _refuse_twice(columns, chosen)
    return {role: chosen[role] for role in roles.names if role in chosen}


def by_name(columns: Sequence[str], roles: Vocabulary[R]) -> dict[R, int]:
    """Guess from headers; a column is used once, and a role that no header fits is left out."""
    plain = [_SIGNS.sub("", _TYPE.sub("", name.strip()).casefold()) for name in columns]
    found: dict[R, int] = {}
    for role, names in roles.names.items():
        place = next((plain.index(name) for name in names if name in plain), None)
        if place is not None and place not in found.values():
            found[role] = place
    for role, words in roles.words.items():
        if role not in found:
            fitting = [
                place for place, name in enumerate(columns) if place not in found.values() and words & _split(name)
            ]
            if len(fitting) == 1:
                found[role] = fitting[0]
    return found


def by_content(sample: Sequence[Sequence[str]], roles: Vocabulary[R]) -> dict[R, int]:
    """Guess without headers: the required roles in their order, as such files are written; others by their values."""
    found: dict[R, int] = {}
    left = list(range(len(sample)))
    for role in roles.guessed:
        place = next((place for place in reversed(left[1:]) if _FITS[role](sample[place])), None)
        if place is not None and len(left) > len(roles.required):
            found[role] = place
            left.remove(place)
    return found | dict(zip(roles.required, left, strict=False))


def shown(columns: Sequence[str], place: int) -> str:
    """How a column is called: by its header, else by its number from 1."""
    return columns[place] or str(place + 1)


def _split(name: str) -> set[str]:
    return {word.casefold() for word in _SIGNS.split(_CAMEL.sub("_", _TYPE.sub("", name.strip())))}


def _is_time(cells: Sequence[str]) -> bool:
    """Whether cells look like days (19970101, 2024-01-31) or seconds or milliseconds since 1970."""
    known = [cell for cell in cells if cell]
    return bool(known) and all(
        re.fullmatch(r"(19|20)\d{6}|\d{9,13}(\.\d+)?|\d{4}[-/]\d\d?[-/]\d\d?.*", one) for one in known
    )


def _is_rating(cells: Sequence[str]) -> bool:
    known = [cell for cell in cells if cell]
    return bool(known) and all(re.fullmatch(r"-?\d{1,2}(\.\d{1,2})?", cell) for cell in known) and len(set(known)) <= 20


_FITS: Mapping[str, Callable[[Sequence[str]], bool]] = MappingProxyType({"time": _is_time, "rating": _is_rating})


def find(columns: Sequence[str], setting: str, text: str) -> int:
    """The column a user named in a setting: exactly, else without case, else by its number.

    Raises:
        InputError: There is none.
    """
    if text in columns:
        return columns.index(text)
    folded = [name.casefold() for name in columns]
    if folded.count(text.casefold()) == 1:
        return folded.index(text.casefold())
    if text.isascii() and text.isdigit() and 1 <= int(text) <= len(columns):
        return int(text) - 1
    sentence = "There is no column called {name}. The columns are: {names}."
    values = {"name": text, "names": _listed(columns)}
    raise InputError(Fault(sentence, values, f"/{setting}", code="unknown-column"))


def _refuse_twice(columns: Sequence[str], chosen: Mapping[R, int]) -> None:
    for role, place in chosen.items():
        first = next(other for other, own in chosen.items() if own == place)
        if first != role:
            sentence = "The column {name} is named twice, for different things. Choose one column for each."
            values = {"name": shown(columns, place)}
            raise InputError(Fault(sentence, values, f"/{role}_column", code="column-twice"))


def _listed(columns: Sequence[str]) -> str:
    names = [shown(columns, place) for place in range(len(columns))]
    return ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
