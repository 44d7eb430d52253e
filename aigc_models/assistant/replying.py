"""From a question to a reply: find passages, refuse or ask back, and put pieces of the passages together.

A quoted reply holds nothing but pieces of passages, character by character, each with its source. What a document says
is quoted, never obeyed: there is nothing here that could follow an instruction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from aigc_models.assistant.choosing import Chosen, choose
from aigc_models.assistant.finding import Found, best_passages, search, tied
from aigc_models.assistant.params import AssistantReply
from aigc_models.assistant.saved import Saved
from aigc_models.data.replies import Reply, Sentence, Source, spelled
from aigc_models.retrieval.passages import Passage
from aigc_models.retrieval.tokens import language

REFUSALS: Mapping[str, str] = MappingProxyType(
    {
        "en": "I am not sure enough that anything in the documents answers this.",
        "zh": "我没有足够的把握，认为文档中有内容能回答这个问题。",
    }
)
CLARIFICATIONS: Mapping[str, str] = MappingProxyType({"en": "Which of these do you mean?", "zh": "你指的是哪一个？"})


def reply_to(saved: Saved, params: AssistantReply) -> Reply:
    """Answer with what the documents say, refuse, or ask what is meant."""
    made, found, order = begun(saved, params)
    return quoted(saved, made, found, order, params) if made.kind == "answer" else made


def begun(saved: Saved, params: AssistantReply) -> tuple[Reply, Found, Sequence[int]]:
    """A reply without its answer yet, what was found for it, and the passages, the best first."""
    found = search(saved, params.question, [one for one in params.history.splitlines() if one.strip()])
    threshold = saved.calibration.thresholds[params.strictness]
    spoken = language(params.question)
    order = best_passages(found.scores, saved.passages)
    made = Reply(params.question, found.text, "answer", "", (), (), (), found.sureness, threshold, spoken)
    if found.sureness < threshold:
        near = [source(number, saved.passages[one]) for number, one in enumerate(order[: params.sources], 1)]
        return replace(made, kind="refusal", text=REFUSALS[spoken], sources=near), found, order
    options = tied(found, order, saved.passages) if params.clarify else []
    if options:
        return replace(made, kind="clarification", text=CLARIFICATIONS[spoken], options=options), found, order
    return made, found, order


def quoted(saved: Saved, made: Reply, found: Found, order: Sequence[int], params: AssistantReply) -> Reply:
    """The reply with pieces of the passages as its answer."""
    chosen = choose(saved, found, order, params.sources, params.sentences)
    numbers = {one: number for number, one in enumerate(dict.fromkeys(each.passage for each in chosen), 1)}
    said = [_said(saved, each, numbers[each.passage]) for each in chosen]
    sources = [source(number, saved.passages[one]) for one, number in numbers.items()]
    return replace(made, text=spelled(said), sentences=said, sources=sources)


def _said(saved: Saved, chosen: Chosen, number: int) -> Sentence:
    passage = saved.passages[chosen.passage]
    piece, (start, end) = passage.pieces[chosen.piece], passage.places()[chosen.piece]
    return Sentence(piece.text, number, piece.kind, start, end, piece.begins)


def source(number: int, passage: Passage) -> Source:
    """A passage as a reply cites it."""
    about = (passage.document, passage.title, passage.headings, passage.question, passage.text)
    return Source(number, *about, passage.part, passage.start, passage.end)
