"""Made-up operations of an office program, done by rules that are known, so that drafted how-tos can be judged.

No person and no session in it is real. What is planted in every one of :data:`RECIPES`:

- **steps** in their order, some of which are **optional** and left out by most;
- a **fork**: some people take another way from one step to another, such as a shortcut instead of a menu;
- a **mistake** after which most sessions fail, or a step that failing sessions leave out;
- **detours**: people look at something else and come back, so that a step is done twice; **retries**: the program
  refuses a step, and it is done again;
- **noise**: events that have nothing to do with the task, anywhere in a session;
- sessions that are **given up** half way.

Only :meth:`random.Random.random` is drawn from, which gives the same numbers in every version of Python, so the bundled
file can be made again: ``python -m aigc_models.data.planted_operations FILE.csv.gz``.
"""

import csv
import gzip
import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import log
from pathlib import Path
from random import Random
from types import MappingProxyType

SESSIONS, SEED = 1200, 11
OPENED = 1_714_550_400  # 2024-05-01 08:00, in seconds since 1970 UTC
DAY = 86_400
HEAD = ("session_id", "time", "event", "screen", "task", "outcome")
SUCCEEDED, FAILED = "succeeded", "failed"
OPTIONAL, FORKED = 0.4, 0.3
_NOISE, _DETOUR, _RETRY, _GIVEN_UP, _MISTAKE, _UNNAMED = 0.1, 0.1, 0.06, 0.08, 0.12, 0.08
_FAILS_AFTER = 0.8  # share of the sessions with a mistake that fail


@dataclass(frozen=True, slots=True)
class Recipe:
    """How something is done.

    Attributes:
        screen: Where most of it happens.
        steps: What is done in order, the optional ones included.
        optional: Steps that most leave out.
        instead: Steps that one is taken in place of, and that other way.
        mistake: An event after which most sessions fail, and the step after which it is done; or a step alone, which
            failing sessions leave out.
    """

    screen: str
    steps: Sequence[str]
    optional: frozenset[str]
    instead: tuple[Sequence[str], Sequence[str]]
    mistake: tuple[str, str]

    @property
    def needed(self) -> list[str]:
        """The steps that a how-to must have, in order."""
        return [step for step in self.steps if step not in self.optional]


RECIPES: Mapping[str, Recipe] = MappingProxyType({
    "Export an invoice as PDF": Recipe(
        "Invoices",
        (
            "Open the invoice list", "Filter by customer", "Open the invoice", "Open the actions menu",
            "Choose Export as PDF", "Choose a folder", "Confirm the export",
        ),
        frozenset({"Filter by customer"}),
        (("Open the actions menu", "Choose Export as PDF"), ("Press Ctrl+E",)),
        ("Choose Export as CSV", "Open the actions menu"),
    ),
    "Create a customer": Recipe(
        "Customers",
        (
            "Open the customer list", "Choose New customer", "Enter the name", "Enter the address",
            "Enter the VAT number", "Check for duplicates", "Save the customer",
        ),
        frozenset({"Enter the VAT number"}),
        (("Enter the address",), ("Look up the address", "Accept the address")),
        ("", "Check for duplicates"),
    ),
    "Refund a payment": Recipe(
        "Payments",
        (
            "Open the payments", "Search for the payment", "Open the payment", "Choose Refund", "Enter the amount",
            "Add a note", "Choose a reason", "Confirm with a code",
        ),
        frozenset({"Add a note"}),
        (("Open the payments", "Search for the payment"), ("Open the order", "Open its payments")),
        ("Choose Cancel order", "Open the payment"),
    ),
    "Reset a colleague's password": Recipe(
        "Administration",
        (
            "Open the administration", "Choose Users", "Search for the colleague", "Open the account",
            "Choose Reset password", "Choose how to send the link", "Confirm the reset",
        ),
        frozenset({"Choose how to send the link"}),
        (("Choose Users", "Search for the colleague"), ("Paste the e-mail address into the search",)),
        ("Choose Lock account", "Open the account"),
    ),
    "导出月度报表": Recipe(
        "报表中心",
        ("打开报表中心", "选择月度报表", "设置时间范围", "选择部门", "点击生成", "点击导出", "选择 Excel 格式"),
        frozenset({"选择部门"}),
        (("选择月度报表", "设置时间范围"), ("使用收藏的报表",)),
        ("点击打印", "点击生成"),
    ),
    "提交报销单": Recipe(
        "报销",
        ("打开报销模块", "新建报销单", "填写金额", "选择费用类别", "填写备注", "上传发票", "提交审批"),
        frozenset({"填写备注"}),
        (("填写金额", "选择费用类别"), ("扫描发票", "确认识别结果")),
        ("", "上传发票"),
    ),
    "绑定新手机号": Recipe(
        "账号设置",
        ("打开账号设置", "选择安全", "点击更换手机号", "验证密码", "输入新手机号", "输入验证码", "点击完成"),
        frozenset(),
        (("打开账号设置", "选择安全"), ("点击头像", "选择账号安全")),
        ("点击注销账号", "选择安全"),
    ),
    "申请发票": Recipe(
        "订单",
        ("打开订单列表", "选择订单", "点击申请发票", "选择发票类型", "选择常用抬头", "填写抬头", "填写税号",
         "提交申请"),
        frozenset({"选择常用抬头"}),
        (("打开订单列表", "选择订单"), ("打开订单消息", "点击查看订单")),
        ("点击申请退款", "选择订单"),
    ),
})  # fmt: skip
NOISE: Mapping[bool, Sequence[str]] = MappingProxyType(
    {
        False: ("Open the dashboard", "Read a notification", "Open the calendar", "Change the window size"),
        True: ("打开首页", "查看通知", "打开日历", "调整窗口大小"),
    }
)
ASIDE: Mapping[bool, str] = MappingProxyType({False: "Open the help", True: "打开帮助"})
REFUSED: Mapping[bool, str] = MappingProxyType({False: "An error message appears", True: "出现错误提示"})


