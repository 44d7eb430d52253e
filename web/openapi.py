"""The OpenAPI 3.1 description, derived from the operations and the pydantic classes; nothing is written twice."""

import inspect
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from aigc_models import registry
from jobs.dispatch import QUEUES
from jobs.errors import AigcError
from jobs.switches import ALIASES
from web import api, schemas
from web.api.jobs import JobNew
from web.api.render import PREFIX, tagged
from web.api.routing import IDS, JSON, Operation, Reply, View
from web.aside import aside
from web.problems import PROBLEM_TYPE

REF = "#/components/schemas/{model}"
TAGS = {
    "index": "Where everything is.",
    "jobs": "Submissions: what to do, how far it is, what came of it.",
    "datasets": "Inputs: checked, immutable, versioned.",
    "uploads": "Large files, sent in pieces that survive a lost connection.",
    "models": "Model versions: results of trainings, ready to generate.",
    "tasks": "What can be done, with the settings as JSON Schema.",
    "artifacts": "Stored files, by their SHA-256.",
    "workers": "Who works, and how much waits.",
    "tokens": "Who may call.",
}
NUMBER: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": 10**15 - 1}
TAGGING = frozenset({"If-None-Match", "If-Match"})
ETAG = {"description": "A strong tag of what is sent: it changes with it.", "schema": {"type": "string"}}
NEEDED_HEADERS = frozenset({"Upload-Length", "Upload-Offset"})
IF_MATCH = (
    "An ETag of the thing: the reply is 412 if what people wrote about it was changed since. "
    "That it went on by itself, as a job does, is no hindrance."
)
REQUEST_HEADERS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "Idempotency-Key": (
        "Makes the request safe to send again: the same key and content give the same job. Kept for 24 hours.",
        {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    ),
    "Prefer": (
        "wait=N holds the reply back until the end of the job, for at most N seconds (60 at most).",
        {"type": "string", "examples": ["wait=10"], "pattern": "^wait=[0-9]{1,2}$"},
    ),
    "Cancel-After": (
        "The job fails as expired if it has not started in this time, such as 90s, 10m, 2h or 1d.",
        {"type": "string", "examples": ["10m"], "pattern": "^[1-9][0-9]{0,1}[smhd]?$"},
    ),
    "If-None-Match": ("The ETag known; the reply is 304 if nothing changed.", {"type": "string"}),
    "If-Match": (IF_MATCH, {"type": "string"}),
    "Upload-Length": ("Bytes of the whole file.", NUMBER),
    "Upload-Offset": ("Bytes that have come before this piece.", NUMBER),
    "Upload-Metadata": (
        "Pairs of a key and base64, with commas between: filename, and if known kind and head, the file's first bytes.",
        {"type": "string", "examples": ["filename cGljdHVyZXMuemlw"]},
    ),
    "Tus-Resumable": ("Version of the protocol; may be left out.", {"type": "string", "enum": ["1.0.0"]}),
    "Last-Event-ID": ("Go on after this event.", {"type": "string", "examples": ["12"]}),
    "Range": ("Which bytes, such as bytes=0-1023.", {"type": "string", "examples": ["bytes=0-1023"]}),
}

blueprint = Blueprint("openapi", __name__)


@blueprint.get("/openapi.json")
@blueprint.get(f"{PREFIX}/openapi.json")
def serve() -> Response:
    """The description of the API."""
    reply = Response(as_json(), content_type="application/json")
    reply.headers["Cache-Control"] = "private, no-cache"
    return tagged(reply)


@lru_cache(maxsize=1)
def as_json() -> bytes:
    """The description as UTF-8; it does not change while the process lives."""
    return aside(_written)


def _written() -> bytes:
    return json.dumps(document(), ensure_ascii=False).encode()


def document() -> dict[str, Any]:
    """The description as an object."""
    found = api.operations()
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for view, what in found:
        paths[PREFIX + what.path][what.method.lower()] = _operation(view, what)
    paths[f"{PREFIX}/openapi.json"]["get"] = _own_entry()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "AIGC Foundry",
            "version": api.product_version(),
            "summary": "Train and use your own generative models on your own data.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": dict(paths),
        "components": {"schemas": _components(what for _, what in found), "securitySchemes": _security_schemes()},
        # An open server on loopback asks for nothing.
        "security": [{"bearer": []}, {}],
    }


def _security_schemes() -> dict[str, Any]:
    return {"bearer": {"type": "http", "scheme": "bearer", "description": "A token, made with: aigc token create"}}


def _own_entry() -> dict[str, Any]:
    return {
        "operationId": "openapi",
        "tags": ["index"],
        "summary": "Read this description.",
        "responses": {"200": {"description": "OpenAPI 3.1.", "content": {JSON: {"schema": {"type": "object"}}}}},
    }


def _operation(view: View, what: Operation) -> dict[str, Any]:
    summary, _, description = inspect.cleandoc(view.__doc__ or "").partition("\n")
    entry: dict[str, Any] = {
        "operationId": view.__name__,
        "tags": [what.tag],
        "summary": summary,
        "parameters": [*_path_parameters(what), *_query_parameters(what), *_header_parameters(what)],
        "responses": _responses(what),
        "x-scope": what.scope,
    }
    if description.strip():
        entry["description"] = description.strip()
    if what.body is not None:
        content = {JSON: {"schema": _body_schema(what.body)}}
        entry["requestBody"] = {"required": not what.optional_body, "content": content}
    elif what.forms:
        content = {media: {"schema": _ref(model)} for media, model in what.forms.items()}
        entry["requestBody"] = {"required": True, "content": content}
    elif what.raw:
        content = {media: {"schema": {"type": "string", "format": "binary"}} for media in what.raw}
        entry["requestBody"] = {"required": True, "content": content}
    return entry


