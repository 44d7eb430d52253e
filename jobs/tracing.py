"""One trace from the request that submits a job to the runner that does it, by OpenTelemetry; off unless it is set up.

The context of a trace travels in the job's row (``snapshot.traceparent``, W3C Trace Context), never in a message: so it
outlives the broker, restarts and retries, and each attempt is a span of the request that asked for it. The packages are
an extra (``otel``), imported only where ``AIGC_TRACE_ENDPOINT`` says where traces go.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

from jobs.settings import Settings

Facts = Mapping[str, str | int | float | bool]
HEADER = "traceparent"


class Tracing(Protocol):
    """Where spans are noted."""

    def span(self, name: str, facts: Facts, parent: str | None = None) -> AbstractContextManager[Any]:
        """A span within the one that is open here, or of a trace that came from elsewhere (``parent``)."""

    def current(self) -> str | None:
        """What to hand on, so that others' spans belong to the one that is open here."""


class Off:
    """Notes nothing."""

    def span(self, name: str, facts: Facts, parent: str | None = None) -> AbstractContextManager[Any]:
        """See :class:`Tracing`."""
        return nullcontext()

    def current(self) -> str | None:
        """See :class:`Tracing`."""
        return None


class OpenTelemetry:
    """Notes spans with an OpenTelemetry provider."""

    def __init__(self, provider: Any) -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider, self._tracer = provider, provider.get_tracer("aigc")
        self._context = TraceContextTextMapPropagator()

    @contextmanager
    def span(self, name: str, facts: Facts, parent: str | None = None) -> Iterator[Any]:
        """See :class:`Tracing`. An exception is noted and goes on."""
        context = self._context.extract({HEADER: parent}) if parent else None
        with self._tracer.start_as_current_span(name, context=context, attributes=dict(facts)) as span:
            yield span

    def current(self) -> str | None:
        """See :class:`Tracing`."""
        carrier: dict[str, str] = {}
        self._context.inject(carrier)
        return carrier.get(HEADER)


def open_tracing(settings: Settings, role: str) -> Tracing:
    """Send spans in batches to the collector that the operator named (OTLP over HTTP), or nowhere.

    Raises:
        RuntimeError: The extra is not installed.
    """
    if not settings.trace_endpoint:
        return Off()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise RuntimeError("AIGC_TRACE_ENDPOINT needs: pip install 'aigc-foundry[otel]'") from error
    provider = TracerProvider(resource=Resource.create({"service.name": f"aigc-{role}"}))
    address = settings.trace_endpoint.rstrip("/") + "/v1/traces"
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=address)))
    return OpenTelemetry(provider)
