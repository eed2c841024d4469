"""A collector of traces on loopback: OTLP over HTTP, as OpenTelemetry specifies it."""

import gzip
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

KINDS = {1: "internal", 3: "client"}
FAILED = 2
"""Status code of a span that failed."""


@dataclass(frozen=True)
class Span:
    """A span as it came in; ids in hexadecimal, ``parent`` empty for the root."""

    name: str
    trace: str
    id: str
    parent: str
    kind: str
    failed: bool
    attributes: dict[str, str | int]
    resource: dict[str, str | int]


class Collector:
    """Collects until the end of its context; ``status`` is what it answers.

    Attributes:
        raw: the bodies that came in.
    """

    def __init__(self) -> None:
        self.status = 200
        self.raw: list[bytes] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self._server.server_port}"

    def spans(self) -> list[Span]:
        """Everything that came in so far."""
        return [span for body in list(self.raw) for span in _spans(ExportTraceServiceRequest.FromString(body))]


def _handler(collector: Collector) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            is_zipped = self.headers.get("Content-Encoding") == "gzip"
            if collector.status == 200 and self.path == "/v1/traces":
                collector.raw.append(gzip.decompress(body) if is_zipped else body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(collector.status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_args: object) -> None:
            """Requests are not worth a line."""

    return Handler


def _spans(request: ExportTraceServiceRequest) -> list[Span]:
    return [
        Span(
            name=span.name,
            trace=span.trace_id.hex(),
            id=span.span_id.hex(),
            parent=span.parent_span_id.hex(),
            kind=KINDS[span.kind],
            failed=span.status.code == FAILED,
            attributes={each.key: each.value.string_value or each.value.int_value for each in span.attributes},
            resource={each.key: each.value.string_value for each in batch.resource.attributes},
        )
        for batch in request.resource_spans
        for scope in batch.scope_spans
        for span in scope.spans
    ]
