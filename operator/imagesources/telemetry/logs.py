"""The operator's log: one line for each meaningful step, for people or as JSON, with fields of fixed names."""

import json
import logging
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

log = logging.getLogger("imagesources")

FIELDS: Final[Mapping[str, str]] = {
    "namespace": "namespace of the ImageSource",
    "source_name": "name of the ImageSource",
    "step": "the step of the engine",
    "reason": "the reason, as the condition or Event gives it",
    "source": "id of the source on the platform",
    "hub": "the Hub as namespace/name, or the name of the ClusterHub",
    "operation": "operation of the platform's API",
    "code": "how the request ended: ok, a code of the platform, not-sent, unanswered, cancelled, other",
    "seconds": "how long it took",
    "trace_id": "the trace that the line belongs to, where traces are on",
    "span_id": "the span in it",
}
"""The fields of a line beside time, level, message and error (a traceback); each is there where it applies."""

_trace_fields: Callable[[], Mapping[str, str]] = dict


def set_trace_fields(fields: Callable[[], Mapping[str, str]]) -> None:
    """Ask this for the ids of the trace that a line belongs to."""
    global _trace_fields  # noqa: PLW0603 - as with logging, there is one for the process
    _trace_fields = fields


class _Line(logging.Formatter):
    def fields(self, record: logging.LogRecord) -> dict[str, object]:
        known = {**record.__dict__, **_trace_fields()}
        return {name: value for name in FIELDS if (value := known.get(name)) is not None}

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
