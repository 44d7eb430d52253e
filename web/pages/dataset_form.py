"""The form that uploads a dataset: which kind it becomes, and the settings of that kind's import."""

from collections.abc import Mapping, Sequence

from flask import render_template

from aigc_models import registry
from aigc_models.base import Fault, Params
from aigc_models.data import kinds
from aigc_models.data.kinds import Kind
from aigc_models.data.starters import STARTERS
from jobs import catalogue
from jobs.naming import slug
from jobs.tables import Dataset
from web import context, forms
from web.pages import amounts, snippets
from web.translate import say, say_fault

PIECE = 8 * 2**20  # larger files are sent in pieces of this size
ABOUT = ("name", "licence", "notes")
NO_FILE = "Choose a file first."


def kind_of(name: str) -> Kind | None:
    """The kind that was chosen; None leaves it to the file."""
    return kinds.offered().get(name)


def params_of(kind: Kind | None) -> type[Params] | None:
    """The settings of a kind's import; there are none to choose until a kind is."""
    return registry.task(kind.task) if kind else None


def read(kind: Kind | None, sent: Mapping[str, str]) -> forms.Posted:
    """The settings that were sent, as values and as they were typed."""
    params = params_of(kind)
    return forms.read(params, sent) if params else forms.Posted({}, {}, "")


def typed_in(kind: Kind | None, sent: Mapping[str, str]) -> dict[str, str]:
    """What an address may fill the form with: words about the data, and settings of its kind."""
    params = params_of(kind)
    known = (*ABOUT, *(params.model_fields if params else ()))
    return {name: sent[name][:2_000] for name in known if name in sent}


def page(kind: Kind | None, typed: Mapping[str, str], faults: Sequence[Fault] = ()) -> str:
    """The form, with what was typed and what is wrong with it."""
    params = params_of(kind)
    own = [fault for fault in faults if fault.pointer in ("", "/file", "/kind")]
    shown = forms.build(params, typed, faults=faults) if params else None
    problems = shown.problems if shown else [forms.Problem(say_fault(fault), "#f-file") for fault in faults]
    offered = kinds.offered()
    return render_template(
        "dataset_new.html",
        kind=kind,
        kinds=offered.values(),
        accept=sorted({suffix for one in ([kind] if kind else offered.values()) for suffix in one.suffixes}),
        form=shown,
        problems=problems,
        typed=dict.fromkeys(ABOUT, "") | dict(typed),
        limit=amounts.size(context.settings().max_upload),
        piece=PIECE,
        starters=[one for one in STARTERS.values() if one.kind in offered and kind in (None, offered[one.kind])],
        next_number=_next_number(typed.get("name", "")),
        file_faults=[say(fault.message, fault.values) for fault in own],
        snippets=snippets.dataset(kind.name if kind else ""),
    )


def _next_number(name: str) -> int:
    """Which version an upload under a name would be; 0 where it would be the first."""
    if not name.strip():
        return 0
    known = catalogue.versions(context.engine(), context.principal(), Dataset, slug(name))
    return known[0].number + 1 if known else 0
