"""What becomes of Markdown, HTML and plain text before it is quoted: paragraphs, items, code, rows; no marks."""

import pytest

from aigc_models.data.text_html import read_html
from aigc_models.data.text_markup import read_page
from aigc_models.data.texts import Document, Part
from aigc_models.retrieval.blocks import blocks_of, markup_in
from aigc_models.retrieval.passages import cut, of_answer, of_sections
from aigc_models.retrieval.tokens import sentences

MARKDOWN = """The **duplex** unit prints on [both sides](print.md). It
takes a minute; see `aigc print`.

![A picture](a.png)

To install it:

1. Open the *rear* cover and
   push the unit in.
2. Close the cover.
   - It clicks.

```bash
aigc print --duplex
aigc print --simple
```

| setting | meaning |
|---|---|
| `sides` | one or `two` |
| `paper` | |

> A quoted line<br>with a break.
"""
WANTED = [
    ("text", "The duplex unit prints on both sides. It takes a minute; see aigc print."),
    ("text", "To install it:"),
    ("item", "1. Open the rear cover and push the unit in."),
    ("item", "2. Close the cover."),
    ("item", "It clicks."),
    ("code", "aigc print --duplex\naigc print --simple"),
    ("table", "setting: sides\nmeaning: one or two"),
    ("table", "setting: paper"),
    ("text", "A quoted line"),
    ("text", "with a break."),
]


def test_markdown_loses_its_marks_and_keeps_what_belongs_together() -> None:
    found = blocks_of(MARKDOWN, "markdown")
    assert [(one.kind, one.text) for one in found] == WANTED
    assert MARKDOWN[found[2].start : found[2].end].startswith("1. Open the *rear*")
    assert MARKDOWN[found[6].start : found[6].end] == "| `sides` | one or `two` |"


def test_html_becomes_the_same_blocks() -> None:
    page = read_html(
        "<h1>Print</h1><p>The <b>duplex</b>\n unit.</p><ol><li>Open it.<li>Close it.</ol>"
        "<table><tr><th>setting<th>meaning<tr><td>sides<td><p>one or two</p></table>"
        "<pre>aigc print\n  --duplex\n\nend</pre><table><tr><td><h2>Laid out</h2>as a table</table>"
    )
    assert [part.heading for part in page.parts] == ["Print", "Laid out"]
    assert [(one.kind, one.text) for one in blocks_of(page.parts[0].text, "html")] == [
        ("text", "The duplex unit."),
        ("item", "1. Open it."),
        ("item", "2. Close it."),
        ("table", "setting: sides\nmeaning: one or two"),
        ("code", "aigc print\n  --duplex\n\nend"),
    ]
    assert page.parts[1].text == "as a table"


WRAPPED = (
    "The printer prints on both sides if the duplex unit is in place. To\n"
    "put it in, open the rear cover and push the unit until it clicks\n"
    "briefly."
)
WRAPPED_ZH = (
    "打印机在装有双面单元时可以在纸的两面打印文字和图片，要安装它请打开\n"
    "后盖，把单元推入直到听到咔嗒一声，然后合上盖子并等待指示灯变绿，再\n"
    "按键。"
)


@pytest.mark.parametrize("text", [WRAPPED, WRAPPED_ZH])
def test_lines_that_a_width_broke_are_put_together(text: str) -> None:
    whole = text.replace("\n", "" if text is WRAPPED_ZH else " ")
    assert [one.text for one in blocks_of(f"{text}\n\nDone.")] == [whole, "Done."]


@pytest.mark.parametrize(
    "text",
    [
        "Anna Miller\nBerlin Street 5\n10115 Berlin",
        "Shows the size.\nShows the name of the file.\nShows the day.",
        "2*3*4 and <b> stay, as _this_ is no Markdown",
        "svc.Copy(array: any): any\nsvc.Copy(array: any, more: any): any\nsvc.Copy(): any",
    ],
)
def test_lines_of_their_own_stay_so(text: str) -> None:
    assert [one.text for one in blocks_of(text, markup_in("a.txt", text))] == text.split("\n")


def test_how_a_text_is_written_is_told_by_its_name_or_its_marks() -> None:
    assert markup_in("a.md", "plain") == "markdown"
    assert markup_in("a.html", "a `b` c") == "html"
    assert markup_in("answer", "Use `aigc up` and **wait**.") == "markdown"
    assert markup_in("answer", "a * b * c, 5 ** 2, [see below]") == "plain"


def test_sentences_end_in_both_languages_and_not_at_short_forms() -> None:
    text = "Ask Dr. Miller, e.g. on Monday. See No. 5 of the U.S. Army manual! 好吗？好！“走吧。”他说；然后走了。"
    assert sentences(text) == [
        "Ask Dr. Miller, e.g. on Monday.",
        "See No. 5 of the U.S. Army manual!",
        "好吗？",
        "好！",
        "“走吧。”",
        "他说；然后走了。",
    ]


def test_passages_can_be_traced_and_code_stays_with_what_introduces_it() -> None:
    page = read_page("# Guide\n\n## Print\n\n" + MARKDOWN * 6, "markdown")
    document = Document("a.md", tuple(page.parts), page.title)
    found = list(of_sections(document, 0))
    assert len(found) > 1
    for passage in found:
        assert all(passage.text[a:b] == one.text for (a, b), one in zip(passage.places(), passage.pieces, strict=True))
        source = document.parts[passage.part].text[passage.start : passage.end]
        spoken = (one.text.split()[0] for one in passage.pieces if one.kind != "table")
        assert all(word in source for word in spoken)
        assert passage.pieces[0].kind != "code"
        assert not passage.pieces[-1].leads_on
    assert "•" not in "".join(found[0].sentences)
    (answer,) = of_answer(Document("1", (Part("?", "user"), Part("Use `x`.", "assistant"))), 0, "?", "Use `x`.", 1)
    assert (answer.sentences, answer.part) == (("Use x.",), 1)


def test_long_code_is_cut_at_line_ends_only() -> None:
    code = "\n".join(f"line {number} = {number}" for number in range(600))
    pieces = [one for each in cut(f"```\n{code}\n```", "a.md") for one in each.pieces]
    assert "\n".join(one.text for one in pieces) == code
    assert {one.kind for one in pieces} == {"code"}
