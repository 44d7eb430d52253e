"""Model cards: what a model version learned from, is meant for and cannot do; as facts, and as Markdown to take away.

What can be known is filled in; what only people know they write themselves, and its lack is told.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aigc_models import registry
from aigc_models.judging import MetricInfo
from jobs.errors import NotFound
from jobs.tables import Dataset, Job, ModelVersion
from web import context
from web.pages import amounts, assistant_sentences
from web.translate import say

UNWRITTEN = "Not written yet."
PARTS: Mapping[str, str] = {"intended_use": "Intended use", "limits": "Limits", "licence": "Licence", "notes": "Notes"}


@dataclass(frozen=True, slots=True)
class Card:
    """Everything there is to say of a model version."""

    row: ModelVersion
    job: Job
    dataset: Dataset | None
    aliases: Sequence[str]

    @property
    def title(self) -> str:
        """Name and number."""
        return f"{self.row.name} v{self.row.number}"

    @property
    def summary(self) -> str:
        """What its family does, in one sentence."""
        family = registry.families().get(self.row.family)
        return say(family.summary) if family else self.row.family

    def written(self, part: str) -> str:
        """What somebody wrote for a part, or nothing."""
        return str(self.row.card.get(part, ""))

    @property
    def data(self) -> list[str]:
        """What it learned from."""
        if self.dataset is None:
            return [say("It was trained without a dataset, or the dataset was deleted.")]
        report = self.dataset.report or {}
        lines = [f"{self.dataset.name} v{self.dataset.number} ({self.dataset.id})"]
        if report.get("width"):
            values = {name: report.get(name, 0) for name in ("train", "test", "width", "height")}
            lines.append(
                say("{train} images to learn from and {test} to test with, {width} × {height} pixels each.", values)
            )
        if report.get("kind") == "table":
            values = {name: report.get(name, 0) for name in ("train", "test")}
            values["count"] = len(report.get("columns") or ())
            lines.append(say("{train} rows to learn from and {test} to test with, {count} columns.", values))
        if report.get("classes"):
            lines.append(say("Classes: {names}.", {"names": ", ".join(report["classes"][:20])}))
        if self.dataset.notes:
            lines.append(say(self.dataset.notes))
        return lines

    @property
    def known_limits(self) -> list[str]:
        """Limits that follow from how it was made and measured."""
        report = self.dataset.report if self.dataset is not None else {}
        lines = []
        if report.get("width"):
            values = {"width": report["width"], "height": report["height"]}
            lines.append(say("It only makes images of {width} × {height} pixels like those it learned from.", values))
        for name, info in self._infos().items():
            if info.judge(name, self.row.metrics or {}) == "worse":
                value, baseline = (self.row.metrics[one] for one in (name, info.baseline or ""))
                values = {"title": say(info.title), "value": _number(value), "baseline": _number(baseline)}
                lines.append(say("{title} {value} is not better than the baseline's {baseline}.", values))
        if few := assistant_sentences.verdict(self.row.metrics or {}):
            lines.append(few)
        if not self.figures():
            lines.append(say("Nothing was measured, so nobody knows how good it is."))
        return lines

    @property
    def licence(self) -> str:
        """The licence as written, else that of the data, as what it is."""
        own = self.written("licence")
        if own or self.dataset is None or not self.dataset.licence:
            return own
        return say("Not written yet; the data it learned from is under: {licence}", {"licence": self.dataset.licence})

    def figures(self) -> list[tuple[MetricInfo, float, float | None, float | None]]:
        """The explained figures, each with the baseline's and the real data's own."""
        infos = self._infos()
        beside = {name for info in infos.values() for name in (info.baseline, info.real, info.noise) if name}
        measured = self.row.metrics or {}
        return [
            (info, measured[name], measured.get(info.baseline or ""), measured.get(info.real or ""))
            for name, info in infos.items()
            if name not in beside and isinstance(measured.get(name), int | float)
        ]

    def _infos(self) -> Mapping[str, MetricInfo]:
        family = registry.families().get(self.row.family)
        return family.metrics if family else {}

    def markdown(self) -> str:
        """The card as Markdown with a YAML header, as model hubs read it."""
        return "\n".join([*self._header(), *self._body()]).rstrip() + "\n"

    def _header(self) -> Iterator[str]:
        """JSON values are YAML, too, so nothing that people wrote can break out of its line."""
        job, data = self.job, self.dataset
        facts: dict[str, Any] = {
            "name": self.row.name,
            "version": self.row.number,
            "id": self.row.id,
            "family": self.row.family,
            "license": self.written("licence") or None,
            "aliases": list(self.aliases),
            "created": self.row.created_at.isoformat(),
            "dataset": {"id": data.id, "name": data.name, "version": data.number, "license": data.licence or None}
            if data is not None
            else None,
            "job": job.id,
            "seed": job.params.get("seed"),
            "code_version": job.snapshot.get("code_version"),
            "metrics": self.row.metrics or {},
        }
        yield "---"
        yield from (f"{name}: {json.dumps(value, ensure_ascii=True)}" for name, value in facts.items())
        yield "---"

    def _body(self) -> Iterator[str]:
        yield from ("", f"# {self.title}", "", self.summary, "", f"## {say('Data')}", "")
        yield from (f"- {line}" for line in self.data)
        yield from ("", f"## {say('Intended use')}", "", self.written("intended_use") or say(UNWRITTEN))
        yield from ("", f"## {say('Limits')}", "", self.written("limits") or say(UNWRITTEN), "")
        yield from (f"- {line}" for line in self.known_limits)
        yield from ("", f"## {say('Licence')}", "", self.licence or say(UNWRITTEN))
        yield from ("", f"## {say('How good it is')}", "", *self._table())
        if self.written("notes"):
            yield from ("", f"## {say('Notes')}", "", self.written("notes"))

    def _table(self) -> Iterator[str]:
        rows = self.figures()
        if not rows:
            yield say("Nothing was measured, so nobody knows how good it is.")
            return
        yield f"| {say('Figure')} | {say('Value')} | {say('Baseline')} | {say('Real data')} | |"
        yield "|---|---|---|---|---|"
        for info, value, baseline, real in rows:
            better = {"lower": say("lower is better"), "higher": say("higher is better")}.get(info.better, "")
            cells = (say(info.title), _number(value), _number(baseline), _number(real), better)
            yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def of(row: ModelVersion) -> Card:
    """The card of one of the caller's model versions."""
    reads = context.repository()
    try:
        dataset = reads.dataset(row.dataset_id) if row.dataset_id is not None else None
    except NotFound:
        dataset = None
    return Card(row, reads.job(row.job_id), dataset, reads.aliases([row.id]).get(row.id, []))


def _number(value: float | None) -> str:
    return "–" if value is None else amounts.figure(value)
