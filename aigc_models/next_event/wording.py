"""A drafted how-to in words, as Markdown in English or Chinese, from templates and what the log calls things."""

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from aigc_models.data.how_tos import HowTo, Pitfall, Step, Way

_EN: Mapping[str, str] = MappingProxyType({
    "title": "How to: {title}",
    "untitled": "The usual way",
    "steps": "Steps",
    "optional": "Optional: ",
    "where": " (on {screen})",
    "object": " – {object}",
    "support": "{share} of {sessions} sessions",
    "either": "this step and the one before are done in either order",
    "way": "Or, instead of this step: {events} – {share} of the sessions",
    "way_many": "Or, instead of steps {first} to {last}: {events} – {share} of the sessions",
    "pitfalls": "What often goes wrong",
    "mistake": "“{event}” after step {number} goes wrong: of the sessions with it, {failed} did not succeed, of the "
    "others {otherwise}.",
    "mistake_first": "“{event}” at the beginning goes wrong: of the sessions with it, {failed} did not succeed, of the "
    "others {otherwise}.",
    "left_out": "Do not leave out step {number}, “{event}”: of the sessions without it, {failed} did not succeed, of "
    "the others {otherwise}.",
    "back": "“{event}” leads back, mostly to step {number}, in {share} of the sessions.",
    "twice": "Step {number}, “{event}”, is done twice in a row in {share} of the sessions.",
    "about": "About this draft",
    "rests": "Drafted from {sessions} sessions{outcome}{considered}. Read it over before you publish it.",
    "outcome": " that ended as “{outcome}”",
    "considered": ", of {considered} for this task",
    "time": "It usually takes about {time}.",
    "evidence": "Sessions that go this way: {names}.",
    "join": ", then ",
    "list": ", ",
    "seconds": "{count} seconds",
    "minutes": "{count} minutes",
    "hours": "{count} hours",
    "quoted": "“{name}”",
})  # fmt: skip
_ZH: Mapping[str, str] = MappingProxyType({
    "title": "如何：{title}",
    "untitled": "通常的做法",
    "steps": "步骤",
    "optional": "可选：",
    "where": "（在“{screen}”界面）",
    "object": " – {object}",
    "support": "{sessions} 次操作中有 {share} 这样做",
    "either": "这一步与上一步的先后可以互换",
    "way": "也可以用{events}代替这一步 – {share} 的操作如此",
    "way_many": "也可以用{events}代替第 {first} 至 {last} 步 – {share} 的操作如此",
    "pitfalls": "常见的问题",
    "mistake": "第 {number} 步之后的“{event}”容易出错：有它的操作中 {failed} 没有成功，其他操作为 {otherwise}。",
    "mistake_first": "一开始的“{event}”容易出错：有它的操作中 {failed} 没有成功，其他操作为 {otherwise}。",
    "left_out": "不要漏掉第 {number} 步“{event}”：漏掉它的操作有 {failed} 没有成功，其他操作为 {otherwise}。",
    "back": "“{event}”之后往往要重做某一步，多为第 {number} 步；{share} 的操作如此。",
    "twice": "第 {number} 步“{event}”常被连续做两次；{share} 的操作如此。",
    "about": "关于这份草稿",
    "rests": "根据 {sessions} 次操作起草{outcome}{considered}。发布前请先核对。",
    "outcome": "，它们的结果是“{outcome}”",
    "considered": "；这项任务共有 {considered} 次操作",
    "time": "通常需要大约 {time}。",
    "evidence": "这样做的操作有：{names}。",
    "join": "，然后",
    "list": "、",
    "seconds": "{count} 秒",
    "minutes": "{count} 分钟",
    "hours": "{count} 小时",
    "quoted": "“{name}”",
})  # fmt: skip
_WORDS: Mapping[str, Mapping[str, str]] = MappingProxyType({"en": _EN, "zh": _ZH})
assert _EN.keys() == _ZH.keys()
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SIGNS = re.compile(r"([\\`*_\[\]<>#|])")


def readable(name: str) -> str:
    """A name as a person writes it: ``invoice_list.open`` as "Invoice list open"; one with blanks stays."""
    if " " in name or not re.fullmatch(r"[A-Za-z0-9_.:\-]+", name):
        return name
    words = re.sub(r"[_.:\-]+", " ", _CAMEL.sub(" ", name)).strip()
    return words[:1].upper() + words[1:].lower() if words else name


