"""A table with everything that is hard in it, from the form to the synthetic CSV, as a person goes."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

import aigc
from tests.acceptance.browsing import visit
from tests.acceptance.test_stack import Up, start, stop

pytestmark = [
    pytest.mark.stack,
    pytest.mark.browser,
    pytest.mark.long,
    pytest.mark.xdist_group("browser"),
    pytest.mark.timeout(600),
]

ROWS, MADE, STREETS = 12_000, 3_000, 5_000
HEADERS = ["编号", "开户日期", "登录时间", "城市", "街道", "收入", "年龄", "余额", "状态", "国家", "备注"]
CITIES = ("北京", "上海", "广州", "深圳", "=成都")
SPELT = {
    "编号": re.compile(r"K-\d{5}"),
    "开户日期": re.compile(r"\d{4}年\d{2}月\d{2}日"),
    "登录时间": re.compile(r"\d{2}\.\d{2}\.\d{4} \d{2}:\d{2}"),
    "街道": re.compile(r"长安街\d{4}号"),
    "收入": re.compile(r"-?\d{1,3}(?:\.\d{3})*,\d{2}"),
    "年龄": re.compile(r"\d{2}"),
    "余额": re.compile(r"-?\d+\.\d"),
    "状态": re.compile("是|否"),
    "国家": re.compile("中国"),
}


def hard_table() -> tuple[bytes, list[dict[str, str]]]:
    """Dates, ids, a constant, three columns with 30 % missing cells, a category of 5,000 values, Chinese headers."""
    draw = np.random.default_rng(0)
    numbers, days = draw.permutation(90_000)[:ROWS] + 10_000, draw.integers(0, 4_000, ROWS)
    streets = np.concatenate([np.arange(STREETS), draw.zipf(1.3, ROWS) % STREETS])[:ROWS]
    minutes, ages = draw.integers(0, 2_000_000, ROWS), draw.integers(18, 90, ROWS)
    income = np.round(1_000 + 90 * ages + draw.normal(0, 400, ROWS), 2)
    gaps = draw.random((3, ROWS)) < 0.3
    day = np.datetime64("2010-01-01")
    rows = []
    for n in range(ROWS):
        opened = (day + int(days[n])).astype(datetime)
        login = (np.datetime64("2019-01-01T00:00") + int(minutes[n])).astype(datetime)
        euros = f"{income[n]:,.2f}".translate({ord(","): ".", ord("."): ","})
        cells = [
            f"K-{numbers[n]}",
            opened.strftime("%Y年%m月%d日"),
            login.strftime("%d.%m.%Y %H:%M"),
            CITIES[int(draw.choice(5, p=[0.4, 0.3, 0.15, 0.1, 0.05]))],
            f"长安街{streets[n]:04d}号",
            "NA" if gaps[0, n] else euros,
            "" if gaps[1, n] else str(ages[n]),
            "?" if gaps[2, n] else f"{draw.normal(0, 50):.1f}",
            "是" if ages[n] > 50 else "否",
            "中国",
            f"第{n}位客户 在 网上 说 他 要 再 来, 还 要 带 朋友 来",
        ]
        rows.append(dict(zip(HEADERS, cells, strict=True)))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, HEADERS, delimiter=";")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue().encode("gb18030"), rows


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    started = start(tmp_path_factory.mktemp("hard") / "home")
    yield started
    stop(started)


def job_on(page: Page) -> str:
    """The id of the job whose page comes next."""
    expect(page).to_have_url(re.compile(r"/jobs/(?!new)[^/?]+$"))
    return page.url.rsplit("/", 1)[1]


def upload(page: Page, content: bytes) -> str:
    """Send the table with the form; gives the dataset's id."""
    file: FilePayload = {"name": "客户.csv", "mimeType": "text/csv", "buffer": content}
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Upload and check").click()
    expect(page).to_have_url(re.compile(r"/datasets/ds_"))
    return page.url.rsplit("/", 1)[1].partition("?")[0]


@pytest.mark.parametrize("family", ["table_vae", "table_gan"])
def test_a_hard_table_goes_from_form_to_synthetic_csv(browser: Browser, up: Up, family: str, tmp_path: Path) -> None:
    content, real = hard_table()
    with visit(browser, up.url, java_script_enabled=False) as window, aigc.Client(up.url) as client:
        page = window.open("/datasets/new?kind=table")
        dataset = upload(page, content)
        client.jobs.list(limit=1)[0].wait(timeout=120)
        assert client.datasets.get(dataset).state == "ready"
        page.goto(f"{up.url}/datasets/{dataset}")
        expect(page.get_by_text("gb18030").first).to_be_visible()

        page.goto(f"{up.url}/jobs/new/{family}.train?dataset={dataset}&preset=quick")
        page.locator("[name=least_steps]").fill("1500")
        page.get_by_label("Name of the job").fill(f"hard-{family}")
        page.get_by_role("button", name="Start training").click()
        training = client.jobs.get(job_on(page)).wait(timeout=400)
        assert training.state == "succeeded"
        assert training.last_metrics["exact_copies"] == 0

        page.goto(f"{up.url}/models/{training.model}")
        page.locator("[name=count]").fill(str(MADE))
        with page.expect_navigation():
            page.get_by_role("button", name="Generate", exact=True).click()
        made = client.jobs.list(limit=1)[0].wait(timeout=120)  # the model's page stays, and lists what is made
        assert (made.task, made.state) == (f"{family}.generate", "succeeded")
        made.download(tmp_path)
    with next(tmp_path.rglob("synthetic.csv")).open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter=";"))  # as in the file that it learnt from
    check_rows(rows, real)


def check_rows(rows: list[dict[str, str]], real: list[dict[str, str]]) -> None:
    """Types, spellings, gaps and ranges as in the original, ids of its own, and nobody's row."""
    assert len(rows) == MADE
    assert list(rows[0]) == [name for name in HEADERS if name != "备注"]  # free text is left out, as the log says
    for name, gap in (("收入", "NA"), ("年龄", ""), ("余额", "?")):
        share = np.mean([row[name] == gap for row in rows])
        assert 0.2 < share < 0.4, name
    gaps = {"收入": "NA", "年龄": "", "余额": "?"}
    for name, pattern in SPELT.items():
        wrong = [row[name] for row in rows if row[name] != gaps.get(name) and not pattern.fullmatch(row[name])]
        assert not wrong, (name, wrong[:3])
    assert {row["城市"] for row in rows} <= {*CITIES[:4], "'=成都"}  # escaped, as a spreadsheet would run it
    assert {row["街道"] for row in rows} <= {row["街道"] for row in real}
    assert len({row["街道"] for row in rows}) > 300
    assert len({row["编号"] for row in rows}) == MADE
    assert not {row["编号"] for row in rows} & {row["编号"] for row in real}
    ages = [int(row["年龄"]) for row in rows if row["年龄"]]
    assert 18 <= min(ages) <= max(ages) < 90
    days = [datetime.strptime(row["开户日期"], "%Y年%m月%d日").date() for row in rows]  # noqa: DTZ007 - a day
    assert datetime(2010, 1, 1).date() <= min(days) <= max(days) < datetime(2021, 1, 1).date()  # noqa: DTZ001
    others = [name for name in HEADERS if name not in ("编号", "备注")]
    known = {tuple(row[name] for name in others) for row in real}
    assert not [row for row in rows if tuple(row[name].removeprefix("'") for name in others) in known]
