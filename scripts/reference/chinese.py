"""Chinese typography: full-width marks beside Chinese characters, half-width ones in code, names and numbers."""

import re

HAN = "\u4e00-\u9fff"
MARKS = {",": "，", ";": "；", ":": "：", "?": "？", "!": "！"}
_BESIDE = f"{HAN}，；：？！（）。、“”《》"
_KEPT = re.compile(
    r"(^ *```.*?^ *```$|`[^`\n]*`|\]\([^)\s]*\)|<https?:[^>]*>|https?://[^\s)，；。]+|--[\w-]+=[\w,]+)",
    re.MULTILINE | re.DOTALL,
)
_MARK = re.compile(r"([,;:?!]) ?")
_PARENTHESES = re.compile(r"\(([^()]*)\)")


def punctuate(text: str) -> str:
    """Give Chinese text its marks; code and addresses stay as they are."""
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(found[0])
        return f"\ue000{len(kept) - 1}\ue001"

    marked = _marked(_KEPT.sub(keep, text))
    return re.sub("\ue000(\\d+)\ue001", lambda found: kept[int(found[1])], marked)


def half_width(text: str) -> list[str]:
    """The lines whose marks are not as they should be."""
    return [
        before for before, after in zip(text.split("\n"), punctuate(text).split("\n"), strict=True) if before != after
    ]


def _marked(text: str) -> str:
    text = _PARENTHESES.sub(_around, text)
    return "\n".join(_MARK.sub(_wide, line) if re.search(f"[{HAN}]", line) else line for line in text.split("\n"))


def _wide(found: re.Match[str]) -> str:
    """A mark stays half-width within numbers, as in 5,000, within addresses such as host:port, and in ``![``."""
    before, behind = found.string[: found.start()][-1:], found.string[found.end() :][:1]
    both = before + behind
    within = len(both) == 2 and both.isascii() and (both.isdigit() or (found[0] == ":" and both.isalnum()))
    return found[0] if within or not before.strip() else MARKS[found[1]]


def _around(found: re.Match[str]) -> str:
    whole, start, end = found.string, found.start(), found.end()
    outside = whole[max(0, start - 2) : start] + whole[end : end + 1]
    chinese = re.search(f"[{_BESIDE}]", outside) or re.search(f"[{HAN}]", found[1])
    return f"（{found[1]}）" if chinese else found[0]
