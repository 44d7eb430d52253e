"""Reading a job that was typed as YAML; imported when somebody does, as the reader costs 0.8 MiB.

Source: YAML 1.2.2, 10.3 (the core schema: ``no`` is a text, ``1e-4`` a number), without what JSON does not have:
no tags, no dates, no aliases (some of which unfold to gigabytes), and no key twice.
"""

import json
import re
from typing import Any

import yaml

from aigc_models.base import Fault
from jobs.errors import InvalidParams
from web import json_text

_TAG = "tag:yaml.org,2002:"
_CORE = (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
)


class _Loader(yaml.SafeLoader):
    """The core schema, strictly."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """A node; an alias is none."""
        if self.check_event(yaml.AliasEvent):
            alias: yaml.AliasEvent = self.get_event()  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases cannot be used", alias.start_mark)  # type: ignore[arg-type]
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping whose keys are texts and differ."""
        seen = set[str]()
        for key, _value in node.value:
            if key.tag != f"{_TAG}str" or key.value in seen:
                words = f"the key {key.value!r} is there twice" if key.tag == f"{_TAG}str" else "a key is no text"
                raise yaml.constructor.ConstructorError(None, None, words, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {}
for _name, _form, _first in _CORE:
    _Loader.add_implicit_resolver(f"{_TAG}{_name}", re.compile(f"^(?:{_form})$"), list(_first))
_KNOWN = {f"{_TAG}{name}" for name in ("str", "bool", "null", "int", "float", "seq", "map")} | {None}
_Loader.yaml_constructors = {tag: make for tag, make in yaml.SafeLoader.yaml_constructors.items() if tag in _KNOWN}


def read(text: str, task: str) -> json_text.TypedJob:
    """Read what was typed, as strictly as JSON.

    Raises:
        InvalidParams: It is no YAML, or none of this task.
    """
    try:
        found = json.dumps(_loaded(text))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        sentence = "The text is not YAML: {reason}."
        raise InvalidParams(
            faults=[Fault(sentence, {"reason": _reason(error)}, "/yaml", code="malformed-json")]
        ) from None
    return json_text.read(found, task)


def _loaded(text: str) -> Any:
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def _reason(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    words = getattr(error, "problem", None) or ("it is too deep" if isinstance(error, RecursionError) else str(error))
    return f"{words} at line {mark.line + 1} column {mark.column + 1}"[:200] if mark else words[:200]
