import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.naming import BEGINNING, LONGEST, beginning, file_name, is_printable, plain, slug, wish


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Fashion MNIST.npz", "fashion-mnist-npz"),
        ("  __Ünïcode  &  Co__ ", "ünïcode-co"),
        ("商品 图片", "商品-图片"),
        ("!!!", "unnamed"),
        ("", "unnamed"),
        ("x" * 300, "x" * LONGEST),
    ],
)
def test_slugs(text: str, expected: str) -> None:
    assert slug(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("How do I print a page?", "how-do-i-print-a-page"),
        ("How do I export what I made to a folder of my own?", "how-do-i-export-what-i-made-to-a-folder"),
        ("怎么打印一页？" * 9, "怎么打印一页-怎么打印一页-怎么打印一页-怎么打印一页-怎么打印一页"),
        ("x" * 99, "x" * BEGINNING),
        ("?!", ""),
        ("", ""),
    ],
)
def test_beginnings(text: str, expected: str) -> None:
    assert beginning(text) == expected


def test_the_first_wish_that_says_something() -> None:
    named = ("prompt", "tasks")
    assert wish({"prompt": " ", "tasks": ["Pay an invoice", "Other"]}, named) == "pay-an-invoice"
    assert wish({"prompt": "Red shoes", "tasks": ["Other"]}, named) == "red-shoes"
    assert wish({"prompt": None, "tasks": []}, named) == ""


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("photos.zip", "photos.zip"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\photos.zip", "photos.zip"),
        ("a\0b\n.zip", "ab.zip"),
        (".htaccess", "htaccess"),
        ("..", "upload"),
        ("", "upload"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe", "gpj.exe"),
        ("图片.zip", "图片.zip"),
    ],
)
def test_file_names(sent: str, kept: str) -> None:
    assert file_name(sent) == kept


@given(st.text(max_size=400))
def test_any_name_becomes_a_plain_one(sent: str) -> None:
    kept = file_name(sent)
    assert kept
    assert len(kept.encode()) <= LONGEST + 4
    assert kept not in (".", "..")
    assert not set(kept) & set("/\\\0")
    assert kept.isprintable()
    assert slug(sent) == slug(slug(sent))


def test_printable_and_plain() -> None:
    assert is_printable("a name")
    assert not any(is_printable(text) for text in ("", "  ", "a\tb", "\0"))
    assert plain("a\0b") == "ab"
