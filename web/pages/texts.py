"""Texts that a job wrote, to read: the prompt marked, what each was asked to be like, and why it ended; and the text
that a training or a long writing shows meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from aigc_models.data import text_results
from aigc_models.data.text_results import WrittenText
from jobs.tables import Artifact
from web import context, result_files
from web.pages import amounts
from web.translate import say

MOST_LIVE = 20_000  # bytes of a text on its way that are shown


@dataclass(frozen=True, slots=True)
class Shown:
    """Texts as a page shows them: each with a line of notes; how many more there are; files to take away."""

    texts: Sequence[tuple[WrittenText, str]]
    more: int
    files: Sequence[Artifact]


@dataclass(frozen=True, slots=True)
class Live:
    """The newest text on its way, and the earlier ones by their steps."""

    text: str
    newest: Artifact
    earlier: Sequence[Artifact]

    def heading(self, *, ended: bool) -> str:
        """What it is: written, found for questions of the training's own, or recommended to some users."""
        kind = self.newest.name.rpartition("-")[0]  # its name holds the step: found-000300.txt
        if kind == "found":
            return say("What it found while it learnt") if ended else say("What it finds now")
        if kind == "recommendations":
            return say("What it recommended while it learnt") if ended else say("What it recommends now")
        return say("What it wrote while it learnt") if ended else say("What it writes now")


def of(files: Sequence[Artifact]) -> Shown | None:
    """The texts a job wrote; None where it wrote none."""
    stored = result_files.document(files, text_results.SHOWN)
    if stored is None:
        return None
    texts, total = text_results.parse_shown(stored)
    downloads = [result_files.named(files, name) for name in (text_results.PLAIN, text_results.TEXTS)]
    return Shown(
        [(one, _notes(one)) for one in texts], total - len(texts), [file for file in downloads if file is not None]
    )


def live(files: Sequence[Artifact]) -> Live | None:
    """What was written last while a job runs; None where it shows no text."""
    shown = [file for file in files if file.role == "sample" and file.media_type.startswith("text/plain")]
    if not shown:
        return None
    newest = max(shown, key=lambda file: file.step or 0)
    try:
        with context.engine().store.open(newest.sha256) as stream:
            text = stream.read(MOST_LIVE).decode("utf-8", "replace")
    except FileNotFoundError:
        return None
    return Live(text, newest, sorted((one for one in shown if one is not newest), key=lambda file: file.step or 0))


def _notes(one: WrittenText) -> str:
    names = {"from": say("From"), "to": say("To"), "title": say("Title")}
    parts = [one.about] if one.about else []
    parts += [f"{names.get(name, name)}: {say(', ').join(values)}" for name, values in one.attributes.items()]
    if "looks_real" in one.scores:
        parts.append(say("looks real: {share} %", {"share": _percent(one.scores["looks_real"])}))
    if "attributes_kept" in one.scores:
        parts.append(say("attributes kept: {share} %", {"share": _percent(one.scores["attributes_kept"])}))
    parts.append(say("seed {seed}", {"seed": one.seed}))
    if one.ended == "stop":
        parts.append(say("ended at a text it was to stop at"))
    elif one.ended == "length":
        parts.append(say("cut at the most tokens"))
    return " · ".join(parts)


def _percent(share: float) -> str:
    return amounts.number(round(100 * share))
