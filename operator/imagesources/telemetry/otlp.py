"""Traces by the OpenTelemetry SDK, over OTLP/HTTP: loaded only where they are asked for (extra ``tracing``).

The SDK reads everything else from the environment: endpoint, headers, sampler, resource attributes.
"""

import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from typing import Self

from opentelemetry import trace as api
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter, SpanExportResult

from imagesources.telemetry.logs import log
from imagesources.telemetry.tracing import NOTHING, Attributes, Span

_END_SECONDS = 3.0
_NAME = "imagesource-operator"


class _OneSpan:
    def __init__(self, span: api.Span) -> None:
        self._span = span

    def note(self, attributes: Attributes) -> None:
        """See ``tracing.Span``."""
        self._span.set_attributes(attributes)

    def fail(self, kind: str) -> None:
        """See ``tracing.Span``."""
        self._span.set_attribute("error.type", kind)
        self._span.set_status(api.StatusCode.ERROR)


class OpenTelemetry:
    """See ``tracing.Tracer``."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer(_NAME, version(_NAME))

    @classmethod
    def exporting(cls, *, to_console: bool) -> Self:
        """Export in a thread, as the environment says."""
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # its messages show the collector's URL
        exporter = ConsoleSpanExporter() if to_console else _Telling(OTLPSpanExporter())
        provider = TracerProvider(resource=Resource.create(_identity()), shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(exporter))
        return cls(provider)

    def trace(self, name: str, attributes: Attributes) -> AbstractContextManager[Span]:
        """See ``tracing.Tracer``."""
        return self._span(name, attributes, api.SpanKind.INTERNAL, Context())

    def request(self, name: str, attributes: Attributes) -> AbstractContextManager[Span]:
        """See ``tracing.Tracer``."""
        if not api.get_current_span().is_recording():
            return NOTHING
        return self._span(name, attributes, api.SpanKind.CLIENT, None)

    def ids(self) -> dict[str, str]:
        """The ids of the current trace and span, as W3C writes them."""
        at = api.get_current_span().get_span_context()
        if not at.is_valid:
            return {}
        return {"trace_id": api.format_trace_id(at.trace_id), "span_id": api.format_span_id(at.span_id)}

    def end(self) -> None:
        """Send what is left, unless the collector keeps us waiting."""
        ending = threading.Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(_END_SECONDS)

    @contextmanager
    def _span(self, name: str, attributes: Attributes, kind: api.SpanKind, context: Context | None) -> Iterator[Span]:
        # An exception's text and stack are not for a collector: who makes the span says in one word what failed.
        with self._tracer.start_as_current_span(
            name, context, kind, attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            yield _OneSpan(span)


class _Telling(SpanExporter):
    """Says once that the collector does not take the traces, and once that it does again."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._refused = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch."""
        result = self._exporter.export(spans)
        refused = result is not SpanExportResult.SUCCESS
        if refused and not self._refused:
            log.warning("the collector of OTEL_EXPORTER_OTLP_ENDPOINT does not take the traces; some are lost")
        elif self._refused and not refused:
            log.info("the collector takes traces again")
        self._refused = refused
        return result

    def shutdown(self) -> None:
        """End."""
        self._exporter.shutdown()


def _identity() -> dict[str, str]:
    """Who speaks, by the semantic conventions; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES outrank it."""
    found = {
        "service.name": os.environ.get("OTEL_SERVICE_NAME", _NAME),
        "service.version": version(_NAME),
        "k8s.namespace.name": os.environ.get("POD_NAMESPACE", ""),
        "k8s.pod.name": os.environ.get("POD_NAME", ""),
    }
    return {name: value for name, value in found.items() if value}
