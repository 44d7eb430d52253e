"""The same thing done from code: curl, Python and the command line, with this server's address and real values."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import request

from web import auth
from web.api.render import PREFIX

# By operation: how the client takes what a job made, and the command that prints it.
_TAKEN: Mapping[str, tuple[str, str]] = {
    "recommend": ("job.recommendations()", "recommendations"),
    "reply": ("job.reply()", "reply"),
}


@dataclass(frozen=True, slots=True)
class Snippet:
    """One tab."""

    key: str
    title: str
    text: str


def server() -> str:
    """This server's address, as the reader typed it."""
    return request.host_url.rstrip("/")


def submit(body: Mapping[str, Any]) -> list[Snippet]:
    """Make a job from a body as the API takes it."""
    task, params = body["task"], body.get("params", {})
    beside = {name: value for name, value in body.items() if name not in ("task", "params") and value}
    if beside.get("webhook"):
        beside["webhook"] = beside["webhook"]["url"]
    keywords = "".join(f",\n    {name}={value!r}" for name, value in (*beside.items(), *params.items()))
    options = "".join(f" \\\n  {option}" for option in _options(beside))
    options += "".join(f" \\\n  -p {shlex.quote(f'{name}={_plain(value)}')}" for name, value in params.items())
    return [
        Snippet(
            "curl",
            "curl",
            f"curl -X POST {server()}{PREFIX}/jobs \\\n  -H 'Content-Type: application/json' \\\n{_token()}"
            f"  -d {shlex.quote(json.dumps(body, ensure_ascii=False, indent=2))}",
        ),
        Snippet(
            "python",
            "Python",
            f'import aigc\n\nclient = aigc.Client("{server()}")\n'
            f'job = client.jobs.submit(\n    "{task}"{keywords},\n)\njob.wait(progress=True)',
        ),
        Snippet("cli", "CLI", f"aigc submit {task}{options} --watch"),
    ]


def _options(beside: Mapping[str, Any]) -> list[str]:
    """What stands beside the settings, as options of the command."""
    found = [f"--{name} {shlex.quote(str(beside[name]))}" for name in ("preset", "name", "webhook") if beside.get(name)]
    if beside.get("time_limit"):
        found.append(f"--time-limit {beside['time_limit']}s")
    return found + [f"--after {shlex.quote(id_)}" for id_ in beside.get("after", ())]


def job(job_id: str, operation: str) -> list[Snippet]:
    """Look at a job and take what it made."""
    address = f"{server()}{PREFIX}/jobs/{job_id}"
    taken, told = _TAKEN.get(operation, ('job.download("results")', "download"))
    return [
        Snippet("curl", "curl", f"curl {address} \\\n{_token()}  -H 'Prefer: wait=30'"),
        Snippet(
            "python",
            "Python",
            f'import aigc\n\nclient = aigc.Client("{server()}")\njob = client.jobs.get("{job_id}")\n'
            f"job.wait(progress=True)\n{taken}",
        ),
        Snippet("cli", "CLI", f"aigc jobs watch {job_id}\naigc jobs {told} {job_id}"),
    ]


def model(model_id: str, params: Mapping[str, Any], operation: str = "generate") -> list[Snippet]:
    """Generate, recommend or reply with a model version."""
    taken, _ = _TAKEN.get(operation, ('job.download("results")', ""))
    body = json.dumps({"params": dict(params)}, ensure_ascii=False)
    keywords = "".join(f", {name}={value!r}" for name, value in params.items())
    return [
        Snippet(
            "curl",
            "curl",
            f"curl -X POST {server()}{PREFIX}/models/{model_id}/{operation} \\\n"
            f"  -H 'Content-Type: application/json' \\\n{_token()}  -d {shlex.quote(body)}",
        ),
        Snippet(
            "python",
            "Python",
            f'import aigc\n\nclient = aigc.Client("{server()}")\n'
            f'job = client.models.{operation}("{model_id}"{keywords})\njob.wait(progress=True)\n{taken}',
        ),
        Snippet("cli", "CLI", f"aigc models {operation} {model_id}{_arguments(params, operation)}"),
    ]


def _arguments(params: Mapping[str, Any], operation: str) -> str:
    """Settings as the command of a use takes them: a question stands by itself, and its reply is waited for."""
    asked = [shlex.quote(str(params["question"]))] if operation == "reply" else []
    others = [(name, value) for name, value in params.items() if not asked or name != "question"]
    options = [f"-p {shlex.quote(f'{name}={_plain(value)}')}" for name, value in others]
    return "".join(f" {one}" for one in (*asked, *options, *(() if asked else ("--watch",))))


def dataset(kind: str) -> list[Snippet]:
    """Upload a dataset, of a kind if one is chosen."""
    file = {
        "table": "loans.csv",
        "interactions": "events.csv",
        "text": "products.jsonl",
        "event_log": "operations.csv",
        "language_model": "my-model.zip",
    }.get(kind, "pictures.zip")
    form, keyword, option = (f" -F kind={kind}", f', kind="{kind}"', f" --kind {kind}") if kind else ("", "", "")
    return [
        Snippet("curl", "curl", f"curl {server()}{PREFIX}/datasets \\\n{_token()}  -F file=@{file}{form}"),
        Snippet(
            "python",
            "Python",
            f'import aigc\n\nclient = aigc.Client("{server()}")\ndataset = client.datasets.upload("{file}"{keyword})',
        ),
        Snippet("cli", "CLI", f"aigc datasets add {file}{option}"),
    ]


def _token() -> str:
    return '  -H "Authorization: Bearer $AIGC_TOKEN" \\\n' if auth.is_protected() else ""


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
