"""Which column of rows of text is what: by the settings, else by its name, else by what is in it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from types import MappingProxyType
from typing import Literal

from aigc_models.base import Fault, InputError
from aigc_models.data.column_words import split
from aigc_models.data.texts import Shape

Use = Literal["text", "question", "answer", "role", "dialogue", "title", "language", "name"]
# Names as they are most often met, the surest first; compared without case and signs.
NAMES: Mapping[Use, Sequence[str]] = MappingProxyType({
    "question": (
        "question", "instruction", "prompt", "query", "input", "request", "utterance", "ask", "q", "问题", "提问", "问",
        "用户问题", "指令",
    ),
    "answer": (
        "answer", "response", "reply", "output", "completion", "a", "答案", "回答", "回复", "答", "输出",
    ),
    "text": (
        "text", "description", "content", "body", "review", "message", "sentence", "document", "article", "comment",
        "passage", "story", "abstract", "summary", "utterance", "value", "文本", "正文", "内容", "描述", "评论", "句子",
        "消息", "文章",
    ),
    "role": ("role", "speaker", "from", "sender", "author", "who", "角色", "说话人", "发送者"),
    "dialogue": (
        "dialogueid", "dialogue", "dialogid", "dialog", "conversationid", "conversation", "sessionid", "session",
        "threadid", "thread", "chatid", "chat", "ticketid", "ticket", "对话id", "对话编号", "对话", "会话id", "会话",
        "工单",
    ),
    "title": (
        "title", "name", "headline", "heading", "subject", "product", "productname", "标题", "名称", "商品名", "主题",
    ),
    "language": ("language", "lang", "locale", "语言"),
    "name": ("id", "path", "file", "filename", "url", "key", "docid", "documentid", "sku", "编号", "路径", "文件名"),
})  # fmt: skip
LISTS = re.compile(r"tags?|keywords?|labels?|categories|topics|features|标签|关键词|关键字|特征", re.IGNORECASE)
NONE = "none"
MOST_VALUES = 1000
_SHORT = 100  # characters of an attribute's value
_REPEATED = 0.5  # values that are all different say nothing that could be asked for
_SIGNS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of rows are.

    Attributes:
        shape: What the rows make.
        uses: The column of each use that has one.
        attributes: Columns that are attributes.
        others: Columns that are left out.
    """

    shape: Shape
    uses: Mapping[Use, str]
    attributes: Sequence[str]
    others: Sequence[str]


def choose(
    sample: Mapping[str, Sequence[str]], wished: Mapping[Use, str], attributes: str, shape: str = "auto"
) -> Columns:
    """What each column is.

    Args:
        sample: Some cells of each column, by its header.
        wished: What the user chose for a use: a header, a number that counts from 1, or ``none``.
        attributes: Columns that the user chose as attributes, separated by commas; empty takes those whose values
            repeat, ``none`` takes none.
        shape: What the rows are to make; ``auto`` goes by the columns.

    Raises:
        InputError: A chosen column is not there, is named twice, or what holds the text stays unclear.
    """
    columns = list(sample)
    uses = {use: _find(columns, f"/{use}_column", text) for use, text in wished.items() if names_one(text, columns)}
    _refuse_twice(uses)
    shut = {use for use, text in wished.items() if text.strip() and use not in uses}
    if "text" in uses and not {"question", "answer"} & set(uses):
        shut |= {"question", "answer"}
    for use, place in _by_name(columns).items():
        if use not in uses and use not in shut and place not in uses.values():
            uses[use] = place
    wished = {use: text for use, text in wished.items() if use not in shut}
    if "answer" not in uses and "question" in uses and "question" not in wished and shape != "dialogues":
        uses.setdefault("text", uses.pop("question"))  # a question without an answer is a text as any other
    made = _shape(uses, wished, shape)
    uses = {use: column for use, column in uses.items() if use in _USED[made] or use in ("title", "language", "name")}
    if made == "dialogues" and "question" in uses and "text" not in wished:
        uses = {use: column for use, column in uses.items() if use not in ("text", "role", "dialogue")}
    if made == "passages" and "text" not in uses:
        uses["text"] = _longest(sample, [name for name in columns if name not in uses.values()])
    left = [name for name in columns if name not in uses.values()]
    chosen = _attributes(sample, left, attributes)
    return Columns(made, uses, chosen, [name for name in left if name not in chosen])


_USED: Mapping[Shape, frozenset[Use]] = MappingProxyType(
    {
        "passages": frozenset({"text"}),
        "documents": frozenset({"text"}),
        "dialogues": frozenset({"question", "answer", "text", "role", "dialogue"}),
    }
)


