"""A span for each request where traces are on; one that comes with a ``traceparent`` goes on with that trace."""

from flask import Flask, Response, g, request

from jobs import logs
from jobs.tracing import HEADER
from web import context


def init_app(app: Flask) -> None:
    """Open the span before anything looks at a request, and close it after the reply is made."""
    app.before_request(_open)
    app.after_request(_note)
    app.teardown_request(_close)


def _open() -> None:
    name = f"{request.method} {request.url_rule.rule}" if request.url_rule else request.method
    facts = {"http.request.method": request.method, "url.path": request.path}
    g.span = context.engine().tracing.span(name, facts, request.headers.get(HEADER))
    g.open_span = g.span.__enter__()


def _note(reply: Response) -> Response:
    g.open_span.set_attribute("http.response.status_code", reply.status_code)
    return reply


def _close(error: BaseException | None) -> None:
    span = g.pop("span", None)
    if span is not None:
        logs.begin()
        span.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)
