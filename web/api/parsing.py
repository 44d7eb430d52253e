"""Reading what a program sends: strict JSON bodies, known query parameters, a few headers."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated, Any, TypeVar

from flask import request
from pydantic import BaseModel, BeforeValidator, Field, StringConstraints, ValidationError
from pydantic_core import from_json
from werkzeug.datastructures import ETags, MultiDict

from aigc_models.base import Fault
from aigc_models.faults import explain
from jobs import durations
from jobs.details import CODES
from jobs.errors import AigcError, InvalidParams
from jobs.submit import BAD_LIMIT
from web.problems import BadRequest, MalformedJson, WrongMediaType

KEY_LENGTH = 255
DEFAULT_LIMIT, LARGEST_LIMIT = 20, 100
WHOLE = re.compile(r"[+-]?[0-9]{1,300}")
MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?([Zz]|[+ -][0-9]{2}:[0-9]{2})"
)
NO_NUL = r"^[^\x00]*$"
WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]{1,6})\"?\s*(?=$|[,;])", re.IGNORECASE)
AFTER = re.compile(r"/after/[0-9]+")
LONGEST_DEADLINE = timedelta(days=365)

Body = TypeVar("Body", bound=BaseModel)


def _whole(value: Any) -> Any:
    """Only plain digits are a number; pydantic alone would also take ``1_0`` and ``5.0``."""
    if isinstance(value, str):
        return int(value) if WHOLE.fullmatch(value) else object()
    return value


def _flag(value: Any) -> Any:
    return {"true": True, "false": False}.get(value, object()) if isinstance(value, str) else value


def _moment(value: Any) -> Any:
    """RFC 3339 only; a ``+`` that an address turned into a blank is put back."""
    if not isinstance(value, str) or not MOMENT.fullmatch(value):
        return object()
    return datetime.fromisoformat(value[:11] + value[11:].replace(" ", "+").upper()).astimezone(UTC)


def _whole_float(value: Any) -> Any:
    """JSON Schema takes 1.0 for an integer, pydantic's strict mode does not."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Text = Annotated[str, StringConstraints(pattern=NO_NUL)]  # PostgreSQL keeps no NUL in text
