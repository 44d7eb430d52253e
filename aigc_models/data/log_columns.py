"""What the columns of a file of operations can hold, and the names they are commonly given."""

from types import MappingProxyType
from typing import Literal

from aigc_models.data.event_columns import NAMES, WORDS, Vocabulary

LogRole = Literal["session", "event", "time", "task", "outcome", "screen", "object", "detail"]

LOG: Vocabulary[LogRole] = Vocabulary(
    names=MappingProxyType({
        "session": (
            "sessionid", "session", "caseid", "case", "traceid", "trace", "caseconceptname", "runid", "run", "visitid",
            "visit", "conversationid", "ticketid", "ticket", "orderid", "instanceid", "processinstance", "userid",
            "user", "会话id", "会话编号", "会话", "案例id", "案例编号", "案例", "工单号", "工单", "流程实例",
        ),
        "event": (
            "event", "action", "activity", "eventname", "actionname", "activityname", "conceptname", "operation",
            "eventtype", "actiontype", "step", "command", "事件", "事件名称", "操作", "操作名称", "动作", "活动",
            "步骤",
        ),
        "time": ("timetimestamp", "timestampms", "starttime", "logtime", *NAMES["time"], "操作时间", "发生时间"),
        "task": (
            "task", "taskname", "goal", "process", "workflow", "intent", "usecase", "purpose", "任务", "任务名称",
            "目标", "流程", "业务",
        ),
        "outcome": (
            "outcome", "result", "status", "success", "succeeded", "state", "completed", "结果", "状态", "是否成功",
        ),
        "screen": (
            "screen", "page", "view", "window", "module", "url", "path", "form", "screenname", "pagename", "页面",
            "界面", "屏幕", "窗口", "模块",
        ),
        "object": (
            "object", "element", "target", "control", "widget", "button", "field", "component", "对象", "控件", "元素",
            "按钮",
        ),
        "detail": (
            "detail", "details", "description", "note", "comment", "message", "value", "label", "详情", "说明", "备注",
            "描述",
        ),
    }),
    words=MappingProxyType({
        "session": frozenset({"session", "case", "trace"}),
        "event": frozenset({"event", "action", "activity"}),
        "time": WORDS["time"],
        "task": frozenset({"task", "goal"}),
        "outcome": frozenset({"outcome", "result"}),
        "screen": frozenset({"screen", "page"}),
    }),
    required=("session", "event"),
    unclear=MappingProxyType({
        "session": "It is unclear which column holds the sessions. Name it under Session column; the columns are: "
        "{names}.",
        "event": "It is unclear which column holds the events. Name it under Event column; the columns are: {names}.",
    }),
    guessed=("time",),
)  # fmt: skip
ROLES: tuple[LogRole, ...] = tuple(LOG.names)
# Words that say that a session reached what it was for, without case.
SUCCESS = frozenset(
    {
        "succeeded", "success", "successful", "ok", "done", "completed", "complete", "finished", "passed", "true",
        "yes", "1", "resolved", "成功", "完成", "已完成", "是", "通过", "已解决",
    }
)  # fmt: skip