def _path_parameters(what: Operation) -> Iterable[dict[str, Any]]:
    for name in _gaps(what.path):
        kind = IDS.get(name)
        schema: dict[str, Any] = {"type": "string"}
        if kind is not None:
            schema |= {"pattern": f"^{kind.pattern}$"}
        elif name in _CHOICES:
            schema |= {"enum": list(_CHOICES[name]())}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


_CHOICES: Mapping[str, Callable[[], Iterable[str]]] = {
    "task": registry.tasks,
    "queue": lambda: QUEUES,
    "alias": lambda: ALIASES,
}


def _gaps(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def _query_parameters(what: Operation) -> Iterable[dict[str, Any]]:
    schema = what.query.model_json_schema()
    for name, field in schema.get("properties", {}).items():
        plain = {key: value for key, value in field.items() if key not in ("title", "description")}
        plain = _without_null(plain)
        yield {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", []),
            "description": field.get("description", ""),
            "schema": plain,
        }


def _without_null(field: dict[str, Any]) -> dict[str, Any]:
    """An absent parameter is not null: the address has no word for that."""
    options = [option for option in field.pop("anyOf", []) if option.get("type") != "null"]
    if field.get("default", 0) is None:
        del field["default"]
    return {**field, **(options[0] if options else {})}


def _header_parameters(what: Operation) -> Iterable[dict[str, Any]]:
    for name in what.headers:
        text, schema = REQUEST_HEADERS[name]
        needed = name in NEEDED_HEADERS
        yield {"name": name, "in": "header", "required": needed, "description": text, "schema": schema}


def _responses(what: Operation) -> dict[str, Any]:
    replies = {str(status): _reply(reply) for status, reply in what.replies.items()}
    if TAGGING & set(what.headers):
        for status in what.replies:
            if status in (200, 206):
                replies[str(status)].setdefault("headers", {}).setdefault("ETag", ETAG)
    if "If-None-Match" in what.headers:
        replies["304"] = {"description": "Nothing changed since the ETag in If-None-Match."}
    by_status: dict[int, dict[str, type[AigcError]]] = defaultdict(dict)
    for error in what.all_errors:
        by_status[error.status][error.code] = error
    problem = {PROBLEM_TYPE: {"schema": _ref(schemas.Problem)}}
    for status, errors in sorted(by_status.items()):
        codes = ", ".join(errors)
        replies[str(status)] = {"description": f"{HTTPStatus(status).phrase}: {codes}.", "content": problem}
    return replies


def _reply(reply: Reply) -> dict[str, Any]:
    entry: dict[str, Any] = {"description": reply.description}
    content: dict[str, Any] = {JSON: {"schema": _ref(reply.model)}} if reply.model else {}
    # Bytes have no schema; text has one.
    content |= {media: {"schema": {"type": "string"}} if media.startswith("text/") else {} for media in reply.media}
    if content:
        entry["content"] = content
    if reply.headers:
        entry["headers"] = {
            name: {"description": text, "schema": {"type": "string"}} for name, text in reply.headers.items()
        }
    return entry


def _ref(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": REF.format(model=_name(model))}


def _name(model: type[BaseModel]) -> str:
    return model.__name__.replace("[", "_").replace("]", "_")


def _body_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The body's schema; of a submission one variant per task, so that its settings are described."""
    if model is not JobNew:
        return _ref(model)
    variants = [{"$ref": f"#/components/schemas/Submit{params.__name__}"} for _, params in submittable()]
    mapping = {name: f"#/components/schemas/Submit{params.__name__}" for name, params in submittable()}
    return {"oneOf": variants, "discriminator": {"propertyName": "task", "mapping": mapping}}


def submittable() -> list[tuple[str, Any]]:
    """Tasks that can be submitted; imports start with an upload instead."""
    return [(name, params) for name, params in registry.tasks().items() if params.makes != "dataset"]


def _components(operations: Iterable[Operation]) -> dict[str, Any]:
    answers: set[type[BaseModel]] = {schemas.Problem, schemas.JobDraft}
    inputs: set[type[BaseModel]] = {JobNew, *registry.tasks().values()}
    for what in operations:
        answers |= {reply.model for reply in what.replies.values() if reply.model}
        inputs |= {*what.forms.values()} | ({what.body} if what.body else set())
    pairs = [(model, "serialization") for model in sorted(answers, key=_name)]
    pairs += [(model, "validation") for model in sorted(inputs, key=_name)]
    _, schema = models_json_schema(pairs, ref_template=REF)  # type: ignore[arg-type]
    found: dict[str, Any] = schema["$defs"]
    for name, params in submittable():
        found[f"Submit{params.__name__}"] = _submission(name, params, found["JobNew"])
    return found


def _submission(task: str, params: Any, general: Mapping[str, Any]) -> dict[str, Any]:
    own = {
        "task": {"type": "string", "const": task},
        "params": {"$ref": REF.format(model=params.__name__)},
        "preset": {"type": ["string", "null"], "enum": [*params.presets, None]},
    }
    required = ["task"] + (["params"] if params.model_json_schema().get("required") else [])
    return {
        "type": "object",
        "title": f"{task} job",
        "description": params.__doc__ or "",
        "properties": {**general["properties"], **own},
        "required": required,
        "additionalProperties": False,
    }
