"""Which column of a file of events is what: by the settings, else by its name, else by what is in it."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

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
_TYPE = re.compile(r":(token|token_seq|float|float_seq)$")
_SIGNS = re.compile(r"[\W_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def choose(columns: Sequence[str], settings: Mapping[Role, str], sample: Sequence[Sequence[str]]) -> dict[Role, int]:
    """The place of the column for each role that has one.

    Args:
        columns: The headers; empty strings where the file has none.
        settings: What the user chose for a role: a header, or a number that counts from 1.
        sample: Some cells of each column, for files without headers.

    Raises:
        InputError: A chosen column is not there, two roles name the same one, or users or items stay unclear.
    """
    chosen = {role: _find(columns, role, text.strip()) for role, text in settings.items() if text.strip()}
    guessed = by_name(columns) if any(columns) else by_content(sample)
    for role, place in guessed.items():
        if role not in chosen and place not in chosen.values():
            chosen[role] = place
    for role in REQUIRED:
        if role not in chosen:
            raise _unclear(columns, role)
    _refuse_twice(columns, chosen)
    return {role: chosen[role] for role in NAMES if role in chosen}


def by_name(columns: Sequence[str]) -> dict[Role, int]:
    """Guess from headers; a column is used once, and a role that no header fits is left out."""
    plain = [_SIGNS.sub("", _TYPE.sub("", name.strip()).casefold()) for name in columns]
    found: dict[Role, int] = {}
    for role, names in NAMES.items():
        place = next((plain.index(name) for name in names if name in plain), None)
        if place is not None and place not in found.values():
            found[role] = place
    for role, words in WORDS.items():
        if role not in found:
            fitting = [
                place for place, name in enumerate(columns) if place not in found.values() and words & _split(name)
            ]
            if len(fitting) == 1:
                found[role] = fitting[0]
    return found


def by_content(sample: Sequence[Sequence[str]]) -> dict[Role, int]:
    """Guess without headers: users first, then items, as event files are written; times and ratings by their values."""
    found: dict[Role, int] = {}
    left = list(range(len(sample)))
    for role, fits in (("time", _is_time), ("rating", _is_rating)):
        place = next((place for place in reversed(left[1:]) if fits(sample[place])), None)
        if place is not None and len(left) > len(REQUIRED):
            found[role] = place  # type: ignore[index]  # the two names above are roles
            left.remove(place)
    return found | dict(zip(REQUIRED, left, strict=False))


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


def _find(columns: Sequence[str], role: Role, text: str) -> int:
    """The column a user named: exactly, else without case, else by its number."""
    if text in columns:
        return columns.index(text)
    folded = [name.casefold() for name in columns]
    if folded.count(text.casefold()) == 1:
        return folded.index(text.casefold())
    if text.isascii() and text.isdigit() and 1 <= int(text) <= len(columns):
        return int(text) - 1
    sentence = "There is no column called {name}. The columns are: {names}."
    values = {"name": text, "names": _listed(columns)}
    raise InputError(Fault(sentence, values, f"/{role}_column", code="unknown-column"))


def _unclear(columns: Sequence[str], role: Role) -> InputError:
    sentence = (
        "It is unclear which column holds the users. Name it under User column; the columns are: {names}."
        if role == "user"
        else "It is unclear which column holds the items. Name it under Item column; the columns are: {names}."
    )
    return InputError(Fault(sentence, {"names": _listed(columns)}, f"/{role}_column", code="column-unclear"))


def _refuse_twice(columns: Sequence[str], chosen: Mapping[Role, int]) -> None:
    for role, place in chosen.items():
        first = next(other for other, own in chosen.items() if own == place)
        if first != role:
            sentence = "The column {name} is named twice, for different things. Choose one column for each."
            values = {"name": shown(columns, place)}
            raise InputError(Fault(sentence, values, f"/{role}_column", code="column-twice"))


def _listed(columns: Sequence[str]) -> str:
    names = [shown(columns, place) for place in range(len(columns))]
    return ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
