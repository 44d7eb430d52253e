"""Turns of dialogues: who says what, in the many ways in which files of dialogues write it."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aigc_models.base import Fault, InputError
from aigc_models.data.text_bytes import Text, clean
from aigc_models.data.texts import Document, Part

TURNS = frozenset({
    "messages", "turns", "conversations", "conversation", "dialogue", "dialog", "dialogs", "utterances", "parts",
    "sections", "paragraphs", "chapters", "对话", "消息", "章节",
})  # fmt: skip
_TEXT = ("text", "content", "value", "utterance", "message", "body", "内容", "文本")
_ROLE = ("role", "from", "speaker", "sender", "author", "角色")
_HEADING = ("heading", "h", "title", "标题")
_ANSWERS = frozenset({
    "assistant", "agent", "bot", "gpt", "chatgpt", "model", "support", "operator", "advisor", "adviser", "chatbot",
    "helpdesk", "staff", "representative", "rep", "answer", "a", "助手", "客服", "坐席", "机器人", "客服人员", "答",
    "智能助手",
})  # fmt: skip
_SYSTEM = frozenset({"system", "instruction", "系统"})
_SPOKEN = re.compile(r"([^\s:：][^:：\n]{0,39})[:：][ \t]*(.*)")


@dataclass(frozen=True, slots=True)
class Speaker:
    """A turn or section as a file has it: the role is as written there."""

    text: str
    role: str = ""
    heading: str = ""
    level: int = 0

    def part(self) -> Part:
        """As a section."""
        heading = " ".join(self.heading.split())
        return Part(self.text.strip(), heading=heading, level=(self.level or 2) if heading else 0)


def as_turns(held: Sequence[Mapping[str, Any]]) -> Iterator[Speaker]:
    """Turns from a list of objects; those without a text or a heading say nothing and are left out."""
    for one in held:
        folded = {name.casefold(): value for name, value in one.items()}
        text, role, heading = (_first(folded, names) for names in (_TEXT, _ROLE, _HEADING))
        level = folded.get("level", 0)
        if text.strip() or heading.strip():
            yield Speaker(text, role.strip(), heading, level if type(level) is int and 0 <= level <= 6 else 0)


def _first(folded: Mapping[str, Any], names: Sequence[str]) -> str:
    found = next((folded[name] for name in names if isinstance(folded.get(name), str)), "")
    return clean(found)[0]


def name_roles(dialogues: Sequence[Sequence[Speaker]], answering: str) -> dict[str, str]:
    """What each role of a file is: ``assistant``, ``system`` or ``user``.

    Args:
        dialogues: All dialogues.
        answering: The role that answers, by the user's word; empty takes one whose name says so, else the one that
            speaks second most often.

    Raises:
        InputError: No one has the role that was named.
    """
    counts = Counter(turn.role for each in dialogues for turn in each)
    if answering.strip():
        named = {role for role in counts if role.casefold() == answering.strip().casefold()}
        if not named:
            sentence = "Nobody has the role {name}. The roles are: {names}."
            values = {"name": answering.strip(), "names": ", ".join(role for role, _ in counts.most_common(10))}
            raise InputError(Fault(sentence, values, "/answering_role", code="unknown-role"))
    else:
        named = {role for role in counts if role.casefold() in _ANSWERS}
    if not named:
        seconds = Counter(_second(each) for each in dialogues)
        del seconds[""]
        named = {role for role, _ in seconds.most_common(1)}
    return {
        role: "assistant" if role in named else "system" if role.casefold() in _SYSTEM else "user" for role in counts
    }


def _second(turns: Sequence[Speaker]) -> str:
    spoken = [turn.role for turn in turns if turn.role.casefold() not in _SYSTEM]
    return next((role for role in spoken if role != spoken[0]), "") if spoken else ""


def merge(turns: Sequence[Speaker], roles: Mapping[str, str]) -> list[Part]:
    """Turns with the names of roles that models know; what one says in a row is one turn."""
    merged: list[Part] = []
    for turn in turns:
        text, role = turn.text.strip(), roles[turn.role]
        if not text:
            continue
        if merged and merged[-1].role == role:
            merged[-1] = Part(f"{merged[-1].text}\n{text}", role=role)
        else:
            merged.append(Part(text, role=role))
    return merged


def scripted(text: Text, answering: str) -> tuple[list[Document], dict[str, str]]:
    """Dialogues written as in a play, ``Anna: Hello``, with a blank line between two of them.

    Raises:
        InputError: A line belongs to nobody.
    """
    dialogues: list[tuple[int, list[Speaker]]] = []
    fresh = True
    for number, line in enumerate(text.text.split("\n"), 1):
        if not line.strip():
            fresh = True
            continue
        found = _SPOKEN.fullmatch(line.strip())
        if found is None and fresh:
            sentence = "{file}, line {line} does not say who speaks: {value}. Begin each dialogue as in Anna: Hello."
            values = {"file": text.name, "line": number, "value": line.strip()[:80]}
            raise InputError(Fault(sentence, values, where=values, code="cell-missing"))
        if fresh:
            dialogues.append((number, []))
        fresh = False
        turns = dialogues[-1][1]
        if found is None:
            turns[-1] = Speaker(f"{turns[-1].text}\n{line.strip()}", turns[-1].role)
        else:
            turns.append(Speaker(found[2], found[1].strip()))
    roles = name_roles([turns for _, turns in dialogues], answering)
    made = ((number, tuple(merge(turns, roles))) for number, turns in dialogues)
    return [Document(str(number), parts) for number, parts in made if parts], roles
