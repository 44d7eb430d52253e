"""The API reference, rendered from the OpenAPI description: no viewer, no script, no other host."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from flask import Blueprint, render_template

from web import openapi
from web.aside import aside
from web.pages.snippets import server

blueprint = Blueprint("api_docs", __name__)


@dataclass(frozen=True, slots=True)
class Row:
    """A parameter or a field of a body."""

    name: str
    place: str
    kind: str
    required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as the reference shows it."""

    id: str
    verb: str
    path: str
    summary: str
    description: str
    scope: str
    rows: Sequence[Row]
    replies: Sequence[tuple[str, str]]
    variants: Sequence[str]
    example: str


@blueprint.get("/docs/api")
def index() -> str:
    """Show the reference."""
    return render_template("api.html", groups=groups(), server=server(), tags=openapi.TAGS)


@lru_cache(maxsize=1)
def groups() -> Mapping[str, Sequence[Operation]]:
    """All operations by their tag."""
    found = json.loads(aside(_described))
    return {
        tag: [Operation(**{**one, "rows": [Row(**row) for row in one["rows"]]}) for one in operations]
        for tag, operations in found.items()
    }


def _described() -> bytes:
    groups = {tag: [asdict(one) for one in operations] for tag, operations in _groups().items()}
    return json.dumps(groups).encode()


def _groups() -> Mapping[str, Sequence[Operation]]:
    described = json.loads(openapi.as_json())
    found: dict[str, list[Operation]] = defaultdict(list)
    for path, verbs in described["paths"].items():
        for verb, what in verbs.items():
            found[what["tags"][0]].append(_operation(path, verb, what, described["components"]["schemas"]))
    return found


def _operation(path: str, verb: str, what: Mapping[str, Any], schemas: Mapping[str, Any]) -> Operation:
    parameters = [
        Row(one["name"], one["in"], kind_of(one["schema"]), bool(one.get("required")), one.get("description", ""))
        for one in what.get("parameters", [])
    ]
    fields, variants = _body(what, schemas)
    return Operation(
        id=what["operationId"],
        verb=verb.upper(),
        path=path,
        summary=what["summary"],
        description=" ".join(what.get("description", "").split()),
        scope=what.get("x-scope", "read"),
        rows=[*parameters, *fields],
        replies=[(status, reply["description"]) for status, reply in what["responses"].items()],
        variants=variants,
        example=_example(path, verb, what),
    )


def _body(what: Mapping[str, Any], schemas: Mapping[str, Any]) -> tuple[list[Row], list[str]]:
    rows, variants = [], list[str]()
    for media, content in what.get("requestBody", {}).get("content", {}).items():
        schema = content["schema"]
        if schema.get("format") == "binary":
            rows.append(Row(media, "body", "bytes", True, ""))
            continue
        variants += list(schema.get("discriminator", {}).get("mapping", {}))
        # The variants of a submission differ in their settings only; the general form says what all have.
        model = schemas["JobNew"] if "oneOf" in schema else schemas[schema["$ref"].rpartition("/")[2]]
        place = "form" if media.startswith("multipart") else "body"
        rows += [
            Row(name, place, kind_of(own), name in model.get("required", []), own.get("description", ""))
            for name, own in _properties(model, schemas).items()
        ]
    return rows, variants


def _properties(model: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields of a body; of one that may be written in several ways, those of all."""
    if "properties" in model:
        own: Mapping[str, Any] = model["properties"]
        return own
    ways = [schemas[one["$ref"].rpartition("/")[2]] for one in model["anyOf"]]
    return {name: own for way in ways for name, own in way["properties"].items()}


def kind_of(schema: Mapping[str, Any]) -> str:
    """A schema in one or two words."""
    if "$ref" in schema:
        return "object"
    options = [kind_of(one) for one in schema.get("anyOf", []) if one.get("type") != "null"]
    if options:
        return " | ".join(dict.fromkeys(options))
    if "const" in schema:
        return json.dumps(schema["const"])
    if schema.get("enum"):
        return " | ".join(json.dumps(value) for value in schema["enum"] if value is not None)
    kind = schema.get("type", "any")
    kind = next((one for one in kind if one != "null"), "any") if isinstance(kind, list) else kind
    return f"array of {kind_of(schema.get('items', {}))}" if kind == "array" else str(kind)


def _example(path: str, verb: str, what: Mapping[str, Any]) -> str:
    """A curl line; ``SERVER`` is replaced by this server's address."""
    shown = path.replace("{job_id}", "$JOB").replace("{dataset_id}", "$DATASET").replace("{model_id}", "$MODEL")
    shown = shown.replace("{artifact_id}", "$FILE").replace("{token_id}", "$TOKEN").replace("{task}", "image_gan.train")
    shown = shown.replace("{upload_id}", "$UPLOAD")
    parts = ["curl"] + ([] if verb == "get" else [f"-X {verb.upper()}"]) + [f'"SERVER{shown}"']
    media = list(what.get("requestBody", {}).get("content", {}))
    if "application/octet-stream" in media:
        parts += ["-H 'Content-Type: application/octet-stream'", "-H 'Upload-Offset: 0'", "--data-binary @pictures.zip"]
    elif "multipart/form-data" in media:
        parts = ["curl", f'"SERVER{shown}"', "-F file=@pictures.zip"]
    elif media:
        parts += ["-H 'Content-Type: application/json'", f"-d '{_SAMPLE.get(what['operationId'], '{}')}'"]
    return " ".join(parts)


_SAMPLE = {
    "submit_job": '{"task": "image_gan.train", "preset": "quick", "params": {"dataset": "$DATASET"}}',
    "generate": '{"params": {"count": 16, "seed": 1}}',
    "create_token": '{"name": "ci", "scope": "submit"}',
}
