"""An answer in a model's own words: written from the passages, and held against them sentence by sentence."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from aigc_models.assistant.choosing import choose
from aigc_models.assistant.finding import Found
from aigc_models.assistant.grounding import SUPPORTED, Support, support
from aigc_models.assistant.params import AssistantReply
from aigc_models.assistant.prompting import STOPS, prompt_of
from aigc_models.assistant.replying import quoted, source
from aigc_models.assistant.saved import Saved
from aigc_models.base import Run
from aigc_models.data.replies import PART, Reply, Sentence, spelled, to_json
from aigc_models.retrieval.passages import Passage
from aigc_models.retrieval.tokens import sentences
from aigc_models.writing.speaking import Manner, Speaker

_SHOWN_EVERY = 0.4  # seconds
_NEAR = 0.8  # of the best passage's score, for further passages to write from


@dataclass(frozen=True)
class Material:
    """What an answer is written from.

    Attributes:
        saved: The assistant.
        made: The reply without its answer.
        found: What the search gave.
        order: Passages, the best first.
        params: The settings.
    """

    saved: Saved
    made: Reply
    found: Found
    order: Sequence[int]
    params: AssistantReply

    @property
    def numbers(self) -> list[int]:
        """The passages that may be cited."""
        best = self.found.scores[self.order[0]]
        some = self.order[: self.params.sources]
        return [one for one in some if self.found.scores[one] >= _NEAR * best]

    @property
    def passages(self) -> list[Passage]:
        """The same themselves."""
        return [self.saved.passages[one] for one in self.numbers]

    def pieces(self) -> list[str]:
        """What the prompt holds: first what would be quoted, then the rest of the passages."""
        chosen = choose(self.saved, self.found, self.order, self.params.sources, self.params.sentences)
        first = [self.saved.passages[one.passage].pieces[one.piece].text for one in chosen]
        return list(dict.fromkeys([*first, *(text for one in self.passages for text in one.sentences)]))


def worded(material: Material, speaker: Speaker, run: Run) -> Reply:
    """The reply in the model's words as far as passages support them; quoted where they support none of them."""
    params = material.params
    most = min(params.max_tokens, max(1, speaker.room // 2))
    prompt = prompt_of(material.pieces(), params.question, speaker.count, speaker.room - most)
    shower = _Shower(material, run, params.max_tokens)
    seeds = [(params.seed + number) % 2**31 for number in range(params.drafts)]
    drafts = speaker.speak(prompt, Manner(seeds, most, STOPS), shower.heard)
    judged = [_judge(material, draft) for draft in drafts]
    kept, dropped = max(judged, key=lambda one: (bool(one[0]), sum(each.support for each in one[0]) - len(one[1])))
    made = material.made
    if not kept:
        answer = quoted(material.saved, made, material.found, material.order, params)
        return replace(answer, instead="nothing-supported" if dropped else "nothing-written", dropped=dropped)
    return replace(_told(material, made, kept), dropped=dropped)


def _told(material: Material, made: Reply, kept: Sequence[Sentence]) -> Reply:
    """With its sources numbered in the order in which they are cited."""
    numbers = {one: number for number, one in enumerate(dict.fromkeys(one.source for one in kept), 1)}
    said = [replace(one, source=numbers[one.source], begins=place == 0) for place, one in enumerate(kept)]
    sources = [source(number, material.passages[place]) for place, number in numbers.items()]
    return replace(made, text=spelled(said), sentences=said, sources=sources, manner="written")


def _judge(material: Material, draft: str) -> tuple[list[Sentence], list[str]]:
    """The sentences that a passage supports, with its place among the passages for their source; and the others."""
    kept, dropped = list[Sentence](), list[str]()
    for text in list(dict.fromkeys(sentences(draft)))[: material.params.sentences]:
        found: Support = support(material.saved, text, material.passages)
        if found.score >= SUPPORTED:
            kept.append(Sentence(text, found.passage, "text", found.start, found.end, support=round(found.score, 4)))
        else:
            dropped.append(text)
    return kept, dropped


@dataclass(slots=True)
class _Shower:
    """Tells the run of each token, and now and then shows the answer as it stands: what was checked, and the rest."""

    material: Material
    run: Run
    total: int
    step: int = 0
    shown_at: float = field(default_factory=time.monotonic)

    def heard(self, text: str) -> None:
        """A token more; raises what the run raises."""
        self.step += 1
        self.run.report(min(self.step, self.total - 1), self.total)
        now = time.monotonic()
        if now - self.shown_at < _SHOWN_EVERY:
            return
        self.shown_at = now
        done = sentences(text)
        whole, tail = done[:-1], done[-1] if done else ""
        kept, dropped = _judge(self.material, "\n".join(whole))
        partial = replace(_told(self.material, self.material.made, kept), text=tail, dropped=dropped)
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / f"{PART}.json"
            path.write_text(to_json(partial), encoding="utf-8")
            self.run.preview(PART, self.step, path)