def markdown(how_to: HowTo) -> str:
    """The whole how-to; what it says is checked by nobody but the counts, so it says that it is a draft."""
    return "\n".join(_lines(how_to)) + "\n"


def title_of(how_to: HowTo) -> str:
    """Its heading."""
    words = _WORDS[how_to.language]
    return words["title"].format(title=readable(how_to.title)) if how_to.title else words["untitled"]


def _lines(how_to: HowTo) -> Iterator[str]:
    words = _WORDS[how_to.language]
    yield f"# {_plain(title_of(how_to))}"
    yield ""
    if how_to.seconds:
        yield words["time"].format(time=_time(how_to.seconds, words))
        yield ""
    yield f"## {words['steps']}"
    yield ""
    for step in how_to.steps:
        yield f"{step.number}. {_step(step, how_to, words)}"
        yield from (f"    - {_way(way, words)}" for way in how_to.ways if way.first == step.number)
    if how_to.pitfalls:
        yield from ("", f"## {words['pitfalls']}", "", *(f"- {_pitfall(one, words)}" for one in how_to.pitfalls))
    yield from ("", f"## {words['about']}", "", _rests(how_to, words))
    if how_to.evidence:
        yield words["evidence"].format(names=words["list"].join(map(_plain, how_to.evidence)))


def _step(step: Step, how_to: HowTo, words: Mapping[str, str]) -> str:
    said = words["optional"] if step.optional else ""
    said += f"**{_plain(readable(step.event))}**"
    if step.object:
        said += words["object"].format(object=_plain(step.object))
    if step.screen:
        said += words["where"].format(screen=_plain(step.screen))
    notes = [words["support"].format(share=percent(step.share), sessions=how_to.sessions)]
    if step.detail:
        notes.insert(0, _plain(step.detail))
    if step.either_order:
        notes.append(words["either"])
    return f"{said} – {'; '.join(notes)}" if how_to.language == "en" else f"{said} – {'；'.join(notes)}"


def _way(way: Way, words: Mapping[str, str]) -> str:
    events = words["join"].join(words["quoted"].format(name=_plain(readable(one))) for one in way.events)
    name = "way" if way.first == way.last else "way_many"
    return words[name].format(first=way.first, last=way.last, events=events, share=percent(way.share))


def _pitfall(one: Pitfall, words: Mapping[str, str]) -> str:
    name = "mistake_first" if one.kind == "mistake" and not one.number else one.kind
    return words[name].format(
        event=_plain(readable(one.event)),
        number=one.number,
        share=percent(one.share),
        failed=percent(one.failed or 0.0),
        otherwise=percent(one.otherwise or 0.0),
    )


def _rests(how_to: HowTo, words: Mapping[str, str]) -> str:
    outcome = words["outcome"].format(outcome=_plain(how_to.outcome)) if how_to.outcome else ""
    more = how_to.considered > how_to.sessions
    considered = words["considered"].format(considered=how_to.considered) if more else ""
    return words["rests"].format(sessions=how_to.sessions, outcome=outcome, considered=considered)


def _time(seconds: float, words: Mapping[str, str]) -> str:
    if seconds < 90:
        return words["seconds"].format(count=max(1, round(seconds)))
    if seconds < 90 * 60:
        return words["minutes"].format(count=round(seconds / 60))
    return words["hours"].format(count=round(seconds / 3600))


def percent(share: float) -> str:
    """A share as people say it; nearly all is not all."""
    return f"{min(round(100 * share), 99 if share < 1 else 100)} %"


def _plain(text: str) -> str:
    """A text of the log without meaning for Markdown, on one line."""
    return _SIGNS.sub(r"\\\1", " ".join(text.split()))


def file_names(how_tos: Sequence[HowTo]) -> list[str]:
    """A name for the Markdown file of each, unlike the others."""
    found = []
    for number, one in enumerate(how_tos, 1):
        words = re.sub(r"[^\w\- ]+", "", title_of(one)).strip()[:80] or "how-to"
        found.append(f"{number:02} {words}.md")
    return found