def _shape(uses: Mapping[Use, str], wished: Mapping[Use, str], shape: str) -> Shape:
    pairs = "question" in uses and "answer" in uses
    turns = "role" in uses and "dialogue" in uses and "text" in uses
    asked = any(wished.get(use, "").strip() for use in ("question", "answer", "role", "dialogue"))
    if shape == "dialogues" or asked or (shape == "auto" and (pairs or turns)):
        if not pairs and not ("text" in uses and "dialogue" in uses):
            raise _unclear_dialogue(uses)
        return "dialogues"
    return "documents" if shape == "documents" else "passages"


UNCLEAR = "column-unclear"


def _unclear_dialogue(uses: Mapping[Use, str]) -> InputError:
    if "question" in uses:
        sentence = "It is unclear which column holds the answers. Name it under Answer column."
        return InputError(Fault(sentence, pointer="/answer_column", code=UNCLEAR))
    sentence = (
        "It is unclear which columns hold questions and answers. Name them under Question column and Answer column."
    )
    return InputError(Fault(sentence, pointer="/question_column", code=UNCLEAR))


def names_one(text: str, columns: Iterable[str]) -> bool:
    """Whether a setting names a column, and does not say that there is none."""
    return bool(text.strip()) and (text.strip().casefold() != NONE or text.strip() in columns)


def cut_values(cell: str, name: str, separator: str) -> tuple[str, ...]:
    """The values of an attribute's cell; several only where a separator is set, or its name is that of lists.

    Args:
        cell: The cell.
        name: The attribute.
        separator: ``auto``, ``none``, or the sign between two values.
    """
    if separator == "auto":
        separator = r"[,;|，；、]" if LISTS.fullmatch(name.strip()) else "none"
    elif separator != "none":
        separator = re.escape(separator)
    found = [cell] if separator == "none" else re.split(separator, cell)
    return tuple(dict.fromkeys(value.strip() for value in found if value.strip()))


def _plain(name: str) -> str:
    return _SIGNS.sub("", name.strip()).casefold()


def _by_name(columns: Sequence[str]) -> dict[Use, str]:
    plain = {_plain(name): name for name in reversed(columns)}
    found: dict[Use, str] = {}
    for use, names in NAMES.items():
        column = next((plain[name] for name in names if name in plain and plain[name] not in found.values()), None)
        if column is not None:
            found[use] = column
    return found


def _longest(sample: Mapping[str, Sequence[str]], columns: Sequence[str]) -> str:
    """The column with by far the longest cells."""
    lengths = sorted(((mean(map(len, sample[name])), name) for name in columns if len(sample[name])), reverse=True)
    if lengths and (len(lengths) == 1 or lengths[0][0] >= 2 * lengths[1][0]):
        return lengths[0][1]
    sentence = "It is unclear which column holds the text. Name it under Text column; the columns are: {names}."
    raise InputError(Fault(sentence, {"names": _listed(list(sample))}, "/text_column", code=UNCLEAR))


def _attributes(sample: Mapping[str, Sequence[str]], left: Sequence[str], wished: str) -> list[str]:
    if wished.strip().casefold() == NONE and NONE not in sample:
        return []
    if wished.strip():
        return [_find(list(sample), "/attribute_columns", name) for name in split(wished)]
    return [name for name in left if _repeats(name, sample[name])]


def _repeats(name: str, cells: Sequence[str]) -> bool:
    values = [value for cell in cells for value in cut_values(cell, name, "auto")]
    different = set(values)
    if not different or max(map(len, different)) > _SHORT:
        return False
    return len(different) <= min(MOST_VALUES, _REPEATED * len(values)) or (len(values) < 20 and len(different) > 0)


def _find(columns: Sequence[str], pointer: str, text: str) -> str:
    """The column a user named: exactly, else without case, else by its number."""
    text = text.strip()
    if text in columns:
        return text
    folded = [name for name in columns if name.casefold() == text.casefold()]
    if len(folded) == 1:
        return folded[0]
    if text.isascii() and text.isdigit() and 1 <= int(text) <= len(columns):
        return columns[int(text) - 1]
    sentence = "There is no column called {name}. The columns are: {names}."
    raise InputError(Fault(sentence, {"name": text, "names": _listed(columns)}, pointer, code="unknown-column"))


def _refuse_twice(uses: Mapping[Use, str]) -> None:
    seen: set[str] = set()
    for use, column in uses.items():
        if column in seen:
            sentence = "The column {name} is named twice, for different things. Choose one column for each."
            raise InputError(Fault(sentence, {"name": column}, f"/{use}_column", code="column-twice"))
        seen.add(column)


def _listed(columns: Iterable[str]) -> str:
    names = list(columns)
    return ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
