"""Every class and method that ``import aigc`` gives, from their signatures and docstrings."""

import inspect
from collections.abc import Iterator
from typing import Any

import aigc
from aigc import nouns
from scripts.reference.words import Words, code, first_sentence, table

ABOUT = (
    "What `import aigc` gives. `AsyncClient` has the same names to await. This page is written by "
    "`scripts/write_reference.py`."
)
THINGS: tuple[type, ...] = (
    aigc.Client, nouns.Jobs, nouns.Datasets, nouns.Models, nouns.Tasks, nouns.Workers, nouns.Queues,
)  # fmt: skip
HANDED_OUT: tuple[type, ...] = (
    aigc.Job, aigc.Dataset, aigc.Model, aigc.Artifact, aigc.Recommended, aigc.Reply, aigc.Worker, aigc.Queue,
)  # fmt: skip
PLACES: dict[type, str] = {
    nouns.Jobs: "client.jobs",
    nouns.Datasets: "client.datasets",
    nouns.Models: "client.models",
    nouns.Tasks: "client.tasks",
    nouns.Workers: "client.workers",
    nouns.Queues: "client.queues",
}


def page(t: Words) -> str:
    """What a client has, what it hands out, what it raises."""
    parts = [f"# {t('Python client')}\n\n{t(ABOUT)}\n\n"]
    for kind in (*THINGS, *HANDED_OUT):
        said = first_sentence(kind.__doc__)
        parts.append(f"## {PLACES.get(kind, kind.__name__)}\n\n" + ("" if said.endswith("`.") else f"{t(said)}\n\n"))
        rows = [(code(call), t(said)) for call, said in _members(kind)]
        parts.append(table((t("call"), t("what it does")), rows))
    errors = [getattr(aigc, name) for name in aigc.__all__ if _is_error(getattr(aigc, name))]
    raised = [(code(kind.__name__), code(kind.__mro__[1].__name__), t(first_sentence(kind.__doc__))) for kind in errors]
    parts.append(f"## {t('Errors')}\n\n" + table((t("error"), t("is a"), t("when")), raised))
    return "".join(parts)


def _is_error(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Exception)


def _members(kind: type) -> Iterator[tuple[str, str]]:
    """Public methods and properties, with what they say of themselves; those of bases come first."""
    seen = set()
    for base in reversed(kind.__mro__[:-1]):
        for name, member in vars(base).items():
            if name.startswith("_") or name in seen or not (callable(member) or isinstance(member, property)):
                continue
            seen.add(name)
            member = getattr(kind, name)
            said = first_sentence(inspect.getdoc(member))
            if isinstance(member, property):
                yield name, said
            elif said:
                yield name + _signature(member), said


def _signature(member: Any) -> str:
    parameters = list(inspect.signature(member).parameters.values())[1:]
    shown = []
    for one in parameters:
        if one.kind is one.VAR_KEYWORD:
            shown.append(f"**{one.name}")
        elif one.default is one.empty:
            shown.append(one.name)
        else:
            shown.append(f"{one.name}={one.default!r}")
    return f"({', '.join(shown)})"
