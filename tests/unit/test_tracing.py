"""Traces: off without a cost, on by the environment; spans in memory show who is whose parent."""

import asyncio
import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from imagesources.telemetry import tracing
from imagesources.telemetry.otlp import OpenTelemetry


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Switches traces on, into memory."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    running = OpenTelemetry(provider)
    monkeypatch.setattr(tracing, "_tracer", running)
    yield exporter
    running.end()


def test_off_is_nothing() -> None:
    """While off, every span is the same object, and nothing is kept of what it is told."""
    with tracing.trace("reconcile", {"a": 1}) as span, tracing.request("getJob", {}) as request:
        assert span is request is tracing.NOTHING
        request.note({"b": 2})
        span.fail("broken")
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(1000):
        with tracing.trace("reconcile", {}):
            pass
    assert sys.getallocatedblocks() - before < 10


def test_off_loads_nothing() -> None:
    """The operator's modules import no OpenTelemetry."""
    code = "import sys, imagesources.app, imagesources.cli.run; sys.exit('opentelemetry' in sys.modules)"
    assert _run(code) == 0
    assert _run(code.replace("imagesources.app", "imagesources.telemetry.otlp")) == 1


def _run(code: str) -> int:
    return subprocess.run([sys.executable, "-c", code], check=False, env={"PYTHONPATH": ":".join(sys.path)}).returncode


async def test_traces_do_not_mix(memory: InMemorySpanExporter) -> None:
    """Work begun from inside of a trace is a trace of its own, and a request belongs to the trace it is made in."""

    async def inner() -> None:
        with tracing.trace("inner", {}), tracing.request("getJob", {}):
            await asyncio.sleep(0)

    with tracing.trace("outer", {}):
        task = asyncio.create_task(inner())
        with tracing.request("getImageSource", {}):
            await task
    spans = {span.name: span for span in memory.get_finished_spans()}
    assert spans["inner"].parent is None
    assert spans["outer"].parent is None
    assert spans["getJob"].parent == spans["inner"].context
    assert spans["getImageSource"].parent == spans["outer"].context


def test_request_outside_of_a_trace(memory: InMemorySpanExporter) -> None:
    """Without a trace around it, a request makes no span."""
    with tracing.request("getJob", {}) as span:
        assert span is tracing.NOTHING
    assert memory.get_finished_spans() == ()


def test_exception_is_not_shown(memory: InMemorySpanExporter) -> None:
    """What an exception says stays out of its span."""

    def fail() -> None:
        with tracing.trace("reconcile", {}) as span:
            span.fail("aborted")
            raise ValueError("s3cret")

    with pytest.raises(ValueError, match="s3cret"):
        fail()
    (done,) = memory.get_finished_spans()
    assert "s3cret" not in done.to_json()
    assert done.attributes == {"error.type": "aborted"}
    assert not done.status.is_ok
