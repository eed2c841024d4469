"""Names of metrics and fields of logs, in one place."""

import json
import logging
import sys
from datetime import UTC, datetime

from prometheus_client import Counter, Gauge, Histogram

RECONCILES = Counter("imagesource_reconcile", "Passes of the engine by step and outcome.", ("step", "outcome"))
RECONCILE_SECONDS = Histogram("imagesource_reconcile_seconds", "Duration of a pass of the engine.")
QUEUE_DEPTH = Gauge("imagesource_queue_depth", "Sources that wait for a pass.")
PLATFORM_CALLS = Counter("imagesource_platform_calls", "Requests to the platform.", ("operation", "code"))
PLATFORM_SECONDS = Histogram(
    "imagesource_platform_call_seconds", "Duration of requests to the platform.", ("operation",)
)
KUBERNETES_WRITES = Counter("imagesource_kubernetes_writes", "Writes to the Kubernetes API.", ("resource", "write"))
HUBS_UP = Gauge("imagesource_hubs_up", "Hubs that answer.")

log = logging.getLogger("imagesources")

_EXTRA = ("namespace", "source_name", "step", "reason", "hub", "operation", "code", "source", "seconds")
"""The fields of a log line beside time, level, message."""


def observe_call(operation: str, code: str, seconds: float) -> None:
    """Count one request to the platform: its operation id, status or failure, duration."""
    PLATFORM_CALLS.labels(operation, code).inc()
    PLATFORM_SECONDS.labels(operation).observe(seconds)


class _Line(logging.Formatter):
    def fields(self, record: logging.LogRecord) -> dict[str, object]:
        return {name: value for name in _EXTRA if (value := record.__dict__.get(name)) is not None}

    def when(self, record: logging.LogRecord) -> str:
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


class _JsonLine(_Line):
    def format(self, record: logging.LogRecord) -> str:
        line = {"time": self.when(record), "level": record.levelname.lower(), "message": record.getMessage()}
        if record.exc_info and record.exc_info[0]:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line | self.fields(record), default=str)


class _TextLine(_Line):
    def format(self, record: logging.LogRecord) -> str:
        extra = "".join(f" {name}={value}" for name, value in self.fields(record).items())
        line = f"{self.when(record)} {record.levelname:<7} {record.getMessage()}{extra}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def set_up_logging(*, debug: bool = False, as_json: bool = False) -> None:
    """Log to standard error, one line per meaningful step; the libraries' own chatter only from WARNING on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLine() if as_json else _TextLine())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    log.setLevel(logging.DEBUG if debug else logging.INFO)
    logging.getLogger("imagesources.embedded").setLevel(logging.INFO if debug else logging.WARNING)
    logging.getLogger("kopf").setLevel(logging.WARNING)
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)  # it has no say in signals here
