"""The Chinese of pages, API, command and reference: its marks, its one form of address, its words."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from aigc.chinese import CHINESE
from scripts.reference.chinese import half_width

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "web" / "translations" / "zh_Hans" / "LC_MESSAGES" / "messages.po"
REFERENCE = ROOT / "scripts" / "reference" / "zh_Hans.po"
HAN = "\u4e00-\u9fff"
CODE = re.compile(r"`[^`]*`|\{\w+\}|\baigc [a-z]+|AIGC_\w+|/\S+|\"[^\"]*\"|--\w[\w-]*")
TERMS = {
    r"\bjobs?\b": "任务",
    r"\bdatasets?\b": "数据集",
    r"\bmodels?\b": "模型",
    r"\bworkers?\b": "工作进程",
}
OTHER_WORDS = re.compile(r"作业|资料集|工作者|工作器|工人|执行位")
CITED = "Harper and Konstan, The MovieLens Datasets, ACM TiiS 5(4), 2015"  # a citation is left as it is
UNSAID = {  # Chinese need not name the thing again
    "The worker stops after its current step. The last checkpoint is kept, so the job can go on from there.",
}


def catalogue(path: Path) -> Iterator[tuple[str, str]]:
    """Sentences and their translations."""
    with path.open("rb") as file:
        for message in read_po(file, locale="zh_Hans"):
            if not message.id:
                continue
            if isinstance(message.id, tuple):
                told = message.string
                assert isinstance(told, list | tuple)
                yield str(message.id[1]), str(told[0])
            else:
                yield str(message.id), str(message.string)


SAID = [*catalogue(PAGES), *catalogue(REFERENCE), *CHINESE.items()]


def test_all_of_it_is_looked_at() -> None:
    assert len(SAID) > 1_500
    assert sum(bool(re.search(f"[{HAN}]", told)) for _, told in SAID) > 1_400


def test_marks_are_full_width() -> None:
    assert [told for _, told in SAID if half_width(told.replace(CITED, ""))] == []


@pytest.mark.parametrize("mark", [",", "?", "!", ";", ":", ".", "(", ")"])
def test_no_ascii_mark_stands_between_chinese_characters(mark: str) -> None:
    between = re.compile(f"[{HAN}]\\s?{re.escape(mark)}\\s?[{HAN}]")
    assert [told for _, told in SAID if between.search(told)] == []


def test_the_reader_is_addressed_in_one_way() -> None:
    assert [told for _, told in SAID if "您" in told] == []
    pages = [*(ROOT / "docs").rglob("*.zh.md"), ROOT / "README.zh-CN.md"]
    assert [page.name for page in pages if "您" in page.read_text("utf-8")] == []


def test_a_thing_has_one_name() -> None:
    assert [told for _, told in SAID if OTHER_WORDS.search(told)] == []
    for word, term in TERMS.items():
        named = [
            (told, sentence) for sentence, told in catalogue(PAGES) if re.search(word, CODE.sub("", sentence), re.I)
        ]
        assert len(named) > 20
        assert [sentence for told, sentence in named if term not in told and sentence not in UNSAID] == [], term