WholeFloats = BeforeValidator(_whole_float)
WholeNumber = Annotated[int, BeforeValidator(_whole)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
Flag = Annotated[bool, BeforeValidator(_flag)]


class Query(BaseModel):
    """The query parameters of an operation; a class without fields accepts none."""

    model_config = {"extra": "forbid"}


class Page(Query):
    """Which page of a list."""

    limit: WholeNumber = Field(
        DEFAULT_LIMIT, ge=1, description="Rows of a page; more than 100 is read as 100.", examples=[20]
    )
    cursor: Text | None = Field(None, max_length=512, description="Where to go on: next_cursor of the page before.")

    @property
    def rows(self) -> int:
        """The number of rows after the cap."""
        return min(self.limit, LARGEST_LIMIT)


def body(model: type[Body], *, optional: bool = False) -> Body:
    """Read a JSON body into a model, or say everything that is wrong with it."""
    if optional and not request.get_data(cache=True):
        return model()
    if request.mimetype != "application/json":
        raise WrongMediaType(wanted="application/json", found=request.mimetype or "nothing")
    return parsed(request.get_data(cache=True), model)


def parsed(raw: bytes | str, model: type[Body]) -> Body:
    """Read JSON text into a model, strictly: no NaN, no other types, no unknown names."""
    try:
        found = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise MalformedJson(reason=str(error)[:200]) from None
    if not isinstance(found, dict):
        raise InvalidParams(faults=[Fault("The body must be a JSON object.")])
    try:
        return model.model_validate(found, strict=True)
    except ValidationError as error:
        raise InvalidParams(faults=explain(error, model)) from None


def query(model: type[Query]) -> Query:
    """Read the query parameters; unknown and repeated ones are errors."""
    lists = _lists(model)
    sent: dict[str, Any] = {}
    faults = []
    for name, values in request.args.lists():
        if name not in model.model_fields:
            faults.append(_unknown(name, model.model_fields))
        elif name in lists:
            sent[name] = values
        elif len(values) > 1:
            faults.append(Fault("The query parameter {name} is given more than once.", {"name": name}, where=_at(name)))
        else:
            sent[name] = values[0]
    try:
        read = model.model_validate(sent)
    except ValidationError as error:
        faults += [_wrong(item) for item in error.errors(include_input=False, include_url=False)]
    if faults:
        raise InvalidQuery(faults=faults)
    return read


@cache
def _lists(model: type[Query]) -> frozenset[str]:
    """The parameters that may be repeated."""
    return frozenset(name for name, info in model.model_fields.items() if "list[" in str(info.annotation))


def refuse_unknown(sent: Iterable[str], known: frozenset[str]) -> None:
    """Refuse form fields that mean nothing here."""
    faults = [_no_setting(name, known) for name in sorted(set(sent) - known)]
    if faults:
        raise InvalidParams(faults=faults)


def _no_setting(name: str, known: frozenset[str]) -> Fault:
    sentence = "There is no setting called {name}. The settings are: {names}."
    values = {"name": name[:100], "names": ", ".join(sorted(known))}
    return Fault(sentence, values, f"/{name[:100]}", code="unknown-setting")


def form_fields(sent: MultiDict[str, str], model: type[BaseModel]) -> dict[str, str]:
    """The text fields of a form that :func:`refuse_unknown` let through.

    Raises:
        InvalidParams: One is sent twice or does not fit the model's limits.
    """
    doubled = [name for name, values in sent.lists() if len(values) > 1]
    if doubled:
        sentence = "{title} is given more than once."
        raise InvalidParams(faults=[Fault(sentence, {"title": name}, f"/{name}") for name in doubled])
    try:
        model.model_validate({**sent, "file": b""})
    except ValidationError as error:
        raise InvalidParams(faults=explain(error, model)) from None
    return dict(sent)


class InvalidQuery(InvalidParams):
    """Some query parameters cannot be used."""

    code, title = "invalid-query", "There is a problem with the address"


def _at(name: str) -> Mapping[str, str]:
    return {"query": name[:100]}


def _unknown(name: str, known: Iterable[str]) -> Fault:
    names = list(known)
    guess = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if guess:
        sentence = "There is no query parameter called {name}. Did you mean {guess}?"
        return Fault(sentence, {"name": name[:100], "guess": guess[0]}, where=_at(name), code="unknown-parameter")
    sentence = "There is no query parameter called {name}. The parameters are: {names}."
    values = {"name": name[:100], "names": ", ".join(names) or "-"}
    return Fault(sentence, values, where=_at(name), code="unknown-parameter")


def _wrong(item: Mapping[str, Any]) -> Fault:
    name = str(item["loc"][0]) if item["loc"] else ""
    context = item.get("ctx", {})
    match item["type"]:
        case "greater_than_equal":
            sentence = "The query parameter {name} must be {ge} or more."
        case "literal_error":
            sentence = "The query parameter {name} must be one of: {expected}."
        case "string_pattern_mismatch" | "string_too_long" | "string_too_short":
            sentence = "The query parameter {name} has the wrong form."
        case "missing":
            sentence = "The query parameter {name} is missing."
        case _:
            sentence = "The query parameter {name} has a value that cannot be read."
    values = {"name": name} | {key: _listed(str(context[key])) for key in ("ge", "expected") if key in context}
    return Fault(sentence, values, where=_at(name))


def _listed(words: str) -> str:
    """``'a', 'b' or 'c'`` as ``a, b, c``, which needs no translation."""
    return words.replace("' or '", "', '").replace("'", "")


@contextmanager
def pointing_into_params() -> Iterator[None]:
    """Faults name a setting; in the request it lies under ``/params``."""
    try:
        yield
    except AigcError as error:
        error.faults = [
            replace(fault, pointer=f"/params{fault.pointer}") if _is_setting(fault) else fault for fault in error.faults
        ]
        raise


def _is_setting(fault: Fault) -> bool:
    own = fault.code in (BAD_LIMIT, *CODES) or AFTER.fullmatch(fault.pointer)
    return bool(fault.pointer) and fault.pointer != "/kind" and not own


def idempotency_key() -> str | None:
    """The client's key for this request, if it sent one."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 1 <= len(key) <= KEY_LENGTH or not key.isprintable():
        raise BadRequest("The header Idempotency-Key must have between 1 and 255 printable characters.")
    return key


def wait_seconds(default: float = 0.0) -> float:
    """How long the client would wait for a final answer (``Prefer: wait=30``)."""
    found = WAIT.search(request.headers.get("Prefer", ""))
    return float(found.group(1)) if found else default


def seen_marks() -> frozenset[str] | None:
    """What people had written about the thing when the client saw it, by ``If-Match``; None if anything goes.

    Only that part of the ETag counts: that a job went on since, or an alias moved, is no reason to refuse.
    """
    if "If-Match" not in request.headers or request.if_match.star_tag:
        return None
    return frozenset(tag.partition("-")[2].partition("-")[0] for tag in tags_of(request.if_match))


def tags_of(known: ETags) -> list[str]:
    """The tags of a header; Werkzeug reads the empty one as None."""
    return [tag or "" for tag in known.as_set()]


def cancel_after() -> timedelta | None:
    """The deadline by which the job must have started (``Cancel-After: 10m``)."""
    sent = request.headers.get("Cancel-After")
    if sent is None:
        return None
    found = durations.parse(sent)
    if found is None or not timedelta(seconds=1) <= found <= LONGEST_DEADLINE:
        raise BadRequest("The header Cancel-After must be a time such as 90s, 10m, 2h or 1d, at most a year.")
    return found
