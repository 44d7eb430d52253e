"""Whether a question cannot be understood without the ones before it: "And in colour?", "How do I undo that?"."""

import re

from aigc_models.retrieval.tokens import question_words

_LEADS = re.compile(
    r"(?:and|but|also|then|so|it|that|this|those|these|them|they|what about|how about|what if|why not|what else)\b"
)
# A pronoun that stands for something; "it" that stands for nothing, as in "is it possible", is taken away first.
_EMPTY = re.compile(
    r"\b(?:is|was|would|will|if|makes?|does|did|can|could) it (?:be )?"
    r"(?:possible|ok|okay|safe|true|necessary|allowed|better|normal|matter|take|cost|work to)\b"
)
_PRONOUN = re.compile(
    r"\b(?:it|its|itself|them|they|their|those|these|the same|this one|that one)\b|\b(?:that|this)[?.! ]*$"
)
_MOST = 5  # words that say something, in a question whose pronoun stands for something before it
_WIDE_LEADS = ("那", "它", "这", "还有", "然后", "另外", "如果是", "再", "其中", "上面", "刚才", "为什么呢")
_WIDE_ENDS = re.compile(r"呢[？?。！!]*$")
_WIDE_PRONOUN = re.compile(r"它们?|这(?:个|些|样|里)|那(?:个|些|样)|上述|前者|后者|刚才的|同样的")


def leans(question: str) -> bool:
    """Whether a question needs the one before it."""
    said = question.strip().lower()
    if _LEADS.match(said) or said.startswith(_WIDE_LEADS) or _WIDE_ENDS.search(said):
        return True
    asked = question_words(said)
    if len(asked) <= 1:
        return True
    if _WIDE_PRONOUN.search(said):
        return True
    return len(asked) <= _MOST and _PRONOUN.search(_EMPTY.sub(" ", said)) is not None
