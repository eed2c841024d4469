"""Traces of a real operator at a real collector: what they show, what they never show, and what goes wrong."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.collector import Collector, Span
from tests.support.platform import API_KEY
from tests.support.proxy import Fault
from tests.support.scene import Scene, scene, source
from tests.support.waiting import wait_for

from imagesources.controlplane import ControlPlane
from imagesources.resources import CREDENTIALS_LABEL

TOKEN = "the-token-that-nobody-may-see"


@pytest.fixture
def traced(
    control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Scene, Collector]]:
    """A namespace and its operator, not started, which is asked to send traces."""
    with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://someone:{TOKEN}@{collector.address}")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        monkeypatch.setenv("POD_NAME", "operator-0")
        with scene(control_plane.cluster, tmp_path) as found:
            yield found, collector


def test_traces(traced: tuple[Scene, Collector]) -> None:
    """Each reconcile is a trace, each request to the platform and each Kubernetes write a span in it; no secret is."""
    stage, collector = traced
    stage.operator.start("--log-format=json")
    stage.kubectl.apply(_secret("login"))
    token = {"secretKeyRef": {"name": "login", "key": "token"}}
    stage.create("web", origin={"type": "docker-hub", "details": {"target": "nginx", "tokenFrom": token}})
    stage.delete("web")
    stage.operator.stop()  # which sends the rest
    spans = collector.spans()
    by_id = {span.id: span for span in spans}
    (post,) = [span for span in spans if span.name == "createImageSource"]
    root = by_id[post.parent]
    assert (root.name, root.kind, root.parent) == ("reconcile", "internal", "")
    expected = {"k8s.namespace.name": stage.kubectl.namespace, "imagesource.name": "web", "imagesource.step": "Create"}
    assert expected.items() <= root.attributes.items()
    assert post.kind == "client"
    assert post.attributes["url.template"] == "/v1/images/sources"
    assert (post.attributes["http.request.method"], post.attributes["server.address"]) == ("POST", "127.0.0.1")
    status = [
        span for span in spans if span.name.startswith("PATCH ") and span.name.endswith("imagesources/{name}/status")
    ]
    assert {by_id[each.parent].name for each in status} == {"reconcile"}
    assert {span.resource["service.name"] for span in spans} == {"imagesource-operator"}
    assert {span.resource["k8s.pod.name"] for span in spans} == {"operator-0"}
    _each_root_is_its_own(spans)
    told = stage.operator.log.read_text()
    for secret in (TOKEN, API_KEY):
        assert secret.encode() not in b"".join(collector.raw)
        assert secret not in told
    lines = [json.loads(line) for line in told.splitlines()]
    (created,) = [line for line in lines if line["message"].startswith("created source")]
    assert created["trace_id"] == root.trace
    assert created["span_id"] == root.id


def _each_root_is_its_own(spans: list[Span]) -> None:
    roots = [span for span in spans if not span.parent]
    assert {span.name for span in roots} == {"reconcile", "reconcile hub", "inventory"}
    assert len({span.trace for span in roots}) == len(roots)
    steps = [span.attributes.get("imagesource.step") for span in roots if span.name == "reconcile"]
    assert {"Intend", "Create", "FinishCreate", "Rest", "Delete", "WatchJob", "Release"} <= set(steps)


def test_failures(traced: tuple[Scene, Collector]) -> None:
    """What the platform refuses is a failed span, with its status and code, in a failed reconcile."""
    stage, collector = traced
    stage.operator.start()
    envelope = {"data": None, "error": {"status": 422, "code": "422.invalid-input", "title": TOKEN, "detail": TOKEN}}
    stage.calls.rule = lambda call: Fault(forward=False, answer=(422, envelope)) if call.method == "POST" else None
    stage.kubectl.apply(source("bad"))
    stage.reason("bad", "Refused")
    (post,) = wait_for(lambda: [s for s in collector.spans() if s.name == "createImageSource"][:1], what="the span")
    assert post.failed
    assert post.attributes["error.type"] == "422.invalid-input"
    assert post.attributes["http.response.status_code"] == 422
    root = wait_for(lambda: [s for s in collector.spans() if s.id == post.parent], what="its reconcile")[0]
    assert (root.failed, root.attributes["error.type"]) == (True, "Refused")
    assert TOKEN.encode() not in b"".join(collector.raw)


def test_collector_in_trouble(traced: tuple[Scene, Collector]) -> None:
    """A collector that refuses, and one that is away, is said once, without its URL; the operator works and ends."""
    stage, collector = traced
    collector.status = 400
    stage.operator.start()
    stage.create("web")
    said = "does not take the traces"
    wait_for(lambda: said in stage.operator.log.read_text(), what="the collector's refusal to be told")
    collector.status = 200
    stage.create("other")
    wait_for(lambda: "takes traces again" in stage.operator.log.read_text(), what="the end of it to be told")
    collector.__exit__(None, None, None)
    stage.create("third")
    stage.operator.stop()
    text = stage.operator.log.read_text()
    assert TOKEN not in text
    assert text.count(said) <= 2


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("OTEL_TRACES_EXPORTER", "zipkin", "no traces: OTEL_TRACES_EXPORTER can be otlp"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "no traces: OTEL_TRACES_EXPORTER can be otlp (over http/protobuf)"),
        ("OTEL_TRACES_EXPORTER", "none", ""),
        ("OTEL_SDK_DISABLED", "true", ""),
    ],
)
def test_not_asked_for(
    traced: tuple[Scene, Collector], monkeypatch: pytest.MonkeyPatch, setting: str, value: str, message: str
) -> None:
    """What cannot be done is said, what is switched off is off; the operator works in each case."""
    stage, collector = traced
    monkeypatch.setitem(stage.operator._env, setting, value)
    stage.operator.start()
    stage.create("web")
    stage.operator.stop()
    assert collector.raw == []
    text = stage.operator.log.read_text()
    assert message in text
    assert ("no traces" in text) == bool(message)


def test_without_the_extra(traced: tuple[Scene, Collector], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without OpenTelemetry installed, who asks for traces is told what to install, and the operator works."""
    stage, collector = traced
    tmp_path.joinpath("opentelemetry.py").write_text("raise ModuleNotFoundError(__name__)")
    monkeypatch.setitem(stage.operator._env, "PYTHONPATH", str(tmp_path))
    stage.operator.start()
    stage.create("web")
    stage.operator.stop()
    assert "pip install '.[tracing]'" in stage.operator.log.read_text()
    assert collector.raw == []


def _secret(name: str) -> dict[str, object]:
    metadata = {"name": name, "labels": {CREDENTIALS_LABEL: "true"}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"token": TOKEN}}
