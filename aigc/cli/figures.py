"""A job's figures in words: title, value, which direction is better, the baseline beside it, and the verdict."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any
from unicodedata import east_asian_width

from aigc.client import Client
from aigc.errors import ApiError
from aigc.notebook import number
from aigc.speech import say

Known = Mapping[str, Mapping[str, Any]]
_DIRECTIONS = {"lower": "lower is better", "higher": "higher is better"}
_BESIDE = ("baseline", "real", "noise")
_JUDGED = {
    "better": "baseline {value}: better",
    "even": "baseline {value}: nothing to gain here",
    "unclear": "baseline {value}: no difference that these test rows could show",
    "worse": "baseline {value}: NOT better than the baseline",
    "few": "baseline {value}: too few to judge",
}


def of_task(client: Client, task: str) -> Known:
    """What the figures of a task mean, by name; none where the server knows it no more, or does not answer."""
    with contextlib.suppress(ApiError):
        record = client.tasks.get(task)
        curves = {name: {"title": title} for name, title in (record.raw.get("curves") or {}).items()}
        return {**curves, **{name: about for name, about in record.metrics.items() if isinstance(about, Mapping)}}
    return {}


def lines(
    measured: Mapping[str, Any],
    known: Known,
    judged: Mapping[str, str] | None = None,
    *,
    everything: bool = False,
) -> list[str]:
    """The figures that say how good something is, a line each, aligned.

    Args:
        measured: Figures by name.
        known: What they mean.
        judged: How the server says that they stand to their baselines, by name (:data:`aigc_models.judging.Judgement`).
        everything: Whether those that nothing is known of, such as losses, stand below.
    """
    beside = {known[name].get(of) for name in measured if name in known for of in _BESIDE}
    explained = [name for name in measured if "better" in known.get(name, ()) and name not in beside]
    others = [name for name in measured if name not in explained and name not in beside]
    titles = {name: str(known[name]["title"]) for name in explained}
    if everything or not explained:
        titles |= {name: str(known.get(name, {}).get("title") or name.replace("_", " ")) for name in others}
    width = max(map(_width, titles.values()), default=0)
    values = {name: number(measured[name]) for name in titles}
    room = max(map(len, values.values()), default=0)
    said = {name: _said(name, measured, known, (judged or {}).get(name)) for name in titles}
    return [
        f"{title}{' ' * (width - _width(title))}  {values[name]:>{room}}  {said[name]}".rstrip()
        for name, title in titles.items()
    ]


def short(measured: Mapping[str, Any], known: Known, most: int = 2) -> str:
    """The first figures that say how good something is, on one line."""
    beside = {about.get(of) for about in known.values() for of in _BESIDE}
    told = [
        name
        for name in known
        if name in measured and name not in beside and known[name].get("better", "none") != "none"
    ]
    return ", ".join(f"{known[name]['title']} {number(measured[name])}" for name in told[:most])


def aligned(pairs: Mapping[str, Any]) -> list[str]:
    """Names and values, one pair a line."""
    width = max(map(len, pairs), default=0)
    return [f"{name:<{width}}  {_plain(value)}" for name, value in pairs.items()]


def _plain(value: Any) -> str:
    """A value as a person writes it: a dash for nothing, lists with commas."""
    if value is None or value in ("", [], {}):
        return "–"
    if isinstance(value, bool):
        return say("yes") if value else say("no")
    return ", ".join(map(_plain, value)) if isinstance(value, list) else number(value)


def _said(name: str, measured: Mapping[str, Any], known: Known, judged: str | None) -> str:
    return "; ".join(_remarks(name, measured, known, judged)) if "better" in known.get(name, ()) else ""


def _remarks(name: str, measured: Mapping[str, Any], known: Known, judged: str | None) -> Iterator[str]:
    about = known[name]
    if about["better"] in _DIRECTIONS:
        yield say(_DIRECTIONS[about["better"]])
    real, baseline = (measured.get(str(about.get(of))) for of in ("real", "baseline"))
    if real is not None:
        yield say("real data {value}", value=_whose(real, known.get(about["real"])))
    if baseline is not None:
        if judged is None:  # a server of before it said so
            better = measured[name] < baseline if about["better"] == "lower" else measured[name] > baseline
            judged = "better" if better else "worse"
        yield say(_JUDGED.get(judged, "baseline {value}"), value=_whose(baseline, known.get(about["baseline"])))
    elif judged == "few":
        yield say("too few to judge")


def _whose(value: Any, about: Mapping[str, Any] | None) -> str:
    """A figure that stands beside another one, with whose it is."""
    of = (about or {}).get("of")
    return f"{number(value)} ({of})" if of else number(value)


def _width(text: str) -> int:
    """Columns in a terminal: Chinese characters take two."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