def is_chinese(task: str) -> bool:
    """Whether the events of a task are called in Chinese."""
    return not task.isascii()


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the log; ``time`` in seconds since 1970 UTC."""

    session: str
    time: int
    event: str
    screen: str
    task: str
    outcome: str


class _Person:
    """Does a task once."""

    def __init__(self, task: str, random: Random) -> None:
        self.task, self.random = task, random
        self.recipe = RECIPES[task]
        self.chinese = is_chinese(task)

    def chance(self, share: float) -> bool:
        """Whether something happens."""
        return self.random.random() < share

    def steps(self) -> tuple[list[str], bool]:
        """What is done of the recipe, and whether it succeeds: with a fork, a mistake or half of it, as it comes."""
        recipe = self.recipe
        away = frozenset(step for step in recipe.steps if step in recipe.optional and not self.chance(OPTIONAL))
        steps = [step for step in recipe.steps if step not in away]
        if self.chance(FORKED):
            replaced, other = recipe.instead
            at = steps.index(replaced[0])
            steps = [*steps[:at], *other, *(step for step in steps[at:] if step not in replaced)]
        wrong, after = recipe.mistake
        if self.chance(_MISTAKE) and after in steps:
            at = steps.index(after)
            steps = [*steps[: at + 1], wrong, *steps[at + 1 :]] if wrong else [*steps[:at], *steps[at + 1 :]]
            if self.chance(_FAILS_AFTER):
                return steps[: max(at + 2, int(len(steps) * (0.6 + 0.4 * self.random.random())))], False
        if self.chance(_GIVEN_UP):
            return steps[: 1 + int(self.random.random() * (len(steps) - 1))], False
        return steps, True

    def events(self) -> tuple[list[tuple[str, float]], bool]:
        """What is done with all that comes between, each with the seconds since the event before."""
        steps, succeeded = self.steps()
        found: list[tuple[str, float]] = []
        for step in steps:
            if self.chance(_NOISE):
                found.append((self.one_of(NOISE[self.chinese]), self.pause(25)))
            found.append((step, self.pause(9)))
            if self.chance(_RETRY):
                found += [(REFUSED[self.chinese], self.pause(2)), (step, self.pause(6))]
            elif self.chance(_DETOUR / 2):
                found += [(ASIDE[self.chinese], self.pause(8)), (step, self.pause(45))]
        return found, succeeded

    def one_of(self, names: Sequence[str]) -> str:
        """One of some names."""
        return names[int(self.random.random() * len(names))]

    def pause(self, mean: float) -> float:
        """Seconds, by an exponential law."""
        return 1 - mean * log(1 - self.random.random())


def plant(sessions: int = SESSIONS, seed: int = SEED) -> list[Row]:
    """Let people do their tasks; the same seed gives the same log, ordered by time as a program writes it."""
    random = Random(seed)  # noqa: S311 - nothing here is secret
    tasks = list(RECIPES)
    rows: list[Row] = []
    for number in range(sessions):
        person = _Person(tasks[int(random.random() * len(tasks))], random)
        moment = OPENED + int(random.random() * 60) * DAY + int(random.random() * 9 * 3600)
        events, succeeded = person.events()
        task = "" if random.random() < _UNNAMED else person.task
        screens = dict.fromkeys(person.recipe.steps, person.recipe.screen)
        for event, pause in events:
            moment += round(pause)
            outcome = SUCCEEDED if succeeded else FAILED
            rows.append(Row(f"s-{number + 1:05}", moment, event, screens.get(event, ""), task, outcome))
    return sorted(rows, key=lambda row: row.time)  # stable: what happens in one second keeps its order


def as_csv(rows: Sequence[Row]) -> str:
    """The log as a program exports it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEAD)
    for row in rows:
        when = datetime.fromtimestamp(row.time, UTC).strftime("%Y-%m-%d %H:%M:%S")
        writer.writerow((row.session, when, row.event, row.screen, row.task, row.outcome))
    return text.getvalue()


def write_gzip(rows: Sequence[Row], path: Path) -> None:
    """Write the packed file; the same bytes each time."""
    with path.open("wb") as stream, gzip.GzipFile("", "wb", 9, stream, mtime=0) as packed:
        packed.write(as_csv(rows).encode())


if __name__ == "__main__":
    write_gzip(plant(), Path(sys.argv[1]))
