"""What a question hangs on: those before it ("And in colour?"), or not on the message around it ("Hello! How ...?")."""

import re

from aigc_models.retrieval.tokens import only_asks, question_words, sentences, words

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

_COURTESY = re.compile(
    r"(?:many )?thanks|thank you|cheers|(?:(?:best|kind|warm) )?(?:regards|wishes)|谢谢|多谢|感谢|祝"
)


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


def asked_in(message: str) -> str:
    """The question of a message of several sentences, where it can be understood alone; else nothing.

    It is the last sentence with a question mark, or the last of all but thanks and regards.
    """
    said = sentences(message)
    told = [one for one in said if not _COURTESY.match(one.lower())]
    asked = next((one for one in reversed(said) if "?" in one or "？" in one), told[-1] if told else "")
    alone = len(said) > 1 and not leans(asked) and not all(map(only_asks, words(asked)))
    return asked if alone else ""
