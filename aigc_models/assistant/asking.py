"""From headings and sentences to questions as people ask them, by patterns, in English and Chinese."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from aigc_models.retrieval.tokens import language, question_words, words

_VERBS = frozenset({
    "access", "activate", "add", "adjust", "align", "allow", "answer", "apply", "ask", "assign", "attach", "back",
    "bring", "build", "buy", "calculate", "call", "cancel", "change", "check", "choose", "clean", "clear", "close",
    "combine", "compare", "configure", "connect", "convert", "copy", "correct", "count", "create", "customize",
    "cut", "define", "delete", "deploy", "disable", "display", "divide", "download", "draw", "edit", "enable",
    "enter", "evaluate", "export", "fill", "filter", "find", "fix", "format", "generate", "get", "group", "hide",
    "import", "insert", "install", "invite", "join", "keep", "learn", "let", "limit", "link", "list", "load",
    "lock", "log", "look", "make", "manage", "mask", "measure", "merge", "monitor", "move", "number", "open",
    "order", "organize", "paste", "pay", "plan", "play", "prepare", "preview", "print", "protect", "publish",
    "read", "record", "recover", "reduce", "refresh", "remove", "rename", "repair", "replace", "report", "reset",
    "resize", "restart", "restore", "return", "review", "rotate", "run", "save", "scale", "scan", "schedule",
    "search", "secure", "select", "send", "set", "share", "show", "sign", "sort", "split", "start", "stop", "store",
    "submit", "switch", "test", "track", "train", "translate", "tune", "turn", "undo", "uninstall", "update",
    "upgrade", "upload", "use", "view", "watch", "work", "wrap", "write", "zoom",
})  # fmt: skip
_WIDE_VERBS = (
    "安装|备份|比较|编辑|插入|查看|查找|撤销|重做|创建|粗体|打开|打印|导出|导入|调整|定义|对齐|发送|分享|粘贴|复制|更改|更新|"
    "关闭|合并|恢复|获取|计算|记录|检查|禁用|启用|启动|解除|拒绝|开始|控制|链接|连接|录制|使用|设置|配置|清除|清空|取消|"
    "删除|上传|下载|升级|生成|试用|输入|搜索|缩放|提交|添加|跳转|停止|统计|退回|移动|隐藏|显示|应用|训练|评估|运行|选择|"
    "排序|筛选|保护|保存|转换|准备|提问|纠正|部署|监控|限制|管理|修改|替换|旋转|拆分|锁定|解锁|自定义|组织|浏览|回复|加快|带上"
)
_QUESTION = re.compile(r"[?？]\s*$|吗$")
_ACT, _THING, _CONDITION, _MAY = "act", "thing", "condition", "may"
_WORDED = {
    ("en", _ACT): (
        "How do I {}?",
        "How can I {}?",
        "I want to {}, what do I do?",
        "What is the way to {}?",
        "{}, how?",
    ),
    ("en", _THING): ("What is {}?", "Where do I find {}?", "Tell me about {}.", "What should I know about {}?", "{}?"),
    ("en", _CONDITION): ("What happens if {}?", "What if {}?", "What do I do if {}?"),
    ("en", _MAY): ("Can I {}?", "Is it possible to {}?", "How can I {}?"),
    ("zh", _ACT): ("怎么{}？", "如何{}？", "请问怎样才能{}？", "我想{}，该怎么做？", "{}要怎么操作？"),
    ("zh", _THING): ("{}是什么？", "什么是{}？", "{}在哪里？", "请介绍一下{}。", "{}怎么用？"),
    ("zh", _CONDITION): ("如果{}会怎么样？", "{}怎么办？", "{}时要做什么？"),
    ("zh", _MAY): ("可以{}吗？", "能不能{}？", "怎么{}？"),
}
_FURTHER = {
    ("en", _ACT): ("And how do I {}?", "Then how can I {} there?"),
    ("en", _THING): ("And {}?", "What about {}?"),
    ("en", _CONDITION): ("And what if {}?",),
    ("en", _MAY): ("And can I {}?",),
    ("zh", _ACT): ("那怎么{}？", "然后如何{}？"),
    ("zh", _THING): ("那{}呢？", "还有{}呢？"),
    ("zh", _CONDITION): ("那如果{}呢？",),
    ("zh", _MAY): ("那可以{}吗？",),
}
_OPENINGS: Sequence[tuple[str, re.Pattern[str], str]] = (
    (
        "en",
        re.compile(r"^To (?!do (?:this|so))([a-z][^,:.]{5,90}?)(?:,| click| choose| select| press| open| use)"),
        _ACT,
    ),
    ("en", re.compile(r"^If ([a-z][^,:.]{5,90}?),"), _CONDITION),
    ("en", re.compile(r"^You can (?:also )?([a-z][^,:.;]{5,90})[.,;]"), _MAY),
    ("en", re.compile(r"^((?:An?|The) [A-Za-z][^,:.;()]{2,50}?) (?:is|are|says|holds|shows|means) "), _THING),
    ("zh", re.compile(r"^(?:要|若要|为了|想要)([^，。：；]{3,40})[，：]"), _ACT),
    ("zh", re.compile(r"^如果([^，。：；]{3,40})，"), _CONDITION),
    ("zh", re.compile(r"^(?:你|您|用户)?(?:还)?可以(?!说)([^，。：；]{3,40})[，。；]"), _MAY),
    ("zh", re.compile(r"^([^，。：；是]{2,20})(?:是指|指的是|表示|是一种)"), _THING),
)


@dataclass(frozen=True, slots=True)
class Subject:
    """What can be asked about.

    Attributes:
        tongue: ``en`` or ``zh``.
        kind: Whether it is something to do, a thing, a condition, or something that may be done.
        text: It, as it stands in a question.
    """

    tongue: str
    kind: str
    text: str

    def asked(self, rng: np.random.Generator, *, further: bool = False) -> str:
        """A question about it, worded by chance; ``further`` for one that follows another."""
        worded = (_FURTHER if further else _WORDED)[self.tongue, self.kind]
        made = worded[int(rng.integers(len(worded)))].format(self.text)
        made = made[:1].upper() + made[1:]
        return made.lower().rstrip("?") if self.tongue == "en" and rng.random() < 0.2 else made


def of_heading(heading: str, known: Collection[str]) -> Subject | str:
    """What a heading names, or the heading itself where it is a question.

    Args:
        heading: The heading.
        known: Words of the documents, by which "-ing" is taken off.
    """
    said = re.sub(r"^\s*(?:\d+[.、)]\s*)+", "", heading).strip().rstrip("：:")
    if _QUESTION.search(said):
        return said
    if language(said) == "zh":
        act = re.match(rf"(?:怎么|怎样|如何)?((?:{_WIDE_VERBS}|把|让|用|在|为|向|从|将|给|按).+)", said)
        return Subject("zh", _ACT, act[1]) if act else Subject("zh", _THING, said)
    first, _, rest = said.partition(" ")
    verb = _verb(first.lower(), known)
    if verb and rest:
        return Subject("en", _ACT, f"{verb} {_small(rest)}")
    if re.match(r"(?:how to|to) ", said.lower()):
        return Subject("en", _ACT, re.sub(r"^(?:how to|to) ", "", said, flags=re.IGNORECASE))
    return Subject("en", _THING, _small(said))


def _verb(word: str, known: Collection[str]) -> str:
    """The verb that a word is, in its base form; empty if it is none."""
    if word in _VERBS:
        return word
    if not word.endswith("ing") or len(word) < 6:
        return ""
    stem = word[:-3]
    doubled = stem[:-1] if stem[-1:] == stem[-2:-1] else stem
    return next((one for one in (stem, f"{stem}e", doubled) if one in _VERBS or one in known), "")


def _small(text: str) -> str:
    """A text with a small first letter, but for names and short forms."""
    first, _, rest = text.partition(" ")
    if any(word[:1].isupper() for word in rest.split()):
        return text  # a name of several words
    return text if any(sign.isupper() for sign in first[1:]) or len(first) == 1 else text[:1].lower() + text[1:]


def of_sentence(sentence: str) -> Subject | None:
    """What a sentence speaks of, where one of the patterns fits; None where none does."""
    said = sentence.strip()
    for tongue, pattern, kind in _OPENINGS:
        found = pattern.match(said)
        if found and len(question_words(found[1])) > 1:
            return Subject(tongue, kind, _small(found[1].strip()))
    return None


def keywords(sentence: str, rarity: Callable[[str], float], most: int = 4) -> str:
    """The rarest words of an English sentence in their order, as people type them into a search."""
    said = [word for word in dict.fromkeys(words(sentence)) if len(word) > 2 and not word.isdigit()]
    kept = set(sorted(said, key=lambda word: -rarity(word))[:most])
    return " ".join(word for word in said if word in kept)
