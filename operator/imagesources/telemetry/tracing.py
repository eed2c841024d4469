"""Traces: one for each reconcile, with a span for each call to the platform and each write to Kubernetes.

Off unless ``OTEL_*`` asks for traces. Then ``telemetry.otlp`` is loaded, which needs the extra ``tracing``; while off,
a span is one shared object that does nothing.
"""

import importlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self

from imagesources.telemetry.logs import log, set_trace_fields

Attributes = Mapping[str, str | int]
"""By the semantic conventions of OpenTelemetry where they have a name; never a credential, never a body."""

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


class Span(Protocol):
    """A piece of work with a beginning and an end."""

    def note(self, attributes: Attributes) -> None:
        """Add what became known meanwhile."""

    def fail(self, kind: str) -> None:
        """Mark it as failed (``error.type``), by one word of a closed set."""


class Tracer(Protocol):
    """Makes spans."""

    def trace(self, name: str, attributes: Attributes) -> AbstractContextManager[Span]:
        """Begin a trace of its own, whatever runs around it."""

    def request(self, name: str, attributes: Attributes) -> AbstractContextManager[Span]:
        """Begin a span for a request to another system; outside of a trace there is none."""


class _Nothing:
    """The span while tracing is off."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def note(self, attributes: Attributes) -> None:
        """See ``Span``."""

    def fail(self, kind: str) -> None:
        """See ``Span``."""


NOTHING = _Nothing()


class _Off:
    def trace(self, _name: str, _attributes: Attributes) -> AbstractContextManager[Span]:
        return NOTHING

    def request(self, _name: str, _attributes: Attributes) -> AbstractContextManager[Span]:
        return NOTHING


_tracer: Tracer = _Off()


def trace(name: str, attributes: Attributes) -> AbstractContextManager[Span]:
    """Begin a trace: one reconcile, one list of a hub's sources."""
    return _tracer.trace(name, attributes)


def request(name: str, attributes: Attributes) -> AbstractContextManager[Span]:
    """Begin a span for a request, in the trace that it belongs to."""
    return _tracer.request(name, attributes)


def set_up_tracing(environ: Mapping[str, str]) -> Callable[[], None]:
    """Trace, if the environment asks for it; what is missing for it is logged, and the operator goes on without.

    Returns:
        What ends it: sends what is left, within seconds.
    """
    exporter = environ.get("OTEL_TRACES_EXPORTER", "otlp" if any(map(environ.get, _ENDPOINTS)) else "none")
    if exporter == "none" or environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return _nothing_to_end
    protocol = next(filter(None, map(environ.get, _PROTOCOLS)), "http/protobuf")
    if exporter not in ("otlp", "console") or (exporter == "otlp" and protocol != "http/protobuf"):
        log.warning("no traces: OTEL_TRACES_EXPORTER can be otlp (over http/protobuf), console or none")
        return _nothing_to_end
    try:
        otlp = importlib.import_module("imagesources.telemetry.otlp")
    except ModuleNotFoundError:
        log.warning("no traces: OTEL_* asks for them; install the extra, in a clone: pip install '.[tracing]'")
        return _nothing_to_end
    return _switch_on(otlp.OpenTelemetry.exporting(to_console=exporter == "console"))


class _Running(Tracer, Protocol):
    def ids(self) -> dict[str, str]:
        """The ids of the current trace and span, for the log."""

    def end(self) -> None:
        """Send what is left."""


def _switch_on(running: _Running) -> Callable[[], None]:
    global _tracer  # noqa: PLW0603 - as with logging, there is one for the process
    _tracer = running
    set_trace_fields(running.ids)
    return running.end


def _nothing_to_end() -> None:
    return
